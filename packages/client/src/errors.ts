/**
 * What a call rejects with. One class for each family of failures, all of them `ShoalClientError`,
 * so that a program can ask for the family and a log has the exact `code`.
 */
import type { ErrorCode, Outcome, Problem, ReplicaReport, Retry, ShoalError } from '@shoal/kernel'
import { type Failure, failedHere, outcomeOf } from './core/failure.ts'

export class ShoalClientError extends Error {
  override readonly name: string = 'ShoalClientError'
  /** Stable, from the error catalogue: `SHOAL_QUORUM_UNREACHABLE`, … */
  readonly code: ErrorCode | (string & {})
  /**
   * Whether the write may have happened, over all tries of the call. `not-applied` is a promise;
   * for reads it is always that.
   */
  readonly outcome: Outcome
  /** What may be done next; the client has already done what it may do by itself. */
  readonly retry: Retry
  /** HTTP status, 0 when no answer came. */
  readonly status: number
  /** Milliseconds the server asked to be left alone; undefined when it did not. */
  readonly retryAfterMs: number | undefined
  /** What each replica did, as far as the server told. */
  readonly replicas: readonly ReplicaReport[]
  /** The server's problem document, RFC 9457, with all its members. */
  readonly problem: Problem | undefined
  /** URL of the node that was asked last, empty when none was. */
  readonly node: string
  readonly requestId: string

  constructor(failure: Failure) {
    super(failure.message, failure.cause === undefined ? undefined : { cause: failure.cause })
    this.code = failure.code
    this.outcome = failure.outcome
    this.retry = failure.retry
    this.status = failure.status
    this.retryAfterMs = failure.retryAfter
    this.replicas = failure.problem?.replicas ?? []
    this.problem = failure.problem
    this.node = failure.node
    this.requestId = failure.requestId
  }
}

/**
 * The request is wrong; sending it again cannot help. Options refused by this client are here too.
 */
export class BadRequest extends ShoalClientError {
  override readonly name = 'BadRequest'
}

/** 401: no token, or not a valid one. */
export class Unauthenticated extends ShoalClientError {
  override readonly name = 'Unauthenticated'
}

/** 403: the token does not allow this, or the bucket is the system's. */
export class Forbidden extends ShoalClientError {
  override readonly name = 'Forbidden'
}

/** 404 of something other than a key: a route, one sibling of a key. A missing key is no error. */
export class NotFound extends ShoalClientError {
  override readonly name = 'NotFound'
}

/** The key changed, or has too many siblings: read it and decide again. */
export class Conflict extends ShoalClientError {
  override readonly name = 'Conflict'
}

/** 412 and 428: what the write demanded does not hold, or the bucket demands a context. */
export class PreconditionFailed extends ShoalClientError {
  override readonly name = 'PreconditionFailed'
  /** ETag the key has now, where the server told. */
  get currentEtag(): string | undefined {
    return memberOf(this.problem, 'etag')
  }
  /** Context the key has now, where the server told. */
  get currentContext(): string | undefined {
    return memberOf(this.problem, 'context')
  }
}

/** 429: this client is over its limit. */
export class RateLimited extends ShoalClientError {
  override readonly name = 'RateLimited'
}

/** Not now: too few replicas, no node reached, overload. Nothing was applied. */
export class Unavailable extends ShoalClientError {
  override readonly name = 'Unavailable'
}

/**
 * The write may or may not have happened. Sending it again with the same `idempotencyKey` is safe;
 * reading the key tells.
 */
export class UnknownOutcome extends ShoalClientError {
  override readonly name = 'UnknownOutcome'
}

/** The connection broke before the answer came. See `outcome`. */
export class ConnectionLost extends ShoalClientError {
  override readonly name = 'ConnectionLost'
}

/** No answer by the deadline of the call. See `outcome`. */
export class DeadlineExceeded extends ShoalClientError {
  override readonly name = 'DeadlineExceeded'
}

/** 500, or an answer that is none of Shoal's. See `outcome`. */
export class Internal extends ShoalClientError {
  override readonly name = 'Internal'
}

/** The caller's signal fired; its reason is the `cause`. Named as the platform names it. */
export class Aborted extends ShoalClientError {
  override readonly name = 'AbortError'
}

/** A call on a client that is closed. */
export class Closed extends ShoalClientError {
  override readonly name = 'Closed'
}

const familyOfCode: { readonly [code: string]: typeof ShoalClientError } = {
  SHOAL_CLIENT_ABORTED: Aborted,
  SHOAL_CLIENT_CLOSED: Closed,
  SHOAL_CLIENT_CONFLICT: Conflict,
  SHOAL_CLIENT_CONNECTION_LOST: ConnectionLost,
  SHOAL_CLIENT_OPTION_INVALID: BadRequest,
  SHOAL_CLIENT_OVERLOADED: Unavailable,
  SHOAL_CLIENT_RESPONSE_INVALID: Internal,
  SHOAL_CLIENT_TIMEOUT: DeadlineExceeded,
  SHOAL_CLIENT_UNREACHABLE: Unavailable,
}

const familyOfStatus: { readonly [status: number]: typeof ShoalClientError } = {
  401: Unauthenticated,
  403: Forbidden,
  404: NotFound,
  408: Unavailable,
  409: Conflict,
  412: PreconditionFailed,
  428: PreconditionFailed,
  429: RateLimited,
  503: Unavailable,
  504: DeadlineExceeded,
}

/**
 * The error for a call that failed.
 *
 * @param doubt  an earlier try of the same write that may have been applied: then the outcome is
 *               unknown whatever the last try said, and the last failure is the cause
 */
export function errorFrom(failure: Failure, doubt?: Failure): ShoalClientError {
  if (doubt === undefined || failure.outcome === 'unknown') return build(failure)
  if (isEndOfPatience(failure.code)) return build({ ...failure, outcome: 'unknown' })
  const message = `${doubt.message}; then: ${failure.message}`
  return build({ ...doubt, message, cause: errorFrom(failure) })
}

/** The caller's own limits keep their class, whatever happened before. */
const isEndOfPatience = (code: string): boolean =>
  code === 'SHOAL_CLIENT_ABORTED' || code === 'SHOAL_CLIENT_TIMEOUT'

function build(failure: Failure): ShoalClientError {
  const Family = familyOf(failure)
  return new Family(failure)
}

function familyOf({ code, status, outcome }: Failure): typeof ShoalClientError {
  const byCode = familyOfCode[code]
  if (byCode !== undefined) return byCode
  if (outcome === 'unknown' && status !== 500) return UnknownOutcome
  const byStatus = familyOfStatus[status]
  if (byStatus !== undefined) return byStatus
  return status >= 500 || status < 400 ? Internal : BadRequest
}

/** An expected failure that this package found itself, as the caller sees it. */
export const errorOf = (
  error: ShoalError,
  { node, write }: { node: string; write: boolean },
): ShoalClientError =>
  errorFrom(
    failedHere(error.code, error.message, { outcome: outcomeOf(error.outcome, write), node }),
  )

/** Refuses an option. */
export const badOption = (message: string, code: ErrorCode = 'SHOAL_CLIENT_OPTION_INVALID') =>
  new BadRequest(failedHere(code, message))

function memberOf(problem: Problem | undefined, name: string): string | undefined {
  const value = problem?.[name]
  return typeof value === 'string' ? value : undefined
}
