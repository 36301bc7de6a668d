/** Who holds how much, and how far that is from each node's share. */
import type { RingState } from './state.ts'

export interface Holding {
  readonly id: string
  readonly url: string
  readonly zone: string
  readonly host: string
  readonly weight: number
  /** Partitions of which the node is the first primary. */
  readonly first: number
  /** Partitions of which it holds a copy. */
  readonly copies: number
  /** What its weight would give it, not more than every partition once. */
  readonly due: number
}

/** In the order of the ring's members. */
export function holdingsOf({ members, table, partitions, replicas }: RingState): Holding[] {
  const first = new Map<string, number>()
  const copies = new Map<string, number>()
  for (const set of table) {
    for (const [rank, id] of set.entries()) {
      copies.set(id, (copies.get(id) ?? 0) + 1)
      if (rank === 0) first.set(id, (first.get(id) ?? 0) + 1)
    }
  }
  const wanted = partitions * Math.min(replicas, members.length)
  const due = dues(
    members.map(({ weight }) => weight),
    wanted,
    partitions,
  )
  return members.map(({ id, url, zone = '', host = '', weight }, index) => ({
    id,
    url,
    zone,
    host,
    weight,
    first: first.get(id) ?? 0,
    copies: copies.get(id) ?? 0,
    due: due[index] ?? 0,
  }))
}

/**
 * `total` divided by weight, nobody above `most`: what one cannot take is divided among the others
 * by the same rule. Ends because each round fixes at least one node or is the last.
 */
export function dues(weights: readonly number[], total: number, most: number): number[] {
  const due = weights.map(() => 0)
  let open = weights.map((_, index) => index)
  let left = total
  while (open.length > 0) {
    const sum = open.reduce((weight, index) => weight + (weights[index] ?? 0), 0)
    const shareOf = (index: number): number => (left * (weights[index] ?? 0)) / sum
    const full = open.filter((index) => shareOf(index) >= most)
    if (full.length === 0) {
      for (const index of open) due[index] = shareOf(index)
      return due
    }
    for (const index of full) due[index] = most
    left -= most * full.length
    open = open.filter((index) => !full.includes(index))
  }
  return due
}

/** The largest distance of a node from its share, as a fraction of that share. */
export const imbalanceOf = (holdings: readonly Holding[]): number =>
  Math.max(0, ...holdings.map(({ copies, due }) => (due > 0 ? Math.abs(copies - due) / due : 0)))
