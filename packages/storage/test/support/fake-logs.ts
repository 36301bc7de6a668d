import type { LogDisk, LogFile } from '../../src/rocksdb/log-sync.ts'

interface FakeFile {
  bytes: number
  durable: number
  named: boolean
}

/** Log files as RocksDB would make them, whose syncs end when the test says so. */
export class FakeLogs implements LogDisk {
  readonly files = new Map<number, FakeFile>()
  /** Every sync asked for, in order: a log's number, or 'directory'. */
  readonly asked: (number | 'directory')[] = []
  readonly opened: number[] = []
  #pending: { readonly what: number | 'directory'; end: (error?: Error) => void }[] = []
  #live = 0

  constructor() {
    this.rotate()
  }

  get live(): number {
    return this.#live
  }

  append(bytes: number): void {
    ;(this.files.get(this.#live) as FakeFile).bytes += bytes
  }

  rotate(): void {
    this.#live += 3
    this.files.set(this.#live, { bytes: 0, durable: 0, named: false })
  }

  /** RocksDB deletes a log whose rows are all in tables. */
  remove(number: number): void {
    this.files.delete(number)
  }

  numbers(): number[] {
    return [...this.files.keys()]
  }

  open(number: number): LogFile | undefined {
    const file = this.files.get(number)
    if (!file) return undefined
    this.opened.push(number)
    let closed = false
    return {
      name: `${number}.log`,
      size: () => {
        if (closed) throw new Error('size of a closed file')
        return file.bytes
      },
      sync: () => {
        if (closed) throw new Error('sync of a closed file')
        const { bytes } = file
        return this.#wait(number, () => {
          if (closed) throw new Error(`${number} was closed while it was synced`)
          file.durable = Math.max(file.durable, bytes)
        })
      },
      close: () => {
        if (closed) throw new Error('closed twice')
        closed = true
        this.opened.splice(this.opened.indexOf(number), 1)
      },
    }
  }

  syncDirectory(): Promise<void> {
    const named = [...this.files.values()]
    return this.#wait('directory', () => {
      for (const file of named) file.named = true
    })
  }

  get underWay(): readonly (number | 'directory')[] {
    return this.#pending.map(({ what }) => what)
  }

  /** Lets the oldest sync end, and everything that follows from it happen. */
  async endOne(error?: Error): Promise<void> {
    this.#pending.shift()?.end(error)
    await new Promise((resolve) => setImmediate(resolve))
  }

  async endAll(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve))
    while (this.#pending.length > 0) await this.endOne()
  }

  /** Bytes that a power cut would take. A file whose name is not durable is lost whole. */
  get losable(): number {
    let bytes = 0
    for (const file of this.files.values()) bytes += file.bytes - (file.named ? file.durable : 0)
    return bytes
  }

  #wait(what: number | 'directory', done: () => void): Promise<void> {
    this.asked.push(what)
    return new Promise((resolve, reject) => {
      this.#pending.push({
        what,
        end: (error) => {
          if (error) return reject(error)
          done()
          resolve()
        },
      })
    })
  }
}
