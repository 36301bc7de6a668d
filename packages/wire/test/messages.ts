import { type ErrorCode, ShoalError } from '@shoal/kernel'
import fc from 'fast-check'
import {
  decodeForwardedAnswer,
  decodeForwardedWrite,
  decodeList,
  decodeListed,
  decodeMerge,
  decodeRead,
  decodeRefusal,
  decodeStatus,
  decodeTrace,
  encodeForwardedAnswer,
  encodeForwardedWrite,
  encodeList,
  encodeListed,
  encodeRead,
  encodeRefusal,
  encodeStatus,
  encodeTrace,
  type ForwardedAnswer,
  type ForwardedWrite,
  type ListedMessage,
  type ListMessage,
  type MergeMessage,
  mergeHeaderBytes,
  type ReadMessage,
  readFlags,
  type StatusMessage,
  type TraceMessage,
  writeMergeHeader,
} from '../src/index.ts'
import {
  answers,
  codes,
  listings,
  lists,
  merges,
  problems,
  reads,
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

export const codecs: readonly EachCodec[] = [
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
  codec<ErrorCode>({
    name: 'refusal',
    messages: codes,
    encode: encodeRefusal,
    decode: decodeRefusal,
    openEnded: true,
  }),
]

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
