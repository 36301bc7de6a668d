/**
 * Which trace a request belongs to: W3C Trace Context, level 1, in the headers of clients and in
 * questions between nodes.
 *
 * What is malformed is passed over, never refused: a trace is for those who look on, and must not
 * be what makes a request fail. Source: https://www.w3.org/TR/trace-context-1/.
 */
import { invariant, limits } from '@shoal/kernel'
import { malformed } from './bytes.ts'

export interface TraceContext {
  /** 32 hex digits. */
  readonly traceId: string
  /** The span that asked, 16 hex digits. */
  readonly spanId: string
  /** Whether somebody records this trace. */
  readonly sampled: boolean
  /** What vendors keep for themselves, as in `tracestate`; empty for nothing. */
  readonly state: string
}

const PARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/
const SAMPLED = 1
const noTrace = '0'.repeat(32)
const noSpan = '0'.repeat(16)

/** Two headers as sent; undefined where `traceparent` says nothing that can be understood. */
export function parseTraceContext(
  traceparent: string,
  tracestate: string | undefined,
): TraceContext | undefined {
  const [, version, traceId = '', spanId = '', flags = '', more] = PARENT.exec(traceparent) ?? []
  if (version === undefined || version === 'ff') return undefined
  // Later versions may say more behind a dash; this one ends here.
  if (version === '00' && more !== undefined) return undefined
  if (traceId === noTrace || spanId === noSpan) return undefined
  const sampled = (Number.parseInt(flags, 16) & SAMPLED) !== 0
  return { traceId, spanId, sampled, state: tracestate === undefined ? '' : readState(tracestate) }
}

const FLAGS_END = 54
const NINE = 0x39

/**
 * Whether a `traceparent` may say that somebody records its trace. One that does not costs nothing
 * more: where callers sample, that is most of them.
 */
export function maySample(traceparent: string): boolean {
  const digit = traceparent.charCodeAt(FLAGS_END)
  return digit <= NINE ? (digit & SAMPLED) !== 0 : (digit & SAMPLED) === 0
}

/** The header that says this. */
export const formatTraceparent = ({ traceId, spanId, sampled }: TraceContext): string =>
  `00-${traceId}-${spanId}-${sampled ? '01' : '00'}`

const MEMBERS_MAX = 32
/** Members that are longer go first where there are too many characters. */
const LONG_MEMBER = 128
const KEY = '[a-z][a-z0-9_*/-]{0,255}|[a-z0-9][a-z0-9_*/-]{0,240}@[a-z][a-z0-9_*/-]{0,13}'
const VALUE = '[ -+\\x2d-<>-~]{0,255}[!-+\\x2d-<>-~]'
const MEMBER = new RegExp(`^(?:${KEY})=${VALUE}$`)

/** All members or none: one that is malformed makes the others doubtful. */
function readState(text: string): string {
  const members = text
    .split(',')
    .map((member) => member.replace(/^[\t ]+|[\t ]+$/g, ''))
    .filter((member) => member !== '')
  if (members.length > MEMBERS_MAX || !members.every((member) => MEMBER.test(member))) return ''
  const keys = members.map((member) => member.slice(0, member.indexOf('=')))
  if (new Set(keys).size < keys.length) return ''
  return shortened(members).join(',')
}

function shortened(members: readonly string[]): readonly string[] {
  const fits = (list: readonly string[]): boolean =>
    list.join(',').length <= limits.traceStateCharsMax
  if (fits(members)) return members
  const left = members.filter((member) => member.length <= LONG_MEMBER)
  while (!fits(left)) left.pop()
  return left
}

const TRACE_BYTES = 16
const SPAN_BYTES = 8
const STATE_AT = 1 + TRACE_BYTES + SPAN_BYTES

/**
 * For a question to a peer: `u8 flags, 16 bytes trace, 8 bytes span, tracestate to the end`. Only
 * what somebody records travels.
 */
export function encodeTraceContext({ traceId, spanId, sampled, state }: TraceContext): Buffer {
  invariant(sampled, 'only a trace that is recorded is passed on')
  const bytes = Buffer.allocUnsafe(STATE_AT + state.length)
  bytes[0] = SAMPLED
  bytes.write(traceId, 1, 'hex')
  bytes.write(spanId, 1 + TRACE_BYTES, 'hex')
  bytes.write(state, STATE_AT, 'latin1')
  return bytes
}

/** @throws SHOAL_FRAME_INVALID */
export function decodeTraceContext(bytes: Buffer): TraceContext {
  if (bytes.length < STATE_AT) throw malformed('a trace context shorter than its ids')
  if (bytes[0] !== SAMPLED) throw malformed(`flags ${bytes[0]} of a trace context`)
  const traceId = bytes.toString('hex', 1, 1 + TRACE_BYTES)
  const spanId = bytes.toString('hex', 1 + TRACE_BYTES, STATE_AT)
  if (traceId === noTrace || spanId === noSpan) throw malformed('a trace context without ids')
  const text = bytes.toString('latin1', STATE_AT)
  const state = text === '' ? '' : readState(text)
  if (state !== text) throw malformed('a tracestate')
  return { traceId, spanId, sampled: true, state }
}
