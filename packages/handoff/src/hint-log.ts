import {
  type Env,
  invariant,
  limits,
  type Millis,
  type NodeId,
  type Partition,
} from '@shoal/kernel'
import { hash64, partitionOfRowKey } from '@shoal/ring'
import type { Batch, Store } from '@shoal/storage'
import { type Fingerprint, KeySet } from './core/key-set.ts'
import { encodeHint, type Hint, hintKey } from './core/records.ts'
import { DirtyMarks } from './dirty-marks.ts'
import type { OverflowReason, Placement } from './ports.ts'

/** A row that a target has to be told of. */
export interface Owed {
  readonly to: NodeId
  readonly rowKey: Buffer
  /** Of the row. */
  readonly bytes: number
}

export interface LogSettings {
  /** Of rows owed to one target (H2). */
  readonly bytesPerTargetMax: number
  /** Hints, of all targets. */
  readonly countMax: number
  /** How old a hint may get (H2). */
  readonly ageMax: Millis
}

/** What the log tells of itself. */
export interface LogListener {
  stored(node: NodeId, bytes: number): void
  /** A row was owed that is owed already. */
  joined(): void
  removed(node: NodeId, hint: RemovedHint): void
  /** Nobody knows any more which hints of this node there were. */
  forgotten(node: NodeId): void
  overflowed(node: NodeId, partition: Partition, reason: OverflowReason): void
}

export interface RemovedHint {
  readonly sequence: number
  readonly bytes: number
  readonly delivered: boolean
}

export interface LogParts {
  readonly env: Env
  readonly store: Store
  readonly self: NodeId
  readonly placement: () => Placement
  readonly settings: LogSettings
  readonly listener: LogListener
}

/** What the log knows of one target without reading the disk. */
export class TargetLog {
  readonly node: NodeId
  /** Rows owed. A row that is owed again while it is here needs no second record. */
  readonly keys = new KeySet()
  count = 0
  bytes = 0
  /** No hint is older than this; undefined when there is none. */
  oldest: Millis | undefined
  /** No hint has a smaller sequence. Below it the disk may be full of deleted records. */
  lowest = 0
  /** Rows on the way, and whether each is owed anew since. */
  readonly underway = new Map<string, { renewed: boolean }>()

  constructor(node: NodeId) {
    this.node = node
  }
}

/** What a batch will have done to the log once it is written. */
export type Staged =
  | {
      readonly kind: 'hint'
      readonly target: TargetLog
      readonly print: Fingerprint
      readonly bytes: number
    }
  | {
      readonly kind: 'mark'
      readonly node: NodeId
      readonly partition: Partition
      readonly fresh: boolean
      readonly reason: OverflowReason
    }

/**
 * The hints that this node holds, and the marks that stand for hints it could not hold (H1, H2).
 *
 * Nothing here waits: a hint is stored, renewed and deleted between two turns of the event loop, so
 * that what the memory says and what the disk says are never seen apart. Reading is in
 * `log-reading.ts`.
 */
export class HintLog {
  readonly #parts: LogParts
  readonly #seed: bigint
  readonly targets = new Map<NodeId, TargetLog>()
  readonly marks: DirtyMarks
  /** The last sequence given. */
  sequence = 0
  #count = 0

  constructor(parts: LogParts) {
    this.#parts = parts
    this.marks = new DirtyMarks(parts.store)
    // Unknown to clients, who might choose keys that all fall into one place.
    this.#seed = Buffer.from(parts.env.random('handoff').bytes(8)).readBigUInt64BE(0)
  }

  get count(): number {
    return this.#count
  }

  target(node: NodeId): TargetLog {
    let target = this.targets.get(node)
    if (!target) {
      target = new TargetLog(node)
      this.targets.set(node, target)
    }
    return target
  }

  fingerprint(rowKey: Buffer): Fingerprint {
    const hash = hash64(rowKey, this.#seed)
    return {
      a: (Number(hash & 0xffff_ffffn) | 1) >>> 0,
      b: Number(hash >> 32n),
      c: rowKey.readUInt32BE(4),
    }
  }

  /**
   * Adds to a batch what has to be on disk for a row to be owed: a hint; a mark when the log is
   * full (H2); nothing when the row is owed already, because a hint names the row and not its
   * state.
   *
   * The row itself is in the store already, or in the same batch.
   *
   * @param staged  gets what `written` or `discarded` has to be told
   */
  add(batch: Batch, owed: Owed, staged: Staged[]): void {
    const { self, settings, listener } = this.#parts
    const { to, rowKey, bytes } = owed
    invariant(to !== self, 'a node owes nothing to itself')
    const target = this.target(to)
    const print = this.fingerprint(rowKey)
    if (target.keys.has(print)) {
      this.#renew(target, rowKey)
      listener.joined()
      return
    }
    const reason = this.#fullFor(target, bytes, settings)
    if (reason) return this.mark(batch, { node: to, rowKey, reason }, staged)
    const sequence = ++this.sequence
    const since = this.#parts.env.clock.wall()
    const key = hintKey(to, sequence)
    batch.put('hints', key, encodeHint(key, { since, bytes, rowKey }))
    target.keys.add(print)
    this.#grow(target, { sequence, since, bytes })
    staged.push({ kind: 'hint', target, print, bytes })
  }

  /** A record found on disk at the start. */
  load(node: NodeId, hint: Hint): void {
    const target = this.target(node)
    target.keys.add(this.fingerprint(hint.rowKey))
    this.#grow(target, hint)
  }

  #grow(target: TargetLog, hint: Pick<Hint, 'sequence' | 'since' | 'bytes'>): void {
    if (target.count === 0) {
      target.oldest = hint.since
      target.lowest = hint.sequence
    }
    target.count++
    target.bytes += hint.bytes
    this.#count++
  }

  #renew(target: TargetLog, rowKey: Buffer): void {
    if (target.underway.size === 0) return
    const underway = target.underway.get(rowKey.toString('latin1'))
    if (underway) underway.renewed = true
  }

  #fullFor(target: TargetLog, bytes: number, settings: LogSettings): OverflowReason | undefined {
    if (target.bytes + bytes > settings.bytesPerTargetMax) return 'bytes'
    if (this.#count >= settings.countMax) return 'count'
    return this.#parts.env.inject('handoff: the log is full') ? 'bytes' : undefined
  }

  /** Marks the partition of a row. */
  mark(
    batch: Batch,
    { node, rowKey, reason }: { node: NodeId; rowKey: Buffer; reason: OverflowReason },
    staged: Staged[],
  ): void {
    const partition = partitionOfRowKey(rowKey, this.#parts.placement().partitions)
    this.markPartition(batch, { node, partition, reason }, staged)
  }

  markPartition(
    batch: Batch,
    { node, partition, reason }: { node: NodeId; partition: Partition; reason: OverflowReason },
    staged: Staged[],
  ): void {
    const now = this.#parts.env.clock.wall()
    const fresh = this.marks.add(batch, { node, partition, now })
    staged.push({ kind: 'mark', node, partition, fresh, reason })
  }

  /** The batch is with the store. */
  written(staged: readonly Staged[]): void {
    for (const each of staged) {
      if (each.kind === 'hint') {
        this.#parts.listener.stored(each.target.node, each.bytes)
        continue
      }
      this.marks.saved(each.node, each.partition)
      if (each.fresh) this.#parts.listener.overflowed(each.node, each.partition, each.reason)
    }
  }

  /** The batch was not written: its hints are none. Its marks stay, to be written later. */
  discarded(staged: readonly Staged[]): void {
    for (const each of staged) {
      if (each.kind === 'mark') {
        if (each.fresh) this.#parts.listener.overflowed(each.node, each.partition, each.reason)
        continue
      }
      each.target.keys.delete(each.print)
      this.shrink(each.target, each.bytes)
    }
  }

  /** Owed all the same, although the disk had no room for the hints. */
  markInstead(owed: readonly Owed[]): void {
    const batch = this.#parts.store.batch()
    const staged: Staged[] = []
    for (const { to, rowKey } of owed) {
      this.mark(batch, { node: to, rowKey, reason: 'disk full' }, staged)
    }
    this.discarded(staged)
  }

  /** A hint is off the log. */
  shrink(target: TargetLog, bytes: number): void {
    // A disk that hid a record for a while may show it again after `foundEmpty`.
    if (target.count === 0) return
    target.count--
    this.#count--
    // What a damaged record owed is not known, so the sum may be too large until none is left.
    target.bytes = target.count === 0 ? 0 : Math.max(0, target.bytes - bytes)
    if (target.count === 0) target.oldest = undefined
  }

  /** Targets that are owed this row. */
  owed(rowKey: Buffer): number {
    const print = this.fingerprint(rowKey)
    let owed = 0
    for (const { keys } of this.targets.values()) if (keys.has(print)) owed++
    return owed
  }
}

export const defaultLogSettings: LogSettings = {
  bytesPerTargetMax: limits.hintTargetBytesMax,
  countMax: limits.hintsMax,
  ageMax: limits.hintAgeMax,
}
