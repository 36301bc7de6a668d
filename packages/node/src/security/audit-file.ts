/** The audit log as a file of its own: one JSON object a line, only ever added to. */
import { createWriteStream, statSync, type WriteStream } from 'node:fs'
import { type Env, limits } from '@shoal/kernel'
import type { AuditEvent, AuditSink } from './audit.ts'

export class AuditFile implements AuditSink {
  readonly #env: Env
  readonly #path: string
  readonly #node: string
  readonly #onError: (error: Error) => void
  #stream: WriteStream
  #inode: number | undefined
  #dropped = 0

  constructor(parts: {
    readonly env: Env
    readonly path: string
    readonly node: string
    /** The file cannot be written. Called once for each time it was opened. */
    readonly onError: (error: Error) => void
  }) {
    this.#env = parts.env
    this.#path = parts.path
    this.#node = parts.node
    this.#onError = parts.onError
    this.#stream = this.#open()
  }

  write(event: AuditEvent, details: object): void {
    if (this.#stream.writableLength > limits.auditBytesMax) {
      this.#dropped++
      return
    }
    const time = new Date(this.#env.clock.wall()).toISOString()
    const dropped = this.#dropped === 0 ? {} : { dropped: this.#dropped }
    this.#dropped = 0
    const line = { time, node: this.#node, event, ...details, ...dropped }
    this.#stream.write(`${JSON.stringify(line)}\n`)
  }

  /** Opens it again after it was moved away by whoever rotates logs, or could not be written. */
  recheck(): void {
    if (!this.#stream.destroyed && inodeOf(this.#path) === this.#inode) return
    this.#stream.end()
    this.#stream = this.#open()
  }

  close(): Promise<void> {
    return new Promise((resolve) => this.#stream.end(() => resolve()))
  }

  #open(): WriteStream {
    const stream = createWriteStream(this.#path, { flags: 'a', mode: 0o600 })
    stream.once('open', () => {
      this.#inode = inodeOf(this.#path)
    })
    stream.on('error', this.#onError)
    return stream
  }
}

function inodeOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.ino
}
