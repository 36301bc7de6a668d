/**
 * What one try came to when it did not come to an answer that the caller asked for.
 *
 * A failed try is plain data. Whether it is tried again is decided in `retry.ts` and `call.ts`,
 * what the caller sees is made in `errors.ts`; here only the facts are read from whatever came
 * back.
 */
import {
  type ErrorCode,
  errorCatalogue,
  isErrorCode,
  type Millis,
  millis,
  type Outcome,
  type Problem,
  type Retry,
} from '@shoal/kernel'

/**
 * - `not-sent`: no connection; no byte of the request left.
 * - `lost`: sent, and the connection broke before the whole answer came.
 * - `silent`: sent, and nothing came in the time one try is given, or the node was found frozen.
 * - `refused`: the node answered with an error.
 * - `garbled`: what answered does not speak this API.
 */
export type FailureSource = 'not-sent' | 'lost' | 'silent' | 'refused' | 'garbled'

export interface Failure {
  readonly source: FailureSource
  /** From the error catalogue; a newer server may send one that this version does not know. */
  readonly code: string
  /** HTTP status, 0 when there was no answer. */
  readonly status: number
  readonly outcome: Outcome
  readonly retry: Retry
  /** How long the node asked to be left alone. */
  readonly retryAfter: Millis | undefined
  readonly message: string
  readonly problem: Problem | undefined
  readonly requestId: string
  /** URL of the node that was asked, empty before any was. */
  readonly node: string
  readonly cause: unknown
}

/** Reads apply nothing, so nothing about them can be in doubt. */
export const outcomeOf = (outcome: Outcome, write: boolean): Outcome =>
  write ? outcome : 'not-applied'

const transportCodes = {
  'not-sent': 'SHOAL_CLIENT_UNREACHABLE',
  lost: 'SHOAL_CLIENT_CONNECTION_LOST',
  silent: 'SHOAL_CLIENT_TIMEOUT',
  garbled: 'SHOAL_CLIENT_RESPONSE_INVALID',
} as const satisfies Record<Exclude<FailureSource, 'refused'>, ErrorCode>

/** A try that brought no answer of Shoal's. */
export function failedOnTheWay(
  source: keyof typeof transportCodes,
  about: { node: string; write: boolean; message: string; cause?: unknown },
): Failure {
  const code = transportCodes[source]
  return {
    source,
    code,
    status: 0,
    outcome: outcomeOf(errorCatalogue[code].outcome, about.write),
    retry: errorCatalogue[code].retry,
    retryAfter: undefined,
    message: about.message,
    problem: undefined,
    requestId: '',
    node: about.node,
    cause: about.cause,
  }
}

/** A failure that this client finds by itself, before or instead of asking a node. */
export function failedHere(
  code: ErrorCode,
  message: string,
  more: { outcome?: Outcome; node?: string; cause?: unknown } = {},
): Failure {
  const { status, retry, outcome } = errorCatalogue[code]
  return {
    source: 'refused',
    code,
    status,
    outcome: more.outcome ?? outcome,
    retry,
    retryAfter: undefined,
    message,
    problem: undefined,
    requestId: '',
    node: more.node ?? '',
    cause: more.cause,
  }
}

/** What a node, or something in front of it, answered. */
export interface Refusal {
  readonly status: number
  /** The problem document as parsed JSON; undefined when the answer held none. */
  readonly problem: unknown
  /** The Retry-After header, empty when absent. */
  readonly retryAfter: string
  readonly requestId: string
  readonly node: string
  readonly write: boolean
}

/**
 * The failure in an answer whose status is an error.
 *
 * A problem document decides. Without one the answer is not from a node (a proxy), or is that to a
 * HEAD, which has no body: then the status decides, and a write is only called not applied where
 * the status says so by its nature.
 */
export function refusedBy(refusal: Refusal): Failure {
  const problem = asProblem(refusal.problem)
  const fallback = byStatus(refusal.status)
  const known = problem && isErrorCode(problem.code) ? errorCatalogue[problem.code] : undefined
  return {
    source: 'refused',
    code: problem?.code ?? fallback.code,
    status: refusal.status,
    outcome: outcomeOf(problem?.outcome ?? known?.outcome ?? fallback.outcome, refusal.write),
    retry: problem?.retry ?? known?.retry ?? fallback.retry,
    retryAfter: readRetryAfter(refusal.retryAfter),
    message: problem?.detail ?? `${refusal.node} answered ${refusal.status}`,
    problem,
    requestId: refusal.requestId,
    node: refusal.node,
    cause: undefined,
  }
}

interface StatusMeaning {
  readonly code: ErrorCode
  readonly retry: Retry
  readonly outcome: Outcome
}

const statusMeanings: Readonly<Record<number, ErrorCode>> = {
  400: 'SHOAL_REQUEST_INVALID',
  401: 'SHOAL_UNAUTHENTICATED',
  403: 'SHOAL_FORBIDDEN',
  404: 'SHOAL_ROUTE_NOT_FOUND',
  405: 'SHOAL_METHOD_NOT_ALLOWED',
  412: 'SHOAL_PRECONDITION_FAILED',
  413: 'SHOAL_VALUE_TOO_LARGE',
  414: 'SHOAL_KEY_TOO_LONG',
  415: 'SHOAL_MEDIA_TYPE_INVALID',
  422: 'SHOAL_IDEMPOTENCY_KEY_REUSED',
  428: 'SHOAL_CONTEXT_REQUIRED',
  429: 'SHOAL_RATE_LIMITED',
  431: 'SHOAL_HEADERS_TOO_LARGE',
  504: 'SHOAL_QUORUM_TIMEOUT',
}

function byStatus(status: number): StatusMeaning {
  const code = statusMeanings[status]
  if (code !== undefined) return { code, ...errorCatalogue[code] }
  if (status >= 500) return { code: 'SHOAL_INTERNAL', retry: 'if-idempotent', outcome: 'unknown' }
  if (status >= 400) {
    return { code: 'SHOAL_REQUEST_INVALID', retry: 'never', outcome: 'not-applied' }
  }
  return { code: 'SHOAL_CLIENT_RESPONSE_INVALID', retry: 'never', outcome: 'unknown' }
}

/** The members this client acts on, checked; the rest is handed to the caller as it came. */
function asProblem(candidate: unknown): Problem | undefined {
  if (typeof candidate !== 'object' || candidate === null) return undefined
  const problem = candidate as { [member: string]: unknown }
  if (typeof problem.code !== 'string' || typeof problem.status !== 'number') return undefined
  const detail = typeof problem.detail === 'string' ? problem.detail : problem.title
  const checked: { [member: string]: unknown } = { ...problem }
  checked.detail = typeof detail === 'string' ? detail : problem.code
  if (!isRetry(problem.retry)) delete checked.retry
  if (problem.outcome !== 'not-applied' && problem.outcome !== 'unknown') delete checked.outcome
  if (!Array.isArray(problem.replicas)) delete checked.replicas
  return checked as unknown as Problem
}

const isRetry = (value: unknown): value is Retry =>
  value === 'never' || value === 'after-read' || value === 'if-idempotent' || value === 'after'

/** Whole seconds, as nodes send it. A date form is a proxy's and is not worth a wall clock. */
export function readRetryAfter(header: string): Millis | undefined {
  return /^\d{1,6}$/.test(header) ? millis(Number(header) * 1_000) : undefined
}

const restCodes = new Set([
  'SHOAL_OVERLOADED',
  'SHOAL_DRAINING',
  'SHOAL_CONNECTIONS_FULL',
  'SHOAL_STORAGE_FULL',
])

/** Whether this is about the node rather than the key: other calls had better ask others first. */
export const asksForRest = ({ code }: Failure): boolean => restCodes.has(code)

/** Whether the client's picture of the ring may be out of date. */
export const doubtsRing = ({ source, code }: Failure): boolean =>
  source === 'not-sent' ||
  source === 'silent' ||
  code === 'SHOAL_NOT_REPLICA' ||
  code === 'SHOAL_EPOCH_STALE' ||
  code === 'SHOAL_DRAINING'
