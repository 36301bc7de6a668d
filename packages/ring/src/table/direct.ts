/**
 * Step 5: single replacements, while some node is outside its two allowed loads.
 *
 * The poorest node takes from the richest that can legally give. Among the partitions that allow
 * it: one where this undoes a move, then one where nothing has moved yet (so that a single change
 * touches one member of a set), then the best spread, then the hash.
 */
import { mix } from './canonical.ts'
import type { Draft, Replacement } from './draft.ts'

/** Moves until no single legal replacement helps. Chains (step 6) do the rest. */
export function moveDirectly(draft: Draft): void {
  for (let move = nextMove(draft); move !== undefined; move = nextMove(draft)) draft.replace(move)
}

/** Who gives and who takes, most urgent first. Empty lists when every load is allowed. */
export interface Imbalance {
  readonly givers: readonly number[]
  readonly takers: readonly number[]
}

/**
 * The pairs of giver and taker lists to try, best first: from too rich to too poor repairs two
 * nodes at once, so it comes first; then whichever side is left, against nodes with room to spare.
 */
export function imbalances(draft: Draft): Imbalance[] {
  const { low, high } = draft.shares
  const poorest = Array.from({ length: draft.nodes }, (_, node) => node).sort(
    (a, b) => richness(draft, a) - richness(draft, b) || a - b,
  )
  const richest = [...poorest].reverse()
  const load = (node: number): number => draft.load[node] as number
  const over = richest.filter((node) => load(node) > (high[node] as number))
  const under = poorest.filter((node) => load(node) < (low[node] as number))
  const spare = richest.filter((node) => load(node) > (low[node] as number))
  const room = poorest.filter((node) => load(node) < (high[node] as number))
  return [
    { givers: over, takers: under },
    { givers: over, takers: room },
    { givers: spare, takers: under },
  ].filter(({ givers, takers }) => givers.length > 0 && takers.length > 0)
}

function richness(draft: Draft, node: number): number {
  return (draft.load[node] as number) / (draft.shares.fair[node] as number)
}

function nextMove(draft: Draft): Replacement | undefined {
  for (const { givers, takers } of imbalances(draft)) {
    for (const to of takers) {
      for (const from of givers) {
        const partition = bestPartition(draft, from, to)
        if (partition !== undefined) return { partition, from, to }
      }
    }
  }
  return undefined
}

function bestPartition(draft: Draft, from: number, to: number): number | undefined {
  const tieHash = draft.shape.idHashes[to] as number
  let best: number | undefined
  let bestRank = 0
  let bestMeetings = 0
  for (let partition = 0; partition < draft.shape.partitions; partition++) {
    if (!draft.mayReplace(partition, from, to)) continue
    const cost = draft.costOf(partition, from, to)
    const rank = cost * (draft.shape.copies + 1) + (draft.hasPrevious ? draft.newIn(partition) : 0)
    if (best !== undefined && rank > bestRank) continue
    const meetings = draft.meetings(partition, to, from) - draft.meetings(partition, from, from)
    const better =
      best === undefined ||
      rank < bestRank ||
      meetings < bestMeetings ||
      (meetings === bestMeetings && mix(partition, tieHash) < mix(best, tieHash))
    if (!better) continue
    best = partition
    bestRank = rank
    bestMeetings = meetings
  }
  return best
}
