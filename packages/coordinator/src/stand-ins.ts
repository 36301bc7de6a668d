import type { NodeId } from '@shoal/kernel'
import { bit, CANDIDATES_MAX } from './core/judge.ts'
import { indices } from './core/write-machine.ts'
import type { Desk } from './desk.ts'
import { missingOf, type Place, reachableOf } from './place.ts'
import type { Progress } from './progress.ts'

/**
 * Who takes a write, or may know of one, while primaries cannot be reached (Q3, Q4).
 *
 * Stand-ins exist only where hints are kept: a row that nobody owes to its primaries would stay
 * where no read looks for it.
 */

const NOBODY: readonly NodeId[] = []
const NO_STAND_INS: readonly number[] = []

/**
 * Nodes that may stand in, best first, those thought not to answer last. Costs nothing where every
 * node is a primary, else a look at each member.
 *
 * @param missing  primaries to be replaced, as a set
 */
export function standInsFor(desk: Desk, place: Place, missing: number): readonly NodeId[] {
  const { nodes, partition } = place
  const ring = desk.ring()
  const { members } = ring.record
  if (!desk.hints || members.length <= nodes.length) return NOBODY
  const replaced = indices(missing).map((candidate) => nodes[candidate])
  const isLive = (node: NodeId): boolean =>
    node === desk.self || (isThoughtToLive(desk, node) && !replaced.includes(node))
  const down = members.map(({ id }) => id).filter((node) => !isLive(node))
  // Of a bucket with a smaller N, the nodes behind its own hold copies of the partition already.
  const behind = ring.preferenceList(partition).slice(nodes.length)
  const live = [...behind.filter(isLive), ...ring.fallbacks(partition, down)]
  const doubted = down.filter((node) => desk.peers.isUp(node) && !nodes.includes(node))
  return [...live, ...doubted].slice(0, CANDIDATES_MAX - nodes.length)
}

const isThoughtToLive = ({ peers, liveness }: Desk, node: NodeId): boolean =>
  peers.isUp(node) && (liveness === undefined || liveness.isUsable(node))

/** Whom a write goes to. Candidates are numbered as in its progress, primaries first. */
export interface Reach {
  /** Told at once, this node included, as a set. */
  readonly asked: number
  /** Stand-ins for those of them that fail. */
  readonly spare: number
  /** By candidate: the primaries that a stand-in answers for, as a set. */
  readonly standsFor: readonly number[]
  /** Primaries that this node owes the write with its own row, because it is none of them. */
  readonly kept: number
  /** This node. */
  readonly self: number
}

/**
 * All primaries that can be reached, and for each one that cannot, or that is thought not to
 * answer, a stand-in. A node that coordinates without being a primary (V4) owes the write to all of
 * them: until one has it, it may be the only one that does.
 */
export function reachForWrite(
  desk: Desk,
  place: Place,
  { progress, strict }: { readonly progress: Progress; readonly strict: boolean },
): Reach {
  const { nodes, self } = place
  const reachable = reachableOf(desk, place)
  const primaries = bit(nodes.length) - 1
  const missing = missingOf(desk, place, reachable)
  if (self >= 0 && (missing === 0 || strict)) {
    return { asked: reachable, spare: 0, standsFor: NO_STAND_INS, kept: 0, self }
  }
  const others = standInsFor(desk, place, missing).filter((node) => node !== desk.self)
  const standIns = self >= 0 ? others : [desk.self, ...others]
  const candidates = indices(progress.enlist(standIns))
  const own = progress.nodes.indexOf(desk.self)
  const standsFor: number[] = []
  const left = indices(missing)
  let asked = reachable
  let spare = 0
  for (const candidate of candidates) {
    // This node takes the place of one too, whichever comes first.
    const primary = left.shift()
    if (candidate !== own && primary === undefined) {
      spare |= bit(candidate)
      continue
    }
    asked |= bit(candidate)
    if (candidate !== own && primary !== undefined) standsFor[candidate] = bit(primary)
  }
  return { asked, spare, standsFor, kept: self >= 0 ? 0 : primaries, self: own }
}
