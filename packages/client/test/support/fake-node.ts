/**
 * A node of the fake cluster: a real HTTP server on 127.0.0.1 that speaks the contract, and does
 * what a test tells it to do instead.
 */
import { createServer, IncomingMessage, type Server, ServerResponse } from 'node:http'
import { type AddressInfo, Socket } from 'node:net'
import { type ErrorCode, errorCatalogue, ShoalError, toProblem } from '@shoal/kernel'
import { etag, type FakeStore, type FakeValue } from './fake-store.ts'

/** A request as the node saw it. */
export interface Seen {
  readonly method: string
  readonly path: string
  readonly headers: IncomingMessage['headers']
  readonly body: Buffer
}

/** Answers a request in its own way; returning false leaves it to the node. */
export type Script = (seen: Seen, reply: ServerResponse) => boolean | Promise<boolean>

export class FakeNode {
  readonly id: string
  readonly seen: Seen[] = []
  readonly #store: FakeStore
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  /** Tried in order; the first that answers, answers. */
  readonly scripts: Script[] = []
  ring: object | undefined
  url = ''
  epoch = 1
  sessions = 0

  constructor(id: string, store: FakeStore) {
    this.id = id
    this.#store = store
    this.#server = createServer((request, reply) => {
      this.#serve(request, reply).catch((error: unknown) => reply.destroy(error as Error))
    })
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket)
      socket.on('close', () => this.#sockets.delete(socket))
    })
  }

  async start(port = 0): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(port, '127.0.0.1', resolve))
    this.url = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
    return this
  }

  /** As a crash: connections are reset, nothing listens. */
  async kill(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()))
    for (const socket of this.#sockets) socket.resetAndDestroy()
    await closed
  }

  get connections(): number {
    return this.#sockets.size
  }

  /** Looks once in each turn of the event loop. */
  until(holds: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => void (holds() ? resolve() : setImmediate(look))
      look()
    })
  }

  sawRequests(count: number): Promise<void> {
    return this.until(() => this.asked.length >= count)
  }

  /** Requests to keys, batches and lists, in the order they came. */
  get asked(): readonly Seen[] {
    return this.seen.filter(({ path }) => !path.startsWith('/v1/ring') && path !== '/livez')
  }

  /** Answers the next request that `matches` by `script`, once. */
  once(script: Script, matches: (seen: Seen) => boolean = isKeyRequest): void {
    const single: Script = (seen, reply) => {
      if (!matches(seen)) return false
      this.scripts.splice(this.scripts.indexOf(single), 1)
      return script(seen, reply)
    }
    this.scripts.push(single)
  }

  always(script: Script, matches: (seen: Seen) => boolean = isKeyRequest): void {
    this.scripts.push((seen, reply) => (matches(seen) ? script(seen, reply) : false))
  }

  async #serve(request: IncomingMessage, reply: ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const seen: Seen = {
      method: request.method ?? '',
      path: request.url ?? '',
      headers: request.headers,
      body: Buffer.concat(chunks),
    }
    this.seen.push(seen)
    for (const script of [...this.scripts]) if (await script(seen, reply)) return
    this.answer(seen, reply)
  }

  /** What the contract says. */
  answer(seen: Seen, reply: ServerResponse): void {
    // Taken apart by hand: a URL parser takes the key `..` for a way up.
    const [path = '', query = ''] = seen.path.split('?', 2)
    const [, , area, bucket, key] = path.split('/')
    const wanted = new URLSearchParams(query)
    this.#addSession(seen, reply)
    if (seen.path === '/livez') return void reply.end('alive')
    if (area === 'ring') return this.#answerRing(reply)
    if (area === 'batch') return this.#answerBatch(seen, reply)
    if (area !== 'kv' || bucket === undefined) return refuse(reply, 'SHOAL_ROUTE_NOT_FOUND')
    if (key === undefined) return this.#answerList(bucket, wanted, reply)
    this.#answerKey(seen, reply, { bucket, key: decodeURIComponent(key), wanted })
  }

  #addSession(seen: Seen, reply: ServerResponse): void {
    const session = seen.headers['shoal-session']
    if (session !== undefined) reply.setHeader('Shoal-Session', `s1.${this.id}-${++this.sessions}`)
  }

  #answerRing(reply: ServerResponse): void {
    if (this.ring === undefined) return refuse(reply, 'SHOAL_ROUTE_NOT_FOUND')
    sendJson(reply, 200, this.ring)
  }

  #answerList(bucket: string, wanted: URLSearchParams, reply: ServerResponse): void {
    const prefix = wanted.get('prefix') ?? ''
    const limit = Number(wanted.get('limit') ?? 100)
    const after = wanted.get('cursor') ?? ''
    const keys = this.#store
      .keys(bucket)
      .filter((key) => key.startsWith(prefix) && (after === '' || key > after))
    const page = keys.slice(0, limit)
    const cursor = keys.length > limit ? (page.at(-1) ?? null) : null
    reply.setHeader('Consistency', 'one;r=1;w=1;durable=1')
    // In two chunks, without Content-Length.
    const text = JSON.stringify({ keys: page, cursor })
    reply.writeHead(200, { 'Content-Type': 'application/json' })
    reply.write(text.slice(0, 5))
    setImmediate(() => reply.end(text.slice(5)))
  }

  #answerKey(
    seen: Seen,
    reply: ServerResponse,
    { bucket, key, wanted }: { bucket: string; key: string; wanted: URLSearchParams },
  ): void {
    reply.setHeader('Receipt', this.receipt())
    reply.setHeader('Consistency', 'quorum;r=2;w=2;durable=2')
    reply.setHeader('Request-Id', `r-${this.seen.length}`)
    if (seen.method === 'PUT' || seen.method === 'DELETE') {
      return this.#answerWrite(seen, reply, { bucket, key })
    }
    this.#answerRead(seen, reply, { bucket, key, sibling: wanted.get('sibling') })
  }

  #answerWrite(
    seen: Seen,
    reply: ServerResponse,
    { bucket, key }: { bucket: string; key: string },
  ): void {
    if (!this.#preconditionHolds(seen, bucket, key)) {
      return refuse(reply, 'SHOAL_PRECONDITION_FAILED', {
        extra: { etag: this.#store.etagOf(bucket, key) },
      })
    }
    const context = header(seen, 'causal-context')
    const answered =
      seen.method === 'DELETE'
        ? this.#store.delete(bucket, key, context)
        : this.#store.put(bucket, key, {
            body: seen.body,
            type: header(seen, 'content-type') ?? '',
            encoding: header(seen, 'content-encoding') ?? '',
            context,
            requestId: header(seen, 'idempotency-key') ?? '',
          })
    reply.setHeader('Causal-Context', answered)
    const current = this.#store.etagOf(bucket, key)
    if (current !== '') reply.setHeader('ETag', current)
    const siblings = this.#store.live(bucket, key).length
    if (siblings > 1) reply.setHeader('Siblings', String(siblings))
    reply.writeHead(204).end()
  }

  #preconditionHolds(seen: Seen, bucket: string, key: string): boolean {
    const current = this.#store.etagOf(bucket, key)
    const match = header(seen, 'if-match')
    const noneMatch = header(seen, 'if-none-match')
    const among = (list: string): boolean =>
      list === '*' ? current !== '' : list.split(', ').includes(current)
    return (match === undefined || among(match)) && (noneMatch === undefined || !among(noneMatch))
  }

  #answerRead(
    seen: Seen,
    reply: ServerResponse,
    { bucket, key, sibling }: { bucket: string; key: string; sibling: string | null },
  ): void {
    const all = this.#store.live(bucket, key)
    const live = sibling === null ? all : all.filter((value) => etag([value]) === sibling)
    reply.setHeader('Causal-Context', this.#store.contextOf(bucket, key))
    const code = sibling === null ? 'SHOAL_KEY_NOT_FOUND' : 'SHOAL_SIBLING_NOT_FOUND'
    if (live.length === 0) return refuse(reply, code)
    reply.setHeader('ETag', etag(live))
    if (header(seen, 'if-none-match') === etag(live)) return void reply.writeHead(304).end()
    const newest = live[live.length - 1] as FakeValue
    reply.setHeader('Last-Modified', new Date(newest.modified).toUTCString())
    if (live.length === 1) return sendValue(reply, newest)
    if (header(seen, 'prefer') === 'siblings=resolve') {
      reply.setHeader('Siblings', String(live.length))
      reply.setHeader('Preference-Applied', 'siblings=resolve')
      return sendValue(reply, newest)
    }
    sendJson(reply, 300, { siblings: live.map(toSibling) })
  }

  #answerBatch(seen: Seen, reply: ServerResponse): void {
    const { operations } = JSON.parse(seen.body.toString()) as { operations: BatchItem[] }
    sendJson(reply, 200, { results: operations.map((item) => this.#answerItem(item)) })
  }

  #answerItem(item: BatchItem): object {
    const { op, bucket, key } = item
    const receipt = this.receipt()
    if (op === 'get') return { receipt, ...this.#answerItemRead(bucket, key) }
    const body = Buffer.from(
      item.value ?? item.base64 ?? '',
      item.value === undefined ? 'base64' : 'utf8',
    )
    const context =
      op === 'delete'
        ? this.#store.delete(bucket, key, item.context)
        : this.#store.put(bucket, key, {
            body,
            type: item.type ?? '',
            encoding: '',
            context: item.context,
            requestId: item.idempotencyKey ?? '',
          })
    return { status: 204, receipt, context, etag: this.#store.etagOf(bucket, key) }
  }

  #answerItemRead(bucket: string, key: string): object {
    const live = this.#store.live(bucket, key)
    const about = { context: this.#store.contextOf(bucket, key), etag: etag(live) }
    const [only] = live
    if (only === undefined) {
      return { ...about, status: 404, problem: problem('SHOAL_KEY_NOT_FOUND') }
    }
    if (live.length > 1) return { ...about, status: 300, siblings: live.map(toSibling) }
    return { ...about, status: 200, type: only.type, base64: only.body.toString('base64') }
  }

  receipt(): string {
    const counts = 'n=3, need=2, ack=3, primaries=3, fallbacks=0, durable=3, hinted=0, repaired=0'
    return `${counts}, epoch=${this.epoch}, node="${this.id}"`
  }
}

interface BatchItem {
  readonly op: 'get' | 'put' | 'delete'
  readonly bucket: string
  readonly key: string
  readonly value?: string
  readonly base64?: string
  readonly type?: string
  readonly context?: string
  readonly idempotencyKey?: string
}

export const isKeyRequest = ({ path }: Seen): boolean =>
  /^\/v1\/kv\/[^/]+\//.test(path) || path === '/v1/batch'

function header(seen: Seen, name: string): string | undefined {
  const value = seen.headers[name]
  return Array.isArray(value) ? value.join(', ') : value
}

const toSibling = (value: FakeValue): object => ({
  etag: etag([value]),
  type: value.type,
  modified: new Date(value.modified).toISOString(),
  size: value.body.length,
  base64: value.body.toString('base64'),
})

function sendValue(reply: ServerResponse, value: FakeValue): void {
  const type = value.type === '' ? 'application/octet-stream' : value.type
  if (value.encoding !== '') reply.setHeader('Content-Encoding', value.encoding)
  reply.writeHead(200, { 'Content-Type': type, 'Content-Length': value.body.length })
  reply.end(value.body)
}

export function sendJson(reply: ServerResponse, status: number, body: unknown): void {
  reply.writeHead(status, { 'Content-Type': 'application/json' })
  reply.end(JSON.stringify(body))
}

export const problem = (code: ErrorCode, details: ShoalError['details'] = {}): object =>
  toProblem(new ShoalError(code, errorCatalogue[code].title, details))

/** Refuses as a node does. */
export function refuse(
  reply: ServerResponse,
  code: ErrorCode,
  details: ShoalError['details'] & { readonly retryAfterSeconds?: number } = {},
): void {
  if (details.retryAfterSeconds !== undefined) {
    reply.setHeader('Retry-After', String(details.retryAfterSeconds))
  }
  reply.writeHead(errorCatalogue[code].status, { 'Content-Type': 'application/problem+json' })
  reply.end(JSON.stringify(problem(code, details)))
}

/** Takes an answer that nobody will get. */
export const replyToNobody = (): ServerResponse =>
  new ServerResponse(new IncomingMessage(new Socket()))
