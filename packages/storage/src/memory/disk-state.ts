import { type ErrorCode, invariant, type Random } from '@shoal/kernel'
import { type Column, columns, type StorePressure } from '../store.ts'
import { DiskHistory } from './disk-history.ts'
import { keyText, type MemoryOperation, type WrittenBatch } from './memory-batch.ts'
import type { CrashOutcome, DiskWatcher, MemoryCrash, MemoryDisk } from './memory-disk.ts'
import { SortedColumn } from './sorted-column.ts'

/** The disk as the store sees it. */
export class MemoryDiskState implements MemoryDisk {
  readonly columns: Readonly<Record<Column, SortedColumn>>
  readonly unreadable = new Map<string, ErrorCode>()
  readonly stale = new Map<string, Buffer | undefined>()
  pressure: Partial<StorePressure> = {}
  isFull = false
  writeFails = false
  syncFails = false
  slowness = 1
  /** Bytes of keys and values. */
  bytes = 0
  /** Counts crashes: a store of an earlier life is dead. */
  life = 0
  isOpen = false
  readonly #history = new DiskHistory()
  #misdirected: { readonly column: Column; readonly random: Random } | undefined
  #watcher: DiskWatcher | undefined
  #unsynced: WrittenBatch[] = []

  constructor() {
    const made = columns.map((column) => [column, new SortedColumn()] as const)
    this.columns = Object.fromEntries(made) as Record<Column, SortedColumn>
  }

  get unsyncedBatches(): number {
    return this.#unsynced.length
  }

  get history(): readonly WrittenBatch[] {
    return this.#history.batches
  }

  current(column: Column, key: Uint8Array): Buffer | undefined {
    return this.columns[column].get(keyText(key))
  }

  durable(column: Column, key: Uint8Array): Buffer | undefined {
    const text = keyText(key)
    for (const { operations, replaced } of this.#unsynced) {
      for (let index = 0; index < operations.length; index++) {
        const operation = operations[index] as MemoryOperation
        if (operation.key === text && operation.column === column) return replaced[index]
      }
    }
    return this.columns[column].get(text)
  }

  keyCount(column: Column): number {
    return this.columns[column].size
  }

  keyAt(column: Column, index: number): Buffer | undefined {
    const text = this.columns[column].keyAt(index)
    return text === undefined ? undefined : Buffer.from(text, 'latin1')
  }

  watch(watcher: DiskWatcher | undefined): void {
    this.#watcher = watcher
  }

  apply(operations: readonly MemoryOperation[]): void {
    if (this.#misdirected && this.#applyAstray(operations)) return
    const batch = this.#apply(operations)
    this.#watcher?.wrote?.(batch)
  }

  /** The `count` oldest unsynced batches are on the platter. */
  synced(count: number): void {
    const batches = this.#unsynced.splice(0, count)
    this.#history.add(batches)
    this.#watcher?.synced?.(count)
  }

  crash(options: MemoryCrash = {}): CrashOutcome {
    const unsynced = this.#unsynced
    const survived = chooseSurvivors(unsynced.length, options)
    for (const batch of unsynced.toReversed()) this.#undo(batch)
    this.#unsynced = []
    const kept = unsynced.filter((_batch, index) => survived[index])
    for (const { operations } of kept) this.#apply(operations)
    this.#history.add(this.#unsynced)
    this.#unsynced = []
    this.life++
    this.isOpen = false
    return { kept: kept.length, lost: unsynced.length - kept.length, survived }
  }

  wipe(): void {
    invariant(!this.isOpen, 'a disk is changed while no store is open on it')
    for (const column of columns) this.columns[column].clear()
    this.#unsynced = []
    this.#history.clear()
    this.unreadable.clear()
    this.stale.clear()
    this.bytes = 0
  }

  remember(batches: number): void {
    this.#history.keep(batches)
  }

  rollBack(batches: number): void {
    invariant(!this.isOpen && this.#unsynced.length === 0, 'a closed disk holds what was synced')
    for (const batch of this.#history.takeLast(batches)) this.#undo(batch)
  }

  failNextWrite(fails = true): void {
    this.writeFails = fails
  }

  failNextSync(fails = true): void {
    this.syncFails = fails
  }

  failRead(column: Column, key: Uint8Array, code: ErrorCode = 'SHOAL_ROW_DAMAGED'): void {
    this.unreadable.set(placeOf(column, keyText(key)), code)
  }

  canRead(column: Column, key: Uint8Array): boolean {
    return !this.unreadable.has(placeOf(column, keyText(key)))
  }

  allowRead(column: Column, key: Uint8Array): void {
    this.unreadable.delete(placeOf(column, keyText(key)))
  }

  staleRead(column: Column, key: Uint8Array): boolean {
    const text = keyText(key)
    const replaced = this.#replacedLast(column, text)
    if (!replaced) return false
    this.stale.set(placeOf(column, text), replaced.value)
    return true
  }

  freshReads(): void {
    this.stale.clear()
  }

  misdirectNextWrite(column: Column, random: Random | undefined): void {
    this.#misdirected = random && { column, random }
  }

  setFull(full: boolean): void {
    this.isFull = full
  }

  setSlowness(factor: number): void {
    this.slowness = factor
  }

  setPressure(pressure: Partial<StorePressure>): void {
    this.pressure = pressure
  }

  corrupt(column: Column, key: Uint8Array, random: Random): boolean {
    const text = keyText(key)
    const value = this.columns[column].get(text)
    if (!value || value.length === 0) return false
    const bit = random.below(value.length * 8)
    // A copy: the same bytes may stand in the history, or lie with whoever watches.
    const changed = Buffer.from(value)
    changed[bit >>> 3] = (changed[bit >>> 3] as number) ^ (1 << (bit & 7))
    this.columns[column].set(text, changed)
    return true
  }

  #replacedLast(column: Column, key: string): { readonly value: Buffer | undefined } | undefined {
    for (const batches of [this.#unsynced, this.#history.batches]) {
      for (let at = batches.length - 1; at >= 0; at--) {
        const { operations, replaced } = batches[at] as WrittenBatch
        const index = operations.findIndex((each) => each.key === key && each.column === column)
        if (index >= 0) return { value: replaced[index] }
      }
    }
    return undefined
  }

  /** One value of the batch lands where another key is. False when there is none to be hit. */
  #applyAstray(operations: readonly MemoryOperation[]): boolean {
    const fault = this.#misdirected
    if (!fault) return false
    const { column, random } = fault
    const meant = operations.findIndex((each) => each.column === column && each.value)
    const entries = this.columns[column]
    const { key, value } = operations[meant] ?? {}
    if (key === undefined || entries.size === 0) return false
    const victim = entries.keyAt(random.below(entries.size))
    if (victim === undefined || operations.some((each) => each.key === victim)) return false
    this.#misdirected = undefined
    const landed = operations.with(meant, { column, key: victim, value })
    const { replaced } = this.#apply(landed)
    const believed = replaced.with(meant, entries.get(key))
    this.#watcher?.wrote?.({ operations, replaced: believed })
    this.#watcher?.misdirected?.(column, key, victim)
    return true
  }

  #apply(operations: readonly MemoryOperation[]): WrittenBatch {
    const replaced = operations.map(({ column, key, value }) => this.#set(column, key, value))
    const batch = { operations, replaced }
    this.#unsynced.push(batch)
    return batch
  }

  #undo({ operations, replaced }: WrittenBatch): void {
    for (let index = operations.length - 1; index >= 0; index--) {
      const { column, key } = operations[index] as MemoryOperation
      this.#set(column, key, replaced[index])
    }
  }

  #set(column: Column, key: string, value: Buffer | undefined): Buffer | undefined {
    const entries = this.columns[column]
    const before = value ? entries.set(key, value) : entries.delete(key)
    this.bytes += sizeOf(key, value) - sizeOf(key, before)
    if (this.unreadable.size > 0) this.unreadable.delete(placeOf(column, key))
    if (this.stale.size > 0) this.stale.delete(placeOf(column, key))
    return before
  }
}

export const placeOf = (column: Column, key: string): string => `${column}\0${key}`

const sizeOf = (key: string, value: Buffer | undefined): number =>
  value === undefined ? 0 : key.length + value.length

function chooseSurvivors(count: number, options: MemoryCrash): boolean[] {
  const { keepUnsynced = 0, holes = false, random } = options
  const draw = (bound: number): number => {
    invariant(random !== undefined, 'a crash that leaves something to chance is given chance')
    return random.below(bound)
  }
  if (holes) return Array.from({ length: count }, () => draw(2) === 1)
  if (keepUnsynced === 'all') return new Array(count).fill(true)
  const kept = keepUnsynced === 'random' ? draw(count + 1) : keepUnsynced
  return Array.from({ length: count }, (_none, index) => index < kept)
}
