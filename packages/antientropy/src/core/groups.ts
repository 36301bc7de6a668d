import { invariant, limits } from '@shoal/kernel'

/** How the segments of a partition are grouped in its forest, and how two forests are compared. */
export const GROUPS = 32
export const GROUP_SEGMENTS = limits.digestSegments / GROUPS
invariant(GROUP_SEGMENTS === 32, 'a group has 32 segments')
export const DIGEST_BYTES = 8
/** The digests of a group, big-endian, one behind the other. */
export const GROUP_BYTES = GROUP_SEGMENTS * DIGEST_BYTES

/** Groups whose roots differ, one bit for each, lowest first. */
export function differingGroups(own: readonly Buffer[], theirs: readonly Buffer[]): number {
  let groups = 0
  for (let group = 0; group < GROUPS; group++) {
    const root = own[group]
    if (!root || !theirs[group]?.equals(root)) groups |= 1 << group
  }
  return groups >>> 0
}

/** Segments of one group whose digests differ, ascending. */
export function differingSegments(group: number, own: Buffer, theirs: Buffer): number[] {
  const segments: number[] = []
  for (let index = 0; index < GROUP_SEGMENTS; index++) {
    const at = index * DIGEST_BYTES
    if (own.compare(theirs, at, at + DIGEST_BYTES, at, at + DIGEST_BYTES) === 0) continue
    segments.push(group * GROUP_SEGMENTS + index)
  }
  return segments
}

export function groupsOf(bits: number): number[] {
  return Array.from({ length: GROUPS }, (_none, group) => group).filter(
    (group) => ((bits >>> group) & 1) === 1,
  )
}
