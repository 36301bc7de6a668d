import type { Handoff } from '@shoal/handoff'
import type { OwedRows } from '@shoal/replica'
import { partitionOfRowKey, type Ring } from '@shoal/ring'

/**
 * What a replica owes as a stand-in, as hints. It names primaries by their places in the preference
 * list, because it knows no other nodes.
 *
 * @param handoff  opened after the replica, whose rows it reads
 */
export function owedRows(ring: Ring, handoff: () => Handoff | undefined): OwedRows {
  return {
    add: (batch, { rowKey, primaries, bytes }) => {
      const list = ring.preferenceList(partitionOfRowKey(rowKey, ring.partitions))
      list.forEach((to, place) => {
        if ((primaries & (1 << place)) === 0 || to === ring.self) return
        handoff()?.group.add(batch, { to, rowKey, bytes })
      })
    },
    written: () => handoff()?.group.written(),
    discarded: () => handoff()?.group.discarded(),
  }
}
