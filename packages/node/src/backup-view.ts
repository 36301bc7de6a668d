import type { Coordinator, RestoredRow } from '@shoal/coordinator'
import { limits, type Partition, ShoalError } from '@shoal/kernel'
import type { Replica } from '@shoal/replica'
import { type Ring, segmentRange } from '@shoal/ring'
import { type Store, verifyRow } from '@shoal/storage'

/** Rows as they are stored, with clocks and siblings, for those who keep and bring back copies. */
export interface BackupView {
  /**
   * Of each segment of a partition, 8 bytes: equal to those of an earlier time where nothing has
   * been written since.
   *
   * @throws SHOAL_QUERY_INVALID  this node holds no copy of it
   */
  digests(partition: number): Buffer
  /** @throws SHOAL_QUERY_INVALID, and what the disk throws */
  page(partition: number, range: BackupRange): Promise<BackupPage>
  /** How each row fared, in their order; undefined where it is on the disks of a quorum. */
  restore(rows: readonly RestoredRow[]): Promise<(ShoalError | undefined)[]>
}

/** Segments `from` ≤ segment < `to`, behind one row key. */
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
  readonly replica: Pick<Replica, 'segmentDigest'>
  readonly coordinator: Pick<Coordinator, 'restore'>
}

export function createBackupView({ ring, ...parts }: BackupViewParts): BackupView {
  const { store, replica, coordinator } = parts
  const heldHere = (number: number): Partition => {
    const partition = number as Partition
    const holders = number < ring.partitions ? ring.preferenceList(partition) : []
    if (holders.includes(ring.self)) return partition
    const where = holders.length === 0 ? `0 to ${ring.partitions - 1}` : `ask ${holders.join(', ')}`
    throw new ShoalError('SHOAL_QUERY_INVALID', `no copy of partition ${number} here: ${where}`)
  }
  return {
    digests: (number) => {
      const partition = heldHere(number)
      const digests = Buffer.alloc(limits.digestSegments * 8)
      for (let segment = 0; segment < limits.digestSegments; segment++) {
        digests.writeBigUInt64BE(replica.segmentDigest(partition, segment), segment * 8)
      }
      return digests
    },
    page: async (number, { from, to, after }) => {
      const partition = heldHere(number)
      const first = segmentRange(partition, from, ring.partitions).from
      const end = segmentRange(partition, to - 1, ring.partitions).to
      const page = await store.scan({
        column: 'rows',
        from: after === undefined ? first : Buffer.concat([after, Buffer.of(0)]),
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
