import type { NodeId, Partition } from '@shoal/kernel'
import type { Store } from '@shoal/storage'
import { LostData } from '../core/lost-data.ts'
import { type AntiEntropyEvent, othersOf, type Placement } from '../ports.ts'

const KEY = Buffer.from('lost-data')

export interface LostParts {
  readonly store: Store
  readonly placement: () => Placement
  readonly tell: (event: AntiEntropyEvent) => void
}

/** Which partitions do not count to reads, kept on disk (Q6). */
export class LostPartitions {
  readonly #parts: LostParts
  readonly #data: LostData
  /** Writes to the disk, one behind the other. */
  #writing: Promise<void> = Promise.resolve()

  private constructor(parts: LostParts, data: LostData) {
    this.#parts = parts
    this.#data = data
  }

  /** A record that cannot be read says that something was lost, and not what: everything is. */
  static async open(parts: LostParts): Promise<LostPartitions> {
    const [durable] = await parts.store.getMany('meta', [KEY])
    const data = durable ? LostData.decode(durable) : new LostData()
    if (data) return new LostPartitions(parts, data)
    const lost = new LostPartitions(parts, new LostData())
    const placement = parts.placement()
    const held = placement.partitionsOf(placement.self)
    await lost.lose(held, 'the record of lost partitions is damaged')
    return lost
  }

  countsToReads(partition: Partition): boolean {
    return this.#data.countsToReads(partition)
  }

  partitions(): Partition[] {
    return this.#data.partitions()
  }

  losses(partition: Partition): number {
    return this.#data.losses(partition)
  }

  /** Resolves when it is on disk: nothing may be answered from these partitions before. */
  async lose(partitions: readonly Partition[], reason: string): Promise<void> {
    if (partitions.length === 0) return
    this.#data.lose(partitions)
    this.#data.review((partition) => othersOf(this.#parts.placement(), partition))
    this.#parts.tell({ kind: 'dataLost', partitions, reason })
    await this.#save()
  }

  /** Everything a peer held is here and on disk. */
  async merged(partition: Partition, peer: NodeId, losses: number): Promise<void> {
    const others = othersOf(this.#parts.placement(), partition)
    const change = this.#data.merged(partition, { peer, losses, others })
    if (change === 'unchanged') return
    if (change === 'whole') this.#parts.tell({ kind: 'dataWhole', partition })
    await this.#save()
  }

  async ringChanged(): Promise<void> {
    const { placement, tell } = this.#parts
    const held = new Set(placement().partitionsOf(placement().self))
    const gone = this.#data.partitions().filter((partition) => !held.has(partition))
    this.#data.forget(gone)
    const whole = this.#data.review((partition) => othersOf(placement(), partition))
    for (const partition of whole) tell({ kind: 'dataWhole', partition })
    if (gone.length + whole.length > 0) await this.#save()
  }

  #save(): Promise<void> {
    this.#writing = this.#writing.then(() => this.#write())
    return this.#writing
  }

  async #write(): Promise<void> {
    const { store } = this.#parts
    const batch = store.batch()
    if (this.#data.isWhole) batch.delete('meta', KEY)
    else batch.put('meta', KEY, this.#data.encode())
    store.write(batch)
    await store.sync()
  }
}
