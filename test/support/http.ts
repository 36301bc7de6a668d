/** HTTP without a client library between: what a test sees is what was on the wire. */
import { Agent, type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http'

export interface Answer {
  readonly status: number
  /** Names in lower case, as Node hands them over. */
  readonly headers: IncomingHttpHeaders
  /** Names and values in turn, as sent. */
  readonly rawHeaders: readonly string[]
  readonly body: Buffer
  readonly text: string
  /** @throws when the body is not JSON */
  json(): unknown
  /** The value of a header, empty where it does not stand. */
  header(name: string): string
}

export interface Question {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
  readonly timeoutMs?: number
  readonly agent?: Agent
}

const TIMEOUT_MS = 20_000

/** One request, on a connection of its own unless an agent is given. Rejects without an answer. */
export function ask(url: string, path: string, question: Question = {}): Promise<Answer> {
  const { method = 'GET', headers = {}, body, timeoutMs = TIMEOUT_MS, agent } = question
  const { hostname, port } = new URL(url)
  return new Promise((resolve, reject) => {
    const length = body === undefined ? {} : { 'Content-Length': String(Buffer.byteLength(body)) }
    const outgoing = request(
      {
        host: hostname,
        port,
        path,
        method,
        headers: { ...length, ...headers },
        agent: agent ?? false,
      },
      (incoming) => collect(incoming).then(resolve, reject),
    )
    outgoing.setTimeout(timeoutMs, () => {
      outgoing.destroy(new Error(`${method} ${url}${path}: no answer within ${timeoutMs} ms`))
    })
    outgoing.once('error', reject)
    outgoing.end(body)
  })
}

async function collect(incoming: IncomingMessage): Promise<Answer> {
  const pieces: Buffer[] = []
  for await (const piece of incoming) pieces.push(piece as Buffer)
  const { statusCode = 0, headers, rawHeaders } = incoming
  return new Received({ status: statusCode, headers, rawHeaders, body: Buffer.concat(pieces) })
}

export class Received implements Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly rawHeaders: readonly string[]
  readonly body: Buffer

  constructor(parts: Pick<Answer, 'status' | 'headers' | 'rawHeaders' | 'body'>) {
    this.status = parts.status
    this.headers = parts.headers
    this.rawHeaders = parts.rawHeaders
    this.body = parts.body
  }

  get text(): string {
    return this.body.toString('utf8')
  }

  json(): unknown {
    return JSON.parse(this.text)
  }

  header(name: string): string {
    return String(this.headers[name.toLowerCase()] ?? '')
  }
}

/** The path of a key, its bytes percent-encoded where they do not stand for themselves. */
export const kv = (bucket: string, key: string): string =>
  `/v1/kv/${bucket}/${encodeURIComponent(key)}`

export const keepAlive = (): Agent => new Agent({ keepAlive: true, maxSockets: 256 })
