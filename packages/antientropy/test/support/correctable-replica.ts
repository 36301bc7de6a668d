import { limits, type Partition } from '@shoal/kernel'
import type { MergeOperation, Replica, RowSink } from '@shoal/replica'
import type { Store } from '@shoal/storage'
import type { DigestCorrection, LocalReplica } from '../../src/index.ts'

/** A replica whose digests can be put wrong, and right again by their owner. */
export class CorrectableReplica implements LocalReplica {
  readonly #replica: Replica
  readonly #error = new Map<number, bigint>()
  readonly store: Store
  readonly partitions: number
  corrections = 0

  constructor(replica: Replica, store: Store, partitions: number) {
    this.#replica = replica
    this.store = store
    this.partitions = partitions
  }

  segmentDigest(partition: Partition, segment: number): bigint {
    const error = this.#error.get(place(partition, segment)) ?? 0n
    return this.#replica.segmentDigest(partition, segment) ^ error
  }

  copyDigests(partition: Partition, first: number, target: Buffer): Buffer {
    for (let at = 0; at < target.length; at += 8) {
      target.writeBigUInt64BE(this.segmentDigest(partition, first + at / 8), at)
    }
    return target
  }

  digestOf(version: Buffer, rowKey: Buffer): Buffer {
    return this.#replica.digestOf(version, rowKey)
  }

  read(rowKey: Buffer, sink: RowSink): void {
    this.#replica.read(rowKey, sink)
  }

  merge(operation: MergeOperation): void {
    this.#replica.merge(operation)
  }

  async correctDigests(
    partition: Partition,
    corrections: readonly DigestCorrection[],
  ): Promise<number> {
    const valid = corrections.filter(
      ({ segment, kept }) => this.segmentDigest(partition, segment) === kept,
    )
    for (const { segment, kept, rebuilt } of valid) this.disturb(partition, segment, kept ^ rebuilt)
    this.corrections += valid.length
    return valid.length
  }

  countedTombstones(partition: Partition, count: number): void {
    this.#replica.countedTombstones(partition, count)
  }

  /** As a bug in keeping digests, or memory that failed, would. */
  disturb(partition: Partition, segment: number, change: bigint): void {
    const at = place(partition, segment)
    this.#error.set(at, (this.#error.get(at) ?? 0n) ^ change)
  }
}

const place = (partition: Partition, segment: number): number =>
  partition * limits.digestSegments + segment
