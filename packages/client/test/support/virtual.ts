/** A client on virtual time over a network that does what the test says. */
import { createTestEnv, type Millis, millis, type TestEnv } from '@shoal/kernel'
import type { HttpRequest } from '../../src/core/operation.ts'
import { type Client, type ConnectOptions, connect } from '../../src/index.ts'
import type {
  Exchange,
  NodeConnections,
  Sink,
  Transport,
  TransportFailure,
} from '../../src/shell/transport.ts'

/** A request that left, and what may become of it. */
export class Sent implements Exchange {
  readonly url: string
  readonly request: HttpRequest
  readonly #sink: Sink
  started = true
  cancelled = false
  over = false

  constructor(url: string, request: HttpRequest, sink: Sink) {
    this.url = url
    this.request = request
    this.#sink = sink
  }

  header(name: string): string | undefined {
    const at = this.request.headers.indexOf(name)
    return at < 0 ? undefined : this.request.headers[at + 1]
  }

  get json(): {
    readonly operations: readonly { readonly key: string; readonly idempotencyKey?: string }[]
  } {
    return JSON.parse(String(this.request.body))
  }

  answer(status: number, headers: Record<string, string> = {}, body: string | object = ''): void {
    this.over = true
    const text = typeof body === 'string' ? body : JSON.stringify(body)
    this.#sink.answered({ status, headers, body: Buffer.from(text) })
  }

  refuse(status: number, problem: object, headers: Record<string, string> = {}): void {
    const type = { 'content-type': 'application/problem+json' }
    this.answer(status, { ...type, ...headers }, { status, ...problem })
  }

  fail(kind: TransportFailure['kind'], message = 'as told'): void {
    this.over = true
    this.#sink.failed({ kind, message })
  }

  cancel(): void {
    this.cancelled = true
  }
}

export class Probe implements Exchange {
  readonly url: string
  readonly timeout: Millis
  readonly #done: (alive: boolean) => void
  readonly started = true
  cancelled = false

  constructor(url: string, timeout: Millis, done: (alive: boolean) => void) {
    this.url = url
    this.timeout = timeout
    this.#done = done
  }

  end(alive: boolean): void {
    if (!this.cancelled) this.#done(alive)
  }

  cancel(): void {
    this.cancelled = true
  }
}

export class VirtualNetwork implements Transport {
  readonly #env: TestEnv
  readonly sent: Sent[] = []
  readonly probes: Probe[] = []
  closed = 0
  /** Answers requests as they leave; undefined leaves them to the test. */
  respond: ((sent: Sent) => void) | undefined

  constructor(env: TestEnv) {
    this.#env = env
  }

  open(url: string): NodeConnections {
    return {
      send: (request, sink) => {
        const sent = new Sent(url, request, sink)
        this.sent.push(sent)
        this.#env.nextTurn(() => this.respond?.(sent))
        return sent
      },
      close: async () => void this.closed++,
      destroy: async () => void this.closed++,
    }
  }

  probe(url: string, timeout: Millis, done: (alive: boolean) => void): Exchange {
    const probe = new Probe(url, timeout, done)
    this.probes.push(probe)
    return probe
  }

  /** Requests that wait for the test, oldest first. */
  get waiting(): readonly Sent[] {
    return this.sent.filter(({ over, cancelled }) => !over && !cancelled)
  }

  get last(): Sent {
    return this.sent.at(-1)!
  }
}

export interface Virtual {
  readonly env: TestEnv
  readonly net: VirtualNetwork
  readonly client: Client
  /** Lets everything that is ready happen, then moves time. */
  advance(by: number): Promise<void>
}

export function startVirtual(nodes: readonly string[], options: ConnectOptions = {}): Virtual {
  const env = createTestEnv({ seed: 20_071_014 })
  const net = new VirtualNetwork(env)
  const client = connect(nodes, { env, transport: net, routing: 'seeds', hedge: false, ...options })
  const settle = async (): Promise<void> => {
    // Promise chains of the client are a few links long.
    for (let link = 0; link < 20; link++) {
      await Promise.resolve()
      env.drainTurns()
    }
  }
  return {
    env,
    net,
    client,
    advance: async (by) => {
      await settle()
      env.advance(millis(by))
      await settle()
    },
  }
}

/** The error a call rejected with; fails when it did not. */
export async function rejection(call: Promise<unknown>): Promise<Record<string, unknown>> {
  try {
    await call
  } catch (error) {
    return error as Record<string, unknown>
  }
  throw new Error('the call did not reject')
}
