import { limits, type Partition } from '@shoal/kernel'
import type { Batch, Store } from './store.ts'

/**
 * Notes that data of this disk is gone (Q6), in the batch that makes it so: with the first record
 * of a new directory, or with a copy that replaces two damaged ones; or in the first batch after a
 * log was found damaged. Whoever keeps account of what
 * was lost takes them over; until then they are what survives a crash.
 *
 * `meta`: `lost `, u16 partition, or 0xffff for all of them.
 */
const PREFIX = Buffer.from('lost ')
const ALL = 0xffff

export interface LossNotes {
  readonly all: boolean
  readonly partitions: readonly Partition[]
}

/** @param partition  absent: everything */
export function noteLoss(batch: Batch, partition?: Partition): void {
  batch.put('meta', noteKey(partition ?? ALL), NOTHING)
}

export async function readLossNotes(store: Store): Promise<LossNotes> {
  const to = Buffer.concat([PREFIX, Buffer.of(0xff, 0xff, 0xff)])
  const limit = limits.partitionsMax + 1
  const { rows } = await store.scan({ column: 'meta', from: PREFIX, to, limit })
  const noted = rows
    .filter(({ key }) => key.length === PREFIX.length + 2)
    .map(({ key }) => key.readUInt16BE(PREFIX.length))
  return {
    all: noted.includes(ALL),
    partitions: noted.filter((each) => each !== ALL) as Partition[],
  }
}

/** They are in the account that this batch writes. */
export function clearLossNotes(batch: Batch, { all, partitions }: LossNotes): void {
  if (all) batch.delete('meta', noteKey(ALL))
  for (const partition of partitions) batch.delete('meta', noteKey(partition))
}

const NOTHING = Buffer.alloc(0)

function noteKey(partition: number): Buffer {
  const key = Buffer.concat([PREFIX, Buffer.alloc(2)])
  key.writeUInt16BE(partition, PREFIX.length)
  return key
}
