import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { type Env, invariant, limits, type NodeId, ShoalError } from '@shoal/kernel'
import { noteLoss } from '../loss-notes.ts'
import {
  type Batch,
  type Column,
  columns,
  type ScanOptions,
  type ScanPage,
  type Store,
  type StorePressure,
} from '../store.ts'
import {
  batchWrite,
  type ColumnOption,
  closeDatabase,
  type Database,
  getMany,
  openDatabase,
} from './binding.ts'
import { type DataDirectory, openDataDirectory } from './data-directory.ts'
import { brokenOff, openFailure, readFailure, writeFailure } from './failures.ts'
import { openLogDisk } from './log-disk.ts'
import { LogSync, type LogSyncOptions } from './log-sync.ts'
import { Pressure } from './pressure.ts'
import { RocksBatch } from './rocks-batch.ts'
import { scanColumn } from './scan.ts'
import { type ColumnSizes, databaseSettings, defaultSizes, nameOf } from './settings.ts'

export interface RocksStoreOptions {
  readonly env: Env
  /** Created when it does not exist; must be empty or the one this node wrote. */
  readonly directory: string
  readonly cluster: string
  readonly node: NodeId
  /** ZSTD for values. Default false: it costs more CPU than everything else the store does. */
  readonly compression?: boolean
  /** Writes are refused below this much free space. Default `limits.storeFreeBytesMin`. */
  readonly freeBytesMin?: number
}

/** What only tests of this package change. */
export interface StoreSeams extends Pick<LogSyncOptions, 'rotationRule' | 'synced'> {
  readonly sizes?: Readonly<Record<Column, ColumnSizes>>
  readonly openLogs?: typeof openLogDisk
}

/**
 * Opens a node's data directory, or makes one.
 *
 * @throws SHOAL_STORE_FOREIGN, SHOAL_STORE_NEWER, SHOAL_STORE_DAMAGED, SHOAL_STORE_LOCKED,
 *   SHOAL_STORAGE_FULL, SHOAL_STORE_FAILED. Nothing was overwritten then, and nothing was created
 *   in a directory that is not ours.
 */
export function openRocksStore(options: RocksStoreOptions): Promise<Store> {
  return openRocksStoreWith(options, {})
}

export async function openRocksStoreWith(
  options: RocksStoreOptions,
  seams: StoreSeams,
): Promise<Store> {
  const { env, directory, cluster, node } = options
  const place = await openDataDirectory({ directory, cluster, node })
  const settings = databaseSettings({
    create: place.isNew,
    compression: options.compression ?? false,
    sizes: seams.sizes ?? defaultSizes,
  })
  const { db, columns: handles } = await openDatabase(place.databasePath, settings).catch(
    (error) => {
      throw openFailure(error, place.databasePath)
    },
  )
  try {
    await place.settle()
    const freeBytesMin = options.freeBytesMin ?? limits.storeFreeBytesMin
    const pressure = new Pressure({ env, db, directory: place.databasePath, freeBytesMin })
    const columnOptions = columns.map((column) => {
      const handle = handles[nameOf(column)]
      invariant(handle !== undefined, 'RocksDB opened every column asked for')
      return [column, column === 'rows' ? undefined : { column: handle }] as const
    })
    const byColumn = Object.fromEntries(columnOptions) as Record<Column, ColumnOption>
    const store = new RocksStore({ db, place, pressure, columns: byColumn, seams })
    await pressure.start()
    if (place.hasLost) await noteDamagedLog(store, place)
    return store
  } catch (error) {
    await closeDatabase(db)
    throw error
  }
}

/** Whoever keeps account of what was lost finds it in the database (Q6). */
async function noteDamagedLog(store: Store, place: DataDirectory): Promise<void> {
  const batch = store.batch()
  noteLoss(batch)
  store.write(batch)
  await store.sync()
  await place.noted()
}

interface Parts {
  readonly db: Database
  readonly place: DataDirectory
  readonly pressure: Pressure
  readonly columns: Readonly<Record<Column, ColumnOption>>
  readonly seams: StoreSeams
}

class RocksStore implements Store {
  readonly #db: Database
  readonly #place: DataDirectory
  readonly #pressure: Pressure
  readonly #columns: Readonly<Record<Column, ColumnOption>>
  readonly #logDisk: ReturnType<typeof openLogDisk>
  readonly #logs: LogSync
  readonly #readsEnded = new Set<() => void>()
  #reads = 0
  #failed: ShoalError | undefined
  #closing: Promise<void> | undefined

  constructor({ db, place, pressure, columns, seams }: Parts) {
    this.#db = db
    this.#place = place
    this.#pressure = pressure
    this.#columns = columns
    this.#logDisk = (seams.openLogs ?? openLogDisk)(place.databasePath)
    this.#logs = new LogSync(this.#logDisk, { ...seams, failed: (cause) => this.#fail(cause) })
  }

  get failed(): ShoalError | undefined {
    return this.#failed
  }

  async getMany(column: Column, keys: readonly Uint8Array[]): Promise<(Buffer | undefined)[]> {
    this.#assertUsable()
    if (keys.length === 0) return []
    this.#reads++
    try {
      const values = await getMany(this.#db, keys, this.#columns[column])
      if (values.includes(null)) throw brokenOff(keys.length)
      return values as (Buffer | undefined)[]
    } catch (error) {
      throw readFailure(error)
    } finally {
      this.#readEnded()
    }
  }

  batch(): Batch {
    this.#assertUsable()
    return new RocksBatch(this.#columns)
  }

  write(batch: Batch): void {
    this.#assertUsable()
    invariant(batch instanceof RocksBatch, 'a batch is written to the kind of store it came from')
    if (batch.operations === 0) return
    if (!batch.isHousekeeping) this.#pressure.admit(batch.bytes)
    try {
      batchWrite(this.#db, batch.native)
      this.#logs.wrote()
    } catch (error) {
      throw this.#logs.fail(error)
    }
    this.#pressure.noteWritten(batch.bytes)
  }

  async sync(): Promise<void> {
    this.#assertUsable()
    await this.#logs.sync()
  }

  async scan(options: ScanOptions): Promise<ScanPage> {
    this.#assertUsable()
    this.#reads++
    try {
      return await scanColumn(this.#db, this.#columns[options.column], options)
    } catch (error) {
      throw readFailure(error)
    } finally {
      this.#readEnded()
    }
  }

  pressure(): StorePressure {
    const { stopped, delayed, levelZeroFiles, freeBytes } = this.#pressure
    return { stopped, delayed, levelZeroFiles, freeBytes, unsyncedBytes: this.#logs.unsyncedBytes }
  }

  async diskBytes(): Promise<number> {
    this.#assertUsable()
    const folder = this.#place.databasePath
    const sizes = (await readdir(folder)).map((name) =>
      // RocksDB deletes files at any time.
      stat(join(folder, name)).then(
        ({ size }) => size,
        () => 0,
      ),
    )
    return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0)
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    this.#pressure.stop()
    // Whatever became of this sync stands in `failed`; the rest has to be given back in any case.
    await this.#logs.sync().catch(() => undefined)
    if (this.#reads > 0) await new Promise<void>((resolve) => this.#readsEnded.add(resolve))
    await this.#logs.close()
    this.#logDisk.close()
    try {
      await closeDatabase(this.#db)
    } catch (error) {
      this.#failed ??= writeFailure(error)
    }
    if (this.#failed) throw this.#failed
    await this.#place.leave()
  }

  #fail(cause: unknown): ShoalError {
    this.#failed ??= writeFailure(cause)
    return this.#failed
  }

  #readEnded(): void {
    this.#reads--
    if (this.#reads > 0) return
    for (const resolve of this.#readsEnded) resolve()
  }

  #assertUsable(): void {
    if (this.#failed) throw this.#failed
    if (this.#closing !== undefined)
      throw new ShoalError('SHOAL_STORE_CLOSED', 'the store is closed')
  }
}
