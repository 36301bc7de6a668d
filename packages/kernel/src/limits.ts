import { invariant } from './invariant.ts'
import { kibibytes, mebibytes, millis, minutes, seconds } from './units.ts'

/**
 * Every bound in Shoal, in one place (rule O1). A queue, cache or size without a line here is a
 * bug. The relations between them are asserted below when this module loads.
 */
export const limits = {
  // What a client may send.
  bucketNameBytesMax: 128,
  keyBytesMax: 1_024,
  valueBytesDefault: mebibytes(1),
  valueBytesMax: mebibytes(16),
  contentTypeBytesMax: 256,
  contextTokenBytesMax: kibibytes(8),
  sessionTokenBytesMax: kibibytes(4),
  idempotencyKeyCharsMax: 128,
  headerBytesMax: kibibytes(32),
  batchOperationsMax: 1_000,
  batchBodyBytesMax: mebibytes(32),
  /** Bytes of values that one batch may hold in memory at a time; further operations wait. */
  batchBytesInFlightMax: mebibytes(64),
  batchParallelMax: 64,
  listKeysMax: 1_000,
  listKeysDefault: 100,
  timeoutMin: millis(1),
  timeoutMax: seconds(60),
  writeTimeoutDefault: seconds(2),
  readTimeoutDefault: seconds(5),
  ttlSecondsMax: 10 * 366 * 24 * 3_600,

  // Versions.
  replicasMax: 7,
  siblingsWarn: 10,
  siblingsMaxDefault: 50,
  siblingsMax: 50,
  clockActorsWarn: 100,
  clockActorsMax: 4_096,
  clockExtrasMax: 4_096,
  /**
   * A stamp further ahead of the local wall clock is refused from clients, clamped from peers
   * (V12).
   */
  clockAheadMax: seconds(60),

  // Ring.
  partitionsMin: 8,
  partitionsDefault: 256,
  partitionsMax: 4_096,
  nodesMax: 1_000,
  nodeIdCharsMax: 64,
  /** Of a member's zone and host. */
  memberLabelCharsMax: 64,
  memberUrlCharsMax: 512,
  memberWeightMin: 0.1,
  memberWeightMax: 1_000,
  ringRecordBytesMax: mebibytes(1),
  /** Nodes listed as stand-ins for one partition. */
  fallbacksMax: 16,
  /** Sets of down nodes for which the stand-ins are kept. */
  fallbackViewsMax: 8,

  // One store. What RocksDB takes of memory follows from these: docs/formats.md.
  /** RocksDB's own fixed choice for the rows: two memtables of this size. */
  storeRowsMemtableBytes: mebibytes(64),
  /** For all memtables of the versions; half as much again while flushes lag. */
  storeVersionsMemtableBytes: mebibytes(16),
  storeSmallMemtableBytes: mebibytes(8),
  storeRowsCacheBytes: mebibytes(32),
  storeVersionsCacheBytes: mebibytes(8),
  storeSmallCacheBytes: mebibytes(1),
  /** Writes are refused below this much free space, so that a restart can still flush its log. */
  storeFreeBytesMin: mebibytes(512),
  storeSample: millis(250),
  /** A batch object that grew beyond this is replaced when cleared, not reused. */
  storeBatchBytesKept: mebibytes(1),
  scanBytesDefault: mebibytes(1),

  // One replica.
  groupOperationsMax: 512,
  groupBytesMax: mebibytes(8),
  pipelineOperationsMax: 16_384,
  pipelineBytesMax: mebibytes(128),
  versionCacheBytesDefault: mebibytes(64),
  requestMemoryEntries: 262_144,
  requestMemoryAge: minutes(10),
  digestSegments: 1_024,
  /** Digest journal records kept before the digests themselves are written again. */
  digestJournalRecordsMax: 65_536,

  // Peers.
  peerFrameBytesMax: mebibytes(96),
  peerRequestsInFlightMax: 16_384,
  peerBytesInFlightMax: mebibytes(128),
  peerHelloBytesMax: kibibytes(256),
  /** The largest frame taken from a connection that has not yet proven that it knows the secret. */
  peerOpeningBytesMax: kibibytes(1),
  /** Accepted connections that have not yet become a channel; the oldest gives way. */
  peerHandshakesMax: 1_024,
  /** Bytes waiting for a peer that does not read. Beyond them its channel is closed. */
  peerOutputBytesMax: mebibytes(256),
  peerHandshake: seconds(3),
  peerReconnectFirst: millis(50),
  peerReconnectMax: seconds(2),
  peerPing: seconds(1),
  /** A channel that said nothing for this long while it owed an answer is closed. */
  peerSilenceMax: seconds(4),
  /** How often overdue questions and silent channels are looked for. */
  peerSweep: millis(100),
  /** How long a running node has to show that it lives when another claims its id. */
  peerContest: millis(1_500),

  // One coordinator.
  operationsInFlightMax: 16_384,
  repairsInFlightMax: 1_024,
  repairQueueMax: 10_000,
  tracesMax: 1_000,
  traceAge: minutes(5),
  bucketsMax: 10_000,
  bucketRefresh: seconds(2),

  // HTTP.
  connectionsMax: 8_192,
  headersTimeout: seconds(10),
  /** From the first body byte to the last. Slower senders get 408. */
  bodyTimeout: seconds(20),
  keepAliveTimeout: seconds(65),
  /** Of a body that nobody wants, so that the sender reads the answer it was given early. */
  lingerBytesMax: mebibytes(4),
  lingerMax: seconds(5),
  drainMax: seconds(10),
  /** Connections above `connectionsMax` that are held just long enough to be told so. */
  connectionsRefusingMax: 256,
  connectionRefusing: seconds(1),
  /** Bodies being received and values on their way to the store, over all connections. */
  bodyBytesInFlightMax: mebibytes(256),
  /**
   * Bodies that describe something: bucket properties. Values and batches have bounds of their own.
   */
  documentBytesMax: kibibytes(64),
  batchesMax: 64,
  /** Texts of one header whose meaning is remembered. */
  headerMemoryEntries: 512,
  traceIdCharsMax: 64,

  // The client package.
  /** Calls that one client has open at a time; a further one is refused at once. */
  clientCallsMax: 16_384,
  clientConnectionsDefault: 64,
  clientConnectionsMax: 1_024,
  /** Nodes that one call may turn to, best first. */
  clientCandidatesMax: 8,
  clientTriesMax: 16,
  /** The burst that the retry budget (10 % of calls) and the hedge budget (5 % of reads) allow. */
  clientRetryTokensMax: 500,
  clientHedgeTokensMax: 20,
  /**
   * Requests of one session on the way at a time; no more tokens than that ever stand side by side.
   */
  clientSessionParallelMax: 8,
  clientSessionHeaderBytesMax: kibibytes(20),
  /** A larger value travels alone, so that it does not hold up the batch. */
  clientBatchValueBytesMax: kibibytes(64),
  clientBatchBodyBytesMax: mebibytes(4),
  clientAnswerBytesMax: mebibytes(512),
  clientUpdateTriesMax: 64,
} as const

invariant(
  limits.siblingsMax * (limits.valueBytesDefault + limits.keyBytesMax) < limits.peerFrameBytesMax,
  'a full sibling set of default-sized values fits one peer frame',
)
invariant(
  limits.valueBytesMax + limits.keyBytesMax + kibibytes(256) < limits.peerFrameBytesMax,
  'the largest value fits one peer frame with its clock',
)
invariant(
  limits.peerFrameBytesMax <= limits.peerBytesInFlightMax,
  'the window of a channel admits its largest frame',
)
invariant(limits.siblingsWarn < limits.siblingsMax, 'siblings are warned about before refused')
invariant(limits.clockActorsWarn < limits.clockActorsMax, 'wide clocks are warned about first')
invariant(
  limits.writeTimeoutDefault <= limits.timeoutMax && limits.readTimeoutDefault <= limits.timeoutMax,
  'default deadlines lie within what a client may ask',
)
invariant(limits.groupOperationsMax <= limits.pipelineOperationsMax, 'a group fits its queue')
invariant(
  2 * limits.storeRowsMemtableBytes +
    1.5 * (limits.storeVersionsMemtableBytes + 3 * limits.storeSmallMemtableBytes) <
    limits.storeFreeBytesMin,
  'the space kept free holds every memtable that a restart has to flush',
)
invariant(limits.listKeysDefault <= limits.listKeysMax, 'the default page is an allowed page')
invariant(
  limits.contextTokenBytesMax + limits.sessionTokenBytesMax < limits.headerBytesMax,
  'a largest context and a largest session fit the headers together',
)
invariant(
  limits.contextTokenBytesMax + limits.clientSessionHeaderBytesMax < limits.headerBytesMax,
  'a largest context and the tokens of a session fit the headers together',
)
invariant(
  limits.clientBatchBodyBytesMax <= limits.batchBodyBytesMax,
  'a node takes every batch that a client gathers',
)
invariant(limits.valueBytesMax <= limits.pipelineBytesMax, 'the largest value fits the pipeline')
invariant(
  limits.valueBytesMax <= limits.bodyBytesInFlightMax &&
    limits.batchBodyBytesMax <= limits.bodyBytesInFlightMax,
  'one body of the largest size can be received',
)
invariant(
  limits.contextTokenBytesMax + 3 * limits.keyBytesMax < limits.headerBytesMax,
  'the longest key, percent-encoded, and the largest context fit one request',
)
invariant(limits.peerPing < limits.peerSilenceMax, 'a ping has time to come back')
invariant(limits.peerOpeningBytesMax <= limits.peerHelloBytesMax, 'strangers get the least room')
invariant(
  limits.peerBytesInFlightMax < limits.peerOutputBytesMax,
  'a full window of questions never closes the channel',
)
invariant(limits.peerContest < limits.peerHandshake, 'a newcomer outlasts the contest for its id')
invariant(
  limits.nodesMax *
    (limits.nodeIdCharsMax + limits.memberUrlCharsMax + 2 * limits.memberLabelCharsMax + 16) +
    limits.partitionsMax * limits.replicasMax * 2 +
    64 <
    limits.ringRecordBytesMax,
  'the largest ring fits its record',
)
invariant(limits.replicasMax <= limits.fallbacksMax, 'every replica that is down has a stand-in')
