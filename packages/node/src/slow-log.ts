/**
 * Requests that took long, as lines of the log.
 *
 * A metric says that requests are slow, and a trace why one was; this says which ones, without
 * anybody having looked beforehand. What takes no longer than it should costs one comparison.
 *
 * Never in it: keys, values, tokens. A key may be somebody's name; the bucket and the partition are
 * enough to tell one hot key from a slow disk.
 */
import { type Coordinated, formatConsistency, type RequestReport } from '@shoal/coordinator'
import { type Env, limits, type Millis, ShoalError, seconds } from '@shoal/kernel'
import { Allowance } from './security/allowance.ts'

/** What can be slow: the work on one key, or on a page of keys. */
export const slowOperations = ['get', 'head', 'put', 'delete', 'list'] as const
export type SlowOperation = (typeof slowOperations)[number]

export interface SlowRequest {
  readonly operation: SlowOperation
  /** From the moment in which the request was whole until its answer was ready. */
  readonly ms: number
  /** What came before that: the body, on its way. */
  readonly receivedMs?: number
  readonly bucket: string
  /** Undefined for what another node passed on. */
  readonly requestId?: string
  readonly traceId?: string | undefined
  /** The node that passed it on. */
  readonly from?: string
  /** Of the answer, or the code of the error. */
  readonly outcome: number | string
  readonly report?: RequestReport | undefined
}

/** The part of a log that is needed here. */
interface Log {
  warn(details: object, message: string): void
}

/** What was left out is told after this time, if no line came before. */
const TELL_OMITTED = seconds(10)

export class SlowLog {
  readonly #env: Env
  readonly #log: Log
  readonly #thresholdMs: number
  readonly #allowance: Allowance
  readonly #counts: Record<SlowOperation, number> = { get: 0, head: 0, put: 0, delete: 0, list: 0 }
  #omitted = 0

  /** @param thresholdMs  0: nothing is slow */
  constructor({ env, log, thresholdMs }: { env: Env; log: Log; thresholdMs: number }) {
    this.#env = env
    this.#log = log
    this.#thresholdMs = thresholdMs === 0 ? Number.POSITIVE_INFINITY : thresholdMs
    const bounds = { rate: limits.slowLinesRate, burst: limits.slowLinesBurst }
    this.#allowance = new Allowance(bounds, env.clock.elapsed())
  }

  isSlow(ms: number): boolean {
    return ms >= this.#thresholdMs
  }

  /** Since the start, logged or not. */
  count(operation: SlowOperation): number {
    return this.#counts[operation]
  }

  note(request: SlowRequest): void {
    this.#counts[request.operation]++
    if (this.#allowance.take(1, this.#env.clock.elapsed()) === 0) {
      this.#log.warn({ ...detailsOf(request), ...this.#takeOmitted() }, 'slow request')
    } else if (this.#omitted++ === 0) {
      this.#env.clock.after(TELL_OMITTED, () => {
        if (this.#omitted > 0) this.#log.warn(this.#takeOmitted(), 'slow requests not shown')
      })
    }
  }

  #takeOmitted(): { notShown?: number } {
    const notShown = this.#omitted
    this.#omitted = 0
    return notShown === 0 ? {} : { notShown }
  }
}

function detailsOf(request: SlowRequest): object {
  const { operation, ms, receivedMs, bucket, requestId, traceId, from, outcome, report } = request
  const consistency = report?.consistency
  return {
    operation,
    ms: round(ms),
    ...(receivedMs === undefined ? {} : { receivedMs: round(receivedMs) }),
    bucket,
    outcome,
    ...(consistency === undefined ? {} : { consistency: formatConsistency(consistency) }),
    ...(requestId === undefined ? {} : { requestId }),
    ...(traceId === undefined ? {} : { traceId }),
    ...(from === undefined ? {} : { from }),
    ...(report === undefined ? {} : { partition: report.partition, replicas: report.reports() }),
  }
}

const round = (ms: number): number => Math.round(ms * 1_000) / 1_000

/** A write that another node passed on: what its replicas did is known here and not there. */
export function noteCoordinated(slow: SlowLog, write: Coordinated, now: Millis): void {
  const { from, request, result, report } = write
  const ms = report === undefined ? 0 : now - report.began
  if (!slow.isSlow(ms)) return
  const { operation, bucket } = request
  const outcome = result instanceof ShoalError ? result.code : 204
  slow.note({ operation, ms, bucket, from, outcome, report })
}
