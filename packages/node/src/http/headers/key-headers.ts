/**
 * The headers of a key–value request, read once and checked whether the method has a use for them
 * or not: a header that is wrong is a mistake somewhere, and silence would hide it.
 */
import type { IncomingHttpHeaders } from 'node:http'
import type { Consistency, Precondition } from '@shoal/coordinator'
import type { Millis } from '@shoal/kernel'
import { headerNames, mediaTypes } from '@shoal/wire'
import { readAlias, readConsistency, sameConsistency } from './consistency.ts'
import { parseEntityTags, weakened } from './entity-tags.ts'
import { fieldError } from './fault.ts'
import { checkContext, checkIdempotencyKey, checkSession, parseExplain } from './fields.ts'
import { checkContentEncoding, readContentType } from './media-type.ts'
import { prefersResolved } from './negotiation.ts'
import { parseTimeout, parseTtl } from './numbers.ts'

/** Node hands names over in lower case and joins repeated ones with commas. */
export type Headers = IncomingHttpHeaders & {
  readonly consistency?: string
  readonly 'x-consistency'?: string
  readonly 'causal-context'?: string
  readonly 'idempotency-key'?: string
  readonly 'shoal-session'?: string
  readonly 'shoal-timeout'?: string
  readonly explain?: string
  readonly ttl?: string
  readonly prefer?: string
  readonly traceparent?: string
  readonly tracestate?: string
}

/** What reads and writes of one key have in common, ready to be spread into a request. */
export interface KeyHeaders {
  readonly consistency: Consistency | undefined
  readonly session: string
  readonly timeout: Millis
  readonly explain: boolean
  readonly precondition: Precondition | undefined
}

/** @throws ShoalError with the header, the character and what is allowed there */
export function readKeyHeaders(headers: Headers, defaultTimeout: Millis): KeyHeaders {
  const session = headers['shoal-session']
  const timeout = headers['shoal-timeout']
  const explain = headers.explain
  return {
    consistency: consistencyOf(headers),
    session: session === undefined ? '' : checkSession(session),
    timeout: timeout === undefined ? defaultTimeout : parseTimeout(timeout),
    explain: explain !== undefined && parseExplain(explain),
    precondition: preconditionOf(headers),
  }
}

/** `Consistency`, or its alias; both only where they say the same. */
export function consistencyOf(headers: Headers): Consistency | undefined {
  const text = headers.consistency
  const alias = headers['x-consistency']
  if (alias === undefined) return text === undefined ? undefined : readConsistency(text)
  const other = readAlias(alias)
  if (text === undefined) return other
  const consistency = readConsistency(text)
  if (sameConsistency(consistency, other)) return consistency
  const message = `it differs from ${headerNames.consistency}; send one of the two`
  throw fieldError(
    'SHOAL_CONSISTENCY_INVALID',
    { field: headerNames.consistencyAlias, offset: 0, message },
    { wanted: text, got: alias },
  )
}

function preconditionOf(headers: Headers): Precondition | undefined {
  const ifMatch = headers['if-match']
  const ifNoneMatch = headers['if-none-match']
  if (ifMatch === undefined && ifNoneMatch === undefined) return undefined
  return {
    ...(ifMatch === undefined ? {} : { ifMatch: parseEntityTags(ifMatch, headerNames.ifMatch) }),
    ...(ifNoneMatch === undefined
      ? {}
      : { ifNoneMatch: weakened(parseEntityTags(ifNoneMatch, headerNames.ifNoneMatch)) }),
  }
}

export interface WriteHeaders {
  readonly context: string
  readonly idempotencyKey: string
}

export function readWriteHeaders(headers: Headers): WriteHeaders {
  const context = headers['causal-context']
  const idempotencyKey = headers['idempotency-key']
  return {
    context: context === undefined ? '' : checkContext(context),
    idempotencyKey: idempotencyKey === undefined ? '' : checkIdempotencyKey(idempotencyKey),
  }
}

/** On a read these headers mean nothing, but a broken one is still told. */
export function checkUnusedOnRead(headers: Headers): void {
  if (headers['causal-context'] !== undefined) checkContext(headers['causal-context'])
  if (headers['idempotency-key'] !== undefined) checkIdempotencyKey(headers['idempotency-key'])
  if (headers.ttl !== undefined) refuseTtl(headers.ttl)
}

export interface ValueHeaders {
  readonly contentType: string
  readonly contentEncoding: string
  /** Seconds, 0 for the default of the bucket. */
  readonly ttl: number
}

export function readValueHeaders(headers: Headers): ValueHeaders {
  const type = headers['content-type']
  const encoding = headers['content-encoding']
  if (headers['content-range'] !== undefined) {
    const message = 'a value is written whole, never in part'
    throw fieldError('SHOAL_HEADER_INVALID', { field: 'Content-Range', offset: 0, message })
  }
  return {
    contentType: type === undefined ? mediaTypes.bytes : readContentType(type),
    contentEncoding: encoding === undefined ? '' : checkContentEncoding(encoding),
    ttl: headers.ttl === undefined ? 0 : parseTtl(headers.ttl),
  }
}

/** A lifetime belongs to a value, so to a PUT. */
export function refuseTtl(ttl: string): void {
  parseTtl(ttl)
  const message = 'only a PUT gives a value a lifetime'
  throw fieldError(
    'SHOAL_TTL_INVALID',
    { field: headerNames.ttl, offset: 0, message },
    { got: ttl },
  )
}

/** The strongest wish about several values that a client may have. */
export const wantsWinner = (headers: Headers): boolean =>
  headers.prefer !== undefined && prefersResolved(headers.prefer)
