/**
 * What lies in the column `hints`. All integers are big-endian.
 *
 *   hint  key    'h', u8 n, id of the target (n bytes, ASCII), u64 sequence
 *         value  u8 format (1), u48 since when it is owed (Unix ms), u32 bytes of the row,
 *                row key, u64 xxHash64 of the value so far, seeded with the xxHash64 of the key
 *   mark  key    'd', u8 n, id of the target, u16 partition
 *         value  u48 since when (Unix ms)
 *
 * A hint names a row and holds no copy of it: whoever owes a row has it in `rows`, and what it has
 * there only grows. So a row that is overwritten a thousand times while its target is away is one
 * record of about a hundred bytes, written once, and what is delivered is the newest state.
 *
 * Sequences ascend over all targets. So the hints of one target lie together, oldest first. The
 * seed of the checksum makes a record in the place of another one damaged. A mark says all it has
 * to say in its key: whatever its value is, it holds.
 */

import type { Partition } from '@shoal/kernel'
import {
  invariant,
  limits,
  type Millis,
  millis,
  type NodeId,
  nodeId,
  partition,
} from '@shoal/kernel'
import { hash64 } from '@shoal/ring'

const HINT = 0x68
const MARK = 0x64
const FORMAT = 1
const ROW_KEY_AT = 1 + 6 + 4
const CHECKSUM_BYTES = 8

/** One hint, without its target. */
export interface Hint {
  /** Its place in the log: a hint with a smaller one is older. */
  readonly sequence: number
  /** By the wall clock of this node. */
  readonly since: Millis
  /** Of the row when it was first owed. It may have grown since. */
  readonly bytes: number
  readonly rowKey: Buffer
}

export type Place =
  | { readonly kind: 'hint'; readonly node: NodeId; readonly sequence: number }
  | { readonly kind: 'mark'; readonly node: NodeId; readonly partition: Partition }

export function hintKey(node: NodeId, sequence: number): Buffer {
  const key = prefixed(HINT, node, 8)
  key.writeBigUInt64BE(BigInt(sequence), key.length - 8)
  return key
}

/** Where the hints of a target end: the first key behind them. */
export function hintsEnd(node: NodeId): Buffer {
  const end = prefixed(HINT, node, 9)
  return end.fill(0xff, end.length - 9)
}

export function markKey(node: NodeId, index: Partition): Buffer {
  const key = prefixed(MARK, node, 2)
  key.writeUInt16BE(index, key.length - 2)
  return key
}

function prefixed(kind: number, node: NodeId, more: number): Buffer {
  const length = Buffer.byteLength(node)
  invariant(length > 0 && length <= limits.nodeIdCharsMax, 'a target has an id', () => node)
  const key = Buffer.allocUnsafe(2 + length + more)
  key[0] = kind
  key[1] = length
  key.write(node, 2)
  return key
}

/** What a key of the column stands for; undefined when it is none of ours. Never throws. */
export function readPlace(key: Buffer): Place | undefined {
  const end = 2 + (key[1] ?? 0)
  if (key.length < 3 || end === 2 || end > key.length) return undefined
  const node = nodeId(key.toString('latin1', 2, end))
  const rest = key.length - end
  if (key[0] === HINT && rest === 8) {
    return { kind: 'hint', node, sequence: Number(key.readBigUInt64BE(end)) }
  }
  if (key[0] === MARK && rest === 2) {
    return { kind: 'mark', node, partition: partition(key.readUInt16BE(end)) }
  }
  return undefined
}

export function encodeHint(key: Buffer, { since, bytes, rowKey }: Omit<Hint, 'sequence'>): Buffer {
  const value = Buffer.allocUnsafe(ROW_KEY_AT + rowKey.length + CHECKSUM_BYTES)
  value[0] = FORMAT
  value.writeUIntBE(wholeMillis(since), 1, 6)
  value.writeUInt32BE(bytes, 7)
  rowKey.copy(value, ROW_KEY_AT)
  const end = ROW_KEY_AT + rowKey.length
  value.writeBigUInt64BE(checksumOf(key, value.subarray(0, end)), end)
  return value
}

/** Undefined when the record is damaged, or of a format we do not know. Never throws. */
export function decodeHint(key: Buffer, value: Buffer): Hint | undefined {
  const place = readPlace(key)
  const end = value.length - CHECKSUM_BYTES
  if (place?.kind !== 'hint' || end <= ROW_KEY_AT || value[0] !== FORMAT) return undefined
  if (value.readBigUInt64BE(end) !== checksumOf(key, value.subarray(0, end))) return undefined
  return {
    sequence: place.sequence,
    since: millis(value.readUIntBE(1, 6)),
    bytes: value.readUInt32BE(7),
    rowKey: value.subarray(ROW_KEY_AT, end),
  }
}

const checksumOf = (key: Buffer, value: Buffer): bigint => hash64(value, hash64(key))

export function encodeMark(since: Millis): Buffer {
  const value = Buffer.allocUnsafe(6)
  value.writeUIntBE(wholeMillis(since), 0, 6)
  return value
}

export function decodeMark(value: Buffer | undefined): Millis {
  return millis(value?.length === 6 ? value.readUIntBE(0, 6) : 0)
}

const U48_MAX = 2 ** 48 - 1

/** A wall clock may say anything. */
const wholeMillis = (time: Millis): number => Math.min(Math.max(0, Math.floor(time)), U48_MAX)
