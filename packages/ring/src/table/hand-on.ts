/**
 * Evening out who has what, when not everybody may have everything: leads among the members of a
 * set, stand-ins among the nodes outside it. Giving to a poor neighbour directly may be impossible
 * while a chain is possible: one gives to a second, who gives something else on to a third.
 */
export interface Holdings {
  holderOf(item: number): number
  /** Items by holder, as of now. */
  held(): readonly (readonly number[])[]
  takersOf(item: number): readonly number[]
  give(item: number, to: number): void
}

/**
 * Hands one item on along the shortest chain from one of `starts` to a wanted node.
 *
 * @returns whether there was such a chain; nothing changes otherwise
 * Cost: O(all takers of all items) at most.
 */
export function handOn(
  holdings: Holdings,
  starts: readonly number[],
  wanted: (node: number) => boolean,
): boolean {
  const held = holdings.held()
  const takes = new Map<number, number>(starts.map((node) => [node, -1]))
  const queue = [...starts]
  for (const giver of queue) {
    for (const item of held[giver] ?? []) {
      for (const taker of holdings.takersOf(item)) {
        if (takes.has(taker)) continue
        takes.set(taker, item)
        queue.push(taker)
        if (!wanted(taker)) continue
        giveAlong(holdings, takes, taker)
        return true
      }
    }
  }
  return false
}

function giveAlong(holdings: Holdings, takes: ReadonlyMap<number, number>, last: number): void {
  let node = last
  for (let item = takes.get(node) as number; item >= 0; item = takes.get(node) as number) {
    const giver = holdings.holderOf(item)
    holdings.give(item, node)
    node = giver
  }
}

/** Items by holder. */
export function byHolder(holders: Int16Array, nodes: number): number[][] {
  const held: number[][] = Array.from({ length: nodes }, () => [])
  holders.forEach((node, item) => {
    held[node]?.push(item)
  })
  return held
}
