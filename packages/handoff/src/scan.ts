import { isDamage, type ScanOptions, type Store } from '@shoal/storage'

export interface FoundRecord {
  readonly key: Buffer
  /** Undefined when it cannot be read. */
  readonly value: Buffer | undefined
}

export interface FoundRecords {
  readonly records: readonly FoundRecord[]
  readonly finished: boolean
}

/**
 * A page of hints. One record that cannot be read fails a whole page: then the records are read one
 * by one, because the others are still owed.
 *
 * @throws what the store throws when not even the keys can be read
 */
export async function scanHints(
  store: Store,
  options: Omit<ScanOptions, 'column'>,
): Promise<FoundRecords> {
  try {
    const { rows, finished } = await store.scan({ ...options, column: 'hints' })
    return { records: rows, finished }
  } catch (error) {
    if (!isDamage(error)) throw error
    const { rows, finished } = await store.scan({ ...options, column: 'hints', values: false })
    const records: FoundRecord[] = []
    for (const { key } of rows) records.push({ key, value: await readOne(store, key) })
    return { records, finished }
  }
}

async function readOne(store: Store, key: Buffer): Promise<Buffer | undefined> {
  try {
    const [value] = await store.getMany('hints', [key])
    return value
  } catch (error) {
    if (!isDamage(error)) throw error
    return undefined
  }
}
