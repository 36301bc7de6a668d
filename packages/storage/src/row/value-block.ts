import { invariant, limits } from '@shoal/kernel'
import { sealChecksum } from './checksum.ts'
import {
  BLOCK_FRAME_BYTES,
  byteAt,
  CHECKSUM_BYTES,
  EXPIRY_AT,
  HEADER_BYTES,
  isTombstoneAt,
  PAYLOAD_AT,
  REQUEST_AT,
  readU16,
  readU64,
  STAMP_AT,
  writeU16,
  writeU32,
} from './layout.ts'

/**
 * A value block is one value with its live header and checksum. The coordinator that mints the dot
 * makes it, once; from then on it is carried byte for byte, to disks and to peers (V1, V11).
 */
export interface NewValue {
  /** The live header of the value, 41 bytes. */
  readonly header: Uint8Array
  /** Latin-1 text, as HTTP headers are. */
  readonly contentType: string
  /** Latin-1 text, at most 255 characters; empty for none. */
  readonly contentEncoding: string
  readonly body: Uint8Array
}

export interface DecodedValue {
  /** A view: dot, flags, stamp, request, expiry. */
  readonly header: Buffer
  readonly tombstone: boolean
  /** Hybrid logical clock: 48 bits of Unix milliseconds, 16 bits of counter. */
  readonly stamp: bigint
  /** A view: 8-byte hash of the request id, zeros for none. */
  readonly request: Buffer
  /** Unix milliseconds, 0 for never. */
  readonly expiry: number
  readonly contentType: string
  readonly contentEncoding: string
  /** A view. Empty for a tombstone. */
  readonly body: Buffer
}

const TYPE_LENGTH_BYTES = 2
const ENCODING_LENGTH_BYTES = 1
const ENCODING_CHARS_MAX = 0xff
/** Of a value; a tombstone has none at all. */
export const PAYLOAD_BYTES_MIN = TYPE_LENGTH_BYTES + ENCODING_LENGTH_BYTES
const EMPTY = Buffer.alloc(0)

export function valueBlockByteLength(value: NewValue): number {
  return BLOCK_FRAME_BYTES + payloadByteLength(value)
}

function payloadByteLength({ contentType, contentEncoding, body }: NewValue): number {
  return PAYLOAD_BYTES_MIN + contentType.length + contentEncoding.length + body.length
}

/** Writes the block at `at` and returns where it ends. The only copy of the body on a write. */
export function writeValueBlock(
  target: Buffer,
  at: number,
  value: NewValue,
  token: bigint,
): number {
  const { header, contentType, contentEncoding, body } = value
  invariant(header.length === HEADER_BYTES, 'a live header has its size')
  invariant(
    contentType.length <= limits.contentTypeBytesMax,
    'a content type was bounded at the edge',
  )
  invariant(contentEncoding.length <= ENCODING_CHARS_MAX, 'a content encoding fits its length byte')
  target.set(header, at)
  writeU32(target, at + HEADER_BYTES, payloadByteLength(value))
  let end = at + PAYLOAD_AT
  writeU16(target, end, contentType.length)
  end = writeText(target, end + TYPE_LENGTH_BYTES, contentType)
  target[end] = contentEncoding.length
  end = writeText(target, end + ENCODING_LENGTH_BYTES, contentEncoding)
  target.set(body, end)
  end += body.length
  sealChecksum(target, at, end, token)
  return end + CHECKSUM_BYTES
}

function writeText(target: Buffer, at: number, text: string): number {
  if (text.length > 0) target.write(text, at, 'latin1')
  return at + text.length
}

export function encodeValueBlock(value: NewValue, token: bigint): Buffer {
  const block = Buffer.allocUnsafe(valueBlockByteLength(value))
  writeValueBlock(block, 0, value, token)
  return block
}

/** The block of a delete. `header` carries the tombstone flag. */
export function encodeTombstoneBlock(header: Uint8Array, token: bigint): Buffer {
  invariant(header.length === HEADER_BYTES, 'a live header has its size')
  invariant(isTombstoneAt(header, 0), 'the header of a tombstone says so')
  const block = Buffer.allocUnsafe(BLOCK_FRAME_BYTES)
  block.set(header, 0)
  writeU32(block, HEADER_BYTES, 0)
  sealChecksum(block, 0, PAYLOAD_AT, token)
  return block
}

/** Reads a block of a verified row. Texts are copied, the rest are views. */
export function decodeValue(block: Buffer): DecodedValue {
  const tombstone = isTombstoneAt(block, 0)
  const typeAt = PAYLOAD_AT + TYPE_LENGTH_BYTES
  const typeEnd = tombstone ? typeAt : typeAt + readU16(block, PAYLOAD_AT)
  const encodingAt = typeEnd + ENCODING_LENGTH_BYTES
  const encodingEnd = tombstone ? encodingAt : encodingAt + byteAt(block, typeEnd)
  return {
    header: block.subarray(0, HEADER_BYTES),
    tombstone,
    stamp: block.readBigUInt64BE(STAMP_AT),
    request: block.subarray(REQUEST_AT, EXPIRY_AT),
    expiry: readU64(block, EXPIRY_AT),
    contentType: block.toString('latin1', typeAt, typeEnd),
    contentEncoding: block.toString('latin1', encodingAt, encodingEnd),
    body: tombstone ? EMPTY : block.subarray(encodingEnd, block.length - CHECKSUM_BYTES),
  }
}
