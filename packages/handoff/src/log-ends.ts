import { invariant } from '@shoal/kernel'
import { partitionOfRowKey } from '@shoal/ring'
import type { Batch } from '@shoal/storage'
import { type Hint, hintKey } from './core/records.ts'
import type { HintLog, LogParts, Staged, TargetLog } from './hint-log.ts'
import { writeIfRoom } from './writing.ts'

/**
 * How hints leave the log. Each of these is one batch, and the memory follows only when the disk
 * has taken it: on a full disk nothing changes, and what was delivered is delivered once more.
 */
export class LogEnds {
  readonly #parts: LogParts
  readonly #log: HintLog

  constructor(parts: LogParts, log: HintLog) {
    this.#parts = parts
    this.#log = log
  }

  /** These rows are about to be read and sent. */
  begin(target: TargetLog, hints: readonly Hint[]): void {
    invariant(target.underway.size === 0, 'a target has one round under way')
    for (const { rowKey } of hints) {
      target.underway.set(rowKey.toString('latin1'), { renewed: false })
    }
  }

  /**
   * The round is over. Delivered hints are deleted, unless their row was owed anew after it was
   * read; missing ones are deleted and their partitions marked.
   *
   * @returns written: false when the disk is full, then nothing has changed; stayed: delivered
   *          hints that were owed anew
   */
  end(
    target: TargetLog,
    { delivered, missing }: { delivered: readonly Hint[]; missing: readonly Hint[] },
  ): { written: boolean; stayed: number } {
    const keeps = this.#parts.env.inject('handoff: a delivered hint stays')
    const gone = keeps
      ? []
      : delivered.filter(({ rowKey }) => !target.underway.get(rowKey.toString('latin1'))?.renewed)
    target.underway.clear()
    const batch = this.#parts.store.batch()
    const staged: Staged[] = []
    for (const { rowKey } of missing) {
      this.#log.mark(batch, { node: target.node, rowKey, reason: 'row missing' }, staged)
    }
    const written = this.#remove(target, batch, staged, [
      ...gone.map((hint) => ({ hint, delivered: true })),
      ...missing.map((hint) => ({ hint, delivered: false })),
    ])
    return { written, stayed: delivered.length - gone.length }
  }

  /**
   * Gives hints up because of their age. Who still holds their rows is repaired by exchange (H2).
   */
  giveUp(target: TargetLog, hints: readonly Hint[]): boolean {
    const batch = this.#parts.store.batch()
    const staged: Staged[] = []
    for (const { rowKey } of hints) {
      this.#log.mark(batch, { node: target.node, rowKey, reason: 'age' }, staged)
    }
    const removed = hints.map((hint) => ({ hint, delivered: false }))
    return this.#remove(target, batch, staged, removed)
  }

  /** The target no longer holds these rows: those who do are owed them. */
  move(target: TargetLog, hints: readonly Hint[]): boolean {
    const { placement, self, store } = this.#parts
    const ring = placement()
    const batch = store.batch()
    const staged: Staged[] = []
    for (const { rowKey, bytes } of hints) {
      for (const to of ring.preferenceList(partitionOfRowKey(rowKey, ring.partitions))) {
        if (to !== self) this.#log.add(batch, { to, rowKey, bytes }, staged)
      }
    }
    const removed = hints.map((hint) => ({ hint, delivered: false }))
    return this.#remove(target, batch, staged, removed)
  }

  /**
   * Records that cannot be read: nobody knows which rows they owe, so every partition of the target
   * is marked, and no row is taken for owed any more.
   *
   * @param counted  whether the records were loaded before they were damaged
   */
  dropDamaged(
    target: TargetLog,
    { sequences, counted }: { sequences: readonly number[]; counted: boolean },
  ): void {
    const { store, placement, listener } = this.#parts
    const { node } = target
    const batch = store.batch()
    const staged: Staged[] = []
    for (const partition of placement().partitionsOf(node)) {
      this.#log.markPartition(batch, { node, partition, reason: 'damaged' }, staged)
    }
    for (const sequence of sequences) batch.delete('hints', hintKey(node, sequence))
    if (!writeIfRoom(store, batch)) return this.#log.discarded(staged)
    this.#log.written(staged)
    if (!counted) return
    target.keys.clear()
    for (const sequence of sequences) {
      this.#log.shrink(target, 0)
      listener.removed(node, { sequence, bytes: 0, delivered: false })
    }
  }

  /** The whole log of a target was read and nothing was there. */
  foundEmpty(target: TargetLog): void {
    while (target.count > 0) this.#log.shrink(target, 0)
    target.keys.clear()
    this.#parts.listener.forgotten(target.node)
  }

  /** All hints from one sequence to before another are off the log. */
  passed(
    target: TargetLog,
    { from, next }: { readonly from: number; readonly next: number },
  ): void {
    if (from <= target.lowest) target.lowest = Math.max(target.lowest, next)
  }

  #remove(
    target: TargetLog,
    batch: Batch,
    staged: readonly Staged[],
    removed: readonly { readonly hint: Hint; readonly delivered: boolean }[],
  ): boolean {
    for (const { hint } of removed) batch.delete('hints', hintKey(target.node, hint.sequence))
    if (!writeIfRoom(this.#parts.store, batch)) {
      this.#log.discarded(staged)
      return false
    }
    this.#log.written(staged)
    for (const { hint, delivered } of removed) {
      const { sequence, bytes, rowKey } = hint
      target.keys.delete(this.#log.fingerprint(rowKey))
      this.#log.shrink(target, bytes)
      this.#parts.listener.removed(target.node, { sequence, bytes, delivered })
    }
    return true
  }
}
