/** @shoal/client: a cluster as a program sees it. */
export { type ApiAnswer, Client, type ClientStatus, connect, Session } from './client.ts'
export type { Receipt } from './core/receipt.ts'
export {
  Aborted,
  BadRequest,
  Closed,
  Conflict,
  ConnectionLost,
  DeadlineExceeded,
  Forbidden,
  Internal,
  NotFound,
  PreconditionFailed,
  RateLimited,
  ShoalClientError,
  Unauthenticated,
  Unavailable,
  UnknownOutcome,
} from './errors.ts'
export type { KeyValue, ReadFor } from './key-value.ts'
export {
  type Body,
  type CallOptions,
  type Change,
  type ConnectOptions,
  type Consistency,
  type ConsistencyOptions,
  type DeleteOptions,
  type GetOptions,
  type HeadOptions,
  Json,
  json,
  type ListOptions,
  type PutOptions,
  type Resolve,
  type UpdateOptions,
  type WriteOptions,
} from './options.ts'
export type { BatchOperation, BatchOptions, BatchResult } from './shell/batch.ts'
export type { Listing } from './shell/listing.ts'
export type { NodeStatus } from './shell/nodes.ts'
export type {
  AbsentRead,
  AnswerInfo,
  Head,
  Page,
  Read,
  SiblingsRead,
  UnchangedRead,
  ValueRead,
  Written,
} from './shell/results.ts'
export type { Transport } from './shell/transport.ts'
export type { TlsOptions } from './shell/undici.ts'
export type { Updated } from './shell/update.ts'
export { StoredValue } from './shell/value.ts'
