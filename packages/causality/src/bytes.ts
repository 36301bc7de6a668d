/**
 * Clocks, versions and tokens are read and compared where they lie: as bytes, big-endian, without
 * objects. Plain loops, because the ranges are short (8 to 41 bytes): a call into native code costs
 * more than it saves there.
 */

/** Below this many bytes a loop is faster than `Buffer.copy`. */
const LOOP_COPY_MAX = 96

export const byteAt = (bytes: Buffer, at: number): number => bytes[at] as number

export function readU16(bytes: Buffer, at: number): number {
  return (byteAt(bytes, at) << 8) | byteAt(bytes, at + 1)
}

export function writeU16(bytes: Buffer, at: number, value: number): void {
  bytes[at] = value >>> 8
  bytes[at + 1] = value
}

export function readU32(bytes: Buffer, at: number): number {
  return (
    ((byteAt(bytes, at) << 24) |
      (byteAt(bytes, at + 1) << 16) |
      (byteAt(bytes, at + 2) << 8) |
      byteAt(bytes, at + 3)) >>>
    0
  )
}

export function writeU32(bytes: Buffer, at: number, value: number): void {
  bytes[at] = value >>> 24
  bytes[at + 1] = value >>> 16
  bytes[at + 2] = value >>> 8
  bytes[at + 3] = value
}

/** Exact up to 2^53 − 1; every u64 written here stays below that, and validation refuses others. */
export function readU64(bytes: Buffer, at: number): number {
  return readU32(bytes, at) * 0x1_0000_0000 + readU32(bytes, at + 4)
}

export function writeU64(bytes: Buffer, at: number, value: number): void {
  writeU32(bytes, at, Math.floor(value / 0x1_0000_0000))
  writeU32(bytes, at + 4, value >>> 0)
}

/** Below 0, 0 or above 0, as memcmp. Numbers are big-endian, so this is also their order. */
export function compareBytes(
  a: Buffer,
  aAt: number,
  b: Buffer,
  bAt: number,
  count: number,
): number {
  for (let index = 0; index < count; index++) {
    const difference = byteAt(a, aAt + index) - byteAt(b, bAt + index)
    if (difference !== 0) return difference
  }
  return 0
}

export function equalBytes(a: Buffer, aAt: number, b: Buffer, bAt: number, count: number): boolean {
  for (let index = 0; index < count; index++) {
    if (a[aAt + index] !== b[bAt + index]) return false
  }
  return true
}

export function copyBytes(
  from: Buffer,
  fromAt: number,
  to: Buffer,
  toAt: number,
  count: number,
): void {
  if (count > LOOP_COPY_MAX) {
    from.copy(to, toAt, fromAt, fromAt + count)
    return
  }
  for (let index = 0; index < count; index++) to[toAt + index] = byteAt(from, fromAt + index)
}

export const hexAt = (bytes: Buffer, at: number, count: number): string =>
  bytes.toString('hex', at, at + count)
