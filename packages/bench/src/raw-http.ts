import { connect, type Socket } from 'node:net'

/**
 * An HTTP/1.1 client that does as little as can be done, so that on two shared cores the load costs
 * less than what it measures. One request at a time on each connection; bodies need a
 * Content-Length.
 */
export interface Answer {
  readonly status: number
  /** The head as text, for those who want a header. */
  readonly head: string
  readonly body: Buffer
}

const END_OF_HEAD = Buffer.from('\r\n\r\n')
const NOTHING = Buffer.alloc(0)

export class RawConnection {
  readonly #socket: Socket
  #received: Buffer = NOTHING
  #waiting: { answered: (answer: Answer) => void; failed: (error: Error) => void } | undefined
  #ended: Error | undefined

  constructor(host: string, port: number) {
    this.#socket = connect({ host, port, noDelay: true })
    this.#socket.on('data', (chunk: Buffer) => this.#take(chunk))
    this.#socket.on('error', (error) => this.#fail(error))
    this.#socket.on('close', () => this.#fail(new Error('the connection closed')))
  }

  get isOpen(): boolean {
    return this.#ended === undefined
  }

  /** @param request  a whole request, head and body */
  send(request: Buffer, answered: (answer: Answer) => void, failed: (error: Error) => void): void {
    if (this.#ended) return failed(this.#ended)
    this.#waiting = { answered, failed }
    this.#socket.write(request)
  }

  close(): void {
    this.#socket.destroy()
  }

  #take(chunk: Buffer): void {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk])
    const headEnd = this.#received.indexOf(END_OF_HEAD)
    if (headEnd < 0) return
    const head = this.#received.toString('latin1', 0, headEnd)
    const status = Number(head.slice(9, 12))
    const length = /\r\ncontent-length: (\d+)/i.exec(head)?.[1]
    const bodyAt = headEnd + END_OF_HEAD.length
    const end = bodyAt + Number(length ?? 0)
    if (this.#received.length < end) return
    const body = this.#received.subarray(bodyAt, end)
    this.#received = this.#received.subarray(end)
    const waiting = this.#waiting
    this.#waiting = undefined
    waiting?.answered({ status, head, body })
  }

  #fail(error: Error): void {
    this.#ended ??= error
    const waiting = this.#waiting
    this.#waiting = undefined
    waiting?.failed(error)
  }
}
