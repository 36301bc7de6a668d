import { type Env, type ErrorCode, limits, ShoalError } from '@shoal/kernel'
import { rowVersion, type Store, verifyRow } from '@shoal/storage'
import type { VersionCache } from './core/version-cache.ts'
import { DAMAGED, type Fetched, fetchMany } from './fetch.ts'

/**
 * Row reads, gathered: everything asked in one turn of the event loop is one MultiGet. A single one
 * costs 37 µs of CPU through the thread pool, one among ten costs 10.
 */
export interface RowSink {
  /** A row that passed its checksums, or undefined: this replica has never held the key. */
  row(row: Buffer | undefined): void
  /** SHOAL_ROW_DAMAGED, SHOAL_STORE_FAILED, SHOAL_OVERLOADED. Never means "not found" (V3, V11). */
  failed(code: ErrorCode): void
}

export interface ReadsParts {
  readonly env: Env
  readonly store: Store
  readonly cache: VersionCache
  /** Counts the groups written: tells whether a row read meanwhile may be old. */
  readonly writes: () => number
  readonly damaged: (rowKey: Buffer) => void
}

interface Wanted {
  readonly rowKey: Buffer
  readonly sink: RowSink
}

/** The thread pool has four threads and a sync wants one of them. */
const BATCHES_IN_FLIGHT_MAX = 3

export class Reads {
  readonly #env: Env
  readonly #store: Store
  readonly #cache: VersionCache
  readonly #writes: () => number
  readonly #tellDamaged: (rowKey: Buffer) => void
  #waiting: Wanted[] = []
  #scheduled = false
  #inFlight = 0
  #damaged = 0

  constructor(parts: ReadsParts) {
    this.#env = parts.env
    this.#store = parts.store
    this.#cache = parts.cache
    this.#writes = parts.writes
    this.#tellDamaged = parts.damaged
  }

  get depth(): number {
    return this.#waiting.length
  }

  get damaged(): number {
    return this.#damaged
  }

  read(rowKey: Buffer, sink: RowSink): void {
    if (this.#waiting.length >= limits.pipelineOperationsMax) {
      this.#env.nextTurn(() => sink.failed('SHOAL_OVERLOADED'))
      return
    }
    this.#waiting.push({ rowKey, sink })
    this.#wake()
  }

  #wake(): void {
    if (this.#scheduled || this.#inFlight >= BATCHES_IN_FLIGHT_MAX) return
    this.#scheduled = true
    this.#env.nextTurn(this.#run)
  }

  readonly #run = (): void => {
    this.#scheduled = false
    const most = this.#env.inject('replica: one row at a time') ? 1 : limits.groupOperationsMax
    const batch = this.#waiting
    this.#waiting = batch.length > most ? batch.splice(most) : []
    if (batch.length === 0) return
    this.#inFlight++
    this.#load(batch).then(this.#ended, (reason: Error) => this.#env.halt(reason))
    if (this.#waiting.length > 0) this.#wake()
  }

  readonly #ended = (): void => {
    this.#inFlight--
    if (this.#waiting.length > 0) this.#wake()
  }

  async #load(batch: readonly Wanted[]): Promise<void> {
    const writesBefore = this.#writes()
    let rows: readonly Fetched[]
    try {
      const rowKeys = batch.map(({ rowKey }) => rowKey)
      rows = await fetchMany(this.#store, 'rows', rowKeys)
    } catch (error) {
      const code = error instanceof ShoalError ? error.code : 'SHOAL_STORE_FAILED'
      for (const { sink } of batch) sink.failed(code)
      return
    }
    // A group written meanwhile may have put a newer version in the cache than the one read here.
    const cacheable = writesBefore === this.#writes()
    for (let index = 0; index < batch.length; index++) {
      const { rowKey, sink } = batch[index] as Wanted
      const row = rows[index]
      if (row === undefined || (row !== DAMAGED && isSound(row, rowKey))) {
        if (row && cacheable) this.#cache.set(rowKey, rowVersion(row))
        sink.row(row)
      } else {
        this.#damaged++
        sink.failed('SHOAL_ROW_DAMAGED')
        this.#tellDamaged(rowKey)
      }
    }
  }
}

const isSound = (row: Buffer, rowKey: Buffer): boolean =>
  verifyRow(row, rowKey.readBigUInt64BE(0)) === 'ok'
