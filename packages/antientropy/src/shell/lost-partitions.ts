import type { NodeId, Partition } from '@shoal/kernel'
import { clearLossNotes, type LossNotes, readLossNotes, type Store } from '@shoal/storage'
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
  /** The write to the disk that runs, and the one that will take everything up to its start. */
  #writing: Promise<void> = Promise.resolve()
  #next: Promise<void> | undefined
  /** Notes on disk that the next write replaces. */
  #notes: { all: boolean; readonly partitions: Set<Partition> }

  private constructor(parts: LostParts, data: LostData, notes: LossNotes) {
    this.#parts = parts
    this.#data = data
    this.#notes = { all: notes.all, partitions: new Set(notes.partitions) }
  }

  /**
   * With what was noted and not yet taken over. A record that cannot be read says that something
   * was lost, and not what: everything is.
   */
  static async open(parts: LostParts): Promise<LostPartitions> {
    const { store, placement } = parts
    const [durable] = await store.getMany('meta', [KEY])
    const notes = await readLossNotes(store)
    const data = durable ? LostData.decode(durable) : new LostData()
    const lost = new LostPartitions(parts, data ?? new LostData(), notes)
    const ring = placement()
    const held = ring.partitionsOf(ring.self)
    if (!data) await lost.lose(held, 'the record of lost partitions is damaged')
    else if (notes.all) await lost.lose(held, 'the data directory is new')
    else {
      const noted = notes.partitions.filter((each) => held.includes(each))
      await lost.lose(noted, 'copies were damaged beyond reading')
    }
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
    for (const partition of partitions) this.#notes.partitions.add(partition)
    this.#data.lose(partitions)
    this.#data.review((partition) => othersOf(this.#parts.placement(), partition))
    // With a single copy there is nobody to merge from: it counts as it is.
    const left = partitions.filter((partition) => !this.#data.countsToReads(partition))
    if (left.length > 0) this.#parts.tell({ kind: 'dataLost', partitions: left, reason })
    await this.#save()
  }

  /** Everything a peer held is here and on disk. */
  async merged(partition: Partition, peer: NodeId, losses: number): Promise<void> {
    const others = othersOf(this.#parts.placement(), partition)
    const change = this.#data.merged(partition, { peer, losses, others })
    if (change === 'unchanged') return
    if (change === 'whole') {
      this.#parts.tell({ kind: 'dataWhole', partition, left: this.#data.partitions().length })
    }
    await this.#save()
  }

  async ringChanged(): Promise<void> {
    const { placement, tell } = this.#parts
    const held = new Set(placement().partitionsOf(placement().self))
    const gone = this.#data.partitions().filter((partition) => !held.has(partition))
    this.#data.forget(gone)
    const whole = this.#data.review((partition) => othersOf(placement(), partition))
    const left = this.#data.partitions().length
    for (const partition of whole) tell({ kind: 'dataWhole', partition, left })
    if (gone.length + whole.length > 0) await this.#save()
  }

  /** Many changes in a row are few writes. */
  #save(): Promise<void> {
    this.#next ??= this.#writing.then(() => {
      this.#next = undefined
      this.#writing = this.#write()
      return this.#writing
    })
    return this.#next
  }

  async #write(): Promise<void> {
    const { store } = this.#parts
    const batch = store.batch()
    if (this.#data.isWhole) batch.delete('meta', KEY)
    else batch.put('meta', KEY, this.#data.encode())
    const { all, partitions } = this.#notes
    clearLossNotes(batch, { all, partitions: [...partitions] })
    this.#notes = { all: false, partitions: new Set() }
    store.write(batch)
    await store.sync()
  }
}
