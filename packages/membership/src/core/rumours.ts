import type { NodeId } from '@shoal/kernel'
import type { MemberUpdate } from '@shoal/wire'

/**
 * What is still to be told to others: one piece of news for each member, the latest. It is told a
 * number of times that grows with the logarithm of the cluster, then enough others tell it.
 */
export interface Rumour {
  readonly update: MemberUpdate
  sent: number
}

export type Rumours = Map<NodeId, Rumour>

export function spread(rumours: Rumours, update: MemberUpdate): void {
  rumours.set(update.node, { update, sent: 0 })
}

/**
 * The news that were told least, and counts them as told.
 *
 * @param max     so many at most
 * @param copies  to so many others
 * @param sends   told so often, a rumour ends
 */
export function pick(
  rumours: Rumours,
  { max, copies, sends }: { max: number; copies: number; sends: number },
): MemberUpdate[] {
  if (rumours.size === 0 || max <= 0) return []
  let picked = [...rumours.values()]
  if (picked.length > max) {
    picked = picked.sort((one, other) => one.sent - other.sent).slice(0, max)
  }
  for (const rumour of picked) {
    rumour.sent += copies
    if (rumour.sent >= sends) rumours.delete(rumour.update.node)
  }
  return picked.map(({ update }) => update)
}
