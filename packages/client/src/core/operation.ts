/** What the caller asked for, as data, and how it is said in HTTP. */
import type { Millis } from '@shoal/kernel'
import { type Answer, headerOf } from './answer.ts'
import { headers } from './headers.ts'

/** One operation on one key, validated. Empty strings, 0 and false mean "not given". */
export interface KeyOperation {
  readonly op: 'get' | 'head' | 'put' | 'delete'
  readonly bucket: string
  readonly key: string
  /** PUT only. Must not change until the call has settled. */
  readonly body: Uint8Array | string
  readonly contentType: string
  readonly contentEncoding: string
  readonly context: string
  readonly consistency: string
  readonly idempotencyKey: string
  readonly ttlSeconds: number
  /** Header values: ETags as received, joined by commas, or `*`. */
  readonly ifMatch: string
  readonly ifNoneMatch: string
  /** ETag of the one sibling wanted. */
  readonly sibling: string
  /** Let the server pick among siblings. */
  readonly resolve: boolean
  readonly explain: boolean
  readonly traceparent: string
}

/** Anything else a node is asked: the ring, a page of keys, a batch. */
export interface PlainOperation {
  readonly op: 'plain'
  readonly method: string
  /** With its query. */
  readonly path: string
  readonly write: boolean
  readonly consistency: string
  readonly contentType: string
  readonly body: Uint8Array | string
}

export type Operation = KeyOperation | PlainOperation

export const isWrite = (operation: Operation): boolean =>
  operation.op === 'plain' ? operation.write : operation.op === 'put' || operation.op === 'delete'

/**
 * Whether doing it twice is the same as doing it once: reads are, writes of a key are by their
 * `Idempotency-Key`, and of the rest what HTTP calls idempotent is.
 */
export const isRepeatable = (operation: Operation): boolean =>
  operation.op !== 'plain' || operation.method !== 'POST'

/** A request as it goes on the wire. Header names and values alternate. */
export interface HttpRequest {
  readonly method: string
  readonly path: string
  readonly headers: readonly string[]
  readonly body: Uint8Array | string | null
}

/** What differs from try to try. */
export interface Delivery {
  readonly timeout: Millis
  /** Value of `Shoal-Session`, empty for none. */
  readonly session: string
  /** Value of `Authorization`, empty for none. */
  readonly authorization: string
}

export function toRequest(operation: Operation, delivery: Delivery): HttpRequest {
  const lines = [headers.timeout, String(delivery.timeout)]
  const add = (name: string, value: string): void => {
    if (value !== '') lines.push(name, value)
  }
  add(headers.session, delivery.session)
  add(headers.authorization, delivery.authorization)
  add(headers.consistency, operation.consistency)
  add(headers.contentType, operation.contentType)
  if (operation.op === 'plain') {
    const { method, path, body } = operation
    return { method, path, headers: lines, body: body.length === 0 ? null : body }
  }
  addKeyHeaders(operation, add)
  return {
    method: methods[operation.op],
    path: keyPath(operation),
    headers: lines,
    body: operation.op === 'put' ? operation.body : null,
  }
}

const methods = { get: 'GET', head: 'HEAD', put: 'PUT', delete: 'DELETE' } as const

function addKeyHeaders(operation: KeyOperation, add: (name: string, value: string) => void): void {
  add(headers.contentEncoding, operation.contentEncoding)
  add(headers.causalContext, operation.context)
  add(headers.idempotencyKey, operation.idempotencyKey)
  add(headers.ifMatch, operation.ifMatch)
  add(headers.ifNoneMatch, operation.ifNoneMatch)
  add(headers.traceparent, operation.traceparent)
  if (operation.ttlSeconds > 0) add(headers.ttl, String(operation.ttlSeconds))
  if (operation.resolve) add(headers.prefer, 'siblings=resolve')
  if (operation.explain) add(headers.explain, '?1')
}

/**
 * Each part is one percent-encoded segment; `.` too, so that nothing on the way takes it for a
 * folder.
 */
export const segment = (part: string): string => encodeURIComponent(part).replaceAll('.', '%2E')

function keyPath({ bucket, key, sibling }: KeyOperation): string {
  // A bucket name is made of unreserved characters; a dot inside it is harmless.
  const path = `/v1/kv/${bucket}/${segment(key)}`
  return sibling === '' ? path : `${path}?sibling=${encodeURIComponent(sibling)}`
}

/**
 * Whether an answer is one to the operation, rather than a failure. For a read, siblings,
 * "unchanged" and "no such key" are answers. A 404 only speaks of the key where its code says so
 * or, for a HEAD, which has no body, where it carries the key's context.
 */
export function isAnswerTo({ op }: Operation, answer: Answer, problem: unknown): boolean {
  const { status } = answer
  if (status < 300) return true
  if (op !== 'get' && op !== 'head') return false
  if (status === 300 || status === 304) return true
  if (status !== 404) return false
  const code = (problem as { readonly code?: unknown } | null | undefined)?.code
  return code === undefined
    ? headerOf(answer, headers.causalContext) !== ''
    : code === 'SHOAL_KEY_NOT_FOUND'
}
