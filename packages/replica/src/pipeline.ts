import {
  type Env,
  type ErrorCode,
  InvariantViolation,
  invariant,
  limits,
  type Partition,
  ShoalError,
} from '@shoal/kernel'
import { rowKeyName, segmentOfRowKey } from '@shoal/ring'
import {
  type Batch,
  decodeStoredVersion,
  encodeStoredVersion,
  noteLoss,
  rowVersion,
  type Store,
  verifyRow,
} from '@shoal/storage'
import type { Actors } from './core/actors.ts'
import {
  applyMerge,
  applyPut,
  contentHash,
  createSlot,
  digestChange,
  needsRow,
  type PutSurroundings,
  type Refusal,
  type Slot,
} from './core/apply.ts'
import type { DigestChange, Digests } from './core/digests.ts'
import type { RequestMemory } from './core/request-memory.ts'
import type { Stamps } from './core/stamps.ts'
import type { Tombstones } from './core/tombstones.ts'
import type { VersionCache } from './core/version-cache.ts'
import { type DigestJournal, rebuildPartition, suspectKey } from './digest-journal.ts'
import { DAMAGED, fetchMany } from './fetch.ts'
import type { Operation, OwedRows, PutOperation, Written } from './operations.ts'

/**
 * The group pipeline: one read of versions, a merge in memory, one batch, one sync, for everything
 * that came in while the group before was on its way to the disk.
 *
 * One group at a time is held from its first read to its sync. That makes locks on keys needless,
 * and it makes groups as large as the disk is slow: two groups in flight were measured to halve the
 * rows for each sync and to gain nothing.
 */
export interface PipelineParts {
  readonly env: Env
  readonly store: Store
  readonly partitions: number
  readonly actors: Actors
  readonly cache: VersionCache
  readonly digests: Digests
  readonly journal: DigestJournal
  readonly requests: RequestMemory
  readonly stamps: Stamps
  readonly tombstones: Tombstones
  readonly damaged: (rowKey: Buffer) => void
  readonly lost: (loss: Loss) => void
  /** Undefined where nothing keeps hints: then this node stands in for nobody. */
  readonly owed: OwedRows | undefined
}

/** Something that was on this disk is not there any more (Q6). */
export type Loss =
  /** A key's row and version record both failed their checksums; a copy of a peer replaced them. */
  | { readonly kind: 'forgotten'; readonly partition: Partition }
  /** A clock knows more of this node's own writes than this disk: it is an older one. */
  | { readonly kind: 'older disk'; readonly partition: Partition }

export interface PipelineFigures {
  groups: number
  operations: number
  syncs: number
  rowsLoaded: number
  damaged: number
}

export class Pipeline {
  readonly #parts: PipelineParts
  readonly #batch: Batch
  readonly #surroundings: PutSurroundings
  readonly #suspect = new Set<Partition>()
  readonly figures: PipelineFigures = {
    groups: 0,
    operations: 0,
    syncs: 0,
    rowsLoaded: 0,
    damaged: 0,
  }
  #queue: Operation[] = []
  #queuedBytes = 0
  #running = false
  #scheduled = false
  #unsynced = false
  /** In the group before the next one. */
  #lastOperations = 0
  /** Whether the group under way owes rows. */
  #owing = false
  /** Of the group under way: it takes request memory and version cache for empty. */
  #forgetful = false
  #idle: (() => void)[] = []

  constructor(parts: PipelineParts) {
    this.#parts = parts
    this.#batch = parts.store.batch()
    this.#surroundings = {
      actors: parts.actors,
      stamp: () => parts.stamps.next(),
      recall: (request) =>
        this.#forgetful ? undefined : parts.requests.recall(request, parts.env.clock.elapsed()),
    }
  }

  get depth(): number {
    return this.#queue.length
  }

  /** Whether everything that a read can see is also on disk. */
  get isDurable(): boolean {
    return !this.#running && !this.#unsynced
  }

  /** Takes an operation into the next group. Its sink hears of it in a later turn, exactly once. */
  submit(operation: Operation): void {
    const size = sizeOf(operation)
    const full =
      this.#queue.length >= limits.pipelineOperationsMax ||
      this.#queuedBytes + size > limits.pipelineBytesMax ||
      this.#parts.env.inject('replica: the queue is full')
    if (full) {
      this.#parts.env.nextTurn(() => operation.sink.refused('SHOAL_OVERLOADED'))
      return
    }
    this.#queue.push(operation)
    this.#queuedBytes += size
    this.#wake()
  }

  /** Resolves when every operation submitted so far has ended. */
  drained(): Promise<void> {
    if (!this.#running && this.#queue.length === 0) return Promise.resolve()
    return new Promise((resolve) => this.#idle.push(resolve))
  }

  #wake(): void {
    if (this.#running || this.#scheduled) return
    this.#scheduled = true
    this.#parts.env.nextTurn(this.#begin)
  }

  readonly #begin = (): void => {
    if (this.#parts.env.inject('replica: a group begins late')) {
      this.#parts.env.nextTurn(this.#begin)
      return
    }
    this.#scheduled = false
    this.#running = true
    this.#runGroup().then(this.#groupEnded, this.#groupFailed)
  }

  readonly #groupEnded = (): void => {
    this.#running = false
    if (this.#queue.length > 0) return this.#next()
    const idle = this.#idle
    this.#idle = []
    for (const resolve of idle) resolve()
  }

  /**
   * Under load most of what the next group will hold is still on its way: the answers to the last
   * one have only just left. A moment more makes groups larger, and a group costs the same sync and
   * the same batch however large it is.
   */
  #next(): void {
    const last = this.#lastOperations
    if (last < limits.groupLingerFrom || this.#queue.length >= last) return this.#wake()
    this.#scheduled = true
    this.#parts.env.clock.after(limits.groupLinger, this.#begin)
  }

  readonly #groupFailed = (reason: Error): void => {
    // Only a bug or a failed disk comes here: the rest was answered within the group (A3).
    this.#parts.env.halt(reason)
  }

  async #runGroup(): Promise<void> {
    const { env } = this.#parts
    const group = this.#takeGroup()
    this.#forgetful = env.inject('replica: memory forgets')
    let loaded: Loaded
    try {
      loaded = await this.#load(group)
    } catch (error) {
      // A read error is an error, never "not found" (V3). The write-only failures stop the node
      // (A3).
      if (this.#parts.store.failed || error instanceof InvariantViolation) throw error
      return refuseAll(group, 'SHOAL_STORE_FAILED')
    }
    const { slots, distinct } = loaded
    if (env.inject('replica: a new actor')) this.#rotate(distinct)
    const results = group.map((operation, index) => this.#apply(slots[index] as Slot, operation))
    for (const partition of this.#parts.actors.takeBehind()) {
      this.#parts.lost({ kind: 'older disk', partition })
    }
    const changed = distinct.filter((slot) => slot.changed)
    this.#owe(group, slots, results)
    if (!this.#write(changed)) {
      this.#forgetRequests(group, results)
      return refuseAll(group, 'SHOAL_STORAGE_FULL')
    }
    await this.#settle(group, slots, results)
    for (const partition of this.#suspect) await this.#rebuildDigests(partition)
  }

  #takeGroup(): Operation[] {
    const most = this.#parts.env.inject('replica: a group of one') ? 1 : limits.groupOperationsMax
    let bytes = 0
    let count = 0
    for (const operation of this.#queue) {
      const size = sizeOf(operation)
      const full = count >= most || bytes + size > limits.groupBytesMax
      if (full && count > 0) break
      count++
      bytes += size
    }
    const group = this.#queue
    this.#queue = count === group.length ? [] : group.splice(count)
    this.#queuedBytes -= bytes
    this.figures.groups++
    this.figures.operations += count
    this.#lastOperations = count
    return group
  }

  async #load(group: readonly Operation[]): Promise<Loaded> {
    const byKey = new Map<string, Slot>()
    const unknown: Slot[] = []
    const slots = group.map(({ rowKey }) => {
      const text = rowKey.toString('latin1')
      const known = byKey.get(text)
      if (known) return known
      const cached = this.#forgetful ? undefined : this.#parts.cache.get(rowKey)
      const slot = createSlot(rowKey, this.#parts.partitions, cached)
      if (!slot.version) unknown.push(slot)
      byKey.set(text, slot)
      return slot
    })
    if (unknown.length > 0) await this.#loadVersions(unknown)
    const wanting = new Set<Slot>()
    for (let index = 0; index < group.length; index++) {
      const slot = slots[index] as Slot
      if (
        slot.damaged ||
        needsRow(group[index] as Operation, slot.version, this.#surroundings.recall)
      ) {
        wanting.add(slot)
      }
    }
    if (wanting.size > 0) await this.#loadRows([...wanting])
    return { slots, distinct: [...byKey.values()] }
  }

  async #loadVersions(slots: readonly Slot[]): Promise<void> {
    const names = slots.map((slot) => rowKeyName(slot.rowKey))
    const stored = await fetchMany(this.#parts.store, 'versions', names)
    for (let index = 0; index < slots.length; index++) {
      const slot = slots[index] as Slot
      const bytes = stored[index]
      if (bytes === undefined) continue
      slot.version = bytes === DAMAGED ? undefined : decodeStoredVersion(bytes, slot.token)
      slot.before = slot.version
      slot.damaged = slot.version === undefined
      if (slot.version) this.#parts.cache.set(slot.rowKey, slot.version)
    }
  }

  async #loadRows(slots: readonly Slot[]): Promise<void> {
    this.figures.rowsLoaded += slots.length
    const rowKeys = slots.map((slot) => slot.rowKey)
    const rows = await fetchMany(this.#parts.store, 'rows', rowKeys)
    slots.forEach((slot, index) => {
      const row = rows[index]
      // A row that cannot be read is a row that fails its checksum: nothing in it is used.
      slot.row = row === DAMAGED ? UNREADABLE : row
      if (!slot.damaged || !slot.row || verifyRow(slot.row, slot.token) !== 'ok') return
      // The version record is damaged and the row is not: the row has the same version in it.
      slot.version = rowVersion(slot.row)
      slot.before = slot.version
      slot.damaged = false
      slot.changed = true
    })
  }

  #apply(slot: Slot, operation: Operation): Written | Refusal | undefined {
    if (slot.damaged) {
      this.figures.damaged++
      if (operation.kind === 'put' || !operation.heal) return { refused: 'SHOAL_ROW_DAMAGED' }
      this.#forget(slot)
    }
    try {
      if (operation.kind === 'put') {
        const result = applyPut(slot, operation, this.#surroundings)
        if (!('refused' in result)) this.#rememberRequest(operation, result)
        return result
      }
      this.#parts.stamps.observe(rowVersion(operation.row))
      return applyMerge(slot, operation, this.#parts.actors)
    } catch (error) {
      // Copies that contradict each other (V1). Neither may win; the operation is refused.
      if (error instanceof ShoalError) return { refused: error.code }
      throw error
    }
  }

  /**
   * Neither version nor row of a key can be read, and a peer's copy is about to replace them. What
   * this disk knew is gone, with it perhaps our own last counters (A2) and the key's share of the
   * digest (E1). Whoever keeps account of losses is told before the batch is written.
   */
  #forget(slot: Slot): void {
    this.#parts.actors.rotate(slot.partition)
    this.#suspect.add(slot.partition)
    this.#batch.put('digests', suspectKey(slot.partition), EMPTY)
    noteLoss(this.#batch, slot.partition)
    this.#parts.lost({ kind: 'forgotten', partition: slot.partition })
    slot.damaged = false
    slot.row = undefined
  }

  /** An actor may end at any time, not only when in doubt. */
  #rotate(slots: readonly Slot[]): void {
    for (const { partition } of slots) this.#parts.actors.rotate(partition)
  }

  /**
   * What this node owes goes with the row, into one batch (H1). What is owed already takes no
   * record, but may not be on disk yet: such a group is synced whether it writes anything or not.
   */
  #owe(
    group: readonly Operation[],
    slots: readonly Slot[],
    results: readonly (Written | Refusal | undefined)[],
  ): void {
    for (let index = 0; index < group.length; index++) {
      const { owedTo, rowKey } = group[index] as Operation
      if (!owedTo) continue
      const result = results[index]
      if (result && 'refused' in result) continue
      const { owed } = this.#parts
      invariant(owed !== undefined, 'who stands in for others keeps hints')
      const { row } = slots[index] as Slot
      const bytes = row?.length ?? sizeOf(group[index] as Operation)
      owed.add(this.#batch, { rowKey, primaries: owedTo, bytes })
      this.#owing = true
    }
  }

  /** False when the disk is full: then nothing was applied, in memory neither. */
  #write(changed: readonly Slot[]): boolean {
    if (changed.length === 0 && !this.#owing) return true
    const written = this.#writeBatch(changed)
    if (this.#owing) {
      if (written) this.#parts.owed?.written()
      else this.#parts.owed?.discarded()
    }
    this.#owing = false
    return written
  }

  #writeBatch(changed: readonly Slot[]): boolean {
    const { store, cache, partitions, tombstones } = this.#parts
    const changes: DigestChange[] = []
    for (const slot of changed) {
      const { rowKey, row, version, token, partition } = slot
      invariant(version !== undefined && row !== undefined, 'a change has a version and a row')
      this.#batch.put('rows', rowKey, row)
      this.#batch.put('versions', rowKeyName(rowKey), encodeStoredVersion(version, token))
      const segment = segmentOfRowKey(rowKey, partitions)
      changes.push({ partition, segment, change: digestChange(slot) })
    }
    if (changes.length > 0) {
      const checkpoint = this.#parts.env.inject('replica: a checkpoint now')
      this.#parts.journal.add(this.#batch, changes, { checkpoint })
    }
    try {
      if (this.#batch.operations > 0) store.write(this.#batch)
    } catch (error) {
      if (error instanceof ShoalError && error.code === 'SHOAL_STORAGE_FULL') return false
      throw error
    } finally {
      this.#batch.clear()
    }
    this.#unsynced = true
    if (changes.length > 0) this.#parts.journal.written(changes)
    for (const { rowKey, partition, before, version } of changed) {
      cache.set(rowKey, version as Buffer)
      tombstones.changed(partition, before, version as Buffer)
    }
    return true
  }

  async #settle(
    group: readonly Operation[],
    slots: readonly Slot[],
    results: readonly (Written | Refusal | undefined)[],
  ): Promise<void> {
    let durable: Operation[] | undefined
    for (let index = 0; index < group.length; index++) {
      const operation = group[index] as Operation
      const result = results[index]
      if (result && 'refused' in result) {
        operation.sink.refused(result.refused, result.context)
        const isNews = operation.kind === 'put' || !operation.heal
        if (isNews && result.refused === 'SHOAL_ROW_DAMAGED') this.#parts.damaged(operation.rowKey)
        continue
      }
      if (operation.kind === 'put') operation.sink.written(result as Written)
      else operation.sink.merged((slots[index] as Slot).version as Buffer)
      if (operation.durable) {
        durable ??= []
        durable.push(operation)
      }
    }
    if (!durable) return
    if (this.#unsynced) {
      await this.#parts.store.sync()
      this.figures.syncs++
      this.#unsynced = false
    }
    for (const operation of durable) operation.sink.durable()
  }

  /** At once: a retry may stand in the same group, behind a write that replaced the first try. */
  #rememberRequest(operation: PutOperation, { actor, counter, repeated }: Written): void {
    if (!operation.request || repeated) return
    const content = contentHash(operation)
    const now = this.#parts.env.clock.elapsed()
    this.#parts.requests.remember(operation.request, { actor, counter, content }, now)
  }

  /** Of a group that was not written. */
  #forgetRequests(
    group: readonly Operation[],
    results: readonly (Written | Refusal | undefined)[],
  ): void {
    group.forEach((operation, index) => {
      const result = results[index]
      if (operation.kind !== 'put' || !operation.request || !result) return
      if ('repeated' in result && !result.repeated) this.#parts.requests.forget(operation.request)
    })
  }

  async #rebuildDigests(partition: Partition): Promise<void> {
    const { store, digests, partitions, cache } = this.#parts
    const remembered = (rowKey: Buffer): Buffer | undefined => cache.get(rowKey)
    await rebuildPartition(store, digests, { partition, partitions, remembered })
    this.#unsynced = true
    this.#suspect.delete(partition)
  }
}

interface Loaded {
  /** One for each operation; operations on one key share theirs. */
  readonly slots: readonly Slot[]
  readonly distinct: readonly Slot[]
}

const EMPTY = Buffer.alloc(0)
const UNREADABLE = Buffer.alloc(0)

function sizeOf(operation: Operation): number {
  return operation.kind === 'put' ? operation.body.length : operation.row.length
}

function refuseAll(group: readonly Operation[], code: ErrorCode): void {
  for (const operation of group) operation.sink.refused(code)
}
