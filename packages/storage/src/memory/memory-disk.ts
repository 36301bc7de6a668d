import type { ErrorCode, Random } from '@shoal/kernel'
import type { Column, StorePressure } from '../store.ts'
import type { WrittenBatch } from './memory-batch.ts'

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
  crash(options?: MemoryCrash): CrashOutcome
  /** Batches written and not synced. */
  readonly unsyncedBatches: number

  /** What the first layer holds, and every undamaged read gives. Not a copy. */
  current(column: Column, key: Uint8Array): Buffer | undefined
  /** What is on the platter: what a power cut now would leave for sure. Not a copy. */
  durable(column: Column, key: Uint8Array): Buffer | undefined
  keyCount(column: Column): number
  /** By the order of keys, from 0. */
  keyAt(column: Column, index: number): Buffer | undefined
  /** Told of what stores do to the disk from now on. One at a time; undefined for none. */
  watch(watcher: DiskWatcher | undefined): void

  // Faults. Each stays until it has struck, or is taken back.
  /** The next write throws SHOAL_STORE_FAILED and the store is unusable. */
  failNextWrite(fails?: boolean): void
  /** The next sync rejects with SHOAL_STORE_FAILED and the store is unusable. */
  failNextSync(fails?: boolean): void
  /** Reads and scans that meet the key reject, until it is written again. */
  failRead(column: Column, key: Uint8Array, code?: ErrorCode): void
  /** Whether a read of the key would not fail. */
  canRead(column: Column, key: Uint8Array): boolean
  /** The key can be read again. */
  allowRead(column: Column, key: Uint8Array): void
  /**
   * Reads of the key give what it held before its last write that is remembered, until it is
   * written again. False when no earlier value is remembered.
   */
  staleRead(column: Column, key: Uint8Array): boolean
  /** No read is stale any more. */
  freshReads(): void
  /**
   * The next value written to the column lands in the place of another key, chosen by `random`; its
   * own place stays as it was.
   */
  misdirectNextWrite(column: Column, random: Random | undefined): void
  /** Writes throw SHOAL_STORAGE_FULL and change nothing. */
  setFull(full: boolean): void
  /** Reads and syncs take this many times as long. */
  setSlowness(factor: number): void
  /** Flips one bit of a stored value. False when there is no such value or it is empty. */
  corrupt(column: Column, key: Uint8Array, random: Random): boolean
  /** What `pressure()` says from now on. */
  setPressure(pressure: Partial<StorePressure>): void

  // What people do to disks while no store is open on them.
  /** The disk is replaced by an empty one. */
  wipe(): void
  /** Remembers that many synced batches, and what they replaced. Default 0. */
  remember(batches: number): void
  /** The synced batches that are remembered, oldest first. */
  readonly history: readonly WrittenBatch[]
  /** Takes the last synced batches back, as an older copy of the disk would. */
  rollBack(batches: number): void
}

export interface CrashOutcome {
  readonly kept: number
  readonly lost: number
  /** One for each unsynced batch, oldest first: whether it is on the platter now. */
  readonly survived: readonly boolean[]
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

/** Looks and never acts. */
export interface DiskWatcher {
  /** A batch has reached the first layer. */
  wrote?(batch: WrittenBatch): void
  /** The oldest unsynced batches are on the platter. */
  synced?(batches: number): void
  /** A write went astray, after `wrote`: `key` was left as it was, `victim` was overwritten. */
  misdirected?(column: Column, key: string, victim: string): void
}
