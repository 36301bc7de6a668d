import { invariant } from '@shoal/kernel'
import { ByteReader, ByteWriter, malformed } from '../bytes.ts'

/**
 * How two replicas of a partition find what differs between them (E2), from the top down: the roots
 * of their trees, the roots of 32 groups, the segment digests of groups that differ, and then the
 * keys of segments that differ. What differs in the end travels as ordinary reads and merges.
 *
 *   exchange: u16 partition, u8 level, then
 *     0 root    u8 bytes of a hash, my root  answered by `same` or `children`
 *     1 leaves  u32, one bit for each group asked for, lowest first  answered by `leaves`
 *   keys: u16 partition, list of u16 segments ascending, bytes: only row keys after this
 *
 *   exchange answer: u8 level, then
 *     0 same      nothing
 *     1 children  u8 bytes of a hash, 32 hashes
 *     2 leaves    u32 groups, for each of them 32 digests of 8 bytes
 *   keys answer: flag finished, list of u16 segments that cannot be read,
 *     list of: u8 1 for a damaged row, u16 length of the row key, row key, 8 bytes version digest
 */
const GROUPS = 32
const GROUP_DIGEST_BYTES = 32 * 8
const SEGMENTS = GROUPS * 32
const DIGEST_BYTES = 8
/** Of any hash that a tree may be built with. */
const HASH_BYTES_MAX = 64
/** A flag, a length, a key of one byte, a digest. */
const ENTRY_BYTES_MIN = 1 + 2 + 1 + DIGEST_BYTES
const ROOT = 0
const LEAVES = 1
const SAME = 0
const CHILDREN = 1

export type ExchangeMessage =
  | { readonly level: 'root'; readonly partition: number; readonly root: Buffer }
  /** @param groups  one bit for each of the 32 groups, lowest first; at least one */
  | { readonly level: 'leaves'; readonly partition: number; readonly groups: number }

export function encodeExchange(message: ExchangeMessage): Buffer {
  const writer = new ByteWriter(48).u16(message.partition)
  if (message.level === 'root') {
    return writer.u8(ROOT).u8(hashBytes(message.root)).raw(message.root).finish()
  }
  invariant(message.groups !== 0, 'leaves are asked of some group')
  return writer.u8(LEAVES).u32(message.groups).finish()
}

/** Views into the body. @throws SHOAL_FRAME_INVALID */
export function decodeExchange(body: Buffer): ExchangeMessage {
  const reader = new ByteReader(body)
  const partition = reader.u16()
  const level = reader.u8()
  if (level > LEAVES) throw malformed(`level ${level} of an exchange`)
  const message: ExchangeMessage =
    level === ROOT
      ? { level: 'root', partition, root: reader.raw(readHashBytes(reader)) }
      : { level: 'leaves', partition, groups: readGroups(reader) }
  reader.end()
  return message
}

export type ExchangeAnswer =
  | { readonly level: 'same' }
  /** The roots of the 32 groups. */
  | { readonly level: 'children'; readonly children: readonly Buffer[] }
  /** For each bit of `groups`, lowest first, the 32 segment digests of the group, big-endian. */
  | { readonly level: 'leaves'; readonly groups: number; readonly digests: readonly Buffer[] }

export function encodeExchangeAnswer(answer: ExchangeAnswer): Buffer {
  if (answer.level === 'same') return Buffer.of(SAME)
  const writer = new ByteWriter(1_100)
  if (answer.level === 'children') {
    const { children } = answer
    const first = children[0]
    invariant(first !== undefined && children.length === GROUPS, 'a forest has 32 groups')
    writer.u8(CHILDREN).u8(hashBytes(first))
    for (const child of children) {
      invariant(child.length === first.length, 'hashes of one tree have one length')
      writer.raw(child)
    }
    return writer.finish()
  }
  const { groups, digests } = answer
  invariant(countBits(groups) === digests.length, 'each group that is named is there')
  writer.u8(2).u32(groups)
  for (const group of digests) {
    invariant(group.length === GROUP_DIGEST_BYTES, 'a group has 32 digests')
    writer.raw(group)
  }
  return writer.finish()
}

/** Views into the body. @throws SHOAL_FRAME_INVALID */
export function decodeExchangeAnswer(body: Buffer): ExchangeAnswer {
  const reader = new ByteReader(body)
  const answer = readAnswer(reader)
  reader.end()
  return answer
}

function readAnswer(reader: ByteReader): ExchangeAnswer {
  switch (reader.u8()) {
    case SAME:
      return { level: 'same' }
    case CHILDREN: {
      const length = readHashBytes(reader)
      const children = Array.from({ length: GROUPS }, () => reader.raw(length))
      return { level: 'children', children }
    }
    case 2: {
      const groups = readGroups(reader)
      const count = countBits(groups)
      const digests = Array.from({ length: count }, () => reader.raw(GROUP_DIGEST_BYTES))
      return { level: 'leaves', groups, digests }
    }
    default:
      throw malformed('an answer to an exchange of no known level')
  }
}

export interface SegmentKeysMessage {
  readonly partition: number
  /** Ascending, without repeats. */
  readonly segments: readonly number[]
  /** Only row keys after this one; empty for all. */
  readonly after: Buffer
}

export function encodeSegmentKeys({ partition, segments, after }: SegmentKeysMessage): Buffer {
  invariant(ascend(segments), 'segments ascend')
  const writer = new ByteWriter(16 + 2 * segments.length + after.length)
  writer.u16(partition).list(segments, (segment) => writer.u16(segment))
  return writer.bytes(after).finish()
}

/** Views into the body. @throws SHOAL_FRAME_INVALID */
export function decodeSegmentKeys(body: Buffer): SegmentKeysMessage {
  const reader = new ByteReader(body)
  const message = {
    partition: reader.u16(),
    segments: readSegments(reader),
    after: reader.bytes(),
  }
  reader.end()
  return message
}

export interface SegmentKeysAnswer {
  readonly entries: readonly SegmentKey[]
  /** False: there are more keys after the last entry. */
  readonly finished: boolean
  /** Segments, among those this answer reaches, whose rows the disk cannot give. */
  readonly unreadable: readonly number[]
}

export interface SegmentKey {
  readonly rowKey: Buffer
  /** Of the version in the row, 8 bytes; zeros for a damaged one. */
  readonly digest: Buffer
  /** The row fails its checksums. */
  readonly damaged: boolean
}

export function encodeSegmentKeysAnswer(answer: SegmentKeysAnswer): Buffer {
  const { entries, finished, unreadable } = answer
  invariant(finished || entries.length > 0, 'an answer that breaks off says where')
  invariant(ascend(unreadable), 'segments ascend')
  const writer = new ByteWriter(16 + entries.length * 64)
  writer.flag(finished).list(unreadable, (segment) => writer.u16(segment))
  writer.list(entries, ({ rowKey, digest, damaged }) => {
    invariant(digest.length === DIGEST_BYTES, 'a version digest has 8 bytes')
    invariant(rowKey.length > 0, 'an entry has a key')
    writer.flag(damaged).u16(rowKey.length).raw(rowKey).raw(digest)
  })
  return writer.finish()
}

/** Views into the body. @throws SHOAL_FRAME_INVALID */
export function decodeSegmentKeysAnswer(body: Buffer): SegmentKeysAnswer {
  const reader = new ByteReader(body)
  const finished = reader.flag()
  const unreadable = readSegments(reader)
  const entries = reader.list(() => readEntry(reader), ENTRY_BYTES_MIN)
  if (!finished && entries.length === 0) throw malformed('a page that breaks off nowhere')
  reader.end()
  return { entries, finished, unreadable }
}

function readEntry(reader: ByteReader): SegmentKey {
  const damaged = reader.flag()
  const rowKey = reader.raw(reader.u16())
  if (rowKey.length === 0) throw malformed('an entry without a key')
  return { damaged, rowKey, digest: reader.raw(DIGEST_BYTES) }
}

function readSegments(reader: ByteReader): number[] {
  const segments = reader.list(() => reader.u16(), 2)
  if (!ascend(segments)) throw malformed('segments that do not ascend')
  return segments
}

function ascend(segments: readonly number[]): boolean {
  let before = -1
  for (const segment of segments) {
    if (segment <= before || segment >= SEGMENTS) return false
    before = segment
  }
  return true
}

function readGroups(reader: ByteReader): number {
  const groups = reader.u32()
  if (groups === 0) throw malformed('leaves of no group')
  return groups
}

function hashBytes(hash: Buffer): number {
  invariant(hash.length > 0 && hash.length <= HASH_BYTES_MAX, 'a hash has 1 to 64 bytes')
  return hash.length
}

function readHashBytes(reader: ByteReader): number {
  const length = reader.u8()
  if (length === 0 || length > HASH_BYTES_MAX) throw malformed(`a hash of ${length} bytes`)
  return length
}

function countBits(groups: number): number {
  let count = 0
  for (let rest = groups; rest !== 0; rest &= rest - 1) count++
  return count
}
