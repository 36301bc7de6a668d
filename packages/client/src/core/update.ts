/**
 * When an update begins another round: the decision of `update`, whose steps (read, resolve,
 * change, write) follow each other without choice and stand as a loop in `shell/update.ts`.
 *
 * The value read is written back with the context of that read, so it replaces what was seen and
 * nothing else; whatever was written meanwhile stays beside it as a sibling (V5). The write also
 * carries the ETag as a precondition unless told not to, which turns most such races into another
 * round instead of siblings. A round begins again only when the server says that nothing was
 * applied and that a fresh read helps: applying the change twice would be worse than failing.
 */
import type { Millis, Outcome, Retry } from '@shoal/kernel'
import { backoff } from './retry.ts'

export type RoundVerdict =
  | { readonly kind: 'again'; readonly pause: Millis }
  /** This failure is for the caller as it is. */
  | { readonly kind: 'give-up' }
  /** Every round met a change. */
  | { readonly kind: 'exhausted' }

/**
 * @param failure  why the write of this round failed, its outcome already widened by earlier tries
 * @param round    from 1
 * @param chance   uniform, 0 ≤ chance < 1
 */
export function judgeRound(
  failure: { readonly retry: Retry; readonly outcome: Outcome },
  { round, roundsMax, chance }: { round: number; roundsMax: number; chance: number },
): RoundVerdict {
  if (failure.retry !== 'after-read' || failure.outcome !== 'not-applied')
    return { kind: 'give-up' }
  if (round >= roundsMax) return { kind: 'exhausted' }
  return { kind: 'again', pause: backoff(round, chance) }
}
