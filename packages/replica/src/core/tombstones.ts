import { isDeleted } from '@shoal/causality'
import type { Partition } from '@shoal/kernel'

/**
 * How many keys are deleted and still kept (D3), by partition. For people: nothing decides by it.
 * Kept up with each write, set right by each scrub; a crash forgets what came since the record on
 * disk.
 *
 * Record: u32 for each partition.
 */
export class Tombstones {
  readonly #counts: Int32Array

  /** @param record  of an earlier run; one of another number of partitions is none */
  constructor(partitions: number, record?: Buffer) {
    this.#counts = new Int32Array(partitions)
    if (record?.length !== partitions * 4) return
    for (let partition = 0; partition < partitions; partition++) {
      this.#counts[partition] = record.readUInt32BE(partition * 4) | 0
    }
  }

  /** A key went from one version to another; undefined for none. */
  changed(partition: Partition, before: Buffer | undefined, after: Buffer): void {
    const change = Number(isDead(after)) - Number(before !== undefined && isDead(before))
    if (change === 0) return
    this.#counts[partition] = Math.max(0, (this.#counts[partition] as number) + change)
  }

  /** Counted from the rows. */
  set(partition: Partition, count: number): void {
    this.#counts[partition] = count
  }

  get total(): number {
    return this.#counts.reduce((sum, count) => sum + count, 0)
  }

  encode(): Buffer {
    const record = Buffer.allocUnsafe(this.#counts.length * 4)
    this.#counts.forEach((count, partition) => {
      record.writeUInt32BE(count, partition * 4)
    })
    return record
  }
}

/** Whether every value is a tombstone: nothing has expired at the beginning of time. */
const isDead = (version: Buffer): boolean => isDeleted(version, 0)
