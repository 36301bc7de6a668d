import type { NodeId } from './units.ts'

/**
 * What a caller may do next.
 * - `never`: the same request can only fail again.
 * - `after-read`: read the key, then try with the fresh context.
 * - `if-idempotent`: safe with the same `Idempotency-Key`; the first try may have been applied.
 * - `after`: nothing happened; wait `Retry-After`, then send it again.
 */
export type Retry = 'never' | 'after-read' | 'if-idempotent' | 'after'

/** Whether the write may have happened. Reads apply nothing and say `not-applied`. */
export type Outcome = 'not-applied' | 'unknown'

export interface CatalogueEntry {
  /**
   * HTTP status, or 0 for an error that never leaves as an HTTP answer (start-up, peers, client).
   */
  readonly status: number
  readonly title: string
  readonly retry: Retry
  readonly outcome: Outcome
  /** What a person should do about it. */
  readonly hint: string
}

const entry = (
  status: number,
  title: string,
  retry: Retry,
  outcome: Outcome,
  hint: string,
): CatalogueEntry => ({ status, title, retry, outcome, hint })

/** Every error Shoal can give. `docs/errors.md` is generated from this table. Codes are stable. */
// biome-ignore format: one error on one line is read as a table
export const errorCatalogue = {
  // 400: the request is wrong and says which part of it.
  SHOAL_REQUEST_INVALID: entry(400, 'The request is malformed', 'never', 'not-applied', 'Correct the part named in `errors`.'),
  SHOAL_HEADER_INVALID: entry(400, 'A request header is malformed', 'never', 'not-applied', 'Correct the header named in `errors`.'),
  SHOAL_QUERY_INVALID: entry(400, 'A query parameter is malformed', 'never', 'not-applied', 'Correct the parameter named in `errors`.'),
  SHOAL_BODY_INVALID: entry(400, 'The body is malformed', 'never', 'not-applied', 'Correct the member named in `errors`.'),
  SHOAL_BODY_INCOMPLETE: entry(400, 'The body ended early', 'after', 'not-applied', 'Send the whole body; fewer bytes came than Content-Length said.'),
  SHOAL_BUCKET_INVALID: entry(400, 'The bucket name is not allowed', 'never', 'not-applied', 'Use 1 to 128 of A-Z a-z 0-9 . _ - and neither "." nor "..".'),
  SHOAL_KEY_INVALID: entry(400, 'The key is not allowed', 'never', 'not-applied', 'Use 1 to 1,024 bytes of valid UTF-8, percent-encoded as one path segment.'),
  SHOAL_CONSISTENCY_INVALID: entry(400, 'The Consistency header is malformed', 'never', 'not-applied', 'Use one, quorum or all, with the parameters r, w, strict, durable.'),
  SHOAL_CONTEXT_INVALID: entry(400, 'The causal context is malformed', 'never', 'not-applied', 'Send the Causal-Context of a read or write unchanged.'),
  SHOAL_CONTEXT_FOREIGN: entry(400, 'The causal context belongs to another key, bucket or cluster', 'never', 'not-applied', 'Read this key and send the context it returns.'),
  SHOAL_SESSION_INVALID: entry(400, 'The session token is malformed', 'never', 'not-applied', 'Send the Shoal-Session of the last answer unchanged, or "new".'),
  SHOAL_TIMEOUT_INVALID: entry(400, 'The Shoal-Timeout header is malformed', 'never', 'not-applied', 'Use whole milliseconds from 1 to 60,000.'),
  SHOAL_TTL_INVALID: entry(400, 'The TTL header is malformed', 'never', 'not-applied', 'Use whole seconds from 1 to 316,224,000, on PUT only.'),
  SHOAL_IDEMPOTENCY_KEY_INVALID: entry(400, 'The Idempotency-Key header is malformed', 'never', 'not-applied', 'Use 1 to 128 visible ASCII characters.'),
  SHOAL_PRECONDITION_INVALID: entry(400, 'The If-Match or If-None-Match header is malformed', 'never', 'not-applied', 'Use * or a list of quoted ETags.'),
  SHOAL_CURSOR_INVALID: entry(400, 'The cursor is malformed', 'never', 'not-applied', 'Send the cursor of the last page unchanged, with the same bucket and prefix.'),

  // 4xx: refused, for a reason other than its form.
  SHOAL_UNAUTHENTICATED: entry(401, 'No valid token', 'never', 'not-applied', 'Send Authorization: Bearer with a valid token.'),
  SHOAL_FORBIDDEN: entry(403, 'The token does not allow this', 'never', 'not-applied', 'Use a token with the scope, or for the buckets, named in `wanted`.'),
  SHOAL_BUCKET_RESERVED: entry(403, 'The bucket belongs to the system', 'never', 'not-applied', 'Bucket names beginning with an underscore are reserved.'),
  SHOAL_KEY_NOT_FOUND: entry(404, 'No value under this key', 'never', 'not-applied', 'Nothing to do: the key has no live value.'),
  SHOAL_SIBLING_NOT_FOUND: entry(404, 'No sibling with this ETag', 'after-read', 'not-applied', 'Read the key again: its siblings have changed.'),
  SHOAL_ROUTE_NOT_FOUND: entry(404, 'No such route', 'never', 'not-applied', 'See /docs for the routes.'),
  SHOAL_TRACE_NOT_FOUND: entry(404, 'No such trace', 'never', 'not-applied', 'Traces are kept for 5 minutes, at most 1,000 of them on each node.'),
  SHOAL_JOB_NOT_FOUND: entry(404, 'No such job', 'never', 'not-applied', 'Jobs are known to the node that began them, until it restarts.'),
  SHOAL_METHOD_NOT_ALLOWED: entry(405, 'The route does not have this method', 'never', 'not-applied', 'Use a method of the Allow header.'),
  SHOAL_HEADERS_TIMEOUT: entry(408, 'The request headers came too slowly', 'after', 'not-applied', 'Send the request line and all headers within 10 seconds of connecting.'),
  SHOAL_BODY_TIMEOUT: entry(408, 'The body came too slowly', 'after', 'not-applied', 'Send the body within 20 seconds.'),
  SHOAL_SIBLINGS_FULL: entry(409, 'The key has too many siblings', 'after-read', 'not-applied', 'Merge them: write with the context in this answer.'),
  SHOAL_BUCKET_NOT_EMPTY: entry(409, 'The bucket holds data', 'never', 'not-applied', 'n may change only while the bucket is empty.'),
  SHOAL_BUCKETS_FULL: entry(409, 'Too many buckets have properties of their own', 'never', 'not-applied', 'Drop the properties of buckets that no longer need them.'),
  SHOAL_PRECONDITION_FAILED: entry(412, 'The precondition does not hold', 'after-read', 'not-applied', 'Read the key, then decide again with its ETag and context.'),
  SHOAL_VALUE_TOO_LARGE: entry(413, 'The value is too large', 'never', 'not-applied', 'Stay within the limit named in `wanted`, or raise it in the configuration.'),
  SHOAL_KEY_TOO_LONG: entry(414, 'The key is too long', 'never', 'not-applied', 'Use at most 1,024 bytes.'),
  SHOAL_MEDIA_TYPE_INVALID: entry(415, 'The media type is not usable here', 'never', 'not-applied', 'Send a parsable Content-Type; for a batch application/json or application/x-ndjson.'),
  SHOAL_IDEMPOTENCY_KEY_REUSED: entry(422, 'The Idempotency-Key was used for another request', 'never', 'not-applied', 'Use a new key for each new request; repeat a key only with the same body.'),
  SHOAL_CONTEXT_REQUIRED: entry(428, 'This bucket demands a causal context', 'after-read', 'not-applied', 'Read the key and send its Causal-Context, or If-None-Match: * to create.'),
  SHOAL_RATE_LIMITED: entry(429, 'Too many requests from this client', 'after', 'not-applied', 'Wait as long as Retry-After says.'),
  SHOAL_HEADERS_TOO_LARGE: entry(431, 'The request headers are too large', 'never', 'not-applied', 'Stay within 32 KiB of headers.'),

  // 500: ours.
  SHOAL_INTERNAL: entry(500, 'A bug in Shoal', 'if-idempotent', 'unknown', 'Report the error id with the log of the node.'),
  SHOAL_DATA_DAMAGED: entry(500, 'Every reachable copy is damaged', 'after', 'not-applied', 'Run shoal doctor on the nodes in `replicas`.'),

  // 503: nothing was sent.
  SHOAL_QUORUM_UNREACHABLE: entry(503, 'Fewer replicas are reachable than asked for', 'after', 'not-applied', 'Wait, ask for less consistency, or bring the nodes in `replicas` back.'),
  SHOAL_SESSION_UNSATISFIED: entry(503, 'No reachable replica has what this session has seen', 'after', 'not-applied', 'Wait for the replicas in `replicas`, or read without the session.'),
  SHOAL_COPY_INCOMPLETE: entry(503, 'The copy of this node has lost data', 'after', 'not-applied', 'Ask another node that holds the partition, or wait until this one has merged from the others.'),
  SHOAL_OVERLOADED: entry(503, 'The node is shedding load', 'after', 'not-applied', 'Send fewer requests at a time, or add nodes.'),
  SHOAL_DRAINING: entry(503, 'The node is shutting down', 'after', 'not-applied', 'Use another node.'),
  SHOAL_CONNECTIONS_FULL: entry(503, 'The node has too many open connections', 'after', 'not-applied', 'Close idle connections, or use another node.'),
  SHOAL_STORAGE_FULL: entry(503, 'The disk is full', 'after', 'not-applied', 'Free disk space; the node takes writes again by itself.'),

  // 504: sent, and not enough answers.
  SHOAL_QUORUM_TIMEOUT: entry(504, 'Too few replicas answered in time', 'if-idempotent', 'unknown', 'Retry with the same Idempotency-Key.'),
  SHOAL_QUORUM_UNMET: entry(504, 'Too many replicas failed after the request was sent', 'if-idempotent', 'unknown', 'Retry with the same Idempotency-Key; see `replicas` for what each answered.'),

  // Between nodes. Never an HTTP answer by themselves; they stand in `replicas`.
  SHOAL_PEER_UNREACHABLE: entry(0, 'The channel to the node is down', 'after', 'not-applied', 'Check the node and the network between.'),
  SHOAL_PEER_LOST: entry(0, 'The channel closed before the answer came', 'if-idempotent', 'unknown', 'Check the node and the network between.'),
  SHOAL_PEER_BUSY: entry(0, 'The window of the channel is full', 'after', 'not-applied', 'The node answers more slowly than it is asked.'),
  SHOAL_PEER_TIMEOUT: entry(0, 'The node did not answer in time', 'if-idempotent', 'unknown', 'Check the load of the node.'),
  SHOAL_PEER_TOO_LARGE: entry(0, 'The message does not fit one peer frame', 'never', 'unknown', 'Merge the siblings of the key, or store smaller values.'),
  SHOAL_FRAME_INVALID: entry(0, 'A peer sent a malformed frame', 'never', 'unknown', 'Check that all nodes run compatible versions.'),
  SHOAL_EPOCH_STALE: entry(0, 'The sender has an older ring', 'after', 'not-applied', 'Fetch the ring and retry.'),
  SHOAL_NOT_REPLICA: entry(0, 'The node does not hold this partition', 'after', 'not-applied', 'Fetch the ring and retry.'),
  SHOAL_REPLICA_LOST: entry(0, 'This replica lost data and has not got it back yet', 'after', 'not-applied', 'Nothing to do: it is brought up to date by the other replicas.'),

  // At start and in the store. The process says so and stops.
  SHOAL_CONFIG_INVALID: entry(0, 'The configuration is wrong', 'never', 'not-applied', 'Correct the setting named; shoal config show --origins tells where it comes from.'),
  SHOAL_LISTEN_OPEN: entry(0, 'Refusing to listen beyond this machine without authentication', 'never', 'not-applied', 'Configure authentication, or give --allow-open.'),
  SHOAL_ADDRESS_IN_USE: entry(0, 'The address is taken', 'never', 'not-applied', 'Stop the process that listens there, or choose another port.'),
  SHOAL_SECRET_WRONG: entry(0, 'A peer has another cluster secret', 'never', 'not-applied', 'Give every node of the cluster the same secret.'),
  SHOAL_RING_MISMATCH: entry(0, 'A peer has another ring configuration', 'never', 'not-applied', 'Give every node the same members, replicas and partitions.'),
  SHOAL_RING_DAMAGED: entry(0, 'The ring record is damaged', 'never', 'not-applied', 'Fetch the ring of another node; check disk and memory of the one it came from.'),
  SHOAL_NODE_ID_TAKEN: entry(0, 'Another running node has this id', 'never', 'not-applied', 'Give every node an id of its own.'),
  SHOAL_VERSION_UNSUPPORTED: entry(0, 'A peer speaks no common protocol version', 'never', 'not-applied', 'Upgrade one version at a time.'),
  SHOAL_STORE_LOCKED: entry(0, 'The data directory is in use', 'never', 'not-applied', 'Stop the process that uses it, or choose another directory.'),
  SHOAL_STORE_FOREIGN: entry(0, 'The data directory belongs to another node or cluster', 'never', 'not-applied', 'Choose another directory; nothing in this one was changed.'),
  SHOAL_STORE_NEWER: entry(0, 'The data directory was written by a newer format', 'never', 'not-applied', 'Start a newer version of Shoal; nothing was changed.'),
  SHOAL_STORE_DAMAGED: entry(0, 'The data directory is damaged', 'never', 'not-applied', 'Run shoal doctor; replace the directory and let the peers refill it. Nothing was overwritten.'),
  SHOAL_STORE_FAILED: entry(0, 'The disk failed on a read, write or sync', 'never', 'unknown', 'Check the disk. The node has stopped and restarts as after a crash.'),
  SHOAL_STORE_CLOSED: entry(0, 'The store is closed', 'after', 'not-applied', 'Nothing to do: the node is stopping.'),
  SHOAL_ROW_DAMAGED: entry(0, 'A stored row fails its checksum', 'never', 'not-applied', 'The row is asked of another replica and repaired from there.'),
  SHOAL_ROWS_CONTRADICT: entry(0, 'Two copies of a row contradict each other', 'never', 'not-applied', 'A node came back with an older disk under its old identity: replace its data directory.'),

  // In the client package.
  SHOAL_CLIENT_ABORTED: entry(0, 'The caller aborted the request', 'if-idempotent', 'unknown', 'Nothing to do.'),
  SHOAL_CLIENT_UNREACHABLE: entry(0, 'No node could be reached', 'after', 'not-applied', 'Check the URLs and the network.'),
  SHOAL_CLIENT_CONNECTION_LOST: entry(0, 'The connection broke before the answer came', 'if-idempotent', 'unknown', 'Retry with the same Idempotency-Key.'),
  SHOAL_CLIENT_RESPONSE_INVALID: entry(0, 'The answer is not one of Shoal', 'never', 'unknown', 'Check that the URL is that of a Shoal node.'),
  SHOAL_CLIENT_TIMEOUT: entry(0, 'No answer came before the deadline of the call', 'if-idempotent', 'unknown', 'Allow more time, or look at the load of the nodes.'),
  SHOAL_CLIENT_OVERLOADED: entry(0, 'The client has too many calls open', 'after', 'not-applied', 'Wait for some of them before making more.'),
  SHOAL_CLIENT_CLOSED: entry(0, 'The client is closed', 'never', 'not-applied', 'Make calls before close, or connect again.'),
  SHOAL_CLIENT_OPTION_INVALID: entry(0, 'An option of the client is wrong', 'never', 'not-applied', 'Correct the option named in the message.'),
  SHOAL_CLIENT_CONFLICT: entry(0, 'An update met new siblings on every try', 'after-read', 'not-applied', 'Reduce the number of writers of this key.'),
} as const satisfies Record<`SHOAL_${string}`, CatalogueEntry>

export type ErrorCode = keyof typeof errorCatalogue

export const isErrorCode = (text: string): text is ErrorCode => Object.hasOwn(errorCatalogue, text)

/** What one replica did for a request, as replies and errors show it. */
export interface ReplicaReport {
  readonly node: NodeId | string
  readonly role: 'primary' | 'fallback'
  readonly state: string
  readonly ms: number
}

/** The part of a request that is wrong. `offset` counts from 0 within the field. */
export interface FieldError {
  readonly field: string
  readonly offset?: number
  readonly message: string
}

export interface ErrorDetails {
  readonly wanted?: string | number
  readonly got?: string | number
  /** Overrides the catalogue where the place of failure knows better. */
  readonly outcome?: Outcome
  readonly retryAfterMs?: number
  readonly replicas?: readonly ReplicaReport[]
  readonly errors?: readonly FieldError[]
  /** Further members of the problem document: `context`, `etag`, `errorId`. */
  readonly extra?: Readonly<Record<string, string>>
  readonly cause?: unknown
}

/** An expected failure. Status, title and retry advice come from the catalogue. */
export class ShoalError extends Error {
  override readonly name: string = 'ShoalError'
  readonly code: ErrorCode
  readonly details: ErrorDetails

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.code = code
    this.details = details
  }

  get status(): number {
    return errorCatalogue[this.code].status
  }

  get retry(): Retry {
    return errorCatalogue[this.code].retry
  }

  get outcome(): Outcome {
    return this.details.outcome ?? errorCatalogue[this.code].outcome
  }
}

/** An `application/problem+json` document, RFC 9457, with Shoal's members. */
export interface Problem {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly detail: string
  readonly instance?: string
  readonly code: ErrorCode
  readonly outcome: Outcome
  readonly retry: Retry
  readonly hint: string
  readonly wanted?: string | number
  readonly got?: string | number
  readonly replicas?: readonly ReplicaReport[]
  readonly errors?: readonly FieldError[]
  readonly [extra: string]: unknown
}

/**
 * The document of an error, for `application/problem+json`. What the catalogue says of the code
 * stands: an `extra` member of the same name is left out.
 *
 * @param instance  what identifies this occurrence, normally the request id as a URN
 */
export function toProblem(error: ShoalError, instance?: string): Problem {
  const { status, title, retry, hint } = errorCatalogue[error.code]
  const { wanted, got, replicas, errors, extra } = error.details
  const problem = {
    type: `urn:shoal:error:${error.code}`,
    title,
    status,
    detail: error.message,
    ...(instance === undefined ? {} : { instance }),
    code: error.code,
    outcome: error.outcome,
    retry,
    hint,
    ...(wanted === undefined ? {} : { wanted }),
    ...(got === undefined ? {} : { got }),
    ...(replicas === undefined ? {} : { replicas }),
    ...(errors === undefined ? {} : { errors }),
  }
  return extra === undefined ? problem : { ...problem, ...extra, ...problem }
}
