import { hash64, makeRowKey } from '@shoal/ring'
import { decodeStoredVersion, rowVersion, type Store, verifyRow } from '@shoal/storage'
import { DAMAGED, fetchMany } from './fetch.ts'

/** Keys of one bucket in UTF-8 byte order, out of some partitions. */
export interface ListingRequest {
  readonly bucket: string
  readonly prefix: string
  /** Keys strictly after this one; empty from the beginning. */
  readonly after: string
  readonly limit: number
  /** One bit for each partition, most significant first. */
  readonly partitions: Buffer
}

export interface Listing {
  /** Deleted keys included: only all versions together tell whether a key is deleted. */
  readonly entries: readonly { readonly key: string; readonly version: Buffer }[]
  readonly finished: boolean
}

const PAGE_ROWS = 512

export interface ListingParts {
  readonly store: Store
  readonly partitions: number
  /** Told of a key whose record is damaged, so that it is repaired. */
  readonly damaged: (rowKey: Buffer) => void
}

/**
 * Scans the versions column, which is in name order, and keeps the keys of the wanted partitions.
 * Where a record is damaged its row tells the same. A key of which neither can be read is left out:
 * a bucket can be listed though a key in it is beyond saving.
 */
export async function listKeys(
  { store, partitions, damaged }: ListingParts,
  request: ListingRequest,
): Promise<Listing> {
  const head = Buffer.from(`${request.bucket}\0`)
  const prefix = Buffer.from(`${request.bucket}\0${request.prefix}`)
  const to = successor(prefix)
  const entries: { key: string; version: Buffer }[] = []
  let from = prefix
  if (request.after !== '') {
    const after = Buffer.from(`${request.bucket}\0${request.after}\0`)
    if (after.compare(prefix) > 0) from = after
  }
  for (;;) {
    const page = await store.scan({ column: 'versions', from, to, limit: PAGE_ROWS })
    for (const { key: name, value } of page.rows) {
      const token = hash64(name)
      if (!holds(request.partitions, token, partitions)) continue
      let version = decodeStoredVersion(value, token)
      if (version === undefined) {
        const rowKey = makeRowKey(request.bucket, name.toString('utf8', head.length))
        damaged(rowKey)
        version = await versionInRow(store, rowKey, token)
        if (version === undefined) continue
      }
      if (entries.length === request.limit) return { entries, finished: false }
      entries.push({ key: name.toString('utf8', head.length), version })
    }
    const last = page.rows.at(-1)
    if (page.finished || !last) return { entries, finished: true }
    from = Buffer.concat([last.key, Buffer.of(0)])
  }
}

async function versionInRow(
  store: Store,
  rowKey: Buffer,
  token: bigint,
): Promise<Buffer | undefined> {
  const [row] = await fetchMany(store, 'rows', [rowKey])
  if (row === undefined || row === DAMAGED || verifyRow(row, token) !== 'ok') return undefined
  return rowVersion(row)
}

function holds(bits: Buffer, token: bigint, partitions: number): boolean {
  const partition = Number(token >> 32n) >>> (32 - Math.log2(partitions))
  return ((bits[partition >> 3] ?? 0) & (0x80 >> (partition & 7))) !== 0
}

/**
 * The first name behind every name with this prefix. UTF-8 has no byte 0xff, so the last one can
 * grow.
 */
function successor(prefix: Buffer): Buffer {
  const next = Buffer.from(prefix)
  next[next.length - 1] = (next[next.length - 1] as number) + 1
  return next
}
