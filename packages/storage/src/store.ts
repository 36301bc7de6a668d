import { ShoalError } from '@shoal/kernel'

/** The five spaces of one store. What each holds: docs/formats.md. */
export type Column = 'rows' | 'versions' | 'digests' | 'hints' | 'meta'
export const columns: readonly Column[] = ['rows', 'versions', 'digests', 'hints', 'meta']

/**
 * A change set applied as one: after a crash all of it is there, or nothing. Reused after `clear`.
 */
export interface Batch {
  put(column: Column, key: Uint8Array, value: Uint8Array): void
  delete(column: Column, key: Uint8Array): void
  clear(): void
  readonly operations: number
}

export interface ScanOptions {
  readonly column: Column
  /** First key, included. Absent: from the beginning. */
  readonly from?: Uint8Array
  /** First key no longer included. Absent: to the end. */
  readonly to?: Uint8Array
  /** At most this many rows, at least 1. */
  readonly limit: number
  /** Stops after the row that passes this many bytes. Default 1 MiB. */
  readonly bytesMax?: number
  /** False leaves values out (empty buffers). Default true. */
  readonly values?: boolean
}

export interface ScanPage {
  readonly rows: readonly { readonly key: Buffer; readonly value: Buffer }[]
  /** False: more rows follow the last one. */
  readonly finished: boolean
}

/** Signals for admission control (O3). Read by a timer; costs microseconds. */
export interface StorePressure {
  /** RocksDB refuses or slows writes now; a write would block the caller. */
  readonly stopped: boolean
  readonly delayed: boolean
  readonly levelZeroFiles: number
  /** Bytes written and not yet synced. */
  readonly unsyncedBytes: number
  /** Free bytes on the file system, or Infinity where it means nothing. */
  readonly freeBytes: number
}

/**
 * One node's disk. Writes reach the operating system at once and the platter at `sync`; several
 * callers share one sync. No method retries a failure: a failed write or sync leaves the store
 * unusable (`failed` is set, every later call rejects with it) because pages that failed to reach
 * the disk may since be marked clean (A3).
 *
 * After `close` every call fails with SHOAL_STORE_CLOSED.
 */
export interface Store {
  /**
   * Values in the order of `keys`, undefined where absent. A read error rejects the whole call; it
   * is never "absent" (V3). SHOAL_ROW_DAMAGED concerns some of the keys and does not say which: ask
   * one by one. SHOAL_STORE_FAILED concerns all of them.
   */
  getMany(column: Column, keys: readonly Uint8Array[]): Promise<(Buffer | undefined)[]>
  batch(): Batch
  /**
   * Applies the batch, synchronously. On return its data is with the operating system: it survives
   * a crash of the process, not of the machine. Throws SHOAL_STORAGE_FULL when the disk has no room
   * (then nothing was applied and the store stays usable; batches of `meta` alone pass) or
   * SHOAL_STORE_FAILED.
   */
  write(batch: Batch): void
  /**
   * Resolves when everything written before the call survives a power cut. Never blocks the event
   * loop.
   */
  sync(): Promise<void>
  scan(options: ScanOptions): Promise<ScanPage>
  pressure(): StorePressure
  /** Bytes on disk, all files. */
  diskBytes(): Promise<number>
  /** Set once a write or sync failed. */
  readonly failed: ShoalError | undefined
  /** Syncs what was written, then closes. Resolves when the directory may be opened again. */
  close(): Promise<void>
}

/** Whether a read failed because of what is on the disk: another try fails alike. */
export const isDamage = (error: unknown): boolean =>
  error instanceof ShoalError && error.code === 'SHOAL_ROW_DAMAGED'
