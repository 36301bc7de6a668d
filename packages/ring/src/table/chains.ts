/**
 * Steps 6 and 7: what single replacements cannot do.
 *
 * 6. A node may be too rich while nobody poor may take anything from it. Then a chain helps: it
 *    gives to a neighbour, the neighbour gives on. By the max-flow theorem such a chain exists as
 *    long as any node is outside its loads, because fair shares within the bounds are themselves a
 *    flow.
 * 7. When more moved than the lower bound, cycles of replacements that undo moves are applied until
 *    none is left: the fewest moves possible.
 */
import { invariant } from '@shoal/kernel'
import { applyChain } from './apply-chain.ts'
import { imbalances, moveDirectly } from './direct.ts'
import type { Draft } from './draft.ts'
import { type Chain, ReplacementGraph } from './graph.ts'

/** Brings every node to floor or ceiling of its share. */
export function balanceLoads(draft: Draft): void {
  moveDirectly(draft)
  for (let wanted = imbalances(draft); wanted.length > 0; wanted = imbalances(draft)) {
    const graph = new ReplacementGraph(draft)
    let chain: Chain | undefined
    for (const { givers, takers } of wanted) chain ??= graph.findChain(givers, takers)
    invariant(chain !== undefined, 'fair shares within the bounds can be reached')
    invariant(applyChain(draft, chain), 'a shortest chain can be applied whole')
    moveDirectly(draft)
  }
}

/** Undoes moves that need not have been, without leaving the allowed loads. */
export function cancelMoves(draft: Draft): void {
  if (!draft.hasPrevious) return
  const { low, high } = draft.shares
  const nodes = Array.from({ length: draft.nodes }, (_, node) => node)
  for (let moved = draft.moved(); moved > fewestMoves(draft); moved = draft.moved()) {
    const giving = nodes.filter((node) => (draft.load[node] as number) > (low[node] as number))
    const taking = nodes.filter((node) => (draft.load[node] as number) < (high[node] as number))
    const chain = new ReplacementGraph(draft).findSaving(giving, taking)
    if (chain === undefined) return
    invariant(applyChain(draft, chain), 'a saving chain, or a part of it, can be applied whole')
    invariant(draft.moved() < moved, 'a saving chain saves moves')
  }
}

/**
 * No table within the loads can move fewer: the poor must reach their floor, and nobody keeps more
 * than its ceiling.
 */
export function fewestMoves(draft: Draft): number {
  const { partitions, copies } = draft.shape
  let short = 0
  let kept = 0
  for (let node = 0; node < draft.nodes; node++) {
    let before = 0
    for (let partition = 0; partition < partitions; partition++) {
      if (draft.hadBefore(partition, node)) before++
    }
    short += Math.max(0, (draft.shares.low[node] as number) - before)
    kept += Math.min(before, draft.shares.high[node] as number)
  }
  return Math.max(short, partitions * copies - kept)
}
