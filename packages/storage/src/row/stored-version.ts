import { holdsChecksum, sealChecksum } from './checksum.ts'
import { CHECKSUM_BYTES, CLOCK_HEAD_BYTES, clockBytesAt, HEADER_BYTES, readU16 } from './layout.ts'

/**
 * Versions are kept a second time apart from the values, because most writes need to know only what
 * they replace: reading 100 bytes instead of the row saves a quarter of the cost of a write.
 */
const VERSION_BYTES_MIN = CLOCK_HEAD_BYTES + 2 + HEADER_BYTES

/** A version as it lies in the `versions` column: with its checksum. */
export function encodeStoredVersion(version: Uint8Array, token: bigint): Buffer {
  const stored = Buffer.allocUnsafe(version.length + CHECKSUM_BYTES)
  stored.set(version, 0)
  sealChecksum(stored, 0, version.length, token)
  return stored
}

/**
 * The version as a view, or undefined when the record is damaged. Never throws, whatever the bytes.
 */
export function decodeStoredVersion(stored: Buffer, token: bigint): Buffer | undefined {
  const bytes = stored.length - CHECKSUM_BYTES
  if (bytes < VERSION_BYTES_MIN) return undefined
  const liveAt = clockBytesAt(stored, 0)
  if (liveAt + 2 > bytes) return undefined
  const live = readU16(stored, liveAt)
  if (live === 0 || liveAt + 2 + HEADER_BYTES * live !== bytes) return undefined
  return holdsChecksum(stored, 0, bytes, token) ? stored.subarray(0, bytes) : undefined
}
