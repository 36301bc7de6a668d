/**
 * Which failures are tried again, where, and after what pause. Nothing is retried blindly: every
 * row below rests on the request not having been sent, on the server's own advice, or on the
 * `Idempotency-Key` that every write carries (V10).
 */
import { type Millis, millis, unreachable } from '@shoal/kernel'
import type { Failure } from './failure.ts'

export type Advice =
  | { readonly again: false }
  | {
      readonly again: true
      /**
       * `same`: the same coordinator first, because it remembers the request and returns the same
       * dot; another coordinator that does not hold the row yet would make a twin (V10). `other`:
       * another node may do better at once.
       */
      readonly where: 'same' | 'other'
      readonly pause: 'none' | 'backoff' | 'asked'
      /** Nothing was sent to anybody, so going on costs no node anything and no retry budget. */
      readonly free: boolean
    }

const give: Advice = { again: false }

export function adviseRetry(failure: Failure): Advice {
  switch (failure.source) {
    case 'not-sent':
      return { again: true, where: 'other', pause: 'none', free: true }
    case 'lost':
      // Often only an idle connection that the node closed just as it was used: no reason to wait.
      return { again: true, where: 'same', pause: 'none', free: false }
    case 'silent':
      // A write goes back to its coordinator over a new connection, unless that node was found
      // down.
      return {
        again: true,
        where: failure.outcome === 'unknown' ? 'same' : 'other',
        pause: 'none',
        free: false,
      }
    case 'garbled':
      return give
    case 'refused':
      return adviseRefused(failure)
    default:
      return unreachable(failure.source)
  }
}

function adviseRefused({ retry, status, outcome }: Failure): Advice {
  switch (retry) {
    case 'never':
    case 'after-read':
      return give
    case 'if-idempotent':
      return { again: true, where: 'same', pause: 'backoff', free: false }
    case 'after':
      // One node sheds, drains or sees too few replicas: another may not, and nothing was applied.
      // A client over its own limit must wait wherever it goes.
      return status === 503 && outcome === 'not-applied'
        ? { again: true, where: 'other', pause: 'asked', free: false }
        : { again: true, where: 'same', pause: 'asked', free: false }
    default:
      return unreachable(retry)
  }
}

const BACKOFF_FIRST = millis(25)
const BACKOFF_MAX = millis(1_000)

/**
 * A pause before try `attempt` + 1 with full jitter: uniform between 0 and a bound that doubles.
 * Clients that failed together do not come back together.
 *
 * @param attempt  tries made so far, from 1
 * @param chance   uniform, 0 ≤ chance < 1
 */
export function backoff(attempt: number, chance: number): Millis {
  return millis(chance * Math.min(BACKOFF_MAX, BACKOFF_FIRST * 2 ** Math.min(attempt - 1, 16)))
}

/** What the node asked for, and a little jitter on top so that waiters do not return in step. */
export function askedPause(failure: Failure, attempt: number, chance: number): Millis {
  return millis((failure.retryAfter ?? 0) + backoff(attempt, chance))
}
