import type { MembershipEvent, Rings } from '@shoal/membership'
import { encodeRing, type Ring } from '@shoal/ring'

/**
 * The ring as membership sees it. A ring that never changes takes no successor: a newer one says
 * that somebody runs another version.
 */
export function fixedRings({ record }: Ring, onEvent: (event: MembershipEvent) => void): Rings {
  const { clusterId, epoch, digest, members } = record
  const encoded = encodeRing(record)
  return {
    clusterId,
    stamp: { epoch, digest },
    members,
    record: () => encoded,
    offer: ({ epoch: theirs }, from) => {
      const reason = `this version does not go over to another ring, theirs is of epoch ${theirs}`
      onEvent({ kind: 'ring-refused', from, reason })
    },
  }
}
