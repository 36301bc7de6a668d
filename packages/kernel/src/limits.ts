import { kibibytes, mebibytes, millis, minutes, seconds } from './units.ts'

/**
 * Every bound in Shoal, in one place (rule O1). A queue, cache or size without a line here is a
 * bug. How they must agree is asserted by `limit-relations.ts` when the package loads.
 * `docs/limits.md` is generated from this file: one limit on a line, its meaning above it.
 */
export const limits = {
  // What a client may send.
  /** Of a bucket's name. */
  bucketNameBytesMax: 128,
  /** Of a key, decoded. */
  keyBytesMax: 1_024,
  /** Of one value, unless the configuration says otherwise. */
  valueBytesDefault: mebibytes(1),
  /** The most that the configuration may allow for one value. */
  valueBytesMax: mebibytes(16),
  /** Of the content type kept with a value. */
  contentTypeBytesMax: 256,
  /** Of the content encoding kept with a value. */
  contentEncodingBytesMax: 255,
  /** Of a causal context. */
  contextTokenBytesMax: kibibytes(8),
  /** Of a session. The oldest keys leave it first. */
  sessionTokenBytesMax: kibibytes(4),
  /** Of an idempotency key. */
  idempotencyKeyCharsMax: 128,
  /** Of all headers of one request together. */
  headerBytesMax: kibibytes(32),
  /** Of one batch. */
  batchOperationsMax: 1_000,
  /** Of a batch that comes as one JSON document. */
  batchBodyBytesMax: mebibytes(32),
  /** Of values that one batch may hold in memory at a time; further operations wait. */
  batchBytesInFlightMax: mebibytes(64),
  /** Operations of one batch that run at a time. */
  batchParallelMax: 64,
  /** On one page of a listing. */
  listKeysMax: 1_000,
  /** On one page of a listing, unless asked otherwise. */
  listKeysDefault: 100,
  /** The shortest deadline a request may ask for. */
  timeoutMin: millis(1),
  /** The longest deadline a request may ask for. */
  timeoutMax: seconds(60),
  /** The deadline of a write that asks for none. */
  writeTimeoutDefault: seconds(2),
  /** The deadline of a read that asks for none. */
  readTimeoutDefault: seconds(5),
  /** The longest life of a value that expires: ten years. */
  ttlSecondsMax: 10 * 366 * 24 * 3_600,

  // Versions.
  /** Copies of a key: the largest N. */
  replicasMax: 7,
  /** From here on the siblings of a key are counted as many. */
  siblingsWarn: 10,
  /** Of one key, unless its bucket says otherwise. Writes beyond are refused. */
  siblingsMaxDefault: 50,
  /** The most that a bucket may allow. */
  siblingsMax: 50,
  /** From here on the clock of a key is counted as wide. */
  clockActorsWarn: 100,
  /** In the clock of one key. */
  clockActorsMax: 4_096,
  /** Single events above its bases that one clock may hold. */
  clockExtrasMax: 4_096,
  /**
   * A stamp further ahead of the local wall clock is refused from clients, clamped from peers
   * (V12).
   */
  clockAheadMax: seconds(60),

  // Ring.
  /** Into which a ring may be cut. */
  partitionsMin: 8,
  /** Into which a ring is cut, unless the configuration says otherwise. */
  partitionsDefault: 256,
  /** Into which a ring may be cut. */
  partitionsMax: 4_096,
  /** In one cluster. */
  nodesMax: 1_000,
  /** Of a node's id. */
  nodeIdCharsMax: 64,
  /** Of a member's zone and host, each. */
  memberLabelCharsMax: 64,
  /** Of a member's URL. */
  memberUrlCharsMax: 512,
  /** The least weight of a member; an ordinary one has 1. */
  memberWeightMin: 0.1,
  /** The greatest weight of a member. */
  memberWeightMax: 1_000,
  /** Of the ring as it is stored and sent. */
  ringRecordBytesMax: mebibytes(1),
  /** Nodes listed as stand-ins for one partition. */
  fallbacksMax: 16,
  /** Sets of down nodes for which the stand-ins are kept. */
  fallbackViewsMax: 8,

  // One store. What RocksDB takes of memory follows from these: docs/formats.md.
  /** RocksDB's own fixed choice for the rows: two memtables of this size. */
  storeRowsMemtableBytes: mebibytes(64),
  /** For all memtables of the versions; half as much again while flushes lag. */
  storeVersionsMemtableBytes: mebibytes(32),
  /** For all memtables of each smaller column; half as much again while flushes lag. */
  storeSmallMemtableBytes: mebibytes(8),
  /** Blocks of rows kept in memory. */
  storeRowsCacheBytes: mebibytes(32),
  /** Blocks of versions kept in memory. */
  storeVersionsCacheBytes: mebibytes(16),
  /** Blocks of each smaller column kept in memory. */
  storeSmallCacheBytes: mebibytes(1),
  /** Writes are refused below this much free space, so that a restart can still flush its log. */
  storeFreeBytesMin: mebibytes(512),
  /** How often free space and RocksDB's own brakes are looked at. */
  storeSample: millis(250),
  /** A batch object that grew beyond this is replaced when cleared, not reused. */
  storeBatchBytesKept: mebibytes(1),
  /** Read by one step of a scan, unless asked otherwise. */
  scanBytesDefault: mebibytes(1),

  // One replica.
  /** Taken together into one write of the store. */
  groupOperationsMax: 512,
  /** A group behind one of so many operations waits a moment for as many. */
  groupLingerFrom: 8,
  /** For so long. */
  groupLinger: millis(2),
  /** Taken together into one write of the store; one larger operation goes alone. */
  groupBytesMax: mebibytes(8),
  /** Waiting for the store. Further ones are refused. */
  pipelineOperationsMax: 16_384,
  /** Waiting for the store. */
  pipelineBytesMax: mebibytes(128),
  /** Versions kept in memory, so that most writes read nothing, unless configured otherwise. */
  versionCacheBytesDefault: mebibytes(32),
  /** Idempotency keys remembered. */
  requestMemoryEntries: 262_144,
  /** How long an idempotency key is remembered. */
  requestMemoryAge: minutes(10),
  /**
   * After a clean stop that is longer ago, a node writes on as somebody new: its disk may be a copy
   * that was put back, and what it wrote since is forgotten.
   */
  cleanStopAgeMax: minutes(10),
  /** Into which each partition is cut to be compared with other replicas. */
  digestSegments: 1_024,
  /** Digest journal records kept before the digests themselves are written again. */
  digestJournalRecordsMax: 65_536,

  // Peers.
  /** Of one message between nodes. */
  peerFrameBytesMax: mebibytes(96),
  /** Of the trace that a question belongs to, where somebody records it. */
  peerTraceBytesMax: kibibytes(1),
  /** On the way to one peer and not yet answered. */
  peerRequestsInFlightMax: 16_384,
  /** Of questions on the way to one peer and not yet answered. */
  peerBytesInFlightMax: mebibytes(128),
  /** Of the messages that open a channel. */
  peerHelloBytesMax: kibibytes(256),
  /** The largest frame taken from a connection that has not yet proven that it knows the secret. */
  peerOpeningBytesMax: kibibytes(1),
  /** Accepted connections that have not yet become a channel; the oldest gives way. */
  peerHandshakesMax: 1_024,
  /** To a listener for peers alone: two for each node of the largest cluster, and some more. */
  peerConnectionsMax: 4_096,
  /** Waiting for a peer that does not read. Beyond them its channel is closed. */
  peerOutputBytesMax: mebibytes(256),
  /** From the connection to an open channel. */
  peerHandshake: seconds(3),
  /** The longest wait before the first try to reconnect; each further try waits twice as long. */
  peerReconnectFirst: millis(50),
  /** The longest wait between two tries to reconnect. */
  peerReconnectMax: seconds(2),
  /** How often a silent peer is asked whether it lives. */
  peerPing: seconds(1),
  /** A channel that said nothing for this long while it owed an answer is closed. */
  peerSilenceMax: seconds(4),
  /** How often overdue questions and silent channels are looked for. */
  peerSweep: millis(100),
  /** How long a running node has to show that it lives when another claims its id. */
  peerContest: millis(1_500),

  // Who is alive.
  /** News of members in one message. */
  gossipUpdatesMax: 64,
  /** Of one suspicion that travel with it: who found the member silent, each by itself. */
  suspicionWitnessesMax: 4,
  /** Probes under way at a time; further ones wait for their turn. */
  probesInFlightMax: 8,
  /**
   * Probes made for others at a time. Who asks for a further one is told that nothing was heard.
   */
  probesRelayedMax: 256,
  /** Questions of membership on the way. News beyond them waits for the next round. */
  membershipQuestionsMax: 1_024,
  /** How often some others are asked how they are. */
  statusAsked: seconds(5),
  /** So many of them each time. */
  statusAskedMax: 16,
  /** Of what another says is wrong with it, so much is remembered. */
  statusProblemsMax: 16,
  /** Of each of these. */
  statusProblemCharsMax: 300,

  // One coordinator.
  /** Requests of clients under way. Further ones are refused. */
  operationsInFlightMax: 16_384,
  /** Under way; further ones are left to a later read. */
  repairsInFlightMax: 1_024,
  /** Repairs that wait. */
  repairQueueMax: 10_000,
  /** Kept for those who asked for one. */
  tracesMax: 1_000,
  /** How long a trace is kept. */
  traceAge: minutes(5),
  /** Buckets with properties of their own. */
  bucketsMax: 10_000,
  /** How often the properties of buckets are read again. */
  bucketRefresh: seconds(2),
  /** How often a node with a new disk asks for them until it is told. */
  bucketRefreshFirst: millis(100),

  // Making copies equal.
  /** The longest time between two exchanges of one pair of replicas (E3). */
  exchangeInterval: minutes(8),
  /** Exchanges that one node has begun and not ended, at most one with each peer. */
  exchangesInFlightMax: 4,
  /** Keys on one page of an exchange. */
  exchangeKeysMax: 4_096,
  /** Of rows read for one such page; the one that passes it is the last. */
  exchangePageBytes: mebibytes(2),
  /** Rows that one exchange moves at a time. */
  exchangeRowsInFlightMax: 32,
  /** Of rows that one exchange moves at a time, going by the largest it has met. */
  exchangeRowBytesInFlightMax: mebibytes(8),
  /** Lists of keys, proofs and the like that one node makes for others at a time. */
  exchangeListingsMax: 16,
  /** How long an answer to a question of an exchange is waited for. */
  exchangeTimeout: seconds(30),
  /** The longest wait before an exchange that failed is tried again. */
  exchangeRetryMax: minutes(2),
  /** Partitions whose trees are kept in memory, 9 KiB each. */
  forestsKept: 1_024,
  /** How often every row is read and checked, unless configured otherwise (E4). */
  scrubInterval: minutes(7 * 24 * 60),
  /** Segments whose digest is in doubt and waits to be checked. Further ones wait for the scrub. */
  doubtfulSegmentsMax: 4_096,
  /** A segment that could not be read is left alone for so long, whoever doubts it. */
  doubtAgainAfter: seconds(10),
  /** Damaged keys remembered until a copy of a peer has replaced them. */
  damagedKeysMax: 10_000,
  /** Repairs asked for by people that are remembered; the oldest ended one is forgotten first. */
  repairJobsMax: 64,
  /** A second, for all background work together, however busy the node is. */
  backgroundBytesMin: kibibytes(256),
  /** A second, for all background work together, when the node is idle. */
  backgroundBytesMax: mebibytes(64),
  /** Spans of the day in which a node may be told to be quiet. */
  quietSpansMax: 16,
  /** How often the background budget looks at the foreground. */
  backgroundSample: seconds(1),

  // Handoff.
  /** Of rows owed to one target. Beyond it their partitions are marked for anti-entropy (H2). */
  hintTargetBytesMax: mebibytes(1_024),
  /** How long a row is owed. Then its partition is marked for anti-entropy (H2). */
  hintAgeMax: minutes(180),
  /** Kept by one node for all targets. Each takes 17 to 34 bytes of memory. */
  hintsMax: 2_097_152,
  /** Read from the log at a time, where all of it is read. */
  hintPageRecordsMax: 1_000,
  /** Delivered to one target in one round. */
  hintRoundHintsMax: 256,
  /** Of rows delivered in one round; one larger row goes alone. */
  hintRoundBytesMax: mebibytes(1),
  /** How long a round waits for its last answer. */
  hintRoundTime: seconds(60),
  /** Of rows on the way to one target; sixteen more are read ahead. */
  hintBytesInFlightMax: mebibytes(4),
  /** At a time, one for each target; others wait for their turn. */
  hintRoundsInFlightMax: 4,
  /** How long a target has to get one row onto its disk. */
  hintAnswerTimeout: seconds(10),
  /** The longest wait after a first failed round; each further one waits twice as long. */
  hintRetryFirst: millis(100),
  /** The longest wait between two rounds. */
  hintRetryMax: seconds(30),
  /** How often it is looked for hints that nobody delivers. */
  hintRecheck: seconds(1),
  /** How long hints owed after a reply may wait for a sync. */
  hintSyncDelay: millis(100),
  /** Callers that wait for hints to be delivered. */
  hintSyncsMax: 64,

  // The command line.
  /** Contexts that one sitting of `shoal repl` keeps, the newest. */
  replContextsMax: 1_000,
  /** Lines that one sitting of `shoal repl` remembers. */
  replHistoryMax: 1_000,

  // Backups.
  /** On one page of a backup. */
  backupPageRowsMax: 1_000,
  /** On one page of a backup; the row that passes it is the last. */
  backupPageBytesMax: mebibytes(4),

  // Work that is asked for and then goes on.
  /** Kept to be asked about, the newest. */
  jobsMax: 256,

  // HTTP.
  /** Open at a time. */
  connectionsMax: 8_192,
  /** From the connection to the last header. Slower senders get 408. */
  headersTimeout: seconds(10),
  /** From the first body byte to the last. Slower senders get 408. */
  bodyTimeout: seconds(20),
  /** How long an idle connection is kept. */
  keepAliveTimeout: seconds(65),
  /** Of a body that nobody wants, so that the sender reads the answer it was given early. */
  lingerBytesMax: mebibytes(4),
  /** How long such a body is read. */
  lingerMax: seconds(5),
  /** How long a stopping node waits for what is under way. */
  drainMax: seconds(10),
  /** Connections above `connectionsMax` that are held just long enough to be told so. */
  connectionsRefusingMax: 256,
  /** How long such a connection is held. */
  connectionRefusing: seconds(1),
  /** Bodies being received and values on their way to the store, over all connections. */
  bodyBytesInFlightMax: mebibytes(256),
  /**
   * Bodies that describe something: bucket properties. Values and batches have bounds of their own.
   */
  documentBytesMax: kibibytes(64),
  /** Under way at a time, over all connections. */
  batchesMax: 64,
  /** Events that a node remembers, for clients that come back. */
  eventsKept: 1_024,
  /** Clients that follow the events of a node at a time. */
  eventStreamsMax: 64,
  /** Of events that a client has not read yet. Beyond it is cut off, and may come back. */
  eventStreamBytesMax: kibibytes(512),
  /** How often a stream says something when nothing happens. */
  eventHeartbeat: seconds(10),
  /** Of an event's id. */
  eventIdCharsMax: 64,
  /** Texts of one header whose meaning is remembered. */
  headerMemoryEntries: 512,
  /** Of a trace's id. */
  traceIdCharsMax: 64,
  /** Of `tracestate` that is passed on. What is longer loses members, as W3C has it. */
  traceStateCharsMax: 512,
  /** Lines about slow requests at once. */
  slowLinesBurst: 20,
  /** A second, over time. Further ones are counted, and told with the next line. */
  slowLinesRate: 2,

  // Security.
  /** In the file of tokens. */
  tokensMax: 10_000,
  /** Of the file of tokens. */
  tokenFileBytesMax: mebibytes(8),
  /** Names and beginnings of buckets that one token may list. */
  tokenBucketsMax: 100,
  /** Of a certificate, a key or a list of authorities. */
  certificateFileBytesMax: mebibytes(1),
  /** How often these files are looked at for changes. */
  securityRecheck: seconds(5),
  /** The most operations a second that a rate may be set to. */
  rateMax: 1_000_000,
  /** Clients whose rate is remembered by address; the one known longest is forgotten first. */
  rateAddressesMax: 10_000,
  /** TLS handshakes under way; the oldest gives way. */
  tlsHandshakesMax: 1_024,
  /** Waiting to be written to the audit log. Beyond them lines are dropped, and that is told. */
  auditBytesMax: mebibytes(4),

  // Configuration.
  /** Of a configuration file. */
  configFileBytesMax: mebibytes(1),
  /** Of the cluster secret: a shorter one could be guessed. */
  secretBytesMin: 16,
  /** Of the cluster secret. */
  secretBytesMax: kibibytes(4),
  /** The most that the configuration may give to versions kept in memory. */
  versionCacheBytesMax: mebibytes(1_024),

  // The client package.
  /** Calls that one client has open at a time; a further one is refused at once. */
  clientCallsMax: 16_384,
  /** To one node, unless asked otherwise. */
  clientConnectionsDefault: 64,
  /** To one node, at most. */
  clientConnectionsMax: 1_024,
  /** Nodes that one call may turn to, best first. */
  clientCandidatesMax: 8,
  /** Of one call, the first included. */
  clientTriesMax: 16,
  /** The burst that the retry budget (10 % of calls) allows. */
  clientRetryTokensMax: 500,
  /** The burst that the hedge budget (5 % of reads) allows. */
  clientHedgeTokensMax: 20,
  /**
   * Requests of one session on the way at a time; no more tokens than that ever stand side by side.
   */
  clientSessionParallelMax: 8,
  /** Of the session tokens that one request may carry. */
  clientSessionHeaderBytesMax: kibibytes(20),
  /** A larger value travels alone, so that it does not hold up the batch. */
  clientBatchValueBytesMax: kibibytes(64),
  /** Of a batch that the client gathers by itself. */
  clientBatchBodyBytesMax: mebibytes(4),
  /** Batches that one node may have to answer; what comes meanwhile waits and leaves together. */
  clientBatchesInFlightMax: 2,
  /** Of one answer: all siblings of a key, or a batch of them. */
  clientAnswerBytesMax: mebibytes(512),
  /** Rounds of one update, at most. */
  clientUpdateTriesMax: 64,

  // The command line.
  /** Of a local cluster. */
  devNodesMax: 16,
  /** Of one line that a node of a local cluster prints; a longer one is cut into several. */
  devLineCharsMax: 16_384,
  /** The last of each node, shown when it ends by itself. */
  devLinesKept: 20,
  /** Connections that a cut link of a local cluster holds; the oldest is closed for one more. */
  devCableWaitingMax: 16,
  /** How long a load may last. */
  benchSecondsMax: 3_600,
  /** That a load reads and writes at random. */
  benchKeysMax: 100_000_000,
  /** Of these, written before the load begins. */
  benchFillKeysMax: 10_000,
  /** Of values written before the load begins. */
  benchFillBytesMax: mebibytes(64),
} as const

export type Limits = { readonly [Name in keyof typeof limits]: number }
