import { invariant } from '@shoal/kernel'
import { ByteReader, ByteWriter } from '../bytes.ts'
import {
  type MembershipHeader,
  type MemberUpdate,
  readHeader,
  readUpdates,
  writeHeader,
  writeUpdates,
} from './membership.ts'

/**
 * How news spreads beside the probes, how two nodes compare all they know, and how a newer ring is
 * fetched.
 *
 * ```
 * gossipSync  header, u8 0, list of updates        news
 *             header, u8 1, 8 bytes digest         compare: of all that the sender knows
 *             header, u8 2, list of updates        missing
 * gossip      header, u8 kind, list of updates     several may answer one comparison
 * ringFetch   header
 * ring        the encoded record, to the end
 * ```
 */
export type GossipSyncMessage =
  | {
      /** `missing`: what the other turned out not to know when two compared; others may well. */
      readonly kind: 'news' | 'missing'
      readonly header: MembershipHeader
      readonly updates: readonly MemberUpdate[]
    }
  | {
      readonly kind: 'compare'
      readonly header: MembershipHeader
      /** 16 hexadecimal digits. */
      readonly digest: string
    }

const answerWords = ['noted', 'same', 'part'] as const

export interface GossipMessage {
  /**
   * `noted`: news arrived, and here is what was outdated in it. `same`: I know what you know.
   * `part`: some of what I know.
   */
  readonly kind: (typeof answerWords)[number]
  readonly header: MembershipHeader
  readonly updates: readonly MemberUpdate[]
}

export interface RingFetchMessage {
  readonly header: MembershipHeader
}

const questionWords = ['news', 'compare', 'missing'] as const
const DIGEST = /^[0-9a-f]{16}$/

export function encodeGossipSync(message: GossipSyncMessage): Buffer {
  const writer = new ByteWriter()
  writeHeader(writer, message.header)
  writer.choice(questionWords, message.kind)
  if (message.kind !== 'compare') return writeUpdates(writer, message.updates).finish()
  invariant(DIGEST.test(message.digest), 'a digest has 16 hexadecimal digits')
  return writer.raw(Buffer.from(message.digest, 'hex')).finish()
}

/** @throws SHOAL_FRAME_INVALID, as all decoders here */
export function decodeGossipSync(body: Buffer): GossipSyncMessage {
  const reader = new ByteReader(body)
  const header = readHeader(reader)
  const kind = reader.choice(questionWords)
  const message: GossipSyncMessage =
    kind === 'compare'
      ? { kind, header, digest: reader.raw(8).toString('hex') }
      : { kind, header, updates: readUpdates(reader) }
  reader.end()
  return message
}

export function encodeGossip({ kind, header, updates }: GossipMessage): Buffer {
  const writer = new ByteWriter()
  writeHeader(writer, header)
  return writeUpdates(writer.choice(answerWords, kind), updates).finish()
}

export function decodeGossip(body: Buffer): GossipMessage {
  const reader = new ByteReader(body)
  const header = readHeader(reader)
  const message = { header, kind: reader.choice(answerWords), updates: readUpdates(reader) }
  reader.end()
  return message
}

export function encodeRingFetch({ header }: RingFetchMessage): Buffer {
  const writer = new ByteWriter(32)
  writeHeader(writer, header)
  return writer.finish()
}

export function decodeRingFetch(body: Buffer): RingFetchMessage {
  const reader = new ByteReader(body)
  const header = readHeader(reader)
  reader.end()
  return { header }
}
