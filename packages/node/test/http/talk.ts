/** Ways for tests to talk to a face: politely, or byte by byte. */
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http'
import { connect, type Socket } from 'node:net'
import type { Problem } from '@shoal/kernel'

export interface Answer {
  readonly status: number
  /** Lower-case names. */
  readonly headers: IncomingHttpHeaders & Readonly<Record<string, string | undefined>>
  readonly body: Buffer
}

export interface Call {
  readonly headers?: Readonly<Record<string, string | readonly string[]>>
  readonly body?: Buffer | string
}

/** One request on a connection of its own; the path goes out as it is. */
export function call(
  { port }: { port: number },
  method: string,
  path: string,
  { headers = {}, body }: Call = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      { host: '127.0.0.1', port, method, path, headers: headers as never, agent: false },
      (response) => {
        const pieces: Buffer[] = []
        response.on('data', (piece: Buffer) => pieces.push(piece))
        response.on('error', reject)
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers as Answer['headers'],
            body: Buffer.concat(pieces),
          }),
        )
      },
    )
    request.on('error', reject)
    request.end(body)
  })
}

export const jsonOf = <T = unknown>({ body }: Answer): T => JSON.parse(body.toString('utf8')) as T
export const problemOf = (answer: Answer): Problem => jsonOf<Problem>(answer)

/** A connection on which a test says exactly what it wants. */
export class RawConnection {
  readonly socket: Socket
  #pieces: Buffer[] = []
  #wake: (() => void)[] = []
  closed = false

  constructor(port: number) {
    this.socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
    this.socket.on('data', (piece: Buffer) => {
      this.#pieces.push(piece)
      this.#notify()
    })
    const close = (): void => {
      this.closed = true
      this.#notify()
    }
    this.socket.on('end', close)
    this.socket.on('close', close)
    this.socket.on('error', close)
  }

  get received(): string {
    return this.#whole().toString('latin1')
  }

  send(bytes: string | Buffer): this {
    this.socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes)
    return this
  }

  /** Closes our half: the other side sees the end of what we send. */
  endSending(): this {
    this.socket.end()
    return this
  }

  destroy(): void {
    this.socket.destroy()
  }

  /** The next whole answer. Fails when the connection ends before one. */
  async answer({ head = false } = {}): Promise<Answer> {
    for (;;) {
      const parsed = parseAnswer(this.#whole(), { ended: this.closed, head })
      if (parsed !== undefined) {
        this.#pieces = [this.#whole().subarray(parsed.length)]
        return parsed.answer
      }
      if (this.closed)
        throw new Error(`closed after ${JSON.stringify(this.received.slice(0, 200))}`)
      await this.#changed()
    }
  }

  /** Waits until something that has come fits. */
  async until(fits: (received: string) => boolean): Promise<string> {
    while (!fits(this.received)) {
      if (this.closed)
        throw new Error(`closed after ${JSON.stringify(this.received.slice(0, 200))}`)
      await this.#changed()
    }
    return this.received
  }

  /** Everything until the other side closes. */
  async rest(): Promise<string> {
    while (!this.closed) await this.#changed()
    return this.received
  }

  /** Put together only when somebody looks: a long answer comes in many pieces. */
  #whole(): Buffer {
    if (this.#pieces.length !== 1) this.#pieces = [Buffer.concat(this.#pieces)]
    return this.#pieces[0] as Buffer
  }

  #changed(): Promise<void> {
    return new Promise((wake) => this.#wake.push(wake))
  }

  #notify(): void {
    const waiting = this.#wake
    this.#wake = []
    for (const wake of waiting) wake()
  }
}

function parseAnswer(
  bytes: Buffer,
  { ended, head }: { ended: boolean; head: boolean },
): { answer: Answer; length: number } | undefined {
  const headEnd = bytes.indexOf('\r\n\r\n')
  if (headEnd < 0) return undefined
  const [first = '', ...lines] = bytes.toString('latin1', 0, headEnd).split('\r\n')
  const headers: Record<string, string> = {}
  for (const line of lines) {
    const colon = line.indexOf(':')
    headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim()
  }
  const status = Number(first.split(' ')[1])
  const from = headEnd + 4
  const stated = headers['content-length']
  const bodyless = head || status < 200 || status === 204 || status === 304
  const end = bodyless ? from : from + Number(stated ?? 0)
  if (!bodyless && stated === undefined && !ended) return undefined
  const stop = !bodyless && stated === undefined ? bytes.length : end
  if (bytes.length < stop) return undefined
  return { answer: { status, headers, body: bytes.subarray(from, stop) }, length: stop }
}

/** A request as it stands on the wire. */
export const wire = (lines: readonly string[], body = ''): string =>
  `${lines.join('\r\n')}\r\n\r\n${body}`
