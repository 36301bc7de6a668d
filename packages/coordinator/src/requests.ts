import type { Millis, NodeId, Partition, ReplicaReport, ShoalError } from '@shoal/kernel'

/** What a request asks for; `resolveConsistency` turns it into numbers for a bucket (Q1). */
export interface Consistency {
  readonly level: 'one' | 'quorum' | 'all'
  readonly r?: number
  readonly w?: number
  /** Acknowledgements that must be on disk, 0 to w. Absent: the bucket decides, then the node. */
  readonly durable?: number
  readonly strict: boolean
}

/** A consistency in numbers, for an effective N. */
export interface EffectiveConsistency {
  readonly level: 'one' | 'quorum' | 'all'
  readonly n: number
  readonly r: number
  readonly w: number
  readonly durable: number
  readonly strict: boolean
}

/**
 * Follows one request, for whoever traces it. The request takes the same course without one, and
 * whatever this does may cost time and nothing else.
 */
export interface Follower {
  /** Goes with every question to a peer, unread; undefined: nothing goes. */
  readonly carried: Uint8Array | undefined
  /** @param event  `asked`, `durable`, an error code: as in the events of a trace */
  happened(node: NodeId, event: string): void
  /** As many have answered as were asked for. */
  reached(): void
}

/** What every request to one key carries. Validated at the HTTP edge. */
export interface KeyRequest {
  readonly bucket: string
  readonly key: string
  /** Absent: the bucket's default. */
  readonly consistency?: Consistency
  /** The `Shoal-Session` header as sent, empty string when absent. */
  readonly session: string
  readonly timeout: Millis
  /** Keep a trace of every replica's part in this request. */
  readonly explain: boolean
  readonly follower?: Follower | undefined
}

export type ReadRequest = KeyRequest

export interface Precondition {
  /** ETags as sent, quotes included; `*` stands for any. Absent: no such header. */
  readonly ifMatch?: readonly string[]
  readonly ifNoneMatch?: readonly string[]
}

export interface WriteRequest extends KeyRequest {
  readonly operation: 'put' | 'delete'
  /** The `Causal-Context` header as sent, empty string when absent: a blind write (V7). */
  readonly context: string
  /** The `Idempotency-Key` header, empty string when absent (V10). */
  readonly idempotencyKey: string
  readonly precondition?: Precondition
  /** PUT only; empty buffers and strings on DELETE. Not copied: must not change afterwards. */
  readonly body: Buffer
  readonly contentType: string
  readonly contentEncoding: string
  /** Seconds until expiry, 0 for the bucket's default. */
  readonly ttl: number
  /** Another node passed it on, which could reach none of the key's primaries (V4). */
  readonly asStandIn?: boolean
  /** By another node: it goes no further (V4). */
  readonly passedOn?: boolean
}

/** One live value as a client sees it. Tombstones and expired values never appear. */
export interface LiveValue {
  /** Quoted strong ETag of this value alone (its dot). */
  readonly etag: string
  readonly contentType: string
  readonly contentEncoding: string
  /** A view; valid for ever, but keeping it keeps the buffer it was received in. */
  readonly body: Buffer
  readonly modified: Millis
}

/** What stood behind an answer, as the `Receipt` header shows it. */
export interface Receipt {
  readonly n: number
  readonly need: number
  /** primaries + fallbacks at the moment the reply left. */
  readonly ack: number
  readonly primaries: number
  readonly fallbacks: number
  /** Writes only. */
  readonly durable?: number
  readonly hinted: number
  readonly repaired: number
  readonly epoch: number
  readonly node: NodeId
  readonly precondition?: 'checked' | 'atomic'
}

interface Answer {
  /** The `Causal-Context` token to return. */
  readonly context: string
  /** The new `Shoal-Session` token; empty string when the request carried none. */
  readonly session: string
  readonly consistency: EffectiveConsistency
  readonly receipt: Receipt
  /** Set when the request asked for a trace. */
  readonly traceId?: string
}

/** An empty `values` is a 404 that R primaries stand behind. */
export interface ReadAnswer extends Answer {
  /** Newest dot last; more than one are siblings. In an `lww` bucket at most one. */
  readonly values: readonly LiveValue[]
  /** Over all live dots; empty string where no value exists. */
  readonly etag: string
  readonly modified: Millis
}

export interface WriteAnswer extends Answer {
  /** Over all live dots after the write; empty string after a delete that left nothing. */
  readonly etag: string
  readonly modified: Millis
  /** Live values after the write; above 1 the key has siblings. */
  readonly siblings: number
}

export interface ListRequest {
  readonly bucket: string
  readonly prefix: string
  /** Keys strictly after this one; empty string from the beginning. */
  readonly after: string
  readonly limit: number
  readonly consistency?: Consistency
  readonly timeout: Millis
  readonly follower?: Follower | undefined
}

export interface ListAnswer {
  /** In UTF-8 byte order. */
  readonly keys: readonly string[]
  /** Whether a further page may hold more. */
  readonly more: boolean
  readonly consistency: EffectiveConsistency
}

/** The properties of a bucket, all of them. */
export interface BucketProperties {
  readonly n: number
  readonly consistency: Consistency
  readonly conflicts: 'siblings' | 'lww'
  readonly blindWrites: 'overwrite' | 'sibling' | 'reject'
  /** Seconds, 0 for never. */
  readonly ttl: number
  readonly maxSiblings: number
  /** Absent: the node's setting. */
  readonly durability?: 'fsync' | 'memory'
  readonly mode: 'leaderless'
}

export interface Explanation {
  readonly token: string
  readonly partition: number
  readonly preferenceList: readonly NodeId[]
  readonly fallbacks: readonly NodeId[]
  readonly holders: readonly {
    readonly node: NodeId
    readonly role: 'primary' | 'fallback'
    readonly etag: string
    /** As `actor:counter`, for people. */
    readonly dots: readonly string[]
    /** `value`, `siblings`, `deleted`, `absent`, `damaged`, `unreachable`. */
    readonly state: string
  }[]
  readonly hintsOwed: number
}

export interface TraceEvent {
  /** Milliseconds since the request came in. */
  readonly at: number
  readonly node: string
  readonly event: string
  readonly detail: string
}

export interface Trace {
  readonly id: string
  readonly node: NodeId
  readonly operation: string
  readonly bucket: string
  readonly key: string
  /** Unix time. */
  readonly started: Millis
  readonly events: readonly TraceEvent[]
  readonly replicas: readonly ReplicaReport[]
}

/**
 * What is known of a request that has ended, beside its answer. Costs those nothing who do not
 * look.
 */
export interface RequestReport {
  /** When work on it began, on the elapsed clock. */
  readonly began: Millis
  readonly partition: Partition
  /** Undefined where another node worked it out. */
  readonly consistency: EffectiveConsistency | undefined
  reports(): ReplicaReport[]
}

/** @param report  undefined where nobody was asked anything */
export type Done<T> = (result: T | ShoalError, report?: RequestReport) => void

/**
 * Everything a face (HTTP, batch) may ask of the store. Callbacks are called exactly once, never
 * from inside the call, with an answer or a `ShoalError`; by the request's timeout at the latest
 * (O2).
 */
export interface KeyValue {
  read(request: ReadRequest, done: Done<ReadAnswer>): void
  write(request: WriteRequest, done: Done<WriteAnswer>): void
  list(request: ListRequest): Promise<ListAnswer>
  explain(bucket: string, key: string, timeout: Millis): Promise<Explanation>
  /** Asks the other nodes where this one does not have it. */
  trace(id: string): Promise<Trace | undefined>
}

/** Bucket properties, kept in the store itself and followed by every node within 5 s. */
export interface Buckets {
  /** From this node's memory; defaults for a bucket nobody configured. Costs a map look-up. */
  of(bucket: string): BucketProperties
  /** Buckets with properties of their own, by name, read with a quorum. */
  all(): Promise<readonly { readonly name: string; readonly properties: BucketProperties }[]>
  /** Read with a quorum, not from memory. */
  get(bucket: string): Promise<BucketProperties>
  put(bucket: string, properties: BucketProperties): Promise<void>
  delete(bucket: string): Promise<void>
  readonly defaults: BucketProperties
}

/** `quorum;r=2;w=2;durable=2`, with `;strict` at the end where asked: the normalised echo. */
export function formatConsistency({ level, r, w, durable, strict }: EffectiveConsistency): string {
  return `${level};r=${r};w=${w};durable=${durable}${strict ? ';strict' : ''}`
}
