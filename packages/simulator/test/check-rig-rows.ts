import {
  addDot,
  emptyClock,
  etagOfDot,
  HEADER_BYTES,
  isVisible,
  liveAt,
  liveHeaderAt,
  modifiedOf,
  versionClock,
} from '@shoal/causality'
import type { ReadAnswer } from '@shoal/coordinator'
import type { KnownRow } from '@shoal/replica'
import { hash64 } from '@shoal/ring'
import { decodeValue, encodeRow, rowBlocks } from '@shoal/storage'

export function hashOf(id: string, token: bigint): Buffer {
  const hash = Buffer.alloc(8)
  hash.writeBigUInt64BE(hash64(Buffer.from(id, 'latin1'), token))
  return hash
}

/** The client's context and the new dot (V5). */
export const contextOf = (context: Buffer | undefined, actor: Buffer, counter: number): Buffer =>
  addDot(context ? versionClock(context) : emptyClock, actor, counter)

interface Content {
  readonly body: Buffer
  readonly contentType: string
  readonly operation: 'put' | 'delete'
}

export function rowOf(
  version: Buffer,
  known: KnownRow | undefined,
  token: bigint,
  content: Content,
): Buffer {
  const old = known ? rowBlocks(known.row) : []
  const parts = []
  for (let at = liveAt(version); at < version.length; at += HEADER_BYTES) {
    const header = version.subarray(at, at + HEADER_BYTES)
    const block = old.find((each) => each.compare(header, 0, 16, 0, 16) === 0)
    if (block) parts.push(block)
    else if (content.operation === 'delete') parts.push(tombstoneBlock(header, token))
    else {
      const { contentType, body } = content
      parts.push({ header, contentType, contentEncoding: '', body })
    }
  }
  return encodeRow(versionClock(version), parts, token)
}

function tombstoneBlock(header: Buffer, token: bigint): Buffer {
  const block = Buffer.alloc(HEADER_BYTES + 12)
  header.copy(block)
  const at = HEADER_BYTES + 4
  block.writeBigUInt64BE(hash64(block.subarray(0, at), token), at)
  return block
}

export function valuesOf({ version, row }: KnownRow, wall: number): ReadAnswer['values'] {
  const blocks = rowBlocks(row)
  const values = blocks.flatMap((block, index) => {
    const header = liveHeaderAt(version, index)
    if (!isVisible(version, header, wall)) return []
    const { contentType, contentEncoding, body } = decodeValue(block)
    const modified = modifiedOf(block, 0)
    return [{ etag: etagOfDot(block), contentType, contentEncoding, body, modified }]
  })
  return values
}
