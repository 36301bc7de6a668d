/**
 * Making a chain of replacements true.
 *
 * The steps of a chain were each found legal in the draft as it stood. Two steps in one partition
 * may still exclude each other: both would fill the last place of a zone. A cheapest shortest chain
 * never holds such a pair when no cycle saves moves; a saving cycle, met before that is so, might.
 */
import type { Draft, Replacement } from './draft.ts'
import type { Chain } from './graph.ts'

/**
 * Applies a chain whole, or the useful part of it where two steps get in each other's way.
 *
 * @returns false, with the draft as it was, when no part can be applied
 */
export function applyChain(draft: Draft, chain: Chain): boolean {
  if (applyWhole(draft, chain.steps)) return true
  return partsOf(draft, chain).some((part) => applyChain(draft, part))
}

function applyWhole(draft: Draft, steps: readonly Replacement[]): boolean {
  for (const [index, step] of steps.entries()) {
    if (draft.mayReplace(step.partition, step.from, step.to)) {
      draft.replace(step)
      continue
    }
    for (const { partition, from, to } of steps.slice(0, index).reverse()) {
      draft.replace({ partition, from: to, to: from })
    }
    return false
  }
  return true
}

/**
 * Where two steps use one partition, the chain can be cut there into a shorter chain and a cycle of
 * the same cost together. The cycle is worth having if it saves moves, the shorter chain otherwise.
 */
function partsOf(draft: Draft, { kind, steps }: Chain): Chain[] {
  const parts: Chain[] = []
  steps.forEach((one, i) => {
    steps.slice(i + 1).forEach((two, ahead) => {
      if (one.partition !== two.partition) return
      const j = i + 1 + ahead
      const cycle: Chain = {
        kind: 'cycle',
        steps: [{ ...two, to: one.to }, ...steps.slice(i + 1, j)],
      }
      const rest: Chain = {
        kind,
        steps: [...steps.slice(0, i), { ...one, to: two.to }, ...steps.slice(j + 1)],
      }
      const saves = (part: Chain): boolean => costOf(draft, part) < 0
      if (saves(cycle)) parts.push(cycle)
      else if (kind === 'path' || saves(rest)) parts.push(rest)
    })
  })
  return parts
}

function costOf(draft: Draft, chain: Chain): number {
  return chain.steps.reduce(
    (sum, { partition, from, to }) => sum + draft.costOf(partition, from, to),
    0,
  )
}
