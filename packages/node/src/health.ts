import type { NodeId } from '@shoal/kernel'
import type { Ring } from '@shoal/ring'
import type { HealthState } from './http/schemas/state.ts'

/**
 * The cluster's verdict in plain words: what still works, and what may fail next.
 *
 * @param isUp     whether this node can reach a member
 * @param problems what nodes say is wrong with themselves
 */
export function judgeHealth(
  ring: Ring,
  isUp: (node: NodeId) => boolean,
  problems: readonly string[],
): HealthState {
  const { members } = ring.record
  const down = members.map(({ id }) => id).filter((id) => !isUp(id))
  const spare = spareOf(ring, isUp)
  const counts = { nodesUp: members.length - down.length, nodesTotal: members.length }
  const warnings = [
    ...down.map((id) => `${id} cannot be reached: check it with shoal doctor on its machine`),
    ...problems,
  ]
  if (spare < 0) {
    const verdict = `unavailable: quorum is lost for some keys, ${list(down)} cannot be reached`
    return { status: 'unavailable', verdict, ...counts, warnings }
  }
  const canLose =
    spare === 0 ? 'can lose no node' : `can lose ${spare} node${spare === 1 ? '' : 's'}`
  if (down.length > 0) {
    const verdict = `degraded: ${list(down)} cannot be reached, quorum works, ${canLose} more`
    return { status: 'degraded', verdict, ...counts, warnings }
  }
  if (warnings.length > 0) {
    return { status: 'degraded', verdict: `degraded: ${warnings[0]}`, ...counts, warnings }
  }
  return { status: 'healthy', verdict: `healthy: ${canLose}`, ...counts, warnings }
}

/** How many more nodes may fail before some partition loses its quorum; below 0 one has. */
function spareOf(ring: Ring, isUp: (node: NodeId) => boolean): number {
  const quorum = Math.floor(ring.copies / 2) + 1
  let least = ring.copies
  for (const indices of new Set(ring.record.table.map((set) => set.join()))) {
    const up = indices
      .split(',')
      .filter((index) => isUp(ring.record.members[Number(index)]?.id as NodeId)).length
    least = Math.min(least, up)
  }
  return least - quorum
}

const list = (nodes: readonly NodeId[]): string => nodes.join(', ')
