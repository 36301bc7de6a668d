import { invariant, ShoalError } from '@shoal/kernel'
import { sealChecksum } from './checksum.ts'
import {
  CHECKSUM_BYTES,
  CLOCK_HEAD_BYTES,
  clockBytesAt,
  firstBlockAt,
  HEADER_BYTES,
  nextBlockAt,
  ROW_HEAD_BYTES,
  valueCount,
  writeRowHead,
  writeU16,
} from './layout.ts'
import { type NewValue, valueBlockByteLength, writeValueBlock } from './value-block.ts'

/**
 * A row is the whole state of one key: its clock and its live values. The same bytes lie on the
 * disk and travel between replicas.
 *
 * A row can be built inside a larger buffer, so that a coordinator writes a whole merge message at
 * once and the body of a value is copied exactly once on its way in.
 */
const VALUES_MAX = 0xffff

/** A value of a row to be: a block as it came, or a value to be encoded in its place. */
export type BlockPart = Uint8Array | NewValue

const isBlock = (part: BlockPart): part is Uint8Array => part instanceof Uint8Array

/** @param clock  the encoded clock alone, without live headers */
export function rowByteLength(clock: Uint8Array, parts: readonly BlockPart[]): number {
  let bytes = ROW_HEAD_BYTES + clock.length + CHECKSUM_BYTES
  for (const part of parts) bytes += isBlock(part) ? part.length : valueBlockByteLength(part)
  return bytes
}

/**
 * Writes a row at `at` and returns where it ends.
 *
 * @param clock  the encoded clock alone; it contains the dot of every value
 * @param parts  1 to 65,535 values, ascending by dot
 * @param token  of the key; seeds the checksums
 * Cost: one copy of everything, two hashes for the one-value case.
 */
export function writeRow(
  target: Buffer,
  at: number,
  clock: Uint8Array,
  parts: readonly BlockPart[],
  token: bigint,
): number {
  invariant(
    clock.length >= CLOCK_HEAD_BYTES && clock.length === clockBytesAt(clock, 0),
    'a row starts with exactly its clock',
  )
  invariant(parts.length > 0 && parts.length <= VALUES_MAX, 'a row holds at least one value')
  writeRowHead(target, at, parts.length)
  target.set(clock, at + ROW_HEAD_BYTES)
  let end = at + ROW_HEAD_BYTES + clock.length
  sealChecksum(target, at, end, token)
  end += CHECKSUM_BYTES
  for (const part of parts) {
    if (isBlock(part)) {
      target.set(part, end)
      end += part.length
    } else {
      end = writeValueBlock(target, end, part, token)
    }
  }
  return end
}

/** A row of its own, in one allocation. */
export function encodeRow(clock: Uint8Array, parts: readonly BlockPart[], token: bigint): Buffer {
  const row = Buffer.allocUnsafe(rowByteLength(clock, parts))
  const end = writeRow(row, 0, clock, parts, token)
  invariant(end === row.length, 'a row has the length that was foretold')
  return row
}

/**
 * The version of a row: its clock and the live headers, copied out of the values.
 *
 * @throws SHOAL_ROW_DAMAGED when the lengths do not fit; everything else is for `verifyRow` to find
 */
export function rowVersion(row: Buffer): Buffer {
  const clockBytes = clockBytesOf(row)
  const values = valueCount(row)
  const version = Buffer.allocUnsafe(clockBytes + 2 + HEADER_BYTES * values)
  row.copy(version, 0, ROW_HEAD_BYTES, ROW_HEAD_BYTES + clockBytes)
  writeU16(version, clockBytes, values)
  let blockAt = firstBlockAt(row)
  for (let end = clockBytes + 2; end < version.length; end += HEADER_BYTES) {
    row.copy(version, end, blockAt, blockAt + HEADER_BYTES)
    blockAt = stepOver(row, blockAt)
  }
  return version
}

/**
 * The value blocks of a row as views, ascending by dot.
 *
 * @throws SHOAL_ROW_DAMAGED when the lengths do not fit
 */
export function rowBlocks(row: Buffer): Buffer[] {
  clockBytesOf(row)
  const blocks: Buffer[] = []
  const values = valueCount(row)
  let blockAt = firstBlockAt(row)
  for (let index = 0; index < values; index++) {
    const end = stepOver(row, blockAt)
    blocks.push(row.subarray(blockAt, end))
    blockAt = end
  }
  return blocks
}

function clockBytesOf(row: Buffer): number {
  if (row.length < ROW_HEAD_BYTES + CLOCK_HEAD_BYTES || row.length < firstBlockAt(row)) cutOff()
  return clockBytesAt(row, ROW_HEAD_BYTES)
}

function stepOver(row: Buffer, blockAt: number): number {
  if (blockAt + HEADER_BYTES + 4 > row.length) cutOff()
  const end = nextBlockAt(row, blockAt)
  if (end > row.length) cutOff()
  return end
}

function cutOff(): never {
  throw new ShoalError('SHOAL_ROW_DAMAGED', 'the row is cut off')
}
