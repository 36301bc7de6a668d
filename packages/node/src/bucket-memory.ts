import { type BucketProperties, formatProperties, parseProperties } from '@shoal/coordinator'
import { readLossNotes, type Store } from '@shoal/storage'

/**
 * Bucket properties as this node last knew them, so that it starts with them before it finds a
 * quorum.
 */
const KEY = Buffer.from('bucket-properties')

/**
 * @returns undefined on a disk that never knew any, or that has lost data: it may know them as they
 *          once were, and a bucket it does not know would be taken for a default one
 */
export async function readRememberedBuckets(
  store: Store,
  defaults: BucketProperties,
): Promise<Map<string, BucketProperties> | undefined> {
  const [text] = await store.getMany('meta', [KEY])
  if (!text) return undefined
  if ((await readLossNotes(store)).all) {
    await forgetBuckets(store)
    return undefined
  }
  const remembered = new Map<string, BucketProperties>()
  for (const [name, properties] of Object.entries(JSON.parse(text.toString()) as object)) {
    const parsed = parseProperties(String(properties), defaults)
    if (parsed) remembered.set(name, parsed)
  }
  return remembered
}

/**
 * Resolves when they are on disk. Nothing else may be synced for hours, and a node that starts
 * without them takes every bucket for a default one: other replicas, other quorums.
 */
export async function rememberBuckets(
  store: Store,
  known: ReadonlyMap<string, BucketProperties>,
): Promise<void> {
  const texts = [...known].map(([name, properties]) => [name, formatProperties(properties)])
  const batch = store.batch()
  batch.put('meta', KEY, Buffer.from(JSON.stringify(Object.fromEntries(texts))))
  store.write(batch)
  await store.sync()
}

/** Durably, because the notes of what was lost are about to be taken over. */
async function forgetBuckets(store: Store): Promise<void> {
  const batch = store.batch()
  batch.delete('meta', KEY)
  store.write(batch)
  await store.sync()
}
