import { limits } from '@shoal/kernel'

/**
 * The frame: the unit two nodes exchange on their channel. All integers big-endian.
 *
 * ```
 * u32 length   bytes after this field
 * u8  type     frameTypes
 * u8  kind     of a question or answer: what the body means; of a refusal: why; else 0
 * u32 id       names the question within the channel and direction; of a ping: its number
 * u32 epoch    questions only: ring epoch of the asker (Q8)
 * u32 timeout  questions only: milliseconds after which nobody listens any more (O2)
 * u16 traced   traced questions only: bytes of what follows
 * ...          traced questions only: the trace it belongs to, unread by the channel
 * ...          body
 * ```
 *
 * The five types from 16 on open a channel and carry one message each, see `hello.ts`.
 */
export const frameTypes = {
  question: 1,
  /** The last or only answer to a question. */
  answer: 2,
  /** One answer; others follow. */
  answerMore: 3,
  /** The question was not taken; `kind` is one of `refusalKinds`. */
  refusal: 4,
  ping: 5,
  pong: 6,
  /** The sender takes no new questions; what is in flight may end. The body says why, in words. */
  goodbye: 7,
  /**
   * A question that belongs to a trace. Only to peers whose hello has `features.traces`: older ones
   * end a channel for it.
   */
  tracedQuestion: 8,
  open: 16,
  proof: 17,
  hello: 18,
  ready: 19,
  refused: 20,
} as const

/** Why a question was not taken, as the `kind` of a refusal. */
export const refusalKinds = {
  /** Too many unanswered questions of this peer. The question was not handled. */
  busy: 1,
  /** The node is stopping. The question was not handled. */
  stopping: 2,
  /** The answer exists and does not fit one frame. The question was handled. */
  tooLarge: 3,
} as const

/** Bytes of the length field. */
export const lengthBytes = 4
/** Bytes before the body, the length field included. */
export const headerBytes = 10
export const questionHeaderBytes = 18
/** Without the trace itself. */
export const tracedHeaderBytes = 20

/** The largest body that fits one frame of a channel. */
export const frameBodyBytesMax: number = limits.peerFrameBytesMax - questionHeaderBytes

/**
 * Where the body of a frame of this type begins, counted after the length field; of a traced
 * question the trace. 0 for an unknown type.
 */
export function bodyOffset(type: number): number {
  if (type === frameTypes.question) return questionHeaderBytes - lengthBytes
  if (type === frameTypes.tracedQuestion) return tracedHeaderBytes - lengthBytes
  if (type >= frameTypes.answer && type <= frameTypes.goodbye) return headerBytes - lengthBytes
  if (type >= frameTypes.open && type <= frameTypes.refused) return headerBytes - lengthBytes
  return 0
}
