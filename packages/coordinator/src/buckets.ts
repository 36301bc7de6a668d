import { isDeleted } from '@shoal/causality'
import {
  type Env,
  limits,
  type Millis,
  millis,
  ShoalError,
  seconds,
  type Timer,
} from '@shoal/kernel'
import { type KnownBuckets, SYSTEM_BUCKET } from './bucket-wait.ts'
import type { Coordinator } from './coordinator.ts'
import { formatProperties, parseProperties } from './core/bucket-properties.ts'
import { listVersions } from './listing.ts'
import type { BucketProperties, Buckets, Consistency, ReadAnswer, WriteAnswer } from './requests.ts'

const QUORUM: Consistency = { level: 'quorum', strict: false }
const ALL: Consistency = { level: 'all', strict: false }
const TIMEOUT = seconds(5)
const PAGE_KEYS = 500
/** For so long a disk that knows nothing looks for all copies, not only for a majority. */
const ALL_COPIES_FOR = seconds(10)

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
  readonly #began: Millis
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
    this.#began = env.clock.elapsed()
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
    return (await this.#read(bucket, QUORUM)) ?? this.defaults
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
      const properties = await this.#readListed(name, version)
      if (properties) known.set(name, { version, properties })
    }
    await this.#keepUnlisted(listed, known)
    this.#learn(known)
  }

  /**
   * What was listed and not deleted is somewhere. A majority that does not show it has lost copies,
   * and a bucket is not taken for a default one on the word of such a majority.
   */
  async #readListed(name: string, version: Buffer): Promise<BucketProperties | undefined> {
    const properties = await this.#read(name, QUORUM)
    if (properties || isDeleted(version, this.#env.clock.wall())) return properties
    return await this.#read(name, ALL)
  }

  /**
   * A deleted bucket is listed with its tombstone. One that is not listed at all was either
   * deleted long ago or is on none of the disks that were asked, as theirs are new, late or
   * damaged. Only all copies together tell; as long as one is missing, the bucket is kept.
   */
  async #keepUnlisted(listed: ReadonlyMap<string, Buffer>, known: Map<string, Known>) {
    let isWhole = true
    for (const [name, before] of this.#known) {
      if (listed.has(name)) continue
      const found = isWhole ? await this.#read(name, ALL).catch(unlessRefused) : 'refused'
      if (found === 'refused') isWhole = false
      const properties = found === 'refused' ? before.properties : found
      if (properties) known.set(name, { ...before, properties })
    }
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
    // A disk that has never known a bucket proves nothing by not holding one.
    const isNew = !this.#isKnown && this.#env.clock.elapsed() < this.#began + ALL_COPIES_FOR
    const need = isNew ? n : Math.floor(n / 2) + 1
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

  async #read(bucket: string, consistency: Consistency): Promise<BucketProperties | undefined> {
    const answer = await new Promise<ReadAnswer>((resolve, reject) => {
      this.#started().read(
        {
          bucket: SYSTEM_BUCKET,
          key: bucket,
          consistency,
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

/** A read that was refused says nothing. */
function unlessRefused(error: unknown): 'refused' {
  if (error instanceof ShoalError) return 'refused'
  throw error
}
