/** GET and HEAD of one key. */
import type { LiveValue, ReadAnswer, ReadRequest } from '@shoal/coordinator'
import { limits, ShoalError } from '@shoal/kernel'
import { headerNames, mediaTypes, resolveSiblings } from '@shoal/wire'
import { bucketAndKeyOf } from '../access.ts'
import type { Exchange } from '../exchange.ts'
import { matches, quoted } from '../headers/entity-tags.ts'
import {
  checkUnusedOnRead,
  type Headers,
  type KeyHeaders,
  readKeyHeaders,
  wantsWinner,
} from '../headers/key-headers.ts'
import { chooseType, siblingForms } from '../headers/negotiation.ts'
import { parseQuery, queryOf } from '../path.ts'
import { problemText } from '../problem-text.ts'
import { answerLines } from './format.ts'
import { toMultipart, toSibling, typeOf, winnerOf } from './siblings.ts'

export const kvPrefix = '/v1/kv/'
export const readParameters = ['sibling'] as const

export function readValue(exchange: Exchange): void {
  exchange.attempt(() => {
    const { services, request } = exchange
    const url = request.url ?? ''
    const { bucket, key } = bucketAndKeyOf(exchange, kvPrefix)
    const headers = request.headers as Headers
    const asked = readKeyHeaders(headers, limits.readTimeoutDefault)
    checkUnusedOnRead(headers)
    const { sibling } = parseQuery(queryOf(url), readParameters)
    const refused = services.refusal('read')
    if (refused !== undefined) return exchange.fail(refused)
    const follower = exchange.span
    services.keyValue.read(toRequest({ bucket, key, follower }, asked), (result, report) => {
      exchange.report = report
      exchange.attempt(() => answerRead(exchange, result, { asked, sibling }))
    })
  })
}

function toRequest(
  { bucket, key, follower }: Pick<ReadRequest, 'bucket' | 'key' | 'follower'>,
  { consistency, session, timeout, explain }: KeyHeaders,
): ReadRequest {
  if (consistency === undefined) return { bucket, key, session, timeout, explain, follower }
  return { bucket, key, consistency, session, timeout, explain, follower }
}

interface Wish {
  readonly asked: KeyHeaders
  /** The `sibling` parameter of the query. */
  readonly sibling: string | undefined
}

function answerRead(exchange: Exchange, answer: ReadAnswer | ShoalError, wish: Wish): void {
  if (answer instanceof ShoalError) return exchange.fail(answer)
  const { values } = answer
  const { precondition } = wish.asked
  const shown = wish.sibling === undefined ? answer : siblingNamed(values, wish.sibling)
  const lines = answerLines(answer, shown ?? { etag: '', modified: answer.modified })
  const etag = shown?.etag ?? ''
  if (precondition?.ifMatch !== undefined && !matches(precondition.ifMatch, etag)) {
    return exchange.fail(preconditionFailed(etag, answer.context), lines)
  }
  if (precondition?.ifNoneMatch !== undefined && matches(precondition.ifNoneMatch, etag)) {
    return exchange.answer(304, lines)
  }
  const [only] = values
  if (only === undefined) return answerMissing(exchange, lines)
  if (wish.sibling !== undefined) return answerSibling(exchange, lines, shown)
  if (values.length === 1) return answerValue(exchange, lines, only)
  lines.push(headerNames.siblings, String(values.length))
  if (wantsWinner(exchange.request.headers as Headers)) {
    lines.push(headerNames.preferenceApplied, resolveSiblings)
    return answerValue(exchange, lines, winnerOf(values) ?? only)
  }
  answerSiblings(exchange, lines, values)
}

type Shown = LiveValue | ReadAnswer

const siblingNamed = (values: readonly LiveValue[], tag: string): LiveValue | undefined =>
  values.find(({ etag }) => etag === quoted(tag))

function answerValue(exchange: Exchange, lines: string[], value: LiveValue): void {
  lines.push(headerNames.contentType, typeOf(value))
  if (value.contentEncoding !== '') lines.push(headerNames.contentEncoding, value.contentEncoding)
  lines.push(...inertLines)
  lines.push(headerNames.contentLength, String(value.body.length))
  exchange.answer(200, lines, value.body)
}

/**
 * A value may be a page with a script in it, and it comes from the origin of the console and of
 * this API. Opened in a browser it is shown in a sandbox: an origin of its own, no script, nothing
 * fetched. Pages elsewhere cannot embed it as a script either, to read what is in it.
 */
const inertLines = [
  headerNames.contentSecurityPolicy,
  "sandbox; default-src 'none'",
  headerNames.resourcePolicy,
  'same-origin',
]

function answerSibling(exchange: Exchange, lines: string[], shown: Shown | undefined): void {
  if (shown !== undefined && 'body' in shown) return answerValue(exchange, lines, shown)
  const detail = 'no live value of this key has the ETag that `sibling` names'
  exchange.fail(new ShoalError('SHOAL_SIBLING_NOT_FOUND', detail), lines)
}

function answerSiblings(exchange: Exchange, lines: string[], values: readonly LiveValue[]): void {
  const { request, services } = exchange
  const form = chooseType(request.headers.accept, siblingForms)
  if (form !== mediaTypes.multipart) {
    return exchange.answerJson(300, form, { siblings: values.map(toSibling) }, lines)
  }
  const random = Buffer.from(services.env.random('multipart').bytes(18))
  const boundary = random.toString('base64url')
  lines.push(...inertLines)
  const body = toMultipart(values, boundary)
  lines.push(headerNames.contentType, `${form}; boundary="${boundary}"`)
  lines.push(headerNames.contentLength, String(body.length))
  exchange.answer(300, lines, body)
}

export const preconditionFailed = (etag: string, context: string): ShoalError =>
  new ShoalError('SHOAL_PRECONDITION_FAILED', 'the current ETag does not fit the precondition', {
    extra: { ...(etag === '' ? {} : { etag }), context },
  })

/** A miss is an answer like others and often asked for: its document is written beforehand. */
function answerMissing(exchange: Exchange, lines: string[]): void {
  const body = missing(exchange.id)
  lines.push(headerNames.contentType, mediaTypes.problem)
  lines.push(headerNames.contentLength, String(body.length))
  exchange.answer(404, lines, body)
}

export const notFound = (): ShoalError =>
  new ShoalError('SHOAL_KEY_NOT_FOUND', 'the key has no value, and R primaries stand behind that')

const missing = problemText(notFound())
