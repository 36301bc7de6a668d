import { limits } from '@shoal/kernel'
import type { ScanOptions, ScanPage } from '../store.ts'
import {
  type ColumnOption,
  closeIterator,
  type Database,
  type NativeIterator,
  nextRows,
  openIterator,
} from './binding.ts'

type Row = ScanPage['rows'][number]

const EMPTY = Buffer.alloc(0)
const INT32_MAX = 2 ** 31 - 1

/** One page of a column, in key order. Its rows are those of one moment. */
export async function scanColumn(
  db: Database,
  column: ColumnOption,
  options: ScanOptions,
): Promise<ScanPage> {
  const { from, to, limit, bytesMax = limits.scanBytesDefault, values = true } = options
  const iterator = openIterator(db, {
    ...(from ? { gte: from } : {}),
    ...(to ? { lt: to } : {}),
    ...column,
    values,
    highWaterMarkBytes: Math.min(bytesMax, INT32_MAX),
    keyEncoding: 'buffer',
    valueEncoding: 'buffer',
  })
  try {
    return await readPage(iterator, limit)
  } finally {
    closeIterator(iterator)
  }
}

/** One row more than wanted is asked for: only its absence proves that the page is the last. */
async function readPage(iterator: NativeIterator, limit: number): Promise<ScanPage> {
  const { rows: flat, finished } = await nextRows(iterator, limit + 1)
  const rows: Row[] = []
  for (let index = 0; index < flat.length; index += 2) {
    rows.push({ key: flat[index] as Buffer, value: flat[index + 1] ?? EMPTY })
  }
  if (rows.length > limit) return { rows: rows.slice(0, limit), finished: false }
  if (finished) return { rows, finished: true }
  const next = await nextRows(iterator, 1)
  return { rows, finished: next.rows.length === 0 }
}
