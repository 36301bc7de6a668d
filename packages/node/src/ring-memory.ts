import { ShoalError } from '@shoal/kernel'
import { decodeRing, encodeRing, type RingRecord, ringDifference } from '@shoal/ring'
import { noteLoss, type Store } from '@shoal/storage'

/**
 * The ring record this node works with, kept on its disk. The first one is computed from the
 * configuration; from then on the one on disk holds, because a later version may plan another table
 * for the same members and data lies where the old one says.
 */
const KEY = Buffer.from('ring')

/**
 * @returns the record to use
 * @throws SHOAL_RING_MISMATCH when copies, partitions, zones, hosts or weights were changed in the
 *         configuration: that moves data, which a change of settings cannot do. Addresses may
 *         change.
 */
export async function settleRing(store: Store, configured: RingRecord): Promise<RingRecord> {
  const [bytes] = await store.getMany('meta', [KEY])
  const kept = bytes && decodeRing(bytes)
  if (kept?.digest === configured.digest) return kept
  if (kept && !moved(configured, kept)) return kept
  if (kept) checkOnlyAddresses(configured, kept)
  const batch = store.batch()
  batch.put('meta', KEY, encodeRing(configured))
  // A directory without a ring is a new one: what its node held before, if it did, is lost (Q6).
  if (!kept) noteLoss(batch)
  store.write(batch)
  await store.sync()
  return configured
}

/** Whether an address changed, or anything else that a person configures. */
function moved(configured: RingRecord, kept: RingRecord): boolean {
  const settings = ({ partitions, replicas, members }: RingRecord): string =>
    JSON.stringify([partitions, replicas, members])
  return settings(configured) !== settings(kept)
}

function checkOnlyAddresses(configured: RingRecord, kept: RingRecord): void {
  const differences = ringDifference(configured, kept).filter((text) => !text.startsWith('url of '))
  const tablesAgree = JSON.stringify(configured.table) === JSON.stringify(kept.table)
  if (differences.length === 0 && tablesAgree) return
  const named = differences.length > 0 ? differences.join('; ') : 'another placement table'
  throw new ShoalError(
    'SHOAL_RING_MISMATCH',
    `The configuration (here) is not that of the ring on this disk (there): ${named}.`,
    { wanted: kept.digest, got: configured.digest },
  )
}
