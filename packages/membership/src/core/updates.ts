import type { NodeId } from '@shoal/kernel'
import type { MemberState, MemberUpdate } from '@shoal/wire'

/**
 * What is newer of two things said of one member.
 *
 * News come late, twice and in any order. So that all nodes end with the same, what is said of one
 * member is ordered: by incarnation, which the member alone raises; within one incarnation by
 * state, each stronger than the one before; and by run, which only decides between two process
 * starts that took the same incarnation, until the living one of them has raised it. To believe is
 * to keep the greater: a join, for which order and repetition do not matter.
 */
export interface Said {
  readonly state: MemberState
  readonly incarnation: number
  readonly run: number
}

const ranks: Readonly<Record<MemberState, number>> = { alive: 0, suspect: 1, dead: 2, left: 3 }

/** Positive when `one` is newer, 0 when both say the same, but for witnesses. */
export function compareSaid(one: Said, other: Said): number {
  if (one.incarnation !== other.incarnation) return one.incarnation - other.incarnation
  const rank = ranks[one.state] - ranks[other.state]
  return rank === 0 ? one.run - other.run : rank
}

/** What is said of a member while nobody has heard from it: anything else is newer. */
export const nothingSaid: Said = { state: 'alive', incarnation: 0, run: 0 }

export const isLiving = ({ state }: { readonly state: MemberState }): boolean =>
  state === 'alive' || state === 'suspect'

const NONE: readonly NodeId[] = []

export function updateOf(
  node: NodeId,
  { state, incarnation, run }: Said,
  witnesses: Iterable<NodeId> = NONE,
): MemberUpdate {
  return { node, state, incarnation, run, witnesses: state === 'suspect' ? [...witnesses] : NONE }
}

/**
 * A digest of all that one node knows: equal for equal knowledge, whatever its order. Witnesses are
 * left out: a suspicion ends soon, one way or the other.
 *
 * @returns 16 hexadecimal digits
 */
export function digestOf(known: Iterable<MemberUpdate>): string {
  let [high, low] = [0, 0]
  for (const update of known) {
    high ^= hashOf(update, 0x9e37_79b9)
    low ^= hashOf(update, 0x243f_6a88)
  }
  return hex(high) + hex(low)
}

const hex = (value: number): string => (value >>> 0).toString(16).padStart(8, '0')

function hashOf({ node, state, incarnation, run }: MemberUpdate, seed: number): number {
  let value = seed
  for (let index = 0; index < node.length; index++) {
    value = Math.imul(value ^ node.charCodeAt(index), 0x0100_0193)
  }
  const low = incarnation % HIGH
  const high = (incarnation - low) / HIGH
  for (const part of [low, high, run, ranks[state]]) value = mixed(Math.imul(value, 31) + part)
  return value
}

const HIGH = 2 ** 32

/** The end of MurmurHash3: every bit of the input stirs every bit of the result. */
function mixed(value: number): number {
  let bits = Math.imul(value ^ (value >>> 16), 0x85eb_ca6b)
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2_ae35)
  return bits ^ (bits >>> 16)
}
