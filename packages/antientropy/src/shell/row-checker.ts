import { isDeleted } from '@shoal/causality'
import { mebibytes, type Partition } from '@shoal/kernel'
import { rowKeyName, segmentOfRowKey } from '@shoal/ring'
import { decodeStoredVersion, isDamage, rowVersion, type Store, verifyRow } from '@shoal/storage'
import { type CheckedKey, type RunVerdict, SegmentCheck } from '../core/segment-check.ts'
import type { Budget, LocalReplica } from '../ports.ts'
import { type Run, rangeOf, rowPages, type StoredRow, segmentsOf } from './row-pages.ts'

const OWED_BYTES_MAX = mebibytes(4)

/** Reads rows and the records of their versions, and checks both (E4). */
export class RowChecker {
  readonly #store: Store
  readonly #replica: LocalReplica
  readonly #budget: Budget
  readonly #partitions: number
  /** Bytes read and not yet taken from the budget. */
  #owed = 0

  constructor(parts: {
    readonly store: Store
    readonly replica: LocalReplica
    readonly budget: Budget
    readonly partitions: number
  }) {
    this.#store = parts.store
    this.#replica = parts.replica
    this.#budget = parts.budget
    this.#partitions = parts.partitions
  }

  /** Undefined when the disk cannot give the rows of the run. */
  async check(partition: Partition, run: Run): Promise<RunVerdict | undefined> {
    const digestOf = (segment: number) => this.#replica.segmentDigest(partition, segment)
    const check = new SegmentCheck(segmentsOf(run), digestOf)
    const isRead = await this.visit(partition, run, (key) => check.add(key))
    const verdict = check.verdict()
    // Paid for after the verdict: while it waits, what it has read grows old.
    await this.#pay()
    return isRead ? verdict : undefined
  }

  /** False when the disk cannot give the rows of the run. */
  async visit(partition: Partition, run: Run, visit: (key: CheckedKey) => void): Promise<boolean> {
    const range = rangeOf(partition, run, this.#partitions)
    try {
      for await (const page of rowPages(this.#store, range)) {
        const records = await this.#records(page)
        page.forEach((row, index) => {
          visit(this.#checked(row, records[index]))
        })
        this.#owed += bytesOf(page)
        if (this.#owed > OWED_BYTES_MAX) await this.#pay()
      }
      return true
    } catch (error) {
      if (isDamage(error)) return false
      throw error
    }
  }

  async #pay(): Promise<void> {
    const bytes = this.#owed
    this.#owed = 0
    await this.#budget.take(bytes)
  }

  #checked({ key: rowKey, value }: StoredRow, stored: Stored): CheckedKey {
    const token = rowKey.readBigUInt64BE(0)
    const version = verifyRow(value, token) === 'ok' ? rowVersion(value) : undefined
    return {
      segment: segmentOfRowKey(rowKey, this.#partitions),
      rowKey,
      row: version && this.#digest(version, rowKey),
      record: this.#recordDigest(stored, rowKey, token),
      // Nothing has expired at the beginning of time.
      deleted: version !== undefined && isDeleted(version, 0),
    }
  }

  #recordDigest(stored: Stored, rowKey: Buffer, token: bigint): bigint | undefined | null {
    if (stored === undefined) return null
    const version = stored === null ? undefined : decodeStoredVersion(stored, token)
    return version && this.#digest(version, rowKey)
  }

  #digest(version: Buffer, rowKey: Buffer): bigint {
    return this.#replica.digestOf(version, rowKey).readBigUInt64BE()
  }

  async #records(rows: readonly StoredRow[]): Promise<readonly Stored[]> {
    const names = rows.map(({ key }) => rowKeyName(key))
    try {
      return await this.#store.getMany('versions', names)
    } catch (error) {
      if (!isDamage(error)) throw error
      return Promise.all(names.map((name) => this.#record(name)))
    }
  }

  async #record(name: Buffer): Promise<Stored> {
    try {
      return (await this.#store.getMany('versions', [name]))[0]
    } catch (error) {
      if (!isDamage(error)) throw error
      return null
    }
  }
}

/** A record, undefined where there is none, null where the disk cannot give it. */
type Stored = Buffer | undefined | null

const bytesOf = (rows: readonly StoredRow[]): number =>
  rows.reduce((bytes, { key, value }) => bytes + key.length + value.length, 0)
