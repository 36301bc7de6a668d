import { type NodeId, nodeId, type Partition, ShoalError } from '@shoal/kernel'
import { hash64 } from '@shoal/ring'
import { ByteReader, ByteWriter } from '@shoal/wire'

/**
 * Partitions whose data this node has lost: a new disk, an older copy restored, something the disk
 * dropped (Q6).
 *
 * Such a replica takes writes at once, for a write needs no past. But its "not found" may be a lie,
 * and counted with another replica that missed the write it would make the lie an answer. So it
 * does not count to R before it has merged everything from enough other primaries: enough that
 * every majority which may have acknowledged a write, this node counted in, has one of them in it.
 *
 * Per partition: `lost`, with the peers merged from since; `whole` when there are enough. A further
 * loss begins anew.
 */
export class LostData {
  readonly #merged = new Map<Partition, Set<NodeId>>()
  readonly #losses = new Map<Partition, number>()

  /**
   * What `encode` gave, or undefined when these bytes are none: then nothing is known, and whoever
   * asks has to take everything for lost.
   */
  static decode(durable: Buffer): LostData | undefined {
    try {
      return readRecord(durable)
    } catch (error) {
      if (error instanceof ShoalError) return undefined
      throw error
    }
  }

  get isWhole(): boolean {
    return this.#merged.size === 0
  }

  partitions(): Partition[] {
    return [...this.#merged.keys()]
  }

  countsToReads(partition: Partition): boolean {
    return !this.#merged.has(partition)
  }

  /** The peers a lost partition has been merged from. */
  mergedFrom(partition: Partition): readonly NodeId[] {
    return [...(this.#merged.get(partition) ?? [])]
  }

  /** Data of these partitions was lost. What was merged before says nothing any more. */
  lose(partitions: Iterable<Partition>): void {
    for (const partition of partitions) {
      this.#merged.set(partition, new Set())
      this.#losses.set(partition, this.losses(partition) + 1)
    }
  }

  /** How often this run has seen the partition's data lost. Note it when an exchange begins. */
  losses(partition: Partition): number {
    return this.#losses.get(partition) ?? 0
  }

  /**
   * Everything that a peer held is held here now.
   *
   * @param exchange.losses  as noted when the exchange began: one from before a loss says nothing
   * @param exchange.others  the other primaries of the partition as the ring has them now
   */
  merged(
    partition: Partition,
    exchange: {
      readonly peer: NodeId
      readonly losses: number
      readonly others: readonly NodeId[]
    },
  ): 'unchanged' | 'progress' | 'whole' {
    const { peer, others } = exchange
    const merged = this.#merged.get(partition)
    if (!merged || merged.has(peer) || !others.includes(peer)) return 'unchanged'
    if (exchange.losses !== this.losses(partition)) return 'unchanged'
    merged.add(peer)
    return this.#settle(partition, merged, others) ? 'whole' : 'progress'
  }

  /** The ring has changed, or a start has brought old progress back: who is enough may differ. */
  review(othersOf: (partition: Partition) => readonly NodeId[]): Partition[] {
    const whole: Partition[] = []
    for (const [partition, merged] of [...this.#merged]) {
      if (this.#settle(partition, merged, othersOf(partition))) whole.push(partition)
    }
    return whole
  }

  /** The node no longer holds these partitions. */
  forget(partitions: Iterable<Partition>): void {
    for (const partition of partitions) this.#merged.delete(partition)
  }

  /** Of a record that was read: these peers have been merged from. */
  restore(partition: Partition, merged: readonly NodeId[]): void {
    this.#merged.set(partition, new Set(merged))
  }

  /**
   * Byte 1, a list of u16 partition and a list of node ids, and the checksum of it all: xxHash64.
   */
  encode(): Buffer {
    const writer = new ByteWriter().u8(FORMAT)
    writer.list([...this.#merged], ([partition, merged]) =>
      writer.u16(partition).list([...merged], (peer) => writer.text(peer)),
    )
    const record = writer.finish()
    const checksum = Buffer.allocUnsafe(CHECKSUM_BYTES)
    checksum.writeBigUInt64BE(hash64(record))
    return Buffer.concat([record, checksum])
  }

  #settle(partition: Partition, merged: ReadonlySet<NodeId>, others: readonly NodeId[]): boolean {
    const have = others.filter((peer) => merged.has(peer)).length
    if (have < neededFor(others.length)) return false
    this.#merged.delete(partition)
    return true
  }
}

const FORMAT = 1
const ENTRY_BYTES_MIN = 2 + 4
const NAME_BYTES_MIN = 4
const CHECKSUM_BYTES = 8

function readRecord(durable: Buffer): LostData | undefined {
  const end = durable.length - CHECKSUM_BYTES
  if (end < 0 || durable.readBigUInt64BE(end) !== hash64(durable.subarray(0, end))) return undefined
  const reader = new ByteReader(durable.subarray(0, end))
  if (reader.u8() !== FORMAT) return undefined
  const lost = new LostData()
  reader.list(() => {
    const partition = reader.u16() as Partition
    lost.restore(
      partition,
      reader.list(() => nodeId(reader.text()), NAME_BYTES_MIN),
    )
  }, ENTRY_BYTES_MIN)
  reader.end()
  return lost
}

/**
 * Other primaries to merge from: N − ⌊N/2⌋, so that every majority of the N that does without this
 * node has one of them in it. With a single copy there is nobody to ask.
 *
 * @param others  N − 1
 */
export function neededFor(others: number): number {
  const copies = others + 1
  return Math.min(others, copies - Math.floor(copies / 2))
}
