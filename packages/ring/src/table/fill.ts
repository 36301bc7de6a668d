/**
 * Step 4: fill every hole.
 *
 * Holes are visited in hashed order, so that neighbouring partitions get unrelated sets. Each takes
 * the eligible node that is relatively poorest; among equals the one that has met the set's members
 * least, so that a lost node's work spreads over many; then the hash.
 */
import { invariant } from '@shoal/kernel'
import { mix } from './canonical.ts'
import type { Draft } from './draft.ts'

/** Any constant: gives the order of holes without favouring a node. */
const HOLE_SALT = 0x5ca1_ab1e

export function fillHoles(draft: Draft): void {
  const { partitions, copies } = draft.shape
  const order = Array.from({ length: partitions }, (_, partition) => partition).sort(
    (a, b) => mix(a, HOLE_SALT) - mix(b, HOLE_SALT) || a - b,
  )
  const poverty = new Float64Array(draft.nodes)
  for (let node = 0; node < draft.nodes; node++) poverty[node] = povertyOf(draft, node)
  for (let round = 0; round < copies; round++) {
    for (const partition of order) {
      if (draft.size(partition) > round) continue
      const node = poorestFor(draft, partition, poverty)
      draft.add(partition, node)
      poverty[node] = povertyOf(draft, node)
    }
  }
}

/**
 * Load over fair share, half a replica ahead: lower is poorer. Division rounds alike everywhere.
 */
function povertyOf(draft: Draft, node: number): number {
  return (2 * (draft.load[node] as number) + 1) / (draft.shares.fair[node] as number)
}

function poorestFor(draft: Draft, partition: number, poverty: Float64Array): number {
  const { idHashes } = draft.shape
  let best = -1
  let bestMeetings = 0
  let bestTie = 0
  for (let node = 0; node < draft.nodes; node++) {
    if (best >= 0 && (poverty[node] as number) > (poverty[best] as number)) continue
    if (!draft.mayAdd(partition, node)) continue
    const meetings = draft.meetings(partition, node)
    const tie = mix(partition, idHashes[node] as number)
    if (
      best < 0 ||
      (poverty[node] as number) < (poverty[best] as number) ||
      meetings < bestMeetings ||
      (meetings === bestMeetings && tie < bestTie)
    ) {
      best = node
      bestMeetings = meetings
      bestTie = tie
    }
  }
  invariant(best >= 0, 'a set within its bounds can be completed', () => ({ partition }))
  return best
}
