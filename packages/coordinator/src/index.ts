/** @shoal/coordinator: quorums. */
export { type KnownBuckets, SYSTEM_BUCKET } from './bucket-wait.ts'
export { BucketRegistry, type BucketsParts } from './buckets.ts'
export { type Coordinated, Coordinator, type CoordinatorParts } from './coordinator.ts'
export { formatProperties, parseProperties } from './core/bucket-properties.ts'
export type { Figures } from './desk.ts'
export {
  type CoordinatorQuestion,
  type Hints,
  type Liveness,
  type LostData,
  type PeerQuestion,
  type PeerSink,
  type Replicas,
  readable,
} from './ports.ts'
export {
  type BucketProperties,
  type Buckets,
  type Consistency,
  type Done,
  type EffectiveConsistency,
  type Explanation,
  type Follower,
  formatConsistency,
  type KeyRequest,
  type KeyValue,
  type ListAnswer,
  type ListRequest,
  type LiveValue,
  type Precondition,
  type ReadAnswer,
  type ReadRequest,
  type Receipt,
  type RequestReport,
  type Trace,
  type TraceEvent,
  type WriteAnswer,
  type WriteRequest,
} from './requests.ts'
export type { RestoredRow } from './restoring.ts'
