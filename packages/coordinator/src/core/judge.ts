import { invariant, limits } from '@shoal/kernel'

/**
 * The only place that knows when an operation is over; nobody else counts answers.
 *
 * Replicas are numbered by their place in the request's candidate list, primaries first, so a set
 * of them is a bit mask.
 */
export interface Tally {
  /** W or R: so many must acknowledge. */
  readonly need: number
  /** Of these, so many must say that it is on disk. */
  readonly needDurable: number
  readonly acknowledged: number
  readonly durable: number
  /** May still acknowledge, or make an acknowledgement durable. */
  readonly pending: number
  readonly expired: boolean
}

export type Verdict = 'undecided' | 'met' | 'impossible' | 'timed-out'

export function judge(tally: Tally): Verdict {
  const { need, needDurable, acknowledged, durable, pending } = tally
  if (countOf(acknowledged) >= need && countOf(durable) >= needDurable) return 'met'
  if (countOf(acknowledged | pending) < need) return 'impossible'
  if (countOf(durable | pending) < needDurable) return 'impossible'
  return tally.expired ? 'timed-out' : 'undecided'
}

export const CANDIDATES_MAX = 2 * limits.replicasMax
invariant(CANDIDATES_MAX <= 30, 'a set of candidates fits the bits of a small integer')

export const bit = (index: number): number => 1 << index

/** Members of a set. */
export function countOf(set: number): number {
  let left = set - ((set >>> 1) & 0x5555_5555)
  left = (left & 0x3333_3333) + ((left >>> 2) & 0x3333_3333)
  return (((left + (left >>> 4)) & 0x0f0f_0f0f) * 0x0101_0101) >>> 24
}
