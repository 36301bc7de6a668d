/** PUT and DELETE of one key. */
import type { WriteAnswer, WriteRequest } from '@shoal/coordinator'
import { limits, ShoalError } from '@shoal/kernel'
import { headerNames } from '@shoal/wire'
import { bucketAndKeyOf } from '../access.ts'
import { type BodyRules, collectBody, noBody } from '../body.ts'
import type { Exchange } from '../exchange.ts'
import {
  type Headers,
  readKeyHeaders,
  readValueHeaders,
  readWriteHeaders,
  refuseTtl,
} from '../headers/key-headers.ts'
import { parseQuery, queryOf } from '../path.ts'
import { answerLines } from './format.ts'
import { kvPrefix } from './read.ts'

type Draft = { -readonly [Member in keyof WriteRequest]: WriteRequest[Member] }

export function putValue(exchange: Exchange): void {
  exchange.attempt(() => {
    const { services, request } = exchange
    const headers = request.headers as Headers
    const draft = draftOf(exchange, 'put')
    const { contentType, contentEncoding, ttl } = readValueHeaders(headers)
    draft.contentType = contentType
    draft.contentEncoding = contentEncoding
    draft.ttl = ttl
    const refused = services.refusal('write')
    if (refused !== undefined) return exchange.fail(refused)
    const rules: BodyRules = { bytesMax: services.limits.valueBytesMax, what: 'value' }
    collectBody(exchange, rules, (_exchange, body) => {
      if (body instanceof ShoalError) return exchange.fail(body)
      draft.body = body
      write(exchange, draft)
    })
  })
}

export function deleteValue(exchange: Exchange): void {
  exchange.attempt(() => {
    const { services, request } = exchange
    const headers = request.headers as Headers
    const draft = draftOf(exchange, 'delete')
    if (headers.ttl !== undefined) refuseTtl(headers.ttl)
    const refused = services.refusal('write')
    if (refused !== undefined) return exchange.fail(refused)
    write(exchange, draft)
  })
}

function draftOf(exchange: Exchange, operation: 'put' | 'delete'): Draft {
  const { request } = exchange
  const { bucket, key } = bucketAndKeyOf(exchange, kvPrefix)
  parseQuery(queryOf(request.url ?? ''), [])
  const headers = request.headers as Headers
  const asked = readKeyHeaders(headers, limits.writeTimeoutDefault)
  const { context, idempotencyKey } = readWriteHeaders(headers)
  const draft: Draft = {
    operation,
    bucket,
    key,
    session: asked.session,
    timeout: asked.timeout,
    explain: asked.explain,
    context,
    idempotencyKey,
    follower: exchange.span,
    body: noBody,
    contentType: '',
    contentEncoding: '',
    ttl: 0,
  }
  if (asked.consistency !== undefined) draft.consistency = asked.consistency
  if (asked.precondition !== undefined) draft.precondition = asked.precondition
  return draft
}

function write(exchange: Exchange, request: WriteRequest): void {
  exchange.attempt(() =>
    exchange.services.keyValue.write(request, (result, report) => {
      exchange.report = report
      exchange.attempt(() => answerWrite(exchange, result))
    }),
  )
}

function answerWrite(exchange: Exchange, answer: WriteAnswer | ShoalError): void {
  if (answer instanceof ShoalError) return exchange.fail(answer)
  const lines = answerLines(answer, answer)
  if (answer.siblings > 1) lines.push(headerNames.siblings, String(answer.siblings))
  exchange.answer(204, lines)
}
