import { limits } from '@shoal/kernel'
import { type Column, columns } from '../store.ts'
import type { ColumnSettings, DatabaseSettings } from './binding.ts'

/**
 * How RocksDB is set up. Sizes count only inside each column: the same names beside the columns are
 * read and do nothing.
 *
 * Rows take RocksDB's own level compaction with two memtables of 64 MiB. Naming `compaction:
 * 'level'` would allow smaller ones, but it also compresses every level from the third on, whatever
 * `compression` says: measured at 1 KiB values of noise and 2.5 GB written, 44 to 53 µs of CPU for
 * each write against 31. Versions are small and repeat their bucket names: there it pays.
 */
export interface ColumnSizes {
  readonly cacheBytes: number
  /** For all memtables of the column together. Absent: RocksDB's default. */
  readonly memtableBytes?: number
}

const small: ColumnSizes = {
  cacheBytes: limits.storeSmallCacheBytes,
  memtableBytes: limits.storeSmallMemtableBytes,
}

export const defaultSizes: Readonly<Record<Column, ColumnSizes>> = {
  rows: { cacheBytes: limits.storeRowsCacheBytes },
  versions: {
    cacheBytes: limits.storeVersionsCacheBytes,
    memtableBytes: limits.storeVersionsMemtableBytes,
  },
  digests: small,
  hints: small,
  meta: small,
}

/**
 * One flush and two compactions at a time, so that a large one does not hold up the small columns.
 */
const BACKGROUND_JOBS = 3

/** What RocksDB calls a column of ours. */
export const nameOf = (column: Column): string => (column === 'rows' ? 'default' : column)

export function databaseSettings(options: {
  readonly create: boolean
  readonly compression: boolean
  readonly sizes: Readonly<Record<Column, ColumnSizes>>
}): DatabaseSettings {
  const { create, compression, sizes } = options
  return {
    createIfMissing: create,
    parallelism: BACKGROUND_JOBS,
    // Cost against benefit: values are compressed by their writers or not at all.
    walCompression: false,
    columns: Object.fromEntries(
      columns.map((column) => [
        nameOf(column),
        columnSettings(sizes[column], compression && (column === 'rows' || column === 'hints')),
      ]),
    ),
  }
}

function columnSettings(sizes: ColumnSizes, compression: boolean): ColumnSettings {
  const { cacheBytes, memtableBytes } = sizes
  return {
    compression,
    cacheSize: cacheBytes,
    ...(memtableBytes === undefined
      ? {}
      : { compaction: 'level', memtableMemoryBudget: memtableBytes }),
  }
}
