import { type Millis, millis, type NodeId, type Partition } from '@shoal/kernel'
import type { Batch, Store } from '@shoal/storage'
import { encodeMark, markKey } from './core/records.ts'
import { writeIfRoom } from './writing.ts'

/** A partition in which this node owes a target rows that no hint names (H2). */
export interface DirtyMark {
  readonly node: NodeId
  readonly partition: Partition
  /** When it was first marked, by the wall clock of this node. */
  readonly since: Millis
  /** Changes whenever more is owed: what is compared before is not yet what is owed now. */
  readonly stamp: number
}

interface Entry {
  readonly since: Millis
  stamp: number
  saved: boolean
}

/**
 * Marks live in memory and on disk. One that could not be written stays in memory and is tried
 * again: a mark too many costs one exchange, a mark too few costs convergence.
 */
export class DirtyMarks {
  readonly #store: Store
  readonly #entries = new Map<NodeId, Map<Partition, Entry>>()
  #stamp = 0
  #unsaved = 0

  constructor(store: Store) {
    this.#store = store
  }

  /** As found on disk. */
  load(node: NodeId, partition: Partition, since: Millis): void {
    this.#of(node).set(partition, { since, stamp: ++this.#stamp, saved: true })
  }

  /**
   * @param batch  gets the mark unless it is on disk already; `saved` is to follow when written
   * @returns whether the partition was clean before
   */
  add(batch: Batch, { node, partition, now }: NewMark): boolean {
    const entries = this.#of(node)
    const known = entries.get(partition)
    const entry = known ?? { since: millis(Math.max(0, now)), stamp: 0, saved: false }
    entry.stamp = ++this.#stamp
    if (!known) {
      entries.set(partition, entry)
      this.#unsaved++
    }
    if (!entry.saved) batch.put('hints', markKey(node, partition), encodeMark(entry.since))
    return !known
  }

  /** A batch with this mark was written. */
  saved(node: NodeId, partition: Partition): void {
    const entry = this.#entries.get(node)?.get(partition)
    if (!entry || entry.saved) return
    entry.saved = true
    this.#unsaved--
  }

  /** Writes what could not be written before. */
  saveAll(): void {
    if (this.#unsaved === 0) return
    const batch = this.#store.batch()
    const late = this.all().filter((mark) => !this.#entryOf(mark)?.saved)
    for (const { node, partition, since } of late) {
      batch.put('hints', markKey(node, partition), encodeMark(since))
    }
    if (!writeIfRoom(this.#store, batch)) return
    for (const { node, partition } of late) this.saved(node, partition)
  }

  all(): DirtyMark[] {
    return [...this.#entries].flatMap(([node, entries]) =>
      [...entries].map(([partition, { since, stamp }]) => ({ node, partition, since, stamp })),
    )
  }

  count(node: NodeId): number {
    return this.#entries.get(node)?.size ?? 0
  }

  nodes(): Iterable<NodeId> {
    return this.#entries.keys()
  }

  /**
   * What the target was owed when the mark was read is on its disk. False when more is owed since,
   * or the disk is full: then the mark stays.
   */
  clean(mark: DirtyMark): boolean {
    const { node, partition, stamp } = mark
    const entry = this.#entryOf(mark)
    if (entry?.stamp !== stamp) return false
    const batch = this.#store.batch()
    batch.delete('hints', markKey(node, partition))
    if (!writeIfRoom(this.#store, batch)) return false
    if (!entry.saved) this.#unsaved--
    const entries = this.#of(node)
    entries.delete(partition)
    if (entries.size === 0) this.#entries.delete(node)
    return true
  }

  #entryOf({ node, partition }: Pick<DirtyMark, 'node' | 'partition'>): Entry | undefined {
    return this.#entries.get(node)?.get(partition)
  }

  #of(node: NodeId): Map<Partition, Entry> {
    let entries = this.#entries.get(node)
    if (!entries) {
      entries = new Map()
      this.#entries.set(node, entries)
    }
    return entries
  }
}

interface NewMark {
  readonly node: NodeId
  readonly partition: Partition
  /** By the wall clock. */
  readonly now: Millis
}
