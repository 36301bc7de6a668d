import type { ErrorCode, Millis } from '@shoal/kernel'
import { limits, millis } from '@shoal/kernel'

/**
 * What became of one hint in one round.
 *
 * - `delivered`: on the target's disk. The only one that ends a hint.
 * - `missing`: this node does not have the row it owes. Its partition is marked.
 * - `kept`: this row cannot be delivered now, which says nothing of the others.
 * - `silent`: no answer. The target may be slow, or this row too much for it.
 * - `halted`: the target, or this node, does no such work now. Others would fare no better.
 */
export type Outcome = 'delivered' | 'missing' | 'kept' | 'silent' | 'halted'

const halting: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'SHOAL_PEER_UNREACHABLE',
  'SHOAL_PEER_BUSY',
  'SHOAL_OVERLOADED',
  'SHOAL_DRAINING',
  'SHOAL_STORAGE_FULL',
  'SHOAL_STORE_FAILED',
  'SHOAL_STORE_CLOSED',
  // One of the two nodes has to catch up with the ring first; the peer channel sees to that (Q8).
  'SHOAL_EPOCH_STALE',
])

const silent: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['SHOAL_PEER_LOST', 'SHOAL_PEER_TIMEOUT'])

/** What an error says of a hint. Every code leads to a later try: none ends a hint. */
export function outcomeOf(code: ErrorCode): Exclude<Outcome, 'delivered' | 'missing'> {
  if (halting.has(code)) return 'halted'
  return silent.has(code) ? 'silent' : 'kept'
}

/**
 * How long to leave a target alone: twice as long after each failure, for ever.
 *
 * @param chance  0 to 1: which part of the second half of the wait to take
 */
export function restAfter(failures: number, chance: number): Millis {
  const doubled = limits.hintRetryFirst * 2 ** Math.min(Math.max(0, failures - 1), 30)
  return millis(Math.min(doubled, limits.hintRetryMax) * (0.5 + chance / 2))
}
