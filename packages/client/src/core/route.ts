/**
 * In which order a call turns to nodes. Any node answers any request, so order is all there is to
 * choose: a primary of the key saves one forward, the first primary of each partition spreads load
 * evenly and keeps a retry near the coordinator that remembers it, and a node thought down comes
 * last.
 */
import { limits, type Millis } from '@shoal/kernel'
import type { Candidate } from './call.ts'

export interface NodeOpinion {
  readonly usable: boolean
  /** Mean latency, undefined when it was never asked. */
  readonly latency: Millis | undefined
}

/**
 * A primary is passed over for its latency only when another is this many times faster, and this
 * much.
 */
const SLOW_FACTOR = 3
const SLOW_FLOOR = 10

/**
 * @param primaries  nodes that hold the key, in preference order; empty when that is not known
 * @param others     every further node, in the order to try them
 * @param opinionOf  what is thought of a node
 * @returns          at most limits.clientCandidatesMax, no node twice: usable primaries (slow ones
 *                   last), usable others, then those thought down or asked to be left alone
 */
export function orderCandidates(
  primaries: readonly string[],
  others: Iterable<string>,
  opinionOf: (node: string) => NodeOpinion,
): readonly Candidate[] {
  const ready: Ready[] = []
  const spare: Candidate[] = []
  const shunned: Candidate[] = []
  const seen = new Set<string>()
  for (const node of primaries) {
    if (seen.has(node)) continue
    seen.add(node)
    const { usable, latency } = opinionOf(node)
    if (usable) ready.push({ node, latency })
    else shunned.push({ node, usable })
  }
  for (const node of others) {
    if (seen.size >= limits.clientCandidatesMax) break
    if (seen.has(node)) continue
    seen.add(node)
    const { usable } = opinionOf(node)
    if (usable) spare.push({ node, usable })
    else shunned.push({ node, usable })
  }
  return [...slowLast(ready), ...spare, ...shunned].slice(0, limits.clientCandidatesMax)
}

interface Ready {
  readonly node: string
  readonly latency: Millis | undefined
}

/**
 * Keeps the order among the quick and among the slow, so that small differences move nothing. A
 * node that was never asked is not slow.
 */
function slowLast(ready: readonly Ready[]): Candidate[] {
  let best = Number.POSITIVE_INFINITY
  for (const { latency } of ready) if (latency !== undefined) best = Math.min(best, latency)
  const bound = best * SLOW_FACTOR + SLOW_FLOOR
  const isSlow = ({ latency }: Ready): boolean => latency !== undefined && latency > bound
  const slow = ready.filter(isSlow)
  const quick = slow.length === 0 ? ready : ready.filter((other) => !isSlow(other))
  return [...quick, ...slow].map(({ node }) => ({ node, usable: true }))
}
