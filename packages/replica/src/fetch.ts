import { type Column, isDamage, type Store } from '@shoal/storage'

/** A value, undefined where there is none, or DAMAGED where the store could not read it whole. */
export const DAMAGED = Symbol('damaged')
export type Fetched = Buffer | undefined | typeof DAMAGED

/**
 * Reads many keys. The store fails a whole read when one block in it is damaged and does not say
 * whose it is; then each key is read alone, so that the others do not suffer for it (V11).
 *
 * @throws any other failure of the store: it is never "absent" (V3)
 */
export async function fetchMany(
  store: Store,
  column: Column,
  keys: readonly Uint8Array[],
): Promise<readonly Fetched[]> {
  try {
    return await store.getMany(column, keys)
  } catch (error) {
    if (!isDamage(error)) throw error
    return Promise.all(keys.map((key) => fetchOne(store, column, key)))
  }
}

async function fetchOne(store: Store, column: Column, key: Uint8Array): Promise<Fetched> {
  try {
    return (await store.getMany(column, [key]))[0]
  } catch (error) {
    if (!isDamage(error)) throw error
    return DAMAGED
  }
}
