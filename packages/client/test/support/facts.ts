import { type ErrorCode, errorCatalogue, millis, ShoalError, toProblem } from '@shoal/kernel'
import type { CallPlan, Facts } from '../../src/core/call.ts'
import { type Failure, failedOnTheWay, refusedBy } from '../../src/core/failure.ts'

/** What the driver would know, all quiet, unless told otherwise. */
export function facts(change: Partial<Facts> = {}): Facts {
  return {
    now: millis(0),
    candidates: ['a', 'b', 'c'].map((node) => ({ node, usable: true })),
    retryAllowed: true,
    hedgeAllowed: true,
    sent: true,
    chance: 0.5,
    ...change,
  }
}

export const plan = (change: Partial<CallPlan> = {}): CallPlan => ({
  write: true,
  repeatable: true,
  deadline: millis(5_000),
  tryTimeout: millis(2_000),
  hedgeAfter: undefined,
  triesMax: 4,
  ...change,
})

/** A node's answer with this code, as its problem document says it. */
export function refusal(
  code: ErrorCode,
  { node = 'a', write = true, retryAfter = '' } = {},
): Failure {
  const problem = toProblem(new ShoalError(code, 'as told'))
  const { status } = errorCatalogue[code]
  return refusedBy({ status, problem, retryAfter, requestId: 'r', node, write })
}

export const lost = (node = 'a', write = true): Failure =>
  failedOnTheWay('lost', { node, write, message: 'reset' })

export const unsent = (node = 'a', write = true): Failure =>
  failedOnTheWay('not-sent', { node, write, message: 'refused' })

export const silent = (node = 'a', write = true): Failure =>
  failedOnTheWay('silent', { node, write, message: 'no answer' })
