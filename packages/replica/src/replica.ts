import { type Env, limits, type Millis, type Partition } from '@shoal/kernel'
import { partitionOfRowKey } from '@shoal/ring'
import { leaveCleanMarker, type Store, takeCleanMarker } from '@shoal/storage'
import { Actors } from './core/actors.ts'
import { versionDigest } from './core/apply.ts'
import { Digests } from './core/digests.ts'
import { RequestMemory } from './core/request-memory.ts'
import { Stamps } from './core/stamps.ts'
import { Tombstones } from './core/tombstones.ts'
import { VersionCache } from './core/version-cache.ts'
import {
  type DigestJournal,
  rebuildPartition,
  recoverDigests,
  suspectPartitions,
} from './digest-journal.ts'
import { DAMAGED, fetchMany } from './fetch.ts'
import { type Listing, type ListingRequest, listKeys } from './listing.ts'
import type { MergeOperation, OwedRows, PutOperation } from './operations.ts'
import { type Loss, Pipeline } from './pipeline.ts'
import { Reads, type RowSink } from './reads.ts'

export interface ReplicaOptions {
  readonly env: Env
  readonly store: Store
  /** Q, the number of partitions of the ring. */
  readonly partitions: number
  /** Bytes of the version cache. Default `limits.versionCacheBytesDefault`. */
  readonly versionCacheBytes?: number
  /** Entries of the request memory (V10). Default `limits.requestMemoryEntries`. */
  readonly requestMemoryEntries?: number
  /** How old a clean stop may be for actors to go on. Default `limits.cleanStopAgeMax`. */
  readonly cleanStopAgeMax?: Millis
  /**
   * A read, a merge or a listing found the copy of this key here damaged (V11). Not told of
   * merges that were to replace it. The key may be a view: copy it to keep it.
   */
  readonly onDamage?: (rowKey: Buffer) => void
  /** What this replica says of the partition is not to be taken for all there was (Q6). */
  readonly onLoss?: (loss: Loss) => void
  /** Where hints are kept; without it this node stands in for nobody (Q3). */
  readonly owed?: OwedRows
}

/** A segment whose digest is not that of its rows (E4). */
export interface DigestCorrection {
  readonly segment: number
  /** What it was when its rows were read; a write since then makes the finding one of the past. */
  readonly kept: bigint
  readonly rebuilt: bigint
}

export interface ReplicaFigures {
  readonly groups: number
  readonly operations: number
  readonly syncs: number
  readonly rowsLoaded: number
  readonly damaged: number
  readonly cacheHits: number
  readonly cacheMisses: number
  readonly actorsMinted: number
  /** Of these, the ones that replaced one in use: our counters were behind, or in doubt (A2). */
  readonly actorsRotated: number
  readonly stampsClamped: number
  /** Keys that are deleted and still kept (D3). About so many: a crash forgets the last of them. */
  readonly tombstones: number
  readonly queued: number
}

/** What one node holds. Knows keys, versions and its disk; not that other nodes exist. */
export class Replica {
  readonly #store: Store
  readonly #journal: DigestJournal
  readonly #actors: Actors
  readonly #cache: VersionCache
  readonly #digests: Digests
  readonly #stamps: Stamps
  readonly #pipeline: Pipeline
  readonly #reads: Reads
  readonly #partitions: number
  readonly #tombstones: Tombstones
  readonly #env: Env
  readonly #requests: RequestMemory
  readonly #onDamage: (rowKey: Buffer) => void
  /** Whether the last stop was clean and not long ago, so that actors go on (A2). */
  readonly wasClean: boolean
  /** Whether this node may stand in for primaries (Q3). */
  readonly standsIn: boolean

  private constructor(parts: Parts) {
    this.#store = parts.store
    this.#journal = parts.journal
    this.#actors = parts.actors
    this.#cache = parts.cache
    this.#digests = parts.digests
    this.#stamps = parts.stamps
    this.#pipeline = new Pipeline(parts)
    this.#reads = new Reads({ ...parts, writes: () => parts.digests.sequence })
    this.#partitions = parts.partitions
    this.#tombstones = parts.tombstones
    this.#env = parts.env
    this.#requests = parts.requests
    this.#onDamage = parts.damaged
    this.wasClean = parts.wasClean
    this.standsIn = parts.owed !== undefined
  }

  /** Takes the clean-shutdown marker, if there is one, and recovers the digests. */
  static async open(options: ReplicaOptions): Promise<Replica> {
    const { env, store, partitions } = options
    const marker = await takeCleanMarker(store)
    const ageMax = options.cleanStopAgeMax ?? limits.cleanStopAgeMax
    const kept = marker && { marker, now: env.clock.wall(), ageMax }
    const actors = new Actors(env.random('actors'), kept)
    const digests = new Digests(partitions)
    const { journal, holes } = await recoverDigests(store, digests)
    const counted = await readTombstones(store)
    const doubted = holes || env.inject('replica: digests in doubt')
    const suspect = doubted ? allOf(partitions) : await suspectPartitions(store)
    for (const partition of suspect) {
      await rebuildPartition(store, digests, { partition, partitions })
    }
    return new Replica({
      env,
      store,
      partitions,
      actors,
      digests,
      journal,
      cache: new VersionCache(options.versionCacheBytes ?? limits.versionCacheBytesDefault),
      requests: new RequestMemory({
        entries: options.requestMemoryEntries ?? limits.requestMemoryEntries,
        age: limits.requestMemoryAge,
      }),
      stamps: new Stamps(env.clock),
      tombstones: new Tombstones(partitions, counted),
      damaged: options.onDamage ?? (() => undefined),
      lost: options.onLoss ?? (() => undefined),
      owed: options.owed,
      wasClean: actors.areKept,
    })
  }

  /** Coordinates a client write. The caller made sure that this node may: it is a replica (V4). */
  put(operation: PutOperation): void {
    this.#pipeline.submit(operation)
  }

  /**
   * Whether this node coordinated the request lately (V10). @param request  as in `PutOperation`
   */
  remembers(request: Buffer): boolean {
    if (this.#env.inject('replica: memory forgets')) return false
    return this.#requests.recall(request, this.#env.clock.elapsed()) !== undefined
  }

  merge(operation: MergeOperation): void {
    this.#pipeline.submit(operation)
  }

  /** What this replica holds of a key, as a row that passed its checksums. */
  read(rowKey: Buffer, sink: RowSink): void {
    this.#reads.read(rowKey, sink)
  }

  /** The version if it is in memory; undefined says nothing about the disk. */
  cachedVersion(rowKey: Buffer): Buffer | undefined {
    if (this.#env.inject('replica: a version is not in memory')) return undefined
    return this.#cache.get(rowKey)
  }

  /** Whether to answer a question that came with a digest by the whole row, equal or not. */
  answersInFull(): boolean {
    return this.#env.inject('replica: the whole row for a digest')
  }

  /** Calls back when everything that can be read now is on disk (Q5). */
  whenDurable(done: () => void, failed: () => void): void {
    const settled = this.#pipeline.isDurable && !this.#env.inject('replica: one more sync')
    if (settled) done()
    else this.#store.sync().then(done, failed)
  }

  list(request: ListingRequest): Promise<Listing> {
    const limit = this.#env.inject('replica: a short page') ? 1 : request.limit
    const parts = { store: this.#store, partitions: this.#partitions, damaged: this.#onDamage }
    return listKeys(parts, { ...request, limit })
  }

  partitionOf(rowKey: Buffer): Partition {
    return partitionOfRowKey(rowKey, this.#partitions)
  }

  segmentDigest(partition: Partition, segment: number): bigint {
    return this.#digests.segment(partition, segment)
  }

  /** Neighbouring digests of a partition, big-endian, as many as `target` takes. */
  copyDigests(partition: Partition, first: number, target: Buffer): Buffer {
    return this.#digests.copy(partition, first, target)
  }

  digestOf(version: Buffer, rowKey: Buffer): Buffer {
    const digest = Buffer.allocUnsafe(8)
    digest.writeBigUInt64BE(versionDigest(version, rowKey.readBigUInt64BE(0)))
    return digest
  }

  /**
   * Puts digests right that are not those of their rows (E4). Each is taken only while it still is
   * what was compared. Resolves to how many were, when they are on disk; 0 on a full disk.
   */
  async correctDigests(
    partition: Partition,
    corrections: readonly DigestCorrection[],
  ): Promise<number> {
    const changes = corrections
      .filter(({ segment, kept }) => this.#digests.segment(partition, segment) === kept)
      .map(({ segment, kept, rebuilt }) => ({ partition, segment, change: kept ^ rebuilt }))
    if (changes.length === 0 || !this.#journal.correct(this.#store, changes)) return 0
    await this.#store.sync()
    return changes.length
  }

  /** A scrub has counted the deleted keys of a partition. */
  countedTombstones(partition: Partition, count: number): void {
    this.#tombstones.set(partition, count)
    this.#keepTombstones()
  }

  /** Operations waiting for a group or a read: a signal for admission (O3). */
  get queued(): number {
    return this.#pipeline.depth + this.#reads.depth
  }

  figures(): ReplicaFigures {
    const { groups, operations, syncs, rowsLoaded, damaged } = this.#pipeline.figures
    return {
      groups,
      operations,
      syncs,
      rowsLoaded,
      damaged: damaged + this.#reads.damaged,
      cacheHits: this.#cache.hits,
      cacheMisses: this.#cache.misses,
      actorsMinted: this.#actors.minted,
      actorsRotated: this.#actors.rotated,
      stampsClamped: this.#stamps.clamped,
      tombstones: this.#tombstones.total,
      queued: this.queued,
    }
  }

  /** Ends what was submitted, then leaves the marker that lets the actors go on (A2). */
  async close(): Promise<void> {
    await this.#pipeline.drained()
    this.#keepTombstones()
    await leaveCleanMarker(this.#store, this.#actors.encode(this.#env.clock.wall()))
  }

  /** Without a sync of its own: it is a number for people. */
  #keepTombstones(): void {
    const batch = this.#store.batch()
    batch.put('meta', TOMBSTONES_KEY, this.#tombstones.encode())
    this.#store.write(batch)
  }
}

const TOMBSTONES_KEY = Buffer.from('tombstones')

/** A number for people: no node fails to start over it. */
async function readTombstones(store: Store): Promise<Buffer | undefined> {
  const [record] = await fetchMany(store, 'meta', [TOMBSTONES_KEY])
  return record === DAMAGED ? undefined : record
}

const allOf = (partitions: number): Partition[] =>
  Array.from({ length: partitions }, (_none, index) => index as Partition)

interface Parts {
  readonly env: Env
  readonly store: Store
  readonly partitions: number
  readonly actors: Actors
  readonly digests: Digests
  readonly journal: DigestJournal
  readonly cache: VersionCache
  readonly requests: RequestMemory
  readonly stamps: Stamps
  readonly tombstones: Tombstones
  readonly damaged: (rowKey: Buffer) => void
  readonly lost: (loss: Loss) => void
  readonly owed: OwedRows | undefined
  readonly wasClean: boolean
}
