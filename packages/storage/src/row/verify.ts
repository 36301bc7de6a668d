import type { ErrorCode } from '@shoal/kernel'
import { holdsChecksum } from './checksum.ts'
import {
  BLOCK_FRAME_BYTES,
  byteAt,
  CHECKSUM_BYTES,
  CLOCK_HEAD_BYTES,
  dotsAscend,
  firstBlockAt,
  HEADER_BYTES,
  hasRowMagic,
  hasUnknownFlags,
  isTombstoneAt,
  nextBlockAt,
  PAYLOAD_AT,
  ROW_FORMAT,
  ROW_HEAD_BYTES,
  readU16,
  readU32,
  valueCount,
} from './layout.ts'
import { PAYLOAD_BYTES_MIN } from './value-block.ts'

export interface Damage {
  /** What is wrong, in words. */
  readonly damaged: string
  /** SHOAL_STORE_NEWER when a later version of Shoal wrote the row, else SHOAL_ROW_DAMAGED. */
  readonly code: ErrorCode
}

const damage = (damaged: string, code: ErrorCode = 'SHOAL_ROW_DAMAGED'): Damage => ({
  damaged,
  code,
})

/**
 * Checks every byte of a row that came from a disk or a peer (V11): magic, format, lengths, both
 * kinds of checksum, the order of dots. Never throws and never reads outside the row, whatever the
 * bytes.
 *
 * @param token  of the key the row is meant to belong to
 * Cost: one pass over the row; about 0.6 µs for 1 KiB.
 */
export function verifyRow(row: Buffer, token: bigint): 'ok' | Damage {
  if (row.length < ROW_HEAD_BYTES + CLOCK_HEAD_BYTES) return damage('it is cut off in its head')
  if (!hasRowMagic(row)) return damage('it does not begin as a row')
  if (byteAt(row, 2) !== ROW_FORMAT) return strangeFormat(byteAt(row, 2))
  const blocksAt = firstBlockAt(row)
  if (blocksAt > row.length) return damage('it is cut off in its clock')
  if (!holdsChecksum(row, 0, blocksAt - CHECKSUM_BYTES, token)) {
    return damage('the checksum of its clock is wrong')
  }
  if (byteAt(row, 3) !== 0) return damage('its reserved byte is not zero')
  return verifyBlocks(row, blocksAt, token)
}

function strangeFormat(format: number): Damage {
  if (format === 0) return damage('it has format 0')
  return damage(`it has format ${format}; this version knows ${ROW_FORMAT}`, 'SHOAL_STORE_NEWER')
}

function verifyBlocks(row: Buffer, blocksAt: number, token: bigint): 'ok' | Damage {
  const values = valueCount(row)
  if (values === 0) return damage('it holds no value')
  let at = blocksAt
  for (let index = 0, before = -1; index < values; index++) {
    const reason = blockReason(row, at, token)
    if (reason !== undefined) return damage(`value ${index + 1} of ${values} ${reason}`)
    if (before >= 0 && !dotsAscend(row, before, at)) return damage('its values are out of order')
    before = at
    at = nextBlockAt(row, at)
  }
  return at === row.length ? 'ok' : damage('something follows its last value')
}

function blockReason(row: Buffer, at: number, token: bigint): string | undefined {
  if (at + BLOCK_FRAME_BYTES > row.length) return 'is cut off'
  const end = nextBlockAt(row, at)
  if (end > row.length) return 'is longer than the row'
  if (!holdsChecksum(row, at, end - CHECKSUM_BYTES, token)) return 'has a wrong checksum'
  if (hasUnknownFlags(row, at)) return 'has unknown flags'
  const payloadBytes = readU32(row, at + HEADER_BYTES)
  if (isTombstoneAt(row, at)) return payloadBytes === 0 ? undefined : 'is a delete with a body'
  return payloadReason(row, at + PAYLOAD_AT, payloadBytes)
}

function payloadReason(row: Buffer, at: number, bytes: number): string | undefined {
  if (bytes < PAYLOAD_BYTES_MIN) return 'has no room for its content type'
  const typeBytes = readU16(row, at)
  if (typeBytes + PAYLOAD_BYTES_MIN > bytes) return 'has a content type longer than itself'
  const encodingBytes = byteAt(row, at + 2 + typeBytes)
  return typeBytes + encodingBytes + PAYLOAD_BYTES_MIN > bytes
    ? 'has a content encoding longer than itself'
    : undefined
}
