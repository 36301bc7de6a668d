import {
  type ErrorCode,
  errorCatalogue,
  isErrorCode,
  limits,
  millis,
  nodeId,
  type ReplicaReport,
  ShoalError,
} from '@shoal/kernel'
import fc from 'fast-check'
import {
  type ExchangeAnswer,
  type ExchangeMessage,
  type ForwardedAnswer,
  type ForwardedWrite,
  type HintsMessage,
  type ListedMessage,
  type ListMessage,
  type MergeMessage,
  mergeFlags,
  type ProofAnswer,
  type ReadMessage,
  type RepairsMessage,
  readFlags,
  type SegmentKeysAnswer,
  type SegmentKeysMessage,
  type StatusMessage,
  type TraceMessage,
} from '../src/index.ts'

/** Any text that has a UTF-8 form; some of it long. */
const text = fc.oneof(fc.string({ unit: 'binary', maxLength: 20 }), fc.string({ maxLength: 500 }))
const number = fc.double({ noNaN: true, noDefaultInfinity: true })
const u8 = fc.nat(0xff)
const u32 = fc.nat(0xffff_ffff)
const bytes = (minLength = 0, maxLength = 300): fc.Arbitrary<Buffer> =>
  fc.uint8Array({ minLength, maxLength }).map((array) => Buffer.from(array))
const levels = fc.constantFrom('one', 'quorum', 'all')
const plain = { noNullPrototype: true } as const
const record = <T extends object>(
  parts: {
    [K in keyof T]: fc.Arbitrary<T[K]>
  },
): fc.Arbitrary<T> => fc.record<T>(parts, plain)
const required = <K extends string>(...requiredKeys: K[]) => ({ ...plain, requiredKeys })

const bucket = fc.stringMatching(/^[A-Za-z0-9._-]{1,128}$/)
const key = fc
  .string({ unit: 'binary', minLength: 1, maxLength: 200 })
  .filter((name) => Buffer.byteLength(name) <= limits.keyBytesMax)
const fieldText = fc.stringMatching(/^[\t\x20-\x7e\x80-\xff]{0,100}$/)

const reports: fc.Arbitrary<ReplicaReport[]> = fc.array(
  record({
    node: text,
    role: fc.constantFrom('primary', 'fallback'),
    state: text,
    ms: number,
  }),
  { minLength: 1, maxLength: 4 },
)

export const merges: fc.Arbitrary<MergeMessage> = record({
  flags: fc.nat(Object.values(mergeFlags).reduce((all, flag) => all | flag, 0)),
  rowKey: bytes(1),
  row: bytes(1),
})

export const reads: fc.Arbitrary<ReadMessage> = record({
  asked: fc.constantFrom(0, readFlags.durable, readFlags.versionOnly, 6),
  digest: fc.option(bytes(8, 8), { nil: undefined }),
  rowKey: bytes(1),
}).map(({ asked, digest, rowKey }) => ({
  flags: digest ? asked | readFlags.digest : asked,
  digest,
  rowKey,
}))

export const lists: fc.Arbitrary<ListMessage> = record({
  bucket,
  prefix: text,
  after: text,
  limit: u32,
  partitions: bytes(),
})

export const listings: fc.Arbitrary<ListedMessage> = record({
  entries: fc.array(record({ key: text, version: bytes() }), { maxLength: 5 }),
  finished: fc.boolean(),
})

export const statuses: fc.Arbitrary<StatusMessage> = record({
  version: text,
  uptimeMs: number,
  load: number,
  draining: fc.boolean(),
  epoch: u32,
  diskBytes: number,
  freeBytes: number,
  memoryBytes: number,
  problems: fc.array(text, { maxLength: 4 }),
})

export const traces: fc.Arbitrary<TraceMessage> = record({
  id: text,
  node: text.map(nodeId),
  operation: text,
  bucket: text,
  key: text,
  started: number.map(millis),
  events: fc.array(record({ at: number, node: text, event: text, detail: text }), {
    maxLength: 4,
  }),
  replicas: reports,
})

const u16 = fc.nat(0xffff)
const segments = fc
  .uniqueArray(fc.nat(limits.digestSegments - 1), { maxLength: 40 })
  .map((given) => given.sort((one, other) => one - other))
const groups = fc.integer({ min: 1, max: 0xffff_ffff })
const bitsOf = (bits: number): number =>
  Array.from({ length: 32 }, (_none, bit) => (bits >>> bit) & 1).filter(Boolean).length

export const exchanges: fc.Arbitrary<ExchangeMessage> = fc.oneof(
  record({ level: fc.constant('root' as const), partition: u16, root: bytes(1, 64) }),
  record({ level: fc.constant('leaves' as const), partition: u16, groups }),
)

export const exchangeAnswers: fc.Arbitrary<ExchangeAnswer> = fc.oneof(
  fc.constant({ level: 'same' as const }),
  fc.integer({ min: 1, max: 64 }).chain((length) =>
    record({
      level: fc.constant('children' as const),
      children: fc.array(bytes(length, length), { minLength: 32, maxLength: 32 }),
    }),
  ),
  fc.oneof(fc.constantFrom(1, 0x8000_0000, 0x8001), groups).chain((asked) =>
    record({
      level: fc.constant('leaves' as const),
      groups: fc.constant(asked),
      digests: fc.array(bytes(256, 256), { minLength: bitsOf(asked), maxLength: bitsOf(asked) }),
    }),
  ),
)

export const segmentKeys: fc.Arbitrary<SegmentKeysMessage> = record({
  partition: u16,
  segments,
  after: bytes(),
})

const entries = fc.array(
  record({ rowKey: bytes(1, 80), digest: bytes(8, 8), damaged: fc.boolean() }),
  { maxLength: 5 },
)

export const segmentKeysAnswers: fc.Arbitrary<SegmentKeysAnswer> = record({
  entries,
  finished: fc.boolean(),
  unreadable: segments,
}).filter((answer) => answer.finished || answer.entries.length > 0)

export const rowKeys: fc.Arbitrary<Buffer> = bytes(1)

const path = fc.array(record({ left: fc.boolean(), hash: bytes(0, 64) }), { maxLength: 6 })

export const proofAnswers: fc.Arbitrary<ProofAnswer> = record({
  digest: fc.option(bytes(8, 8), { nil: undefined }),
  others: record({ rows: u32, digest: bytes(8, 8) }),
  path,
  root: bytes(0, 64),
})

export const hints: fc.Arbitrary<HintsMessage> = record({
  total: number,
  bytes: number,
  oldestMs: number,
  targets: fc.array(
    record({
      node: fc.stringMatching(/^[a-z0-9]{1,20}$/).map(nodeId),
      count: number,
      bytes: number,
      oldestMs: number,
      dirtyPartitions: number,
    }),
    { maxLength: 4 },
  ),
})

export const repairs: fc.Arbitrary<RepairsMessage> = record({
  oldestUnverifiedMs: number,
  divergentSegments: number,
  unverified: number,
  hintBytes: number,
  oldestHintMs: number,
  bytesPerSecond: number,
  paused: fc.boolean(),
  quiet: fc.boolean(),
  waitingBytes: number,
  etaMs: fc.option(number, { nil: undefined }),
  lostPartitions: number,
  unhealed: number,
  tombstones: number,
})

const tags = fc.array(text, { maxLength: 3 })
const preconditions = fc
  .record({ ifMatch: tags, ifNoneMatch: tags }, { ...plain, requiredKeys: [] })
  .filter((precondition) => Object.keys(precondition).length > 0)

export const writes: fc.Arbitrary<ForwardedWrite> = fc.record(
  {
    operation: fc.constantFrom('put', 'delete'),
    bucket,
    key,
    consistency: fc.record(
      { level: levels, r: u8, w: u8, durable: u8, strict: fc.boolean() },
      required('level', 'strict'),
    ),
    session: text,
    timeout: fc.double({ min: 0.001, max: 60_000, noNaN: true }).map(millis),
    explain: fc.boolean(),
    context: text,
    idempotencyKey: text,
    precondition: preconditions,
    body: bytes(),
    contentType: fieldText,
    contentEncoding: fieldText,
    ttl: fc.nat(limits.ttlSecondsMax),
  },
  required(
    ...(['operation', 'bucket', 'key', 'session', 'timeout', 'explain', 'context'] as const),
    ...(['idempotencyKey', 'body', 'contentType', 'contentEncoding', 'ttl'] as const),
  ),
)

export const answers: fc.Arbitrary<ForwardedAnswer> = fc.record(
  {
    context: text,
    session: text,
    consistency: record({
      level: levels,
      n: u8,
      r: u8,
      w: u8,
      durable: u8,
      strict: fc.boolean(),
    }),
    receipt: fc.record(
      {
        ...{ n: u8, need: u8, ack: u8, primaries: u8, fallbacks: u8, hinted: u8, repaired: u8 },
        durable: u8,
        epoch: u32,
        node: text.map(nodeId),
        precondition: fc.constantFrom('checked', 'atomic'),
      },
      required(
        ...(['n', 'need', 'ack', 'primaries', 'fallbacks'] as const),
        ...(['hinted', 'repaired', 'epoch', 'node'] as const),
      ),
    ),
    traceId: text,
    etag: text,
    modified: number.map(millis),
    siblings: u32,
  },
  required('context', 'session', 'consistency', 'receipt', 'etag', 'modified', 'siblings'),
)

export const codes: fc.Arbitrary<ErrorCode> = fc.constantFrom(
  ...Object.keys(errorCatalogue).filter(isErrorCode),
)

const fieldErrors = fc.record(
  { field: text, offset: fc.nat(), message: text },
  required('field', 'message'),
)

const details = fc.record(
  {
    wanted: fc.oneof(text, number),
    got: fc.oneof(text, number),
    outcome: fc.constantFrom('not-applied', 'unknown'),
    retryAfterMs: number,
    replicas: reports,
    errors: fc.array(fieldErrors, { minLength: 1, maxLength: 3 }),
    extra: fc.dictionary(text, text, { minKeys: 1, maxKeys: 3, ...plain }),
  },
  { ...plain, requiredKeys: [] },
)

export const problems: fc.Arbitrary<ShoalError> = fc
  .tuple(codes, text, details)
  .map(([code, message, parts]) => new ShoalError(code, message, parts))
