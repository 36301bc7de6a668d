import type { Coordinator, LostData, RestoredRow } from '@shoal/coordinator'
import { limits, type Partition, ShoalError } from '@shoal/kernel'
import type { Replica } from '@shoal/replica'
import { type Ring, segmentRange } from '@shoal/ring'
import { type Store, verifyRow } from '@shoal/storage'

/**
 * Rows as they are stored, with clocks and siblings, for those who keep and bring back copies.
 *
 * A copy that lost data is no source: what it says of a partition is not all there was (Q6), and a
 * backup of it would look whole.
 */
export interface BackupView {
  /**
   * Of each segment of a partition, 8 bytes: equal to those of an earlier time where nothing has
   * been written since.
   *
   * @throws SHOAL_QUERY_INVALID    this node holds no copy of it
   * @throws SHOAL_COPY_INCOMPLETE  it lost data and has not got it back: another holder has to be
   *   asked
   */
  digests(partition: number): Buffer
  /** @throws SHOAL_QUERY_INVALID, SHOAL_COPY_INCOMPLETE, and what the disk throws */
  page(partition: number, range: BackupRange): Promise<BackupPage>
  /** How each row fared, in their order; undefined where it is on the disks of a quorum. */
  restore(rows: readonly RestoredRow[]): Promise<(ShoalError | undefined)[]>
}

/** Segments `from` ≤ segment < `to`; of their rows those behind a row key. */
export interface BackupRange {
  readonly from: number
  readonly to: number
  readonly after: Buffer | undefined
}

export interface BackupPage {
  readonly rows: readonly RestoredRow[]
  /** Rows that fail their checksums: another replica has to be asked. */
  readonly damaged: number
  /** Undefined: there are no more. */
  readonly after: Buffer | undefined
}

export interface BackupViewParts {
  readonly ring: Ring
  readonly store: Pick<Store, 'scan'>
  readonly replica: Pick<Replica, 'copyDigests'>
  readonly coordinator: Pick<Coordinator, 'restore'>
  /** Absent where nothing that was lost would come back. */
  readonly lost?: LostData
}

/** A partition is filled by a comparison with the others, which is begun at once. */
const RETRY_AFTER_MS = 5_000

export function createBackupView({ ring, lost, ...parts }: BackupViewParts): BackupView {
  const { store, replica, coordinator } = parts
  const wholeHere = (number: number): Partition => {
    const partition = number as Partition
    const holders = number < ring.partitions ? ring.preferenceList(partition) : []
    if (holders.includes(ring.self)) {
      if (lost?.countsToReads(partition) !== false) return partition
      const others = holders.filter((node) => node !== ring.self).join(', ')
      const text = `partition ${number} lost data here and is being filled: ask ${others}`
      throw new ShoalError('SHOAL_COPY_INCOMPLETE', text, { retryAfterMs: RETRY_AFTER_MS })
    }
    const where = holders.length === 0 ? `0 to ${ring.partitions - 1}` : `ask ${holders.join(', ')}`
    throw new ShoalError('SHOAL_QUERY_INVALID', `no copy of partition ${number} here: ${where}`)
  }
  return {
    digests: (number) => {
      const partition = wholeHere(number)
      return replica.copyDigests(partition, 0, Buffer.alloc(limits.digestSegments * 8))
    },
    page: async (number, { after, ...segments }) => {
      const partition = wholeHere(number)
      const first = segmentRange(partition, segments.from, ring.partitions).from
      const end = segmentRange(partition, segments.to - 1, ring.partitions).to
      // Whoever asks chooses `after`: outside the range there is nothing to be had with it.
      const isInside = after !== undefined && after.compare(first) >= 0
      const from = isInside ? Buffer.concat([after, Buffer.of(0)]) : first
      if (end && from.compare(end) >= 0) return { rows: [], damaged: 0, after: undefined }
      const page = await store.scan({
        column: 'rows',
        from,
        ...(end ? { to: end } : {}),
        limit: limits.backupPageRowsMax,
        bytesMax: limits.backupPageBytesMax,
      })
      const whole = page.rows.filter(
        ({ key, value }) => verifyRow(value, key.readBigUInt64BE(0)) === 'ok',
      )
      return {
        rows: whole.map(({ key, value }) => ({ rowKey: key, row: value })),
        damaged: page.rows.length - whole.length,
        after: page.finished ? undefined : page.rows.at(-1)?.key,
      }
    },
    restore: (rows) => Promise.all(rows.map((row) => restoreOne(coordinator, row))),
  }
}

function restoreOne(
  coordinator: Pick<Coordinator, 'restore'>,
  row: RestoredRow,
): Promise<ShoalError | undefined> {
  return new Promise((resolve, reject) => {
    try {
      coordinator.restore(row, resolve)
    } catch (error) {
      if (error instanceof ShoalError) resolve(error)
      else reject(error)
    }
  })
}
