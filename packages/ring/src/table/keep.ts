/**
 * Step 3: start from the previous sets, without the departed.
 *
 * A set may break today's bounds, because zones came or went. Which members to give up? The sets
 * that can be completed within the bounds form a matroid (hosts nest in zones), so taking members
 * greedily keeps as many as any choice could; taking the least loaded first gives up the most
 * loaded.
 */
import { mix } from './canonical.ts'
import type { Draft } from './draft.ts'

export function keepPrevious(draft: Draft): void {
  if (!draft.hasPrevious) return
  const { partitions, idHashes } = draft.shape
  const before = new Int32Array(draft.nodes)
  for (let partition = 0; partition < partitions; partition++) {
    for (let node = 0; node < draft.nodes; node++) {
      if (draft.hadBefore(partition, node)) before[node] = (before[node] as number) + 1
    }
  }
  const pressure = Array.from(before, (load, node) => load / (draft.shares.fair[node] as number))
  for (let partition = 0; partition < partitions; partition++) {
    const members = Array.from(pressure.keys()).filter((node) => draft.hadBefore(partition, node))
    const tie = (node: number): number => mix(partition, idHashes[node] as number)
    members.sort(
      (a, b) => (pressure[a] as number) - (pressure[b] as number) || tie(a) - tie(b) || a - b,
    )
    for (const node of members) if (draft.mayAdd(partition, node)) draft.add(partition, node)
  }
}
