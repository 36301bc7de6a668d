import type { NodeId } from '@shoal/kernel'
import type { Ring } from '@shoal/ring'
import type { HealthState } from './http/schemas/state.ts'

/** How a member is taken to be, by one that looks at it. */
export type Standing = 'up' | 'suspect' | 'down'

/**
 * The cluster's verdict in plain words: what still works, and what may fail next.
 *
 * @param standing  how this node takes a member to be
 * @param problems  what nodes say is wrong with themselves, each with what to do after a colon
 */
export function judgeHealth(
  ring: Ring,
  standing: (node: NodeId) => Standing,
  problems: readonly string[],
): HealthState {
  const { members } = ring.record
  const ids = members.map(({ id }) => id)
  const down = ids.filter((id) => standing(id) === 'down')
  const suspect = ids.filter((id) => standing(id) === 'suspect')
  const up = ids.length - down.length - suspect.length
  const counts = { nodesUp: up, nodesTotal: ids.length }
  const warnings = [
    ...down.map((id) => `${id} cannot be reached: check it with shoal doctor on its machine`),
    ...suspect.map((id) => `${id} does not answer: wait some seconds, then look again`),
    ...problems,
  ]
  const spare = spareOf(ring, (id) => standing(id) === 'up')
  const missing = describeMissing(down, suspect)
  if (spare < 0) return { ...withoutQuorum(ring, up, missing), ...counts, warnings }
  const canLose = spare === 0 ? 'can lose no node' : `can lose ${count(spare)}`
  if (missing !== '') {
    const verdict = `degraded: ${missing}, quorum works, ${canLose} more`
    return { status: 'degraded', verdict, ...counts, warnings }
  }
  const [first] = problems
  if (first !== undefined) {
    const verdict = `degraded: ${withoutFix(first)}`
    return { status: 'degraded', verdict, ...counts, warnings }
  }
  return { status: 'healthy', verdict: `healthy: ${canLose}`, ...counts, warnings }
}

/** Writes go on as long as any quorum of nodes lives (Q3); who is asked strictly is refused. */
function withoutQuorum(
  ring: Ring,
  up: number,
  missing: string,
): Pick<HealthState, 'status' | 'verdict'> {
  if (up < quorumOf(ring)) {
    return { status: 'unavailable', verdict: `unavailable: ${missing}, too few nodes are left` }
  }
  const rest = 'writes go to others in their place, strict ones and some reads are refused'
  return { status: 'degraded', verdict: `degraded: ${missing}, ${rest}` }
}

function describeMissing(down: readonly NodeId[], suspect: readonly NodeId[]): string {
  const parts: string[] = []
  if (down.length > 0) parts.push(`${down.join(', ')} cannot be reached`)
  if (suspect.length > 0) parts.push(`${suspect.join(', ')} ${answers(suspect)} not answer`)
  return parts.join(', ')
}

/** How many more nodes may fail before some partition loses its quorum; below 0 one has. */
function spareOf(ring: Ring, isUp: (node: NodeId) => boolean): number {
  let least = ring.copies
  for (const indices of new Set(ring.record.table.map((set) => set.join()))) {
    const up = indices
      .split(',')
      .filter((index) => isUp(ring.record.members[Number(index)]?.id as NodeId)).length
    least = Math.min(least, up)
  }
  return least - quorumOf(ring)
}

const quorumOf = ({ copies }: Ring): number => Math.floor(copies / 2) + 1
const count = (nodes: number): string => `${nodes} node${nodes === 1 ? '' : 's'}`
const answers = ({ length }: readonly NodeId[]): string => (length === 1 ? 'does' : 'do')
const withoutFix = (problem: string): string => problem.split(': ')[0] as string
