import { createSystemEnv, type Env, limits, millis } from '@shoal/kernel'
import { mediaTypes, newSession } from '@shoal/wire'
import { headerOf, jsonOf } from './core/answer.ts'
import { faultOfCount } from './core/check.ts'
import { formatConsistency } from './core/consistency.ts'
import { headers } from './core/headers.ts'
import type { PlainOperation } from './core/operation.ts'
import { nodeUrl } from './core/ring-view.ts'
import { badOption } from './errors.ts'
import { KeyValue } from './key-value.ts'
import type { CallOptions, ConnectOptions } from './options.ts'
import { Caller, type CallerParts } from './shell/caller.ts'
import { Calls, type RetrySettings } from './shell/calls.ts'
import { RequestIds } from './shell/ids.ts'
import { refuse } from './shell/make-operation.ts'
import { type NodeStatus, Nodes } from './shell/nodes.ts'
import { RingFollower } from './shell/ring-follower.ts'
import { BatchSender, SingleSender } from './shell/senders.ts'
import { SessionGate } from './shell/session-gate.ts'
import { createUndiciTransport, type UndiciSettings } from './shell/undici.ts'

export interface ClientStatus {
  /** Epoch of the ring in use, undefined while the client has none. */
  readonly ringEpoch: number | undefined
  /** Why the last fetch of the ring brought none, undefined when it did. */
  readonly ringProblem: string | undefined
  readonly nodes: readonly NodeStatus[]
  readonly openCalls: number
}

/** The answer of any other route. */
export interface ApiAnswer<T> {
  readonly status: number
  /** Where a job that was begun can be followed. */
  readonly location: string | undefined
  /** The parsed JSON, undefined when there was none. */
  readonly body: T
}

interface Engine {
  readonly env: Env
  readonly nodes: Nodes
  readonly calls: Calls
  readonly ring: RingFollower
  readonly caller: Caller
}

/**
 * A client of one cluster. Safe to share: make one for each process, and `close` it at the end.
 *
 * Calls go to a node that holds the key, to others when that one fails; writes are repeated only
 * under their idempotency key. At most 10 % of calls are retries, 5 % of reads hedges, on top of a
 * small burst.
 */
export class Client extends KeyValue {
  readonly #engine: Engine
  #closing: Promise<void> | undefined

  /** Not for callers: use `connect`. */
  constructor(engine: Engine) {
    super(engine.env, engine.caller)
    this.#engine = engine
  }

  /**
   * The same operations, gathered: what one turn of the event loop asks of the same node travels as
   * one batch. Cheaper for both ends under many concurrent calls; each call then waits for the
   * slowest of its batch. Calls with preconditions and values above 64 KiB travel alone.
   */
  get pipeline(): KeyValue {
    const { env, caller } = this.#engine
    return new KeyValue(env, caller.with({ batched: true }))
  }

  /**
   * A session: its reads see its own writes and never go back in time, key by key, through any
   * node. Nothing is promised across keys. At most 8 requests of one session are on the way at a
   * time.
   *
   * @param token  of an earlier session, to go on with it: `session.token`
   */
  session(token?: string): Session {
    const tokens = (token ?? '').split(',').map((part) => part.trim())
    const gate = new SessionGate(tokens.filter((part) => part !== '' && part !== newSession))
    const { env, caller } = this.#engine
    return new Session(env, caller.with({ session: gate }), gate)
  }

  /**
   * Waits until the fetch of the ring that `connect` began has ended. No call needs it: it saves
   * the first ones a forward.
   *
   * @returns whether the client has a ring
   */
  async ready(): Promise<boolean> {
    await this.#engine.ring.settled()
    return this.#engine.ring.view !== undefined
  }

  /** Asks any other route of the API, in JSON. A POST is not repeated once it may have arrived. */
  async api<T = unknown>(
    method: 'GET' | 'POST' | 'PUT' | 'DELETE',
    path: string,
    options: CallOptions & { readonly body?: unknown } = {},
  ): Promise<ApiAnswer<T>> {
    const { caller } = this.#engine
    const operation: PlainOperation = {
      op: 'plain',
      method,
      path,
      write: method !== 'GET',
      consistency: formatConsistency(options.consistency),
      contentType: options.body === undefined ? '' : mediaTypes.json,
      body: options.body === undefined ? '' : JSON.stringify(options.body),
    }
    return caller.ask(operation, options, (answer) => ({
      status: answer.status,
      location: headerOf(answer, headers.location) || undefined,
      body: jsonOf(answer) as T,
    }))
  }

  /** What the client knows of the cluster right now. Asks nobody. */
  status(): ClientStatus {
    const { ring, nodes, calls } = this.#engine
    return {
      ringEpoch: ring.view?.epoch,
      ringProblem: ring.problem,
      nodes: nodes.status(),
      openCalls: calls.open,
    }
  }

  /** Takes no further calls, waits for those that are open, then closes all connections. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    await this.#engine.calls.close()
    await this.#engine.nodes.close()
  }

  /** Ends all open calls as aborted and breaks off their connections. */
  async destroy(): Promise<void> {
    this.#engine.calls.abortAll()
    await this.#engine.nodes.destroy()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

/** A session; see `Client.session`. */
export class Session extends KeyValue {
  readonly #gate: SessionGate

  /** Not for callers: use `Client.session`. */
  constructor(env: Env, caller: Caller, gate: SessionGate) {
    super(env, caller)
    this.#gate = gate
  }

  /**
   * What the session has seen so far, to go on with it elsewhere. Empty before its first answer.
   */
  get token(): string {
    return this.#gate.tokens.join(', ')
  }
}

/**
 * Makes a client. Returns at once; the ring is fetched in the background, and until it is there
 * calls go through the seeds.
 *
 * @param seeds  URLs of one or more nodes; `host:port` means http
 * @throws BadRequest when a seed is no URL or an option is out of bounds
 */
export function connect(seeds: string | readonly string[], options: ConnectOptions = {}): Client {
  const urls = seedUrls(seeds)
  checkOptions(options)
  const env = options.env ?? createSystemEnv(rethrow)
  const transport = options.transport ?? createUndiciTransport(env, undiciSettings(options))
  const nodes = new Nodes({ env, transport }, { silence: millis(300), probeTimeout: millis(400) })
  const single = new SingleSender(authorizationOf(options.token))
  const timeout = millis(options.timeoutMs ?? TIMEOUT_DEFAULT)
  const ring: RingFollower = new RingFollower(
    {
      env,
      nodes,
      fetch: (operation) => {
        const settings = { timeout: RING_TIMEOUT, signal: undefined, session: undefined }
        return calls.run(operation, { ...settings, sender: single, errand: true })
      },
    },
    { seeds: urls, enabled: options.routing !== 'seeds' },
  )
  const calls = new Calls({ env, nodes, routing: ring }, retrySettings(options))
  const parts: CallerParts = {
    calls,
    ids: new RequestIds(env.random('client/ids')),
    single,
    batching: new BatchSender(env, single),
  }
  const caller = new Caller(
    parts,
    { timeout, consistency: options.consistency },
    { batched: options.batching ?? false, session: undefined },
  )
  ring.refresh()
  return new Client({ env, nodes, calls, ring, caller })
}

const TIMEOUT_DEFAULT = 5_000
const TRY_TIMEOUT_DEFAULT = 2_000
const CONNECT_TIMEOUT_DEFAULT = 1_000
const RETRIES_DEFAULT = 5
const HEDGE_AFTER_MIN = millis(10)
const RING_TIMEOUT = millis(2_000)

/** A broken invariant ends in the caller's hands: this is not our process to stop. */
function rethrow(reason: Error): never {
  throw reason
}

function seedUrls(seeds: string | readonly string[]): readonly string[] {
  const list = typeof seeds === 'string' ? [seeds] : seeds
  if (list.length === 0) throw badOption('connect needs the URL of at least one node')
  const urls = list.map((seed) => {
    const url = nodeUrl(seed)
    if (url === undefined) throw badOption(`${JSON.stringify(seed)} is not the URL of a node`)
    return url
  })
  return [...new Set(urls)]
}

function checkOptions(options: ConnectOptions): void {
  const bounds: readonly (readonly [keyof ConnectOptions, number, number])[] = [
    ['timeoutMs', 1, limits.timeoutMax],
    ['tryTimeoutMs', 1, limits.timeoutMax],
    ['connectTimeoutMs', 1, limits.timeoutMax],
    ['retries', 0, limits.clientTriesMax - 1],
    ['connections', 1, limits.clientConnectionsMax],
  ]
  for (const [name, min, max] of bounds) {
    const value = options[name]
    if (value !== undefined) refuse(faultOfCount(name, value as number, { min, max }))
  }
}

const undiciSettings = (options: ConnectOptions): UndiciSettings => ({
  connections: options.connections ?? limits.clientConnectionsDefault,
  connectTimeout: millis(options.connectTimeoutMs ?? CONNECT_TIMEOUT_DEFAULT),
  tls: options.tls ?? {},
})

const retrySettings = (options: ConnectOptions): RetrySettings => ({
  tryTimeout: millis(options.tryTimeoutMs ?? TRY_TIMEOUT_DEFAULT),
  triesMax: (options.retries ?? RETRIES_DEFAULT) + 1,
  hedgeAfterMin: options.hedge === false ? undefined : HEDGE_AFTER_MIN,
})

function authorizationOf(token: ConnectOptions['token']): () => string {
  if (token === undefined) return () => ''
  if (typeof token === 'string') return () => `Bearer ${token}`
  return () => `Bearer ${token()}`
}
