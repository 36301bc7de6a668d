import type { Ring } from '../../src/index.ts'

/** How evenly the partitions of a dead node fall on the living; the worst over all nodes. */
export interface Peak {
  /** Partitions on the most used stand-in over the mean over n − 1 nodes. */
  readonly worst: number
  /** Partitions on it beyond the ceiling of that mean; 0 is the best integers can do. */
  readonly beyondCeiling: number
}

export function peakOf(ring: Ring): Peak {
  let worst = 0
  let beyondCeiling = 0
  for (const { id } of ring.record.members) {
    const used = new Map<string, number>()
    for (const partition of ring.partitionsOf(id)) {
      const [first] = ring.fallbacks(partition, [id])
      if (first !== undefined) used.set(first, (used.get(first) ?? 0) + 1)
    }
    const mean = ring.partitionsOf(id).length / (ring.record.members.length - 1)
    const most = Math.max(0, ...used.values())
    worst = Math.max(worst, most / mean)
    beyondCeiling = Math.max(beyondCeiling, most - Math.ceil(mean))
  }
  return { worst, beyondCeiling }
}
