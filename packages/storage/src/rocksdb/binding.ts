import { executionAsyncResource } from 'node:async_hooks'
// @ts-expect-error The library brings no types; those used here are written out below.
import library from '@nxtedition/rocksdb/binding.js'

/**
 * The only file that names the RocksDB library, so that it can be replaced in one place.
 *
 * It goes past the library's class to the functions below it. The class adds abstract-level's
 * resource lists, option objects and encodings, none of which are wanted here, and an iterator
 * opened through its inner methods would stay in those lists for ever.
 */
declare const opaque: unique symbol
export type Database = { readonly [opaque]: 'database' }
export type ColumnHandle = { readonly [opaque]: 'column' }
export type NativeBatch = { readonly [opaque]: 'batch' }
export type NativeIterator = { readonly [opaque]: 'iterator' }

type Done<T> = (error: Error | null, result: T) => void
/** Absent for the default column: looking into an object costs more there than the call itself. */
export type ColumnOption = { readonly column: ColumnHandle } | undefined

export interface ColumnSettings {
  /**
   * ZSTD on every level. Without it only `compaction: 'level'` compresses, from its third level on.
   */
  readonly compression: boolean
  readonly cacheSize: number
  /** Sizes memtables by `memtableMemoryBudget`; without it RocksDB's own defaults hold. */
  readonly compaction?: 'level' | 'universal'
  readonly memtableMemoryBudget?: number
}

export interface DatabaseSettings {
  readonly createIfMissing: boolean
  readonly parallelism: number
  readonly walCompression: false
  readonly columns: Readonly<Record<string, ColumnSettings>>
}

export interface IteratorSettings {
  readonly gte?: Uint8Array
  readonly lt?: Uint8Array
  readonly column?: ColumnHandle
  readonly values: boolean
  /** `nextv` ends after the row that passes this many bytes. Less than 2^31. */
  readonly highWaterMarkBytes: number
  readonly keyEncoding: 'buffer'
  readonly valueEncoding: 'buffer'
}

interface Native {
  db_init(location: string): Database
  db_open(db: Database, settings: DatabaseSettings, done: Done<Record<string, ColumnHandle>>): void
  db_close(db: Database, done: Done<void>): void
  db_get_many(
    db: Database,
    keys: readonly Uint8Array[],
    column: ColumnOption,
    done: Done<(Buffer | undefined | null)[]>,
  ): void
  db_get_property(db: Database, name: string): string
  batch_init(): NativeBatch
  batch_put(batch: NativeBatch, key: Uint8Array, value: Uint8Array, column: ColumnOption): void
  batch_del(batch: NativeBatch, key: Uint8Array, column: ColumnOption): void
  batch_clear(batch: NativeBatch): void
  batch_write(db: Database, batch: NativeBatch, settings: undefined): void
  iterator_init(db: Database, settings: IteratorSettings): NativeIterator
  iterator_nextv(
    iterator: NativeIterator,
    count: number,
    done: Done<{ rows: (Buffer | undefined)[]; finished: boolean }>,
  ): void
  iterator_close(iterator: NativeIterator): void
}

const native: Native = library

/**
 * Opens or creates a database. Rejects with an error of RocksDB: `code`, where it has one, and
 * text.
 */
export function openDatabase(
  location: string,
  settings: DatabaseSettings,
): Promise<{ db: Database; columns: Readonly<Record<string, ColumnHandle>> }> {
  containReadErrors()
  return new Promise((resolve, reject) => {
    const db = native.db_init(location)
    native.db_open(db, settings, (error, columns) => {
      if (error) reject(error)
      else resolve({ db, columns })
    })
  })
}

/** Nothing may be under way: no read, no page of a scan. */
export function closeDatabase(db: Database): Promise<void> {
  return new Promise((resolve, reject) => {
    native.db_close(db, (error) => (error ? reject(error) : resolve()))
  })
}

/**
 * Reads on the thread pool. The keys are copied before this returns.
 *
 * `null` in place of a value means that the read was broken off, not that the value is absent.
 */
export function getMany(
  db: Database,
  keys: readonly Uint8Array[],
  column: ColumnOption,
): Promise<(Buffer | undefined | null)[]> {
  return new Promise((resolve, reject) => {
    native.db_get_many(db, keys, column, function rocksReadDone(error, values) {
      if (error) reject(error)
      else resolve(values)
    })
  })
}

/** A property of the database or of its default column; other columns cannot be asked. */
export const getProperty = (db: Database, name: string): string => native.db_get_property(db, name)

export const createNativeBatch = (): NativeBatch => native.batch_init()
export const batchPut = native.batch_put
export const batchDelete = native.batch_del
export const batchClear = native.batch_clear

/**
 * Applies the batch on this thread. On return it is in the log file, as the operating system sees
 * it.
 */
export const batchWrite = (db: Database, batch: NativeBatch): void =>
  native.batch_write(db, batch, undefined)

/**
 * Opens an iterator, which seeks at once and on this thread: at most one block read for each level.
 */
export const openIterator = native.iterator_init
export const closeIterator = native.iterator_close

/** Up to `count` further rows, read on the thread pool: key, value, key, value. */
export function nextRows(
  iterator: NativeIterator,
  count: number,
): Promise<{ rows: (Buffer | undefined)[]; finished: boolean }> {
  return new Promise((resolve, reject) => {
    native.iterator_nextv(iterator, count, (error, page) => (error ? reject(error) : resolve(page)))
  })
}

/**
 * Where one key of a `getMany` cannot be read (a block of a file is damaged), the library does not
 * call back: it raises an exception with no JavaScript beneath it, which would end the process and
 * leave the read without an answer. Such an exception is known by the callback that was due, which
 * is the asynchronous resource it is raised under, and goes there instead.
 */
const contained = new WeakSet<object>()
let containing = false

function containReadErrors(): void {
  if (containing) return
  containing = true
  process.prependListener('uncaughtException', (error: unknown) => {
    const due: unknown = executionAsyncResource()
    if (isReadDone(due) && isLibraryError(error)) {
      contained.add(error)
      due(error, [])
      return
    }
    // To listen at all keeps the process alive, so nobody else's listener means: end it as before.
    if (process.listenerCount('uncaughtException') === 1) throw error
  })
}

const isReadDone = (resource: unknown): resource is Done<unknown[]> =>
  typeof resource === 'function' && resource.name === 'rocksReadDone'

function isLibraryError(error: unknown): error is Error {
  if (!(error instanceof Error)) return false
  const { code } = error as { code?: unknown }
  return code === undefined || String(code).startsWith('LEVEL_')
}

/**
 * Whether an `uncaughtException` is a read error of the store, given to its caller. A
 * process that stops on uncaught exceptions lets these pass.
 */
export function ownsException(error: unknown): boolean {
  return typeof error === 'object' && error !== null && contained.has(error)
}
