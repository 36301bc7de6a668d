import { type Env, limits, type Partition } from '@shoal/kernel'
import { segmentOfRowKey } from '@shoal/ring'
import { isDamage, rowVersion, type Store, verifyRow } from '@shoal/storage'
import type { SegmentKey } from '@shoal/wire'
import type { KeyList } from '../core/key-lists.ts'
import type { LocalReplica } from '../ports.ts'
import { type Run, rangeOf, rowPages, runsOf, segmentsOf } from './row-pages.ts'

export interface Listed extends KeyList {
  /** Bytes read from the disk. */
  readonly bytes: number
  /** Segments whose rows do not add up to their digest: to be checked. */
  readonly doubtful: readonly number[]
}

export interface ListRequest {
  readonly partition: Partition
  /** Ascending. */
  readonly segments: readonly number[]
  /** Only row keys behind this one. */
  readonly after?: Buffer | undefined
}

const NO_DIGEST = Buffer.alloc(8)

/**
 * Lists what this node holds in some segments, for an exchange. It reads the rows themselves, not
 * the records of their versions: what a peer is told is there can also be given to it. So every row
 * is verified on the way.
 */
export class KeyLister {
  readonly #env: Env
  readonly #store: Store
  readonly #replica: LocalReplica
  readonly #partitions: number

  constructor(parts: {
    readonly env: Env
    readonly store: Store
    readonly replica: LocalReplica
    readonly partitions: number
  }) {
    this.#env = parts.env
    this.#store = parts.store
    this.#replica = parts.replica
    this.#partitions = parts.partitions
  }

  /**
   * At most `limits.exchangeKeysMax` keys of `limits.exchangePageBytes` of rows. A segment that the
   * disk cannot give is named and left out.
   *
   * @throws any other failure of the store
   */
  async list(request: ListRequest): Promise<Listed> {
    const { partition, segments, after } = request
    const isShort = this.#env.inject('antientropy: a short page')
    const listing = new Listing(isShort ? 1 : limits.exchangeKeysMax)
    const before = segments.map((segment) => this.#replica.segmentDigest(partition, segment))
    for (const run of runsOf(segments)) {
      if (!listing.isFull) await this.#listRun(partition, run, after, listing)
    }
    const { entries, unreadable, bytes, isFull } = listing
    const doubtful = this.#doubtful(request, before, listing)
    return { entries, unreadable, bytes, finished: !isFull, doubtful }
  }

  async #listRun(
    partition: Partition,
    run: Run,
    after: Buffer | undefined,
    listing: Listing,
  ): Promise<void> {
    if (await this.#readRun(partition, run, after, listing)) return
    // One block that cannot be read must not hide its neighbours.
    for (const from of segmentsOf(run)) {
      if (listing.isFull) return
      const alone = { from, to: from + 1 }
      if (!(await this.#readRun(partition, alone, after, listing))) listing.unreadable.push(from)
    }
  }

  /** False when the disk could not give all of it: then nothing of it was added. */
  async #readRun(
    partition: Partition,
    run: Run,
    after: Buffer | undefined,
    listing: Listing,
  ): Promise<boolean> {
    const mark = listing.entries.length
    try {
      for await (const page of rowPages(
        this.#store,
        rangeOf(partition, run, this.#partitions),
        after,
      )) {
        for (const { key, value } of page) {
          listing.add(this.#entryOf(key, value), value.length)
          if (listing.isFull) return true
        }
      }
      return true
    } catch (error) {
      if (!isDamage(error)) throw error
      listing.entries.length = mark
      return false
    }
  }

  #entryOf(rowKey: Buffer, row: Buffer): SegmentKey {
    if (verifyRow(row, rowKey.readBigUInt64BE(0)) !== 'ok') {
      return { rowKey, digest: NO_DIGEST, damaged: true }
    }
    return { rowKey, digest: this.#replica.digestOf(rowVersion(row), rowKey), damaged: false }
  }

  /** Of the segments that were listed from end to end and not written to meanwhile. */
  #doubtful(request: ListRequest, before: readonly bigint[], listing: Listing): number[] {
    const { partition, segments, after } = request
    const sums = new Map<number, bigint>()
    const excluded = new Set(listing.unreadable)
    for (const { rowKey, digest, damaged } of listing.entries) {
      const segment = this.#segmentOf(rowKey)
      sums.set(segment, (sums.get(segment) ?? 0n) ^ digest.readBigUInt64BE())
      if (damaged) excluded.add(segment)
    }
    const last = listing.entries.at(-1)
    const end = listing.isFull && last ? this.#segmentOf(last.rowKey) : limits.digestSegments
    const begin = after === undefined ? -1 : this.#segmentOf(after)
    return segments.filter((segment, index) => {
      if (segment <= begin || segment >= end || excluded.has(segment)) return false
      const kept = this.#replica.segmentDigest(partition, segment)
      return kept === before[index] && kept !== (sums.get(segment) ?? 0n)
    })
  }

  #segmentOf(rowKey: Buffer): number {
    return segmentOfRowKey(rowKey, this.#partitions)
  }
}

class Listing {
  readonly entries: SegmentKey[] = []
  readonly unreadable: number[] = []
  readonly #keysMax: number
  bytes = 0

  constructor(keysMax: number) {
    this.#keysMax = keysMax
  }

  add(entry: SegmentKey, bytes: number): void {
    this.entries.push(entry)
    this.bytes += bytes
  }

  /** The last entry may be the last there is: then the next page is empty. */
  get isFull(): boolean {
    return this.entries.length >= this.#keysMax || this.bytes >= limits.exchangePageBytes
  }
}
