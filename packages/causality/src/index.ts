/** @shoal/causality: what a version is. No values, no nodes, no clock of its own, no disk. */
export {
  type ClockEntry,
  type ClockOrder,
  clockActors,
  clockContains,
  clockEntries,
  clockLength,
  compareClocks,
  counterOf,
  dotText,
  emptyClock,
  validateClock,
} from './clock.ts'
export { addDot, joinClocks, raiseBase } from './clock-join.ts'
export { type ContextCodec, createContextCodec } from './context.ts'
export { etagOf, etagOfDot, indexOfEtag, matchesEtag } from './etag.ts'
export { type Merged, mergeVersions, type Relation, relate } from './merge.ts'
export { answerContext, overwriteContext, type Put, putVersion, type Write } from './put.ts'
export {
  createSessionCodec,
  emptySession,
  joinIntoSession,
  type Session,
  type SessionCodec,
  type SessionEntry,
  sessionClockFor,
} from './session.ts'
export {
  compareStamps,
  isStampAhead,
  nextStamp,
  observeStamp,
  readStamp,
  type Stamp,
  stampMillis,
  stampMillisAt,
  stampOfMillis,
  writeStamp,
  zeroStamp,
} from './stamp.ts'
export type { TokenPlace, TokenSecrets } from './token.ts'
export {
  describeVersion,
  expiryAt,
  expiryOf,
  flagsAt,
  HEADER_BYTES,
  hasSiblings,
  headerReason,
  indexOfDot,
  indexOfRequest,
  isDeleted,
  isExpired,
  isTombstone,
  isVisible,
  type LiveEntry,
  liveAt,
  liveCount,
  liveHeaderAt,
  modifiedOf,
  requestAt,
  stampAt,
  stampOf,
  validateVersion,
  versionClock,
  visibleCount,
} from './version.ts'
// Withheld: byte helpers, SipHash, the token seal, the parts of a join.
