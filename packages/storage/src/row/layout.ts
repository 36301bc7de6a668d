/**
 * Where things lie in a row and in a value block. The format itself: docs/formats.md.
 *
 * Rows are judged and built where they lie, without objects: a node moves thousands of them a
 * second.
 */
export const ROW_FORMAT = 1
const ROW_MAGIC = 0x5352 // 'S' 'R'

export const HEADER_BYTES = 41
export const CHECKSUM_BYTES = 8
const DOT_BYTES = 16
const FLAGS_AT = DOT_BYTES
export const STAMP_AT = FLAGS_AT + 1
export const REQUEST_AT = STAMP_AT + 8
export const EXPIRY_AT = REQUEST_AT + 8
export const PAYLOAD_AT = HEADER_BYTES + 4
/** Bytes of a value block around its payload. */
export const BLOCK_FRAME_BYTES = PAYLOAD_AT + CHECKSUM_BYTES
/** Magic, format, a zero byte and the number of values: what precedes the clock. */
export const ROW_HEAD_BYTES = 6
export const CLOCK_HEAD_BYTES = 4
const CLOCK_ENTRY_BYTES = 16
const TOMBSTONE_FLAG = 1

export const byteAt = (bytes: Uint8Array, at: number): number => bytes[at] as number

export const readU16 = (bytes: Uint8Array, at: number): number =>
  (byteAt(bytes, at) << 8) | byteAt(bytes, at + 1)

export const readU32 = (bytes: Uint8Array, at: number): number =>
  readU16(bytes, at) * 0x1_0000 + readU16(bytes, at + 2)

/** Exact up to 2^53 − 1. */
export const readU64 = (bytes: Uint8Array, at: number): number =>
  readU32(bytes, at) * 0x1_0000_0000 + readU32(bytes, at + 4)

export function writeU16(target: Uint8Array, at: number, value: number): void {
  target[at] = value >>> 8
  target[at + 1] = value
}

export function writeU32(target: Uint8Array, at: number, value: number): void {
  writeU16(target, at, value >>> 16)
  writeU16(target, at + 2, value)
}

/** Bytes of the clock that starts at `at`. The caller has checked that four bytes are there. */
export const clockBytesAt = (bytes: Uint8Array, at: number): number =>
  CLOCK_HEAD_BYTES + CLOCK_ENTRY_BYTES * (readU16(bytes, at) + readU16(bytes, at + 2))

export const isTombstoneAt = (bytes: Uint8Array, headerAt: number): boolean =>
  byteAt(bytes, headerAt + FLAGS_AT) === TOMBSTONE_FLAG

export const hasUnknownFlags = (bytes: Uint8Array, headerAt: number): boolean =>
  byteAt(bytes, headerAt + FLAGS_AT) > TOMBSTONE_FLAG

/** Whether the dot at `left` is less than the dot at `right`: by actor, then by counter. */
export function dotsAscend(bytes: Uint8Array, left: number, right: number): boolean {
  for (let offset = 0; offset < DOT_BYTES; offset++) {
    const difference = byteAt(bytes, right + offset) - byteAt(bytes, left + offset)
    if (difference !== 0) return difference > 0
  }
  return false
}

export const valueCount = (row: Uint8Array): number => readU16(row, ROW_HEAD_BYTES - 2)

/** Where the first value block starts. */
export const firstBlockAt = (row: Uint8Array): number =>
  ROW_HEAD_BYTES + clockBytesAt(row, ROW_HEAD_BYTES) + CHECKSUM_BYTES

/** Where the block behind the one at `at` starts. */
export const nextBlockAt = (row: Uint8Array, at: number): number =>
  at + BLOCK_FRAME_BYTES + readU32(row, at + HEADER_BYTES)

export function writeRowHead(target: Uint8Array, at: number, values: number): void {
  writeU16(target, at, ROW_MAGIC)
  target[at + 2] = ROW_FORMAT
  target[at + 3] = 0
  writeU16(target, at + 4, values)
}

export const hasRowMagic = (row: Uint8Array): boolean => readU16(row, 0) === ROW_MAGIC
