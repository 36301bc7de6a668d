import { type ErrorCode, ShoalError } from '@shoal/kernel'
import fc from 'fast-check'
import {
  decodeExchange,
  decodeExchangeAnswer,
  decodeForwardedAnswer,
  decodeForwardedWrite,
  decodeGossip,
  decodeGossipSync,
  decodeHints,
  decodeList,
  decodeListed,
  decodeMerge,
  decodePing,
  decodePingRequest,
  decodePong,
  decodeProof,
  decodeProofAnswer,
  decodeRead,
  decodeRefusal,
  decodeRepairs,
  decodeRingFetch,
  decodeSegmentKeys,
  decodeSegmentKeysAnswer,
  decodeStatus,
  decodeTrace,
  type ExchangeAnswer,
  type ExchangeMessage,
  encodeExchange,
  encodeExchangeAnswer,
  encodeForwardedAnswer,
  encodeForwardedWrite,
  encodeGossip,
  encodeGossipSync,
  encodeHints,
  encodeList,
  encodeListed,
  encodePing,
  encodePingRequest,
  encodePong,
  encodeProof,
  encodeProofAnswer,
  encodeRead,
  encodeRefusal,
  encodeRepairs,
  encodeRingFetch,
  encodeSegmentKeys,
  encodeSegmentKeysAnswer,
  encodeStatus,
  encodeTrace,
  type ForwardedAnswer,
  type ForwardedWrite,
  type GossipMessage,
  type GossipSyncMessage,
  type HintsMessage,
  type ListedMessage,
  type ListMessage,
  type MergeMessage,
  mergeHeaderBytes,
  type PingMessage,
  type PingRequestMessage,
  type PongMessage,
  type ProofAnswer,
  type ReadMessage,
  type RepairsMessage,
  type RingFetchMessage,
  readFlags,
  type SegmentKeysAnswer,
  type SegmentKeysMessage,
  type StatusMessage,
  type TraceMessage,
  writeMergeHeader,
} from '../src/index.ts'
import {
  gossipSyncs,
  gossips,
  pingRequests,
  pings,
  pongs,
  ringFetches,
} from './membership-arbitraries.ts'
import {
  answers,
  codes,
  exchangeAnswers,
  exchanges,
  hints,
  listings,
  lists,
  merges,
  problems,
  proofAnswers,
  reads,
  repairs,
  rowKeys,
  segmentKeys,
  segmentKeysAnswers,
  statuses,
  traces,
  writes,
} from './messages-arbitraries.ts'

export const seed = Number(process.env.SHOAL_SEED ?? 20_071_014)

/** @throws with the counterexample and the seed that finds it again */
export function holds<T>(property: fc.IProperty<T>, numRuns: number): true {
  fc.assert(property, { seed, numRuns })
  return true
}

/** One kind of message: what may be said, and how it is written and read. */
export interface Codec<T> {
  readonly name: string
  readonly messages: fc.Arbitrary<T>
  readonly encode: (message: T) => Buffer
  readonly decode: (body: Buffer) => T
  /** Its last part reaches to the end, so that a shorter message may be one too. */
  readonly openEnded: boolean
}

/** Whatever `T` is, `use` may do the same with it. */
export type EachCodec = <R>(use: <T>(codec: Codec<T>) => R) => R

const codec =
  <T>(parts: Codec<T>): EachCodec =>
  (use) =>
    use(parts)

export function encodeMerge({ flags, rowKey, row }: MergeMessage): Buffer {
  const message = Buffer.alloc(mergeHeaderBytes(rowKey.length) + row.length)
  writeMergeHeader(message, flags, rowKey)
  row.copy(message, mergeHeaderBytes(rowKey.length))
  return message
}

const readOf = ({ flags, digest, rowKey }: ReadMessage): Buffer =>
  encodeRead(flags & ~readFlags.digest, digest, rowKey)

const requestCodecs: readonly EachCodec[] = [
  codec<MergeMessage>({
    name: 'merge',
    messages: merges,
    encode: encodeMerge,
    decode: decodeMerge,
    openEnded: true,
  }),
  codec<ReadMessage>({
    name: 'read',
    messages: reads,
    encode: readOf,
    decode: decodeRead,
    openEnded: true,
  }),
  codec<ForwardedWrite>({
    name: 'forwarded write',
    messages: writes,
    encode: encodeForwardedWrite,
    decode: decodeForwardedWrite,
    openEnded: false,
  }),
  codec<ForwardedAnswer | ShoalError>({
    name: 'forwarded answer',
    messages: answers,
    encode: encodeForwardedAnswer,
    decode: decodeForwardedAnswer,
    openEnded: false,
  }),
  codec<ForwardedAnswer | ShoalError>({
    name: 'forwarded problem',
    messages: problems,
    encode: encodeForwardedAnswer,
    decode: decodeForwardedAnswer,
    openEnded: false,
  }),
  codec<ListMessage>({
    name: 'list',
    messages: lists,
    encode: encodeList,
    decode: decodeList,
    openEnded: false,
  }),
  codec<ListedMessage>({
    name: 'listed',
    messages: listings,
    encode: encodeListed,
    decode: decodeListed,
    openEnded: false,
  }),
  codec<StatusMessage>({
    name: 'status',
    messages: statuses,
    encode: encodeStatus,
    decode: decodeStatus,
    openEnded: false,
  }),
  codec<TraceMessage>({
    name: 'trace',
    messages: traces,
    encode: encodeTrace,
    decode: decodeTrace,
    openEnded: false,
  }),
  codec<ExchangeMessage>({
    name: 'exchange',
    messages: exchanges,
    encode: encodeExchange,
    decode: decodeExchange,
    openEnded: false,
  }),
  codec<ExchangeAnswer>({
    name: 'answer to an exchange',
    messages: exchangeAnswers,
    encode: encodeExchangeAnswer,
    decode: decodeExchangeAnswer,
    openEnded: false,
  }),
  codec<SegmentKeysMessage>({
    name: 'question for keys',
    messages: segmentKeys,
    encode: encodeSegmentKeys,
    decode: decodeSegmentKeys,
    openEnded: false,
  }),
  codec<SegmentKeysAnswer>({
    name: 'list of keys',
    messages: segmentKeysAnswers,
    encode: encodeSegmentKeysAnswer,
    decode: decodeSegmentKeysAnswer,
    openEnded: false,
  }),
  codec<Buffer>({
    name: 'question for a proof',
    messages: rowKeys,
    encode: encodeProof,
    decode: decodeProof,
    openEnded: true,
  }),
  codec<ProofAnswer>({
    name: 'proof',
    messages: proofAnswers,
    encode: encodeProofAnswer,
    decode: decodeProofAnswer,
    openEnded: false,
  }),
  codec<HintsMessage>({
    name: 'hints',
    messages: hints,
    encode: encodeHints,
    decode: decodeHints,
    openEnded: false,
  }),
  codec<RepairsMessage>({
    name: 'repairs',
    messages: repairs,
    encode: encodeRepairs,
    decode: decodeRepairs,
    openEnded: false,
  }),
  codec<ErrorCode>({
    name: 'refusal',
    messages: codes,
    encode: encodeRefusal,
    decode: decodeRefusal,
    openEnded: true,
  }),
]

const membershipCodecs: readonly EachCodec[] = [
  codec<PingMessage>({
    name: 'ping',
    messages: pings,
    encode: encodePing,
    decode: decodePing,
    openEnded: false,
  }),
  codec<PingRequestMessage>({
    name: 'ping request',
    messages: pingRequests,
    encode: encodePingRequest,
    decode: decodePingRequest,
    openEnded: false,
  }),
  codec<PongMessage>({
    name: 'pong',
    messages: pongs,
    encode: encodePong,
    decode: decodePong,
    openEnded: false,
  }),
  codec<GossipSyncMessage>({
    name: 'gossip question',
    messages: gossipSyncs,
    encode: encodeGossipSync,
    decode: decodeGossipSync,
    openEnded: false,
  }),
  codec<GossipMessage>({
    name: 'gossip answer',
    messages: gossips,
    encode: encodeGossip,
    decode: decodeGossip,
    openEnded: false,
  }),
  codec<RingFetchMessage>({
    name: 'ring fetch',
    messages: ringFetches,
    encode: encodeRingFetch,
    decode: decodeRingFetch,
    openEnded: false,
  }),
]

export const codecs: readonly EachCodec[] = [...requestCodecs, ...membershipCodecs]

/** What of a message is compared: of an error what travels, without stack and cause. */
export function comparable(message: unknown): unknown {
  if (!(message instanceof ShoalError)) return message
  const { code, message: words, details: parts } = message
  return { code, words, parts }
}

/** @returns the message, or undefined for a refusal; throws whatever else was thrown */
export function decodeOrRefuse<T>({ decode }: Codec<T>, body: Buffer): T | undefined {
  try {
    return decode(body)
  } catch (error) {
    if (error instanceof ShoalError && error.code === 'SHOAL_FRAME_INVALID') return undefined
    throw error
  }
}
