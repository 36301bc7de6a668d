/**
 * Makes what was written durable without ever blocking the event loop.
 *
 * RocksDB can sync its log only inside a write, on the thread that writes. But every finished batch
 * is in the log file already, as far as the operating system knows, so anyone who holds a
 * descriptor of that file can make it durable: here the thread pool does, with fdatasync.
 *
 * The trap is rotation. RocksDB starts a new log whenever a memtable is full, without a word, and
 * before it writes the batch that finds this out. Syncing the file one knows would then acknowledge
 * rows that lie in another. The rule: look at the size after every batch; a log that did not grow
 * was left behind, and the batch is in a newer one. Old log, new log and the directory that names
 * the new one are all synced before anything written since is acknowledged.
 *
 * A log that RocksDB has deleted meanwhile needs no sync: it deletes one only after every row in it
 * is in table files that it has synced, named by a manifest that it has synced.
 */
export interface LogDisk {
  /** Numbers of the log files that exist, ascending. */
  numbers(): number[]
  /** Undefined when the file is gone. */
  open(number: number): LogFile | undefined
  syncDirectory(): Promise<void>
}

export interface LogFile {
  readonly name: string
  size(): number
  /** Resolves when the bytes that the file held at the call survive a power cut. */
  sync(): Promise<void>
  close(): void
}

export interface LogSyncOptions {
  /** Turns whatever went wrong into the error that every later call is given. */
  readonly failed: (cause: unknown) => Error
  /** False only in the test that shows what happens without the rule. */
  readonly rotationRule?: boolean
  /** Told of every completed round, before anyone waiting for it. */
  readonly synced?: (files: readonly SyncedFile[], directory: boolean) => void
}

export interface SyncedFile {
  readonly name: string
  /** Length up to which the file is durable. */
  readonly bytes: number
}

interface Log {
  readonly number: number
  readonly file: LogFile
  size: number
  /** What a finished round has made durable. Less than `size` while a sync of it is under way. */
  synced: number
}

export class LogSync {
  readonly #disk: LogDisk
  readonly #options: LogSyncOptions
  /** Logs with something unsynced or under way, oldest first, and last the one that grows. */
  #logs: Log[] = []
  #directoryDirty = true
  /** Something was written that no round, running or done, covers. */
  #uncovered = false
  #running: Round | undefined
  #next: Round | undefined
  #failure: Error | undefined
  #work: Promise<void> = Promise.resolve()

  constructor(disk: LogDisk, options: LogSyncOptions) {
    this.#disk = disk
    this.#options = options
    this.#openNewer(-1)
    const current = this.#logs.at(-1)
    if (!current) throw options.failed(new Error('RocksDB keeps no log'))
    // What was there at the start was in table files before the store opened.
    for (const log of this.#logs) log.synced = log.size
    this.#closeSettled()
  }

  get unsyncedBytes(): number {
    let bytes = 0
    for (const log of this.#logs) bytes += log.size - log.synced
    return bytes
  }

  /** To be called after every batch that holds anything. Throws when the batch cannot be found. */
  wrote(): void {
    this.#uncovered = true
    const current = this.#logs.at(-1) as Log
    const size = current.file.size()
    if (size > current.size) {
      current.size = size
      return
    }
    if (this.#options.rotationRule === false) return
    this.#openNewer(current.number)
    const newest = this.#logs.at(-1) as Log
    if (newest === current || newest.size === 0) {
      throw this.fail(new Error(`no log holds the last batch; the newest is ${newest.file.name}`))
    }
    this.#directoryDirty = true
    this.#closeSettled()
  }

  /** Resolves when everything written before the call is durable. */
  sync(): Promise<void> {
    if (this.#failure) return Promise.reject(this.#failure)
    if (!this.#uncovered) return this.#running?.promise ?? Promise.resolve()
    this.#next ??= createRound()
    const { promise } = this.#next
    if (!this.#running) this.#startNext()
    return promise
  }

  /**
   * Ends it: no sync succeeds any more. A failed one must not be repeated, its pages count as clean
   * (A3).
   */
  fail(cause: unknown): Error {
    if (this.#failure) return this.#failure
    this.#failure = this.#options.failed(cause)
    this.#running?.reject(this.#failure)
    this.#next?.reject(this.#failure)
    this.#next = undefined
    return this.#failure
  }

  /** Gives the descriptors back, once no sync uses them any more. */
  async close(): Promise<void> {
    await this.#work
    for (const log of this.#logs) log.file.close()
    this.#logs = []
  }

  #startNext(): void {
    const round = this.#next as Round
    this.#next = undefined
    this.#running = round
    this.#uncovered = false
    this.#work = this.#syncLogs().then(
      () => {
        if (this.#failure) return
        this.#running = undefined
        round.resolve()
        if (this.#next) this.#startNext()
      },
      (cause) => void this.fail(cause),
    )
  }

  async #syncLogs(): Promise<void> {
    const directory = this.#directoryDirty
    this.#directoryDirty = false
    const dirty = this.#logs.filter((log) => log.size > log.synced)
    const files = dirty.map((log) => ({ name: log.file.name, bytes: log.size }))
    const current = this.#logs.at(-1)
    // Older logs first: after a power cut in between, what is missing is the end.
    for (let index = 0; index < dirty.length; index++) {
      const log = dirty[index] as Log
      if (log !== current) await this.#syncLog(log, files[index] as SyncedFile)
    }
    const last = dirty.at(-1)
    const together = await Promise.allSettled([
      last && last === current ? this.#syncLog(last, files.at(-1) as SyncedFile) : undefined,
      directory ? this.#disk.syncDirectory() : undefined,
    ])
    for (const outcome of together) if (outcome.status === 'rejected') throw outcome.reason
    this.#closeSettled()
    this.#options.synced?.(files, directory)
  }

  async #syncLog(log: Log, { bytes }: SyncedFile): Promise<void> {
    await log.file.sync()
    log.synced = bytes
  }

  #openNewer(than: number): void {
    for (const number of this.#disk.numbers()) {
      if (number <= than) continue
      const file = this.#disk.open(number)
      if (file) this.#logs.push({ number, file, size: file.size(), synced: 0 })
    }
  }

  #closeSettled(): void {
    const current = this.#logs.at(-1)
    this.#logs = this.#logs.filter((log) => {
      if (log === current || log.synced < log.size) return true
      log.file.close()
      return false
    })
  }
}

interface Round {
  readonly promise: Promise<void>
  readonly resolve: () => void
  readonly reject: (reason: Error) => void
}

function createRound(): Round {
  let resolve: () => void = () => {}
  let reject: (reason: Error) => void = () => {}
  const promise = new Promise<void>((accept, refuse) => {
    resolve = accept
    reject = refuse
  })
  return { promise, resolve, reject }
}
