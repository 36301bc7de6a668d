import { type Env, limits, millis, ShoalError, seconds, type Timer } from '@shoal/kernel'
import { type KnownBuckets, SYSTEM_BUCKET } from './bucket-wait.ts'
import type { Coordinator } from './coordinator.ts'
import { formatProperties, parseProperties } from './core/bucket-properties.ts'
import { listVersions } from './listing.ts'
import type { BucketProperties, Buckets, Consistency, ReadAnswer, WriteAnswer } from './requests.ts'

const QUORUM: Consistency = { level: 'quorum', strict: false }
const TIMEOUT = seconds(5)
const PAGE_KEYS = 500

interface Known {
  readonly version: Buffer
  readonly properties: BucketProperties
}

export interface BucketsParts {
  readonly env: Env
  readonly defaults: BucketProperties
  /** What this node knew when it stopped; undefined on a disk that never knew anything. */
  readonly remembered: ReadonlyMap<string, BucketProperties> | undefined
  /** Told after each change, to be kept for the next start. */
  readonly remember: (properties: ReadonlyMap<string, BucketProperties>) => void
}

/**
 * Bucket properties are ordinary values of a system bucket: replicated, repaired and listed like
 * any other. Every node looks for changed versions every two seconds and reads only those, so that
 * a change holds everywhere within 5 s while a quorum can be reached. A node that cannot reach one
 * goes on with what it knew.
 */
export class BucketRegistry implements Buckets, KnownBuckets {
  readonly defaults: BucketProperties
  readonly #env: Env
  readonly #remember: BucketsParts['remember']
  readonly #system: BucketProperties
  #known = new Map<string, Known>()
  #coordinator: Coordinator | undefined
  #timer: Timer | undefined
  #closed = false
  #isKnown: boolean
  readonly #waiting = new Set<() => void>()

  constructor({ env, defaults, remembered, remember }: BucketsParts) {
    this.#env = env
    this.defaults = defaults
    this.#remember = remember
    this.#system = {
      ...defaults,
      consistency: QUORUM,
      conflicts: 'lww',
      blindWrites: 'overwrite',
      ttl: 0,
      durability: 'fsync',
    }
    this.#isKnown = remembered !== undefined
    for (const [name, properties] of remembered ?? []) {
      this.#known.set(name, { version: NO_VERSION, properties })
    }
  }

  of(bucket: string): BucketProperties {
    const known = this.#known.get(bucket)
    if (known) return known.properties
    return bucket === SYSTEM_BUCKET ? this.#system : this.defaults
  }

  /** Whether this disk was ever told which buckets there are. */
  get isKnown(): boolean {
    return this.#isKnown
  }

  whenKnown(work: () => void): () => void {
    if (this.#isKnown) work()
    else this.#waiting.add(work)
    return () => void this.#waiting.delete(work)
  }

  /** Begins to follow the system bucket. */
  follow(coordinator: Coordinator): void {
    this.#coordinator = coordinator
    this.#schedule(millis(0))
  }

  close(): void {
    this.#closed = true
    this.#timer?.cancel()
  }

  async all(): Promise<readonly { name: string; properties: BucketProperties }[]> {
    await this.refresh()
    return [...this.#known]
      .map(([name, { properties }]) => ({ name, properties }))
      .sort((one, other) => (one.name < other.name ? -1 : 1))
  }

  async get(bucket: string): Promise<BucketProperties> {
    return (await this.#read(bucket)) ?? this.defaults
  }

  async put(bucket: string, properties: BucketProperties): Promise<void> {
    if (!this.#known.has(bucket) && this.#known.size >= limits.bucketsMax) {
      throw new ShoalError(
        'SHOAL_BUCKETS_FULL',
        `${limits.bucketsMax} buckets have properties of their own already.`,
        { wanted: limits.bucketsMax, got: this.#known.size },
      )
    }
    await this.#write(bucket, 'put', Buffer.from(formatProperties(properties)))
    if (!this.#isKnown) return await this.refresh()
    this.#learn(new Map(this.#known).set(bucket, { version: NO_VERSION, properties }))
  }

  async delete(bucket: string): Promise<void> {
    await this.#write(bucket, 'delete', Buffer.alloc(0))
    if (!this.#isKnown) return await this.refresh()
    const known = new Map(this.#known)
    known.delete(bucket)
    this.#learn(known)
  }

  /** Reads what has changed since the last time. */
  async refresh(): Promise<void> {
    const listed = await this.#listVersions()
    const known = new Map<string, Known>()
    for (const [name, version] of listed) {
      const before = this.#known.get(name)
      if (before?.version.equals(version)) {
        known.set(name, before)
        continue
      }
      const properties = await this.#read(name)
      if (properties) known.set(name, { version, properties })
    }
    this.#learn(known)
  }

  #learn(known: Map<string, Known>): void {
    const before = this.#known
    const wasKnown = this.#isKnown
    this.#known = known
    this.#isKnown = true
    const same =
      wasKnown &&
      before.size === known.size &&
      [...known].every(([name, { properties }]) => before.get(name)?.properties === properties)
    if (same) return
    this.#remember(new Map([...known].map(([name, { properties }]) => [name, properties])))
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const work of waiting) work()
  }

  #schedule(delay: ReturnType<typeof millis>): void {
    if (this.#closed) return
    this.#timer = this.#env.clock.after(delay, () => {
      // A refresh that finds no quorum is no failure of this node: it looks again in two seconds.
      this.refresh()
        .catch((error: unknown) => {
          if (!(error instanceof ShoalError)) this.#env.halt(error as Error)
        })
        .finally(() => {
          this.#schedule(this.#isKnown ? limits.bucketRefresh : limits.bucketRefreshFirst)
        })
    })
  }

  async #listVersions(): Promise<Map<string, Buffer>> {
    const { desk } = this.#started()
    const versions = new Map<string, Buffer>()
    const n = Math.min(this.#system.n, desk.ring().copies)
    const need = Math.floor(n / 2) + 1
    let after: string | undefined = ''
    while (after !== undefined && versions.size < limits.bucketsMax) {
      const page: Awaited<ReturnType<typeof listVersions>> = await listVersions(desk, {
        bucket: SYSTEM_BUCKET,
        prefix: '',
        after,
        limit: PAGE_KEYS,
        n,
        need,
        deadline: millis(this.#env.clock.elapsed() + TIMEOUT),
      })
      for (const { key, version } of page.keys) versions.set(key, version)
      after = page.next
    }
    return versions
  }

  async #read(bucket: string): Promise<BucketProperties | undefined> {
    const answer = await new Promise<ReadAnswer>((resolve, reject) => {
      this.#started().read(
        {
          bucket: SYSTEM_BUCKET,
          key: bucket,
          consistency: QUORUM,
          session: '',
          timeout: TIMEOUT,
          explain: false,
        },
        (result) => (result instanceof ShoalError ? reject(result) : resolve(result)),
      )
    })
    const value = answer.values[0]
    return value && parseProperties(value.body.toString(), this.defaults)
  }

  async #write(bucket: string, operation: 'put' | 'delete', body: Buffer): Promise<void> {
    await new Promise<WriteAnswer>((resolve, reject) => {
      this.#started().write(
        {
          operation,
          bucket: SYSTEM_BUCKET,
          key: bucket,
          consistency: QUORUM,
          session: '',
          timeout: TIMEOUT,
          explain: false,
          context: '',
          idempotencyKey: '',
          body,
          contentType: 'application/json',
          contentEncoding: '',
          ttl: 0,
        },
        (result) => (result instanceof ShoalError ? reject(result) : resolve(result)),
      )
    })
  }

  #started(): Coordinator {
    if (!this.#coordinator) {
      throw new ShoalError('SHOAL_DRAINING', 'This node has not started to serve.', {
        retryAfterMs: 1_000,
      })
    }
    return this.#coordinator
  }
}

const NO_VERSION = Buffer.alloc(0)
