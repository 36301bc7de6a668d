/** @shoal/replica: what one node holds of its partitions. Does not know that other nodes exist. */

export { type KnownRow, knownRow, mergeKnownRows } from './core/merge-rows.ts'
export type { Listing, ListingRequest } from './listing.ts'
export type {
  MergeOperation,
  MergeSink,
  OwedRow,
  OwedRows,
  PutOperation,
  PutSink,
  Written,
} from './operations.ts'
export type { Loss } from './pipeline.ts'
export type { RowSink } from './reads.ts'
export {
  type DigestCorrection,
  Replica,
  type ReplicaFigures,
  type ReplicaOptions,
} from './replica.ts'
export { answerAsReplica, type ReplicaQuestion } from './serve.ts'
