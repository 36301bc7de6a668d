import { statfs } from 'node:fs/promises'
import { type Env, limits, ShoalError, type Timer } from '@shoal/kernel'
import { type Database, getProperty } from './binding.ts'

/**
 * Signals for admission control, sampled by a timer so that reading them costs nothing and so that
 * they also clear without traffic (O3).
 *
 * Free space is watched because RocksDB does not survive running out of it: an append to its log
 * that fails leaves the log unusable, and a restart needs room to write what the log holds into
 * tables. So writes are refused while there is still room for both.
 */
export class Pressure {
  readonly #env: Env
  readonly #db: Database
  readonly #directory: string
  readonly #freeBytesMin: number
  #timer: Timer | undefined
  #ended = false
  #freeBytes = Number.POSITIVE_INFINITY
  #writtenSinceSample = 0
  stopped = false
  delayed = false
  levelZeroFiles = 0

  constructor(options: { env: Env; db: Database; directory: string; freeBytesMin: number }) {
    this.#env = options.env
    this.#db = options.db
    this.#directory = options.directory
    this.#freeBytesMin = options.freeBytesMin
  }

  async start(): Promise<void> {
    await this.#sample()
  }

  /** Ends the sampling. One that is under way no longer touches the database. */
  stop(): void {
    this.#ended = true
    this.#timer?.cancel()
  }

  /** The last sample less what was written since, taken threefold. */
  get freeBytes(): number {
    return Math.max(0, this.#freeBytes - WRITE_AMPLIFICATION * this.#writtenSinceSample)
  }

  /** @throws SHOAL_STORAGE_FULL when the batch might use up the reserve */
  admit(bytes: number): void {
    const free = this.freeBytes - WRITE_AMPLIFICATION * bytes
    if (free < this.#freeBytesMin) {
      throw new ShoalError(
        'SHOAL_STORAGE_FULL',
        `${mebibytes(this.freeBytes)} MiB free; ${mebibytes(this.#freeBytesMin)} MiB are kept back`,
        { wanted: this.#freeBytesMin, got: this.freeBytes },
      )
    }
  }

  noteWritten(bytes: number): void {
    this.#writtenSinceSample += bytes
  }

  async #sample(): Promise<void> {
    const writtenBefore = this.#writtenSinceSample
    try {
      const { bavail, bsize } = await statfs(this.#directory)
      this.#freeBytes = bavail * bsize
      this.#writtenSinceSample -= writtenBefore
    } catch {
      // The estimate goes on shrinking with every write, which errs on the safe side.
    }
    if (this.#ended) return
    this.stopped = getProperty(this.#db, 'rocksdb.is-write-stopped') !== '0'
    this.delayed = getProperty(this.#db, 'rocksdb.actual-delayed-write-rate') !== '0'
    this.levelZeroFiles = Number(getProperty(this.#db, 'rocksdb.num-files-at-level0'))
    this.#timer = this.#env.clock.after(limits.storeSample, () => void this.#sample())
  }
}

/**
 * What is written once to the log is written again to a table, and again when tables are merged.
 */
const WRITE_AMPLIFICATION = 3

const mebibytes = (bytes: number): string => (bytes / 2 ** 20).toFixed(0)
