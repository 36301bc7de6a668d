import { type ErrorCode, invariant, type Random } from '@shoal/kernel'
import { type Column, columns, type StorePressure } from '../store.ts'
import { keyText, type MemoryOperation } from './memory-batch.ts'
import { SortedColumn } from './sorted-column.ts'

/**
 * A disk in memory, with the two layers that decide what a crash leaves: what the operating system
 * has, and what is on the platter. It outlives the stores opened on it, one after the other.
 *
 * Reads see the first layer. The second is kept as its difference: the batches not yet synced, with
 * what they replaced.
 */
export interface MemoryDisk {
  /**
   * Cuts the power. The store open on the disk is dead: nothing it still owes is ever answered.
   *
   * Batches survive or are lost as a whole: a torn one is known by its checksum and dropped.
   */
  crash(options?: MemoryCrash): { readonly kept: number; readonly lost: number }
  /** Batches written and not synced. */
  readonly unsyncedBatches: number

  // Faults. Each stays until it has struck, or is taken back.
  /** The next write throws SHOAL_STORE_FAILED and the store is unusable. */
  failNextWrite(): void
  /** The next sync rejects with SHOAL_STORE_FAILED and the store is unusable. */
  failNextSync(): void
  /** Reads and scans that meet the key reject, until it is written again. */
  failRead(column: Column, key: Uint8Array, code?: ErrorCode): void
  /** Writes throw SHOAL_STORAGE_FULL and change nothing. */
  setFull(full: boolean): void
  /** Flips one bit of a stored value. False when there is no such value or it is empty. */
  corrupt(column: Column, key: Uint8Array, random: Random): boolean
  /** What `pressure()` says from now on. */
  setPressure(pressure: Partial<StorePressure>): void
}

export interface MemoryCrash {
  /** How many unsynced batches survive, oldest first. Default 0. */
  readonly keepUnsynced?: number | 'all' | 'random'
  /**
   * Loses any of the unsynced batches instead of the last ones. It happens where two log files are
   * open at once and the operating system writes the newer one back first.
   */
  readonly holes?: boolean
  /** Needed by `random` and by `holes`. */
  readonly random?: Random
}

export interface WrittenBatch {
  readonly operations: readonly MemoryOperation[]
  /** What each operation replaced, in their order. */
  readonly replaced: readonly (Buffer | undefined)[]
}

/** The disk as the store sees it. */
export class MemoryDiskState implements MemoryDisk {
  readonly columns: Readonly<Record<Column, SortedColumn>>
  readonly unreadable = new Map<string, ErrorCode>()
  pressure: Partial<StorePressure> = {}
  isFull = false
  writeFails = false
  syncFails = false
  /** Bytes of keys and values. */
  bytes = 0
  /** Counts crashes: a store of an earlier life is dead. */
  life = 0
  isOpen = false
  #unsynced: WrittenBatch[] = []

  constructor() {
    const made = columns.map((column) => [column, new SortedColumn()] as const)
    this.columns = Object.fromEntries(made) as Record<Column, SortedColumn>
  }

  get unsyncedBatches(): number {
    return this.#unsynced.length
  }

  apply(operations: readonly MemoryOperation[]): void {
    const replaced = operations.map(({ column, key, value }) => this.#set(column, key, value))
    this.#unsynced.push({ operations, replaced })
  }

  /** The `count` oldest unsynced batches are on the platter. */
  synced(count: number): void {
    this.#unsynced.splice(0, count)
  }

  crash(options: MemoryCrash = {}): { kept: number; lost: number } {
    const unsynced = this.#unsynced
    const survives = chooseSurvivors(unsynced.length, options)
    for (const batch of unsynced.toReversed()) this.#undo(batch)
    this.#unsynced = []
    const kept = unsynced.filter((_batch, index) => survives(index))
    for (const { operations } of kept) this.apply(operations)
    this.synced(kept.length)
    this.life++
    this.isOpen = false
    return { kept: kept.length, lost: unsynced.length - kept.length }
  }

  failNextWrite(): void {
    this.writeFails = true
  }

  failNextSync(): void {
    this.syncFails = true
  }

  failRead(column: Column, key: Uint8Array, code: ErrorCode = 'SHOAL_ROW_DAMAGED'): void {
    this.unreadable.set(placeOf(column, keyText(key)), code)
  }

  setFull(full: boolean): void {
    this.isFull = full
  }

  setPressure(pressure: Partial<StorePressure>): void {
    this.pressure = pressure
  }

  corrupt(column: Column, key: Uint8Array, random: Random): boolean {
    const value = this.columns[column].get(keyText(key))
    if (!value || value.length === 0) return false
    const bit = random.below(value.length * 8)
    value[bit >>> 3] = (value[bit >>> 3] as number) ^ (1 << (bit & 7))
    return true
  }

  #undo({ operations, replaced }: WrittenBatch): void {
    for (let index = operations.length - 1; index >= 0; index--) {
      const { column, key } = operations[index] as MemoryOperation
      this.#set(column, key, replaced[index])
    }
  }

  #set(column: Column, key: string, value: Buffer | undefined): Buffer | undefined {
    const entries = this.columns[column]
    const before = entries.get(key)
    if (value) entries.set(key, value)
    else entries.delete(key)
    this.bytes += sizeOf(key, value) - sizeOf(key, before)
    this.unreadable.delete(placeOf(column, key))
    return before
  }
}

export const placeOf = (column: Column, key: string): string => `${column}\0${key}`

const sizeOf = (key: string, value: Buffer | undefined): number =>
  value === undefined ? 0 : key.length + value.length

function chooseSurvivors(count: number, options: MemoryCrash): (index: number) => boolean {
  const { keepUnsynced = 0, holes = false, random } = options
  const draw = (bound: number): number => {
    invariant(random !== undefined, 'a crash that leaves something to chance is given chance')
    return random.below(bound)
  }
  if (holes) {
    const survivors = Array.from({ length: count }, () => draw(2) === 1)
    return (index) => survivors[index] === true
  }
  if (keepUnsynced === 'all') return () => true
  const kept = keepUnsynced === 'random' ? draw(count + 1) : keepUnsynced
  return (index) => index < kept
}
