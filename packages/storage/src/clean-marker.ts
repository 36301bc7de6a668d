import type { Store } from './store.ts'

/**
 * The marker of a clean stop holds what only a clean stop may carry over (A2). It is taken away,
 * durably, before anything else happens: whoever crashes from now on comes back without it.
 */
const MARKER_KEY = Buffer.from('clean-shutdown')

/**
 * The marker's content, or undefined after a crash and in a new directory. Gone from disk on
 * return.
 */
export async function takeCleanMarker(store: Store): Promise<Buffer | undefined> {
  const [content] = await store.getMany('meta', [MARKER_KEY])
  if (content === undefined) return undefined
  const batch = store.batch()
  batch.delete('meta', MARKER_KEY)
  store.write(batch)
  await store.sync()
  return content
}

/** Leaves the marker as the last write of this run. What was written before is on disk first. */
export async function leaveCleanMarker(store: Store, content: Uint8Array): Promise<void> {
  await store.sync()
  const batch = store.batch()
  batch.put('meta', MARKER_KEY, content)
  store.write(batch)
  await store.sync()
}
