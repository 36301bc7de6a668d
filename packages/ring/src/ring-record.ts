/** The ring record: who belongs to the cluster and who holds what, as of one epoch. */
import { type Epoch, type FieldError, limits } from '@shoal/kernel'
import type { Member } from './member.ts'
import type { PlacementTable } from './table/canonical.ts'

export interface RingRecord {
  /** 16 hexadecimal digits. The same for the life of the cluster. */
  readonly clusterId: string
  readonly epoch: Epoch
  /** Digest of the record this one succeeds; sixteen zeros for epoch 1. */
  readonly parent: string
  /** Q, a power of two; never changes. */
  readonly partitions: number
  /** Copies wanted. The sets hold fewer when there are fewer members. */
  readonly replicas: number
  /** Sorted by id. */
  readonly members: readonly Member[]
  /** By partition: indices into `members`, primary first. */
  readonly table: PlacementTable
  /** xxHash64 of the encoded record, 16 hexadecimal digits. */
  readonly digest: string
}

/** The parent of epoch 1. */
export const NO_PARENT = '0'.repeat(16)

/** Everything wrong with the ring's own numbers. */
export function faultsOfSizes(partitions: number, replicas: number): FieldError[] {
  const faults: FieldError[] = []
  const { partitionsMin, partitionsMax, replicasMax } = limits
  const powerOfTwo = Number.isInteger(partitions) && (partitions & (partitions - 1)) === 0
  if (!powerOfTwo || partitions < partitionsMin || partitions > partitionsMax) {
    faults.push({
      field: 'partitions',
      message:
        `partitions are a power of two from ${partitionsMin} to ${partitionsMax}, ` +
        `not ${partitions}`,
    })
  }
  if (!Number.isInteger(replicas) || replicas < 1 || replicas > replicasMax) {
    faults.push({
      field: 'replicas',
      message: `replicas are a whole number from 1 to ${replicasMax}, not ${replicas}`,
    })
  }
  return faults
}
