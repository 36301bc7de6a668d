import { type BucketProperties, formatProperties, parseProperties } from '@shoal/coordinator'
import type { Store } from '@shoal/storage'

/**
 * Bucket properties as this node last knew them, so that it starts with them before it finds a
 * quorum.
 */
const KEY = Buffer.from('bucket-properties')

export async function readRememberedBuckets(
  store: Store,
  defaults: BucketProperties,
): Promise<Map<string, BucketProperties> | undefined> {
  const [text] = await store.getMany('meta', [KEY])
  if (!text) return undefined
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
