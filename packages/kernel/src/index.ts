/** @shoal/kernel: what every package stands on. Knows nothing of keys, nodes or disks. */
export type { Clock, Env, Random, Timer } from './env.ts'
export { createSystemEnv } from './env-system.ts'
export { createSeededRandom, createTestEnv, type TestEnv } from './env-test.ts'
export {
  type CatalogueEntry,
  type ErrorCode,
  type ErrorDetails,
  errorCatalogue,
  type FieldError,
  isErrorCode,
  type Outcome,
  type Problem,
  type ReplicaReport,
  type Retry,
  ShoalError,
  toProblem,
} from './errors.ts'
export { InvariantViolation, invariant, unreachable } from './invariant.ts'
export { type LimitRelation, limitRelations } from './limit-relations.ts'
export { type Limits, limits } from './limits.ts'
export {
  type Epoch,
  epoch,
  kibibytes,
  type Millis,
  mebibytes,
  millis,
  minutes,
  type NodeId,
  nodeId,
  type Partition,
  partition,
  seconds,
  type Token,
  token,
} from './units.ts'
