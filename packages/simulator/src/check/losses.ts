import { type Bits, hasBit } from './bits.ts'
import type { Minted } from './minted.ts'
import type { Copy, Key } from './world.ts'

export interface StrictRead {
  readonly key: Key
  /** When it began. */
  readonly at: number
  /** What the primaries had on disk then, in their order. */
  readonly platters: readonly Bits[]
  readonly r: number
  /** What its answer knows. */
  readonly events: Bits
}

/**
 * Q6: a copy that was lost and does not have a write again says nothing about it. So of the others
 * any R meet one that has it, where a majority had acknowledged it and one of them lost it since.
 *
 * @returns such writes that the answer does not know
 */
export function unseenAfterLoss({ key, at, platters, r, events }: StrictRead): Minted[] {
  const { primaries, history } = key
  const copies = primaries.map((node) => key.copies[node] as Copy)
  if (copies.every(({ lostAt }) => lostAt < 0)) return []
  return history.events.filter(({ acknowledged, index }) => {
    if (!acknowledged || acknowledged.at >= at || hasBit(events, index)) return false
    const since = acknowledged.at
    const holders = copies.filter((_copy, each) =>
      acknowledged.holders.includes(primaries[each] as number),
    )
    const lost = holders.filter(({ lostAt }) => lostAt >= since)
    const hurt = copies.filter(({ damagedAt }) => damagedAt >= since)
    if (2 * holders.length <= copies.length || lost.length !== 1 || hurt.length !== 1) return false
    const left = platters.filter(
      (platter, each) => copies[each] !== lost[0] && hasBit(platter, index),
    ).length
    return left > 0 && left + r > copies.length - 1
  })
}
