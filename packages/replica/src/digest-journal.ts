import { InvariantViolation, limits, type Partition, ShoalError } from '@shoal/kernel'
import {
  hash64,
  partitionRange,
  type RowRange,
  rowKeyName,
  segmentOfRowKey,
  segmentRange,
} from '@shoal/ring'
import {
  type Batch,
  decodeStoredVersion,
  isDamage,
  rowVersion,
  type ScanPage,
  type Store,
  verifyRow,
} from '@shoal/storage'
import { type DigestChange, type Digests, encodeDigestRecord } from './core/digests.ts'
import { DAMAGED, fetchMany } from './fetch.ts'

/**
 * Digests on disk. Column `digests` holds: `c` + partition (u16) → checkpoint; `j` + sequence (u64)
 * → journal record; `s` + partition → this partition's digests are in doubt and must be rebuilt.
 */
const CHECKPOINT = 0x63
const JOURNAL = 0x6a
const SUSPECT = 0x73

/** Groups between two checkpoints. At 16 a checkpoint adds half a KiB of writing to each group. */
const GROUPS_PER_CHECKPOINT = 16
/** Journal records deleted with each group. More than one, so that a backlog shrinks. */
const DELETIONS_PER_GROUP = 4
const PAGE_ROWS = 1_000

export class DigestJournal {
  readonly #digests: Digests
  #oldest: number
  #groups = 0
  #checkpoint: Partition | undefined
  #deletedTo: number

  /** @param oldest  sequence of the first journal record on disk */
  constructor(digests: Digests, oldest: number) {
    this.#digests = digests
    this.#oldest = oldest
    this.#deletedTo = oldest
  }

  /**
   * Adds to a group's batch its journal record, and now and then a checkpoint.
   *
   * @param options.checkpoint  add one even if none is due
   */
  add(
    batch: Batch,
    changes: readonly DigestChange[],
    options: { readonly checkpoint?: boolean } = {},
  ): void {
    batch.put('digests', journalKey(this.#digests.sequence + 1), encodeDigestRecord(changes))
    this.#checkpoint = undefined
    const due = this.#groups % GROUPS_PER_CHECKPOINT === 0 || this.#isLong
    if (due || options.checkpoint) {
      this.#checkpoint = this.#digests.mostDirty()
    }
    if (this.#checkpoint !== undefined) {
      const checkpoint = this.#digests.encodeCheckpoint(this.#checkpoint)
      batch.put('digests', checkpointKey(this.#checkpoint), checkpoint)
    }
    const end = Math.min(this.#oldest + DELETIONS_PER_GROUP, this.#digests.journalNeededFrom)
    for (let sequence = this.#oldest; sequence < end; sequence++) {
      batch.delete('digests', journalKey(sequence))
    }
    this.#deletedTo = Math.max(end, this.#oldest)
  }

  /** The batch of the last `add` was written. */
  written(changes: readonly DigestChange[]): void {
    // The checkpoint was taken before these changes: first it counts, then they make it old again.
    if (this.#checkpoint !== undefined) this.#digests.checkpointed(this.#checkpoint)
    this.#digests.apply(changes)
    this.#oldest = this.#deletedTo
    this.#groups++
  }

  /**
   * Changes that no write of a row made, in a batch of their own: digests put right (E4). False
   * when the disk has no room.
   */
  correct(store: Store, changes: readonly DigestChange[]): boolean {
    const batch = store.batch()
    this.add(batch, changes)
    try {
      store.write(batch)
    } catch (error) {
      if (error instanceof ShoalError && error.code === 'SHOAL_STORAGE_FULL') return false
      throw error
    }
    this.written(changes)
    return true
  }

  get #isLong(): boolean {
    return this.#digests.sequence - this.#oldest > limits.digestJournalRecordsMax
  }
}

/**
 * Brings the digests back to exactly what the rows say, after a clean stop or a crash.
 *
 * A power cut may lose a batch that nobody acknowledged and keep the one behind it. Records and
 * checkpoints then build on a change that is not there, and only the rows can tell.
 *
 * @returns the journal to go on with, and whether the digests have to be rebuilt from the rows
 */
export async function recoverDigests(
  store: Store,
  digests: Digests,
): Promise<{ journal: DigestJournal; holes: boolean }> {
  const included = new Map<Partition, number>()
  for await (const { key, value } of scanDigests(store, CHECKPOINT)) {
    const partition = key.readUInt16BE(1) as Partition
    const sequence = digests.restoreCheckpoint(partition, value)
    included.set(partition, sequence)
    digests.continueFrom(sequence)
  }
  let oldest: number | undefined
  let previous: number | undefined
  let holes = false
  for await (const { key, value } of scanDigests(store, JOURNAL)) {
    const sequence = Number(key.readBigUInt64BE(1))
    oldest ??= sequence
    holes ||= previous !== undefined && sequence !== previous + 1
    previous = sequence
    digests.replay(sequence, value, included)
  }
  holes ||= previous !== undefined && digests.sequence > previous
  return { journal: new DigestJournal(digests, oldest ?? digests.sequence + 1), holes }
}

/** Partitions whose digests were in doubt when the node stopped. */
export async function suspectPartitions(store: Store): Promise<Partition[]> {
  const partitions: Partition[] = []
  for await (const { key } of scanDigests(store, SUSPECT)) {
    partitions.push(key.readUInt16BE(1) as Partition)
  }
  return partitions
}

/**
 * Computes a partition's digests from its rows and writes them as its checkpoint. Nothing else may
 * write meanwhile.
 *
 * A damaged row counts with its version record: its repair starts from that one. Where both are
 * damaged it counts with the version that memory still has, from which the repair starts as well,
 * or not at all. A segment that the disk cannot list keeps the digest it had, and the partition
 * stays in doubt: one bad block must not keep a node from serving the rest, and a scrub fetches
 * what it held from the others.
 *
 * @param options.remembered  the version of a key that memory has
 */
export async function rebuildPartition(
  store: Store,
  digests: Digests,
  options: {
    readonly partition: Partition
    readonly partitions: number
    readonly remembered?: (rowKey: Buffer) => Buffer | undefined
  },
): Promise<void> {
  const { partition, partitions, remembered } = options
  const segments = new BigUint64Array(limits.digestSegments)
  const add = (range: RowRange): Promise<boolean> =>
    addVersions(store, segments, { range, partitions, remembered })
  const isWhole = await add(partitionRange(partition, partitions))
  if (!isWhole) {
    segments.fill(0n)
    for (let segment = 0; segment < limits.digestSegments; segment++) {
      if (await add(segmentRange(partition, segment, partitions))) continue
      segments[segment] = digests.segment(partition, segment)
    }
  }
  digests.replace(partition, segments)
  const batch = store.batch()
  batch.put('digests', checkpointKey(partition), digests.encodeCheckpoint(partition))
  if (isWhole) batch.delete('digests', suspectKey(partition))
  else batch.put('digests', suspectKey(partition), EMPTY)
  store.write(batch)
  digests.checkpointed(partition)
}

const EMPTY = Buffer.alloc(0)

/** Adds the digests of a range's versions. False where the disk cannot list them. */
async function addVersions(
  store: Store,
  segments: BigUint64Array,
  options: {
    readonly range: RowRange
    readonly partitions: number
    readonly remembered: ((rowKey: Buffer) => Buffer | undefined) | undefined
  },
): Promise<boolean> {
  const { from, to } = options.range
  let next: Buffer = from
  for (;;) {
    const page = await readPage(store, { from: next, to })
    if (page === DAMAGED) return false
    const versions = await versionsOf(store, page.rows)
    page.rows.forEach(({ key }, index) => {
      const version = versions[index] ?? options.remembered?.(key)
      if (!version) return
      const segment = segmentOfRowKey(key, options.partitions)
      const digest = hash64(version, key.readBigUInt64BE(0))
      segments[segment] = (segments[segment] as bigint) ^ digest
    })
    const last = page.rows.at(-1)
    if (page.finished || !last) return true
    next = Buffer.concat([last.key, Buffer.of(0)])
  }
}

async function readPage(store: Store, { from, to }: RowRange): Promise<ScanPage | typeof DAMAGED> {
  try {
    return await store.scan({ column: 'rows', from, ...(to ? { to } : {}), limit: PAGE_ROWS })
  } catch (error) {
    if (!isDamage(error)) throw error
    return DAMAGED
  }
}

/** The version of each row as a write to it would find it. */
async function versionsOf(
  store: Store,
  rows: ScanPage['rows'],
): Promise<readonly (Buffer | undefined)[]> {
  const versions = rows.map(({ key, value }) =>
    verifyRow(value, key.readBigUInt64BE(0)) === 'ok' ? rowVersion(value) : undefined,
  )
  const damaged = rows.flatMap((_row, index) => (versions[index] ? [] : [index]))
  if (damaged.length === 0) return versions
  const keys = damaged.map((index) => (rows[index] as (typeof rows)[number]).key)
  const stored = await fetchMany(store, 'versions', keys.map(rowKeyName))
  damaged.forEach((index, at) => {
    const record = stored[at]
    if (record === undefined || record === DAMAGED) return
    versions[index] = decodeStoredVersion(record, (keys[at] as Buffer).readBigUInt64BE(0))
  })
  return versions
}

export function suspectKey(partition: Partition): Buffer {
  return numbered(SUSPECT, partition)
}

function checkpointKey(partition: Partition): Buffer {
  return numbered(CHECKPOINT, partition)
}

function numbered(kind: number, partition: Partition): Buffer {
  const key = Buffer.allocUnsafe(3)
  key[0] = kind
  key.writeUInt16BE(partition, 1)
  return key
}

function journalKey(sequence: number): Buffer {
  const key = Buffer.allocUnsafe(9)
  key[0] = JOURNAL
  key.writeBigUInt64BE(BigInt(sequence), 1)
  return key
}

async function* scanDigests(
  store: Store,
  kind: number,
): AsyncGenerator<{ key: Buffer; value: Buffer }> {
  let from: Buffer = Buffer.of(kind)
  const to = Buffer.of(kind + 1)
  for (;;) {
    const page = await store.scan({ column: 'digests', from, to, limit: PAGE_ROWS })
    yield* page.rows
    const last = page.rows.at(-1)
    if (page.finished) return
    if (!last) throw new InvariantViolation('an unfinished page has a last row')
    from = Buffer.concat([last.key, Buffer.of(0)])
  }
}
