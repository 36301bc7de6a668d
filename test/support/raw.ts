/** Bytes to a socket and bytes back, for what no HTTP client would send. */
import { connect, type Socket } from 'node:net'
import { type Answer, Received } from './http.ts'

const TIMEOUT_MS = 40_000

/** A connection that remembers everything it was sent. */
export class RawConnection {
  readonly socket: Socket
  readonly #pieces: Buffer[] = []
  #ended = false
  #wake: (() => void)[] = []

  private constructor(socket: Socket) {
    this.socket = socket
    const wake = (): void => {
      for (const resolve of this.#wake.splice(0)) resolve()
    }
    socket.on('data', (piece: Buffer) => {
      this.#pieces.push(piece)
      wake()
    })
    socket.on('error', () => {})
    socket.on('end', () => {
      this.#ended = true
      wake()
    })
    socket.on('close', () => {
      this.#ended = true
      wake()
    })
    socket.setTimeout(TIMEOUT_MS, () => socket.destroy())
  }

  static open(url: string): Promise<RawConnection> {
    const { hostname, port } = new URL(url)
    return new Promise((resolve, reject) => {
      const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true })
      socket.once('error', reject)
      socket.once('connect', () => {
        socket.off('error', reject)
        resolve(new RawConnection(socket))
      })
    })
  }

  send(bytes: string | Uint8Array): this {
    this.socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes)
    return this
  }

  /** Nothing more will be sent; answers are still read. */
  half(): this {
    this.socket.end()
    return this
  }

  /** The first whole answer. Rejects when the connection ends without one. */
  async answer(): Promise<Answer> {
    for (;;) {
      const found = parseAnswer(Buffer.concat(this.#pieces), this.#ended)
      if (found !== undefined) return found
      if (this.#ended) {
        throw new Error(`closed after ${JSON.stringify(Buffer.concat(this.#pieces).toString())}`)
      }
      await this.#more()
    }
  }

  /** What has come so far holds this. Rejects when the connection ends before. */
  async shows(text: string): Promise<void> {
    while (!Buffer.concat(this.#pieces).includes(text)) {
      if (this.#ended) throw new Error(`closed without ${text}`)
      await this.#more()
    }
  }

  /** Forgets what has come, to read the next answer. */
  forget(): this {
    this.#pieces.length = 0
    return this
  }

  destroy(): void {
    this.socket.destroy()
  }

  #more(): Promise<void> {
    return new Promise((resolve) => this.#wake.push(resolve))
  }
}

/** Sends, reads one answer, closes. */
export async function exchange(url: string, ...pieces: readonly string[]): Promise<Answer> {
  const connection = await RawConnection.open(url)
  try {
    for (const piece of pieces) connection.send(piece)
    return await connection.answer()
  } finally {
    connection.destroy()
  }
}

const HEAD_END = Buffer.from('\r\n\r\n')

/** Skips `100 Continue`. @returns undefined while bytes are missing */
export function parseAnswer(bytes: Buffer, ended: boolean): Answer | undefined {
  const end = bytes.indexOf(HEAD_END)
  if (end < 0) return undefined
  const [first = '', ...lines] = bytes.toString('latin1', 0, end).split('\r\n')
  const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(`${first} `)?.[1])
  if (!Number.isInteger(status)) throw new Error(`not an HTTP answer: ${first}`)
  const rest = bytes.subarray(end + HEAD_END.length)
  if (status === 100) return parseAnswer(rest, ended)
  const rawHeaders = lines.flatMap((line) => {
    const colon = line.indexOf(':')
    return [line.slice(0, colon), line.slice(colon + 1).trim()]
  })
  const headers: Record<string, string> = {}
  for (let at = 0; at < rawHeaders.length; at += 2) {
    headers[(rawHeaders[at] ?? '').toLowerCase()] = rawHeaders[at + 1] ?? ''
  }
  const bodiless = status === 204 || status === 304
  const body = bodiless ? Buffer.alloc(0) : parseBody(headers, rest, ended)
  return body && new Received({ status, headers, rawHeaders, body })
}

function parseBody(
  headers: Readonly<Record<string, string>>,
  rest: Buffer,
  ended: boolean,
): Buffer | undefined {
  const length = headers['content-length']
  if (length !== undefined) {
    return rest.length < Number(length) ? undefined : rest.subarray(0, Number(length))
  }
  if (headers['transfer-encoding'] === 'chunked') return parseChunks(rest)
  return ended ? rest : undefined
}

function parseChunks(bytes: Buffer): Buffer | undefined {
  const chunks: Buffer[] = []
  for (let at = 0; ; ) {
    const lineEnd = bytes.indexOf('\r\n', at)
    if (lineEnd < 0) return undefined
    const size = Number.parseInt(bytes.toString('latin1', at, lineEnd), 16)
    if (size === 0) return Buffer.concat(chunks)
    at = lineEnd + 2 + size + 2
    if (at > bytes.length) return undefined
    chunks.push(bytes.subarray(lineEnd + 2, at - 2))
  }
}
