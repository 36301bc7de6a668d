/** Stand-ins for what the HTTP face is handed, and a node face that tests can talk to. */
import type {
  BucketProperties,
  Buckets,
  Done,
  EffectiveConsistency,
  Explanation,
  KeyRequest,
  KeyValue,
  ListAnswer,
  ListRequest,
  LiveValue,
  ReadAnswer,
  ReadRequest,
  Receipt,
  RequestReport,
  Trace,
  WriteAnswer,
  WriteRequest,
} from '@shoal/coordinator'
import { createSystemEnv, type Env, type Millis, millis, nodeId, ShoalError } from '@shoal/kernel'
import { Registry } from 'prom-client'
import type { BackupView } from '../../src/backup-view.ts'
import { EventHub } from '../../src/events/event-hub.ts'
import type { HintsView } from '../../src/hints-view.ts'
import { createHttpApp } from '../../src/http/app.ts'
import type {
  Admission,
  ClusterView,
  HttpApp,
  HttpLimits,
  Listening,
  Log,
} from '../../src/http/ports.ts'
import type { HealthState } from '../../src/http/schemas/state.ts'
import { Jobs } from '../../src/jobs.ts'
import type { RepairsView } from '../../src/repairs-view.ts'
import type { Audit } from '../../src/security/audit.ts'
import type { TlsIdentity } from '../../src/security/certificate.ts'
import type { Gate } from '../../src/security/scopes.ts'
import type { SlowLog } from '../../src/slow-log.ts'

interface Stored {
  readonly values: LiveValue[]
  /** Numbers of the writes that this key has seen. */
  seen: number[]
}

const receipt: Receipt = {
  n: 3,
  need: 2,
  ack: 3,
  primaries: 3,
  fallbacks: 0,
  hinted: 0,
  repaired: 0,
  epoch: 1,
  node: nodeId('n1'),
}

/** One replica that keeps siblings as the real one does, with contexts that people can read. */
export class MemoryKeyValue implements KeyValue {
  readonly #keys = new Map<string, Stored>()
  #writes = 0
  /** Every request as the face handed it over. */
  readonly reads: ReadRequest[] = []
  readonly written: WriteRequest[] = []
  readonly lists: ListRequest[] = []
  readonly traces = new Map<string, Trace>()
  remember = true
  /** When set, answers wait until it is called. */
  #held: (() => void)[] | undefined
  /** Given instead of an answer, once for each request. */
  failure: ShoalError | Error | undefined
  /** Comes with every answer. */
  report: RequestReport | undefined
  now = 1_700_000_000_000

  /** Holds every answer back until the returned function is called. */
  hold(): { release(): void; waiting(): number } {
    const held: (() => void)[] = []
    this.#held = held
    return {
      release: () => {
        this.#held = undefined
        for (const answer of held) answer()
      },
      waiting: () => held.length,
    }
  }

  read(request: ReadRequest, done: Done<ReadAnswer>): void {
    if (this.remember) this.reads.push(request)
    this.#later(() =>
      done(
        this.#failureOr(() => this.#read(request)),
        this.report,
      ),
    )
  }

  write(request: WriteRequest, done: Done<WriteAnswer>): void {
    if (this.remember) this.written.push(request)
    this.#later(() =>
      done(
        this.#failureOr(() => this.#write(request)),
        this.report,
      ),
    )
  }

  async list({ bucket, prefix, after, limit, consistency }: ListRequest): Promise<ListAnswer> {
    if (this.remember) {
      this.lists.push({
        bucket,
        prefix,
        after,
        limit,
        timeout: millis(0),
        ...(consistency && { consistency }),
      })
    }
    const start = `${bucket}\0`
    const keys = [...this.#keys]
      .filter(([name, { values }]) => name.startsWith(start + prefix) && values.length > 0)
      .map(([name]) => name.slice(start.length))
      .sort((one, other) => Buffer.compare(Buffer.from(one), Buffer.from(other)))
      .filter((key) => Buffer.compare(Buffer.from(key), Buffer.from(after)) > 0)
    const page = keys.slice(0, limit)
    return {
      keys: page,
      more: keys.length > limit,
      consistency: { level: 'one', n: 3, r: 1, w: 1, durable: 1, strict: false },
    }
  }

  async explain(bucket: string, key: string): Promise<Explanation> {
    const stored = this.#keys.get(`${bucket}\0${key}`)
    return {
      token: '00000000000000ff',
      partition: 0,
      preferenceList: [nodeId('n1')],
      fallbacks: [],
      holders: [
        {
          node: nodeId('n1'),
          role: 'primary',
          etag: '',
          dots: [],
          state: stored ? 'value' : 'absent',
        },
      ],
      hintsOwed: 0,
    }
  }

  async trace(id: string): Promise<Trace | undefined> {
    return this.traces.get(id)
  }

  /** Puts a value beside what is there. */
  addSibling(bucket: string, key: string, parts: Partial<LiveValue> & { body: Buffer }): LiveValue {
    const stored = this.#stored(bucket, key)
    const value = this.#value(parts, ++this.#writes)
    stored.values.push(value)
    stored.seen.push(this.#writes)
    return value
  }

  #later(answer: () => void): void {
    if (this.#held !== undefined) this.#held.push(answer)
    else queueMicrotask(answer)
  }

  #failureOr<Answer>(answer: () => Answer): Answer | ShoalError {
    const { failure } = this
    if (failure === undefined) return answer()
    this.failure = undefined
    return failure as ShoalError
  }

  #stored(bucket: string, key: string): Stored {
    const name = `${bucket}\0${key}`
    let stored = this.#keys.get(name)
    if (stored === undefined) {
      stored = { values: [], seen: [] }
      this.#keys.set(name, stored)
    }
    return stored
  }

  #value(parts: Partial<LiveValue> & { body: Buffer }, write: number): LiveValue {
    return {
      etag: etagOf(write),
      contentType: 'application/octet-stream',
      contentEncoding: '',
      modified: millis(this.now),
      ...parts,
    }
  }

  #read(request: ReadRequest): ReadAnswer {
    const { values, seen } = this.#keys.get(`${request.bucket}\0${request.key}`) ?? nothing
    return {
      ...this.#common(request, seen),
      receipt,
      values,
      etag: etagOfAll(values),
      modified: millis(Math.max(0, ...values.map(({ modified }) => modified))),
    }
  }

  #write(request: WriteRequest): WriteAnswer {
    const stored = this.#stored(request.bucket, request.key)
    const known = request.context === '' ? stored.seen : seenIn(request.context)
    const kept = stored.values.filter(({ etag }) => !known.some((write) => etagOf(write) === etag))
    stored.values.length = 0
    stored.values.push(...kept)
    const write = ++this.#writes
    if (request.operation === 'put') {
      const { contentType, contentEncoding, body } = request
      stored.values.push(this.#value({ contentType, contentEncoding, body }, write))
    }
    stored.seen = [...new Set([...known, ...stored.seen, write])].slice(-4)
    return {
      ...this.#common(request, [...known, write].slice(-4)),
      receipt: { ...receipt, durable: 3, ...(request.precondition && { precondition: 'checked' }) },
      etag: etagOfAll(stored.values),
      modified: millis(this.now),
      siblings: stored.values.length,
    }
  }

  #common(request: KeyRequest, seen: readonly number[]) {
    return {
      context: contextOf(seen),
      session: request.session === '' ? '' : `s1.${seen.join('-')}`,
      consistency: effective(request),
      ...(request.explain && { traceId: 'trace-1' }),
    }
  }
}

const nothing: Stored = { values: [], seen: [] }
const etagOf = (write: number): string => `"w${write}"`
const etagOfAll = (values: readonly LiveValue[]): string => {
  const [only] = values
  if (only === undefined || values.length === 1) return only?.etag ?? ''
  return `"${values.length}.${values.map(({ etag }) => etag.slice(1, -1)).join('.')}"`
}
export const contextOf = (seen: readonly number[]): string => `c1.${seen.join('-')}`
const seenIn = (context: string): number[] => context.slice(3).split('-').map(Number)

function effective({ consistency }: KeyRequest): EffectiveConsistency {
  const level = consistency?.level ?? 'quorum'
  const replicas = { one: 1, quorum: 2, all: 3 }[level]
  const w = consistency?.w ?? replicas
  return {
    level,
    n: 3,
    r: consistency?.r ?? replicas,
    w,
    durable: consistency?.durable ?? w,
    strict: consistency?.strict ?? false,
  }
}

export const bucketDefaults: BucketProperties = {
  n: 3,
  consistency: { level: 'quorum', strict: false },
  conflicts: 'siblings',
  blindWrites: 'overwrite',
  ttl: 0,
  maxSiblings: 50,
  mode: 'leaderless',
}

export class MemoryBuckets implements Buckets {
  readonly #own = new Map<string, BucketProperties>()
  readonly defaults = bucketDefaults

  of(bucket: string): BucketProperties {
    return this.#own.get(bucket) ?? this.defaults
  }

  async all() {
    return [...this.#own]
      .map(([name, properties]) => ({ name, properties }))
      .sort((one, other) => (one.name < other.name ? -1 : 1))
  }

  async get(bucket: string): Promise<BucketProperties> {
    return this.of(bucket)
  }

  async put(bucket: string, properties: BucketProperties): Promise<void> {
    this.#own.set(bucket, properties)
  }

  async delete(bucket: string): Promise<void> {
    this.#own.delete(bucket)
  }
}

const health = {
  status: 'healthy',
  verdict: 'healthy: can lose 1 node',
  nodesUp: 3,
  nodesTotal: 3,
  warnings: [],
} as const

export class FixedCluster implements ClusterView {
  unready: ShoalError | undefined
  unavailable = false

  ring() {
    return {
      epoch: 1,
      partitions: 8,
      replicas: 3,
      members: ['n1', 'n2', 'n3'].map((id) => ({ id, url: `http://${id}`, weight: 1 })),
      table: Array.from({ length: 8 }, () => ['n1', 'n2', 'n3']),
    }
  }

  cluster() {
    return {
      id: 'c0ffee',
      node: 'n1',
      version: '0.1.0',
      epoch: 1,
      partitions: 8,
      replicas: 3,
      nodes: 3,
      health: this.health(),
    }
  }

  async nodes() {
    const about = { id: 'n1', url: 'http://n1', state: 'up', version: '0.1.0' }
    return [{ ...about, uptimeMs: 5, load: 0, problems: [] }]
  }

  health(): HealthState {
    if (!this.unavailable) return { ...health, warnings: [] }
    const verdict = 'unavailable: 2 of 3 nodes are down'
    return { ...health, status: 'unavailable', verdict, nodesUp: 1, warnings: [] }
  }

  notReady(): ShoalError | undefined {
    return this.unready
  }
}

export class Lines implements Log {
  readonly lines: { readonly level: string; readonly details: object; readonly message: string }[] =
    []
  info = (details: object, message: string) =>
    void this.lines.push({ level: 'info', details, message })
  warn = (details: object, message: string) =>
    void this.lines.push({ level: 'warn', details, message })
  error = (details: object, message: string) =>
    void this.lines.push({ level: 'error', details, message })
}

/** One hint, and a wait for it that is half over. */
export function fixedHints(jobs: Jobs): HintsView {
  const target = { node: 'n2', count: 1, bytes: 100, oldestMs: 5, dirtyPartitions: 0 }
  const state = { total: 1, bytes: 100, oldestMs: 5, targets: [target] }
  const status = { state: 'running', progress: 0.5, etaMs: 10, detail: 'half' } as const
  return {
    own: () => state,
    cluster: async () => ({ ...state, silent: ['n3'] }),
    sync: () => jobs.add('hint-sync', () => status),
  }
}

/** Partition 3 is held, with one row. */
export const fixedBackup: BackupView = {
  digests: (partition) => {
    if (partition !== 3) throw new ShoalError('SHOAL_QUERY_INVALID', 'no copy of it here')
    return Buffer.alloc(8_192, 7)
  },
  page: async () => ({
    rows: [{ rowKey: Buffer.from('12345678b\0k'), row: Buffer.from('row') }],
    damaged: 0,
    after: undefined,
  }),
  restore: async (rows) =>
    rows.map(({ row }) =>
      row.toString() === 'bad' ? new ShoalError('SHOAL_ROW_DAMAGED', 'bad row') : undefined,
    ),
}

export function fixedRepairs(jobs: Jobs): RepairsView {
  let paused = false
  const status = { state: 'running', progress: 0.25, etaMs: 30, detail: '1 of 4 steps' } as const
  const state = () => ({
    debt: {
      ...{ ageMs: 7, oldestUnverifiedMs: 7, divergentSegments: 1, unverified: 2 },
      ...{ hintBytes: 0, oldestHintMs: 0 },
    },
    budget: {
      bytesPerSecond: paused ? 0 : 1_000,
      paused,
      quiet: false,
      quietHours: [],
      waitingBytes: 0,
    },
    ...{ pairs: 4, exchanging: 1, exchanges: 9, pulled: 2, pushed: 3, healed: 1, unhealed: 0 },
    lostPartitions: [3],
    tombstones: 5,
    jobs: jobs.all(),
  })
  const set = (value: boolean) => () => {
    paused = value
    return state()
  }
  return {
    state,
    cluster: async () => ({ debt: state().debt, nodes: [], silent: ['n3'] }),
    start: () => jobs.add('repair', () => status),
    pause: set(true),
    resume: set(false),
    prove: async (_bucket, _key, nodes) =>
      nodes.map((node) => ({
        ...{ node, verdict: 'proven', digest: 'ab', root: 'cd', others: 1, code: undefined },
      })),
  }
}

export interface Face extends Listening {
  readonly app: HttpApp
  readonly keyValue: MemoryKeyValue
  readonly buckets: MemoryBuckets
  readonly cluster: FixedCluster
  readonly admission: Admission & { refusal: ShoalError | undefined }
  readonly metrics: Registry
  readonly events: EventHub
  readonly log: Lines
  readonly halts: Error[]
}

/** A listening face over stand-ins. */
export async function openFace(
  options: {
    limits?: Partial<HttpLimits>
    env?: Env
    port?: number
    gate?: Gate
    audit?: Audit
    tls?: TlsIdentity
    slow?: (env: Env, log: Log) => SlowLog
  } = {},
): Promise<Face> {
  const halts: Error[] = []
  const parts = {
    keyValue: new MemoryKeyValue(),
    buckets: new MemoryBuckets(),
    cluster: new FixedCluster(),
    admission: {
      refusal: undefined as ShoalError | undefined,
      admit() {
        return this.refusal
      },
    },
    metrics: new Registry(),
    log: new Lines(),
  }
  const env = options.env ?? createSystemEnv((reason) => void halts.push(reason))
  const jobs = new Jobs(env)
  const hints = fixedHints(jobs)
  const events = new EventHub({ env, node: nodeId('n1') })
  const app = await createHttpApp({
    ...parts,
    env,
    jobs,
    hints,
    events,
    repairs: fixedRepairs(jobs),
    backup: fixedBackup,
    version: '0.1.0',
    ...(options.limits && { limits: options.limits }),
    ...(options.gate && { gate: options.gate }),
    ...(options.audit && { audit: options.audit }),
    ...(options.tls && { tls: options.tls }),
    ...(options.slow && { slow: options.slow(env, parts.log) }),
  })
  const listening = await app.listen('127.0.0.1', options.port ?? 0)
  return { ...listening, ...parts, events, app, halts }
}

export type { Millis }
