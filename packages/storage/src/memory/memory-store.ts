import {
  type Env,
  invariant,
  limits,
  type Millis,
  millis,
  type Random,
  ShoalError,
} from '@shoal/kernel'
import type { Batch, Column, ScanOptions, ScanPage, Store, StorePressure } from '../store.ts'
import { MemoryDiskState, placeOf } from './disk-state.ts'
import { keyBytes, keyText, MemoryBatch } from './memory-batch.ts'
import type { MemoryDisk } from './memory-disk.ts'

export interface MemoryStoreOptions {
  /** The disk to open; a new one when absent. */
  readonly disk?: MemoryDisk
  /**
   * How long reads and syncs take on average: half as long to half as long again. Default 0: at
   * once.
   */
  readonly readLatency?: Millis
  readonly syncLatency?: Millis
}

export interface MemoryStore extends Store {
  readonly disk: MemoryDisk
}

export function createMemoryDisk(): MemoryDisk {
  return new MemoryDiskState()
}

/**
 * A store in memory that keeps the contract of the real one, can be crashed and be made to fail.
 * Time and chance come from `env`, so a simulation replays it.
 *
 * @throws SHOAL_STORE_LOCKED while another store is open on the disk
 */
export function createMemoryStore(env: Env, options: MemoryStoreOptions = {}): MemoryStore {
  const disk = options.disk ?? createMemoryDisk()
  invariant(disk instanceof MemoryDiskState, 'a memory disk was made by createMemoryDisk')
  if (disk.isOpen) throw new ShoalError('SHOAL_STORE_LOCKED', 'another store has the disk open')
  disk.isOpen = true
  return new MemoryStoreOnDisk(env, disk, options)
}

interface Waiting {
  /** Batches written by this store when the sync was asked for. */
  readonly until: number
  readonly resolve: () => void
  readonly reject: (reason: ShoalError) => void
}

class MemoryStoreOnDisk implements MemoryStore {
  readonly #env: Env
  readonly #disk: MemoryDiskState
  readonly #life: number
  readonly #random: Random
  readonly #readLatency: Millis
  readonly #syncLatency: Millis
  #written = 0
  #durable = 0
  #unsyncedBytes = 0
  #waiting: Waiting[] = []
  #syncing = false
  #failed: ShoalError | undefined
  #closing: Promise<void> | undefined

  constructor(env: Env, disk: MemoryDiskState, options: MemoryStoreOptions) {
    this.#env = env
    this.#disk = disk
    this.#life = disk.life
    this.#random = env.random('store')
    this.#readLatency = options.readLatency ?? millis(0)
    this.#syncLatency = options.syncLatency ?? millis(0)
  }

  get disk(): MemoryDisk {
    return this.#disk
  }

  get failed(): ShoalError | undefined {
    return this.#failed
  }

  async getMany(column: Column, keys: readonly Uint8Array[]): Promise<(Buffer | undefined)[]> {
    this.#assertUsable()
    const texts = keys.map(keyText)
    return this.#read(() => texts.map((key) => this.#valueOf(column, key)))
  }

  batch(): Batch {
    this.#assertUsable()
    return new MemoryBatch()
  }

  write(batch: Batch): void {
    this.#assertUsable()
    invariant(batch instanceof MemoryBatch, 'a batch is written to the kind of store it came from')
    if (batch.operations === 0) return
    if (this.#disk.writeFails) {
      this.#disk.writeFails = false
      throw this.#fail('the disk did not take a write')
    }
    // As in the real store, `meta` may use the reserve: a full node can still start and stop.
    if (this.#disk.isFull && batch.list.some(({ column }) => column !== 'meta')) {
      throw new ShoalError('SHOAL_STORAGE_FULL', 'the disk is full')
    }
    this.#disk.apply(batch.list)
    this.#written++
    for (const { key, value } of batch.list)
      this.#unsyncedBytes += key.length + (value?.length ?? 0)
  }

  async sync(): Promise<void> {
    this.#assertUsable()
    await this.#syncAll()
  }

  async scan(options: ScanOptions): Promise<ScanPage> {
    this.#assertUsable()
    return this.#read(() => this.#page(options))
  }

  pressure(): StorePressure {
    return {
      stopped: false,
      delayed: false,
      levelZeroFiles: 0,
      unsyncedBytes: this.#unsyncedBytes,
      freeBytes: this.#disk.isFull ? 0 : Number.POSITIVE_INFINITY,
      ...this.#disk.pressure,
    }
  }

  async diskBytes(): Promise<number> {
    this.#assertUsable()
    return this.#disk.bytes
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    if (this.#disk.life !== this.#life) return
    await this.#syncAll().catch(() => undefined)
    this.#disk.isOpen = false
    if (this.#failed) throw this.#failed
  }

  #valueOf(column: Column, key: string): Buffer | undefined {
    const { unreadable, stale, columns } = this.#disk
    const damaged = unreadable.size > 0 || stale.size > 0
    const place = damaged ? placeOf(column, key) : ''
    const fault = damaged && unreadable.get(place)
    if (fault) throw new ShoalError(fault, 'the disk could not read a row')
    const value = damaged && stale.has(place) ? stale.get(place) : columns[column].get(key)
    // A copy, as the real store gives: what a caller does to it must not reach the disk.
    return value && Buffer.from(value)
  }

  #page(options: ScanOptions): ScanPage {
    const { column, limit, bytesMax = limits.scanBytesDefault, values = true } = options
    const to = options.to && keyText(options.to)
    const rows: { key: Buffer; value: Buffer }[] = []
    let bytes = 0
    for (const [key] of this.#disk.columns[column].entriesFrom(
      options.from ? keyText(options.from) : '',
    )) {
      if (to !== undefined && key >= to) break
      if (rows.length >= limit || bytes > bytesMax) return { rows, finished: false }
      const value = values ? this.#valueOf(column, key) : Buffer.alloc(0)
      // A stale read may know nothing of a key that is there.
      if (value === undefined) continue
      rows.push({ key: keyBytes(key), value })
      bytes += key.length + value.length
    }
    return { rows, finished: true }
  }

  /** What is read is the state of one moment, somewhere between the call and the answer. */
  #read<T>(look: () => T): Promise<T> {
    if (this.#readLatency === 0) return Promise.resolve(look())
    const early = this.#random.below(2) === 0 ? attempt(look) : undefined
    return new Promise((resolve, reject) => {
      this.#later(this.#readLatency, () => {
        const { result, error } = early ?? attempt(look)
        if (error) reject(error)
        else resolve(result as T)
      })
    })
  }

  #syncAll(): Promise<void> {
    if (this.#failed) return Promise.reject(this.#failed)
    if (this.#durable === this.#written) return Promise.resolve()
    return new Promise((resolve, reject) => {
      this.#waiting.push({ until: this.#written, resolve, reject })
      if (!this.#syncing) this.#startSync()
    })
  }

  /**
   * One at a time; whoever asks while one is under way may need the next (a write came between).
   */
  #startSync(): void {
    this.#syncing = true
    const until = this.#written
    const bytes = this.#unsyncedBytes
    this.#later(this.#syncLatency, () => {
      this.#syncing = false
      if (this.#disk.syncFails) {
        this.#disk.syncFails = false
        this.#fail('the disk did not sync')
        return
      }
      if (this.#failed) return
      this.#disk.synced(until - this.#durable)
      this.#durable = until
      this.#unsyncedBytes -= bytes
      const waiting = this.#waiting
      this.#waiting = waiting.filter((waiter) => waiter.until > until)
      for (const waiter of waiting) if (waiter.until <= until) waiter.resolve()
      if (this.#waiting.length > 0) this.#startSync()
    })
  }

  /** Runs `work` after about `delay`, unless the power is cut before. */
  #later(delay: Millis, work: () => void): void {
    if (delay === 0) return work()
    const jitter = this.#random.below(1_000) / 1_000
    this.#env.clock.after(millis(delay * this.#disk.slowness * (0.5 + jitter)), () => {
      if (this.#disk.life === this.#life) work()
    })
  }

  #fail(reason: string): ShoalError {
    this.#failed ??= new ShoalError('SHOAL_STORE_FAILED', reason)
    for (const waiter of this.#waiting) waiter.reject(this.#failed)
    this.#waiting = []
    return this.#failed
  }

  #assertUsable(): void {
    if (this.#failed) throw this.#failed
    if (this.#closing !== undefined || this.#disk.life !== this.#life) {
      throw new ShoalError('SHOAL_STORE_CLOSED', 'the store is closed')
    }
  }
}

function attempt<T>(look: () => T): { result?: T; error?: unknown } {
  try {
    return { result: look() }
  } catch (error) {
    return { error }
  }
}
