import { type NodeId, type Partition, ShoalError } from '@shoal/kernel'
import { makeRowKey, partitionOfRowKey } from '@shoal/ring'
import { bit } from './core/judge.ts'
import type { Desk } from './desk.ts'
import type { BucketProperties, Buckets } from './requests.ts'

/** Where a key lives, seen from this node. */
export interface Place {
  readonly bucket: BucketProperties
  readonly rowKey: Buffer
  readonly partition: Partition
  /** The N nodes that should hold the key, primary first. */
  readonly nodes: readonly NodeId[]
  /** This node's place among them, −1 when it is none of them. */
  readonly self: number
}

export function locate(desk: Desk, buckets: Pick<Buckets, 'of'>, name: string, key: string): Place {
  const ring = desk.ring()
  const bucket = buckets.of(name)
  const rowKey = makeRowKey(name, key)
  const partition = partitionOfRowKey(rowKey, ring.partitions)
  const list = ring.preferenceList(partition)
  const nodes = bucket.n >= list.length ? list : list.slice(0, bucket.n)
  return { bucket, rowKey, partition, nodes, self: nodes.indexOf(desk.self) }
}

/** Candidates that can be reached now, this node included, as a set. */
export function reachableOf(desk: Desk, { nodes, self }: Place): number {
  let reachable = 0
  for (let candidate = 0; candidate < nodes.length; candidate++) {
    if (candidate === self || desk.peers.isUp(nodes[candidate] as NodeId))
      reachable |= bit(candidate)
  }
  return reachable
}

/**
 * Those of a set that are to be turned to last, because they are thought not to answer. A suspicion
 * may be false, so they remain in the set: it must never be what makes a request fail.
 */
export function doubtedOf(
  { liveness, env }: Desk,
  { nodes, self }: Place,
  reachable: number,
): number {
  let doubted = 0
  for (let candidate = 0; liveness && candidate < nodes.length; candidate++) {
    if (candidate === self || (reachable & bit(candidate)) === 0) continue
    const usable = liveness.isUsable(nodes[candidate] as NodeId)
    if (!usable || env.inject('coordinator: a false suspicion')) doubted |= bit(candidate)
  }
  return doubted
}

/** Primaries that somebody should stand in for, as a set: out of reach, or thought dead. */
export function missingOf(desk: Desk, place: Place, reachable = reachableOf(desk, place)): number {
  return (bit(place.nodes.length) - 1) & ~(reachable & ~doubtedOf(desk, place, reachable))
}

/** Fewer replicas can be reached than asked for; nothing was sent (Q7). */
export function unreachable(
  desk: Desk,
  place: Place,
  numbers: { wanted: number; got: number; reachable: number },
): ShoalError {
  const { wanted, got, reachable } = numbers
  desk.figures.refusedUnreachable++
  return new ShoalError(
    'SHOAL_QUORUM_UNREACHABLE',
    `Wanted ${wanted} of ${place.nodes.length} replicas; ${got} can be reached.`,
    {
      wanted,
      got,
      retryAfterMs: 1_000,
      replicas: place.nodes.map((node, candidate) => ({
        node,
        role: 'primary',
        state: (reachable & bit(candidate)) === 0 ? 'unreachable' : 'reachable',
        ms: 0,
      })),
    },
  )
}
