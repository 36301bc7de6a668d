/**
 * The names of the HTTP face: headers, their parameters, media types. Both ends write and read them
 * through these tables, so that a name is spelled once.
 */

/**
 * As written on the wire; HTTP compares names without case, Node's parser hands them over lower.
 */
export const headerNames = {
  consistency: 'Consistency',
  consistencyAlias: 'X-Consistency',
  causalContext: 'Causal-Context',
  ifMatch: 'If-Match',
  ifNoneMatch: 'If-None-Match',
  idempotencyKey: 'Idempotency-Key',
  session: 'Shoal-Session',
  timeout: 'Shoal-Timeout',
  accept: 'Accept',
  prefer: 'Prefer',
  explain: 'Explain',
  ttl: 'TTL',
  traceparent: 'traceparent',
  tracestate: 'tracestate',
  authorization: 'Authorization',
  contentType: 'Content-Type',
  contentEncoding: 'Content-Encoding',
  contentLength: 'Content-Length',
  etag: 'ETag',
  lastModified: 'Last-Modified',
  receipt: 'Receipt',
  requestId: 'Request-Id',
  serverTiming: 'Server-Timing',
  cacheControl: 'Cache-Control',
  siblings: 'Siblings',
  preferenceApplied: 'Preference-Applied',
  retryAfter: 'Retry-After',
  allow: 'Allow',
  traceId: 'Trace-Id',
  location: 'Location',
  connection: 'Connection',
  wwwAuthenticate: 'WWW-Authenticate',
  contentTypeOptions: 'X-Content-Type-Options',
  contentSecurityPolicy: 'Content-Security-Policy',
  resourcePolicy: 'Cross-Origin-Resource-Policy',
} as const

export const consistencyLevels = ['one', 'quorum', 'all'] as const

/** Parameters of the `Consistency` item: read and write quorum, primaries only, on disk. */
export const consistencyParameters = ['r', 'w', 'strict', 'durable'] as const

/** The members of the `Receipt` dictionary, in the order they are written. */
export const receiptMembers = [
  'n',
  'need',
  'ack',
  'primaries',
  'fallbacks',
  'durable',
  'hinted',
  'repaired',
  'epoch',
  'node',
  'precondition',
] as const

export const mediaTypes = {
  bytes: 'application/octet-stream',
  json: 'application/json',
  ndjson: 'application/x-ndjson',
  events: 'text/event-stream',
  problem: 'application/problem+json',
  multipart: 'multipart/mixed',
  siblings: 'application/vnd.shoal.siblings+json',
} as const

/** What a node asks for in `Upgrade` when it wants to talk to a peer. */
export const peerUpgradeProtocol = 'shoal-peer/1'

/** The word in `Shoal-Session` that begins a session. */
export const newSession = 'new'
/** The only preference this API knows (RFC 7240). */
export const resolveSiblings = 'siblings=resolve'
/** Opaque to clients, told apart by people. */
export const contextPrefix = 'c1.'
