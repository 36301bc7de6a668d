/** @shoal/ring: which nodes should hold a key. No clock, no network, no disk. */

export { type FoundingSettings, foundRing } from './found-ring.ts'
export { hash64, hex64 } from './hash.ts'
export {
  checkRowKey,
  makeRowKey,
  partitionOfRowKey,
  partitionRange,
  type RowRange,
  rowKeyName,
  segmentOfRowKey,
  segmentRange,
  splitName,
  tokenHex,
  tokenOf,
} from './key.ts'
export type { Member, MemberSetting } from './member.ts'
export { createRing, type Ring } from './ring.ts'
export { decodeRing, encodeRing } from './ring-codec.ts'
export { ringDifference } from './ring-difference.ts'
export { NO_PARENT, type RingRecord } from './ring-record.ts'
export type { PlacementTable, PreviousTable, TableInput, TableMember } from './table/canonical.ts'
export { planTable } from './table/plan.ts'
