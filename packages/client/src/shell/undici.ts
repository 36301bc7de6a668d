/** The only file that names undici. */
import { type Env, limits, type Millis, millis } from '@shoal/kernel'
import { buildConnector, Client, type Dispatcher, Pool } from 'undici'
import type { HttpRequest } from '../core/operation.ts'
import type { Exchange, NodeConnections, Sink, Transport, TransportFailure } from './transport.ts'

/** What TLS needs beyond the defaults; the names are those of `node:tls`. */
export interface TlsOptions {
  /** Certificate authorities in PEM, instead of the machine's. */
  readonly ca?: string | readonly string[]
  /** Client certificate and key in PEM, for mutual TLS. */
  readonly cert?: string
  readonly key?: string
  readonly servername?: string
}

export interface UndiciSettings {
  /** Connections to one node at most; further requests wait for one. */
  readonly connections: number
  readonly connectTimeout: Millis
  readonly tls: TlsOptions
}

export function createUndiciTransport(env: Env, settings: UndiciSettings): Transport {
  // Deadlines are the caller's business: undici's own timers stay off.
  const common = {
    headersTimeout: 0,
    bodyTimeout: 0,
    pipelining: 1,
    maxHeaderSize: limits.headerBytesMax * 2,
    maxResponseSize: limits.clientAnswerBytesMax,
    connect: connectWithin(env, settings),
  }
  return {
    open: (url) => {
      const { origin, base } = splitUrl(url)
      return new UndiciConnections(
        new Pool(origin, { ...common, connections: settings.connections }),
        base,
      )
    },
    probe: (url, timeout, done) => probe(env, { url, timeout, common }, done),
  }
}

const splitUrl = (url: string): { origin: string; base: string } => {
  const { origin, pathname } = new URL(url)
  return { origin, base: pathname === '/' ? '' : pathname }
}

/** undici's connector counts coarse seconds; this one ends a connection attempt when it should. */
function connectWithin(env: Env, settings: UndiciSettings): buildConnector.connector {
  const { ca, ...tls } = settings.tls
  const connect = buildConnector({
    timeout: 0,
    ...tls,
    ...(ca === undefined ? {} : { ca: typeof ca === 'string' ? ca : [...ca] }),
  })
  return (target, callback) => {
    let over = false
    const timer = env.clock.after(settings.connectTimeout, () => {
      // A busy event loop may be late for an answer that is there already.
      env.nextTurn(() => {
        if (over) return
        over = true
        callback(
          new Error(`no connection within ${settings.connectTimeout} ms to ${target.host}`),
          null,
        )
      })
    })
    connect(target, (error, socket) => {
      timer.cancel()
      if (over) {
        socket?.destroy()
        return
      }
      over = true
      if (error === null) callback(null, socket)
      else callback(error, null)
    })
  }
}

class UndiciConnections implements NodeConnections {
  readonly #dispatcher: Dispatcher
  readonly #base: string

  constructor(dispatcher: Dispatcher, base: string) {
    this.#dispatcher = dispatcher
    this.#base = base
  }

  send(request: HttpRequest, sink: Sink): Exchange {
    const exchange = new UndiciExchange(sink)
    this.#dispatcher.dispatch(
      {
        path: this.#base + request.path,
        method: request.method as Dispatcher.HttpMethod,
        headers: request.headers as string[],
        body: request.body,
        // A node answers HEAD without a body; no need to give the connection up after it.
        reset: false,
      },
      exchange,
    )
    exchange.dispatched()
    return exchange
  }

  async close(): Promise<void> {
    await this.#dispatcher.close()
  }

  async destroy(): Promise<void> {
    await this.#dispatcher.destroy()
  }
}

/** One request's way through undici, which calls the `on…` methods. */
class UndiciExchange implements Exchange, Dispatcher.DispatchHandler {
  #sink: Sink | undefined
  #controller: Dispatcher.DispatchController | undefined
  #status = 0
  #headers: { readonly [name: string]: string | string[] | undefined } = {}
  #chunks: Buffer[] = []
  #early: TransportFailure | undefined
  #inDispatch = true

  constructor(sink: Sink) {
    this.#sink = sink
  }

  get started(): boolean {
    return this.#controller !== undefined
  }

  cancel(): void {
    if (this.#sink === undefined) return
    this.#sink = undefined
    this.#controller?.abort(new Error('cancelled'))
  }

  /** A failure inside `dispatch` is told after it: the sink is never called from inside `send`. */
  dispatched(): void {
    this.#inDispatch = false
    const early = this.#early
    if (early !== undefined) queueMicrotask(() => this.#fail(early))
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    // Cancelled while it waited for a connection: nothing leaves.
    if (this.#sink === undefined) controller.abort(new Error('cancelled'))
    else this.#controller = controller
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: { readonly [name: string]: string | string[] | undefined },
  ): void {
    this.#status = status
    this.#headers = headers
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#chunks.push(chunk)
  }

  onResponseEnd(): void {
    const sink = this.#sink
    if (sink === undefined) return
    this.#sink = undefined
    const [first] = this.#chunks
    const body =
      this.#chunks.length === 1 && first !== undefined ? first : Buffer.concat(this.#chunks)
    sink.answered({ status: this.#status, headers: this.#headers, body })
  }

  onResponseError(_controller: unknown, error: Error): void {
    const failure = this.#describe(error)
    if (this.#inDispatch) this.#early = failure
    else this.#fail(failure)
  }

  #fail(failure: TransportFailure): void {
    const sink = this.#sink
    this.#sink = undefined
    sink?.failed(failure)
  }

  #describe(error: Error): TransportFailure {
    const code = String((error as { code?: unknown }).code ?? '')
    const about = { message: error.message || code, cause: error }
    if (code === 'UND_ERR_INVALID_ARG') return { kind: 'unsendable', ...about }
    if (this.#controller === undefined) return { kind: 'not-sent', ...about }
    // Within a body the parser complains of a connection that ended early, before it of other talk.
    const noHttp = error.name === 'HTTPParserError' && this.#status === 0
    const garbled = noHttp || code === 'UND_ERR_RES_EXCEEDED_MAX_SIZE'
    return { kind: garbled ? 'garbled' : 'lost', ...about }
  }
}

interface Probe {
  readonly url: string
  readonly timeout: Millis
  readonly common: Client.Options
}

function probe(
  env: Env,
  { url, timeout, common }: Probe,
  done: (alive: boolean) => void,
): Exchange {
  const { origin, base } = splitUrl(url)
  const connections = new UndiciConnections(new Client(origin, common), base)
  let over = false
  const finish = (alive: boolean | undefined): void => {
    if (over) return
    over = true
    timer.cancel()
    // Its own end tells nobody anything: the verdict is already given.
    connections.destroy().catch(() => undefined)
    if (alive !== undefined) done(alive)
  }
  const timer = env.clock.after(timeout, () => env.nextTurn(() => finish(false)))
  const exchange = connections.send(
    {
      method: 'GET',
      path: '/livez',
      headers: ['shoal-timeout', String(millis(timeout))],
      body: null,
    },
    // Whatever the status, somebody is there.
    { answered: () => finish(true), failed: () => finish(false) },
  )
  return {
    get started() {
      return exchange.started
    },
    cancel: () => finish(undefined),
  }
}
