/** Keys of a bucket, page by page. */

import { isUtf8 } from 'node:buffer'
import { createHash, timingSafeEqual } from 'node:crypto'
import type { Consistency, ListAnswer } from '@shoal/coordinator'
import { formatConsistency } from '@shoal/coordinator'
import { limits } from '@shoal/kernel'
import { headerNames, mediaTypes } from '@shoal/wire'
import Type from 'typebox'
import { bucketOf } from '../access.ts'
import type { Exchange } from '../exchange.ts'
import { fieldError } from '../headers/fault.ts'
import { consistencyOf, type Headers } from '../headers/key-headers.ts'
import { chooseType } from '../headers/negotiation.ts'
import { parseTimeout } from '../headers/numbers.ts'
import { BucketName, json, problems } from '../schemas/common.ts'
import { KeyPage, ListHeaders, ListQuery } from '../schemas/list.ts'
import { type App, respond } from './scope.ts'

const prefix = '/v1/kv/'
const one: Consistency = { level: 'one', strict: false }

export function addListRoute(app: App): void {
  app.get(
    '/v1/kv/:bucket',
    {
      config: { operation: 'list', access: 'read' },
      schema: {
        operationId: 'listKeys',
        summary: 'List keys by prefix',
        description:
          'Keys with a live value in the order of their UTF-8 bytes. A page is what one moment ' +
          'showed; keys written meanwhile may be on it or not.',
        tags: ['Values'],
        params: Type.Object({ bucket: BucketName }),
        querystring: ListQuery,
        headers: ListHeaders,
        response: {
          200: {
            ...json(
              'One page. In NDJSON: a line for each key, then a line with the cursor.',
              KeyPage,
            ),
            content: {
              [mediaTypes.json]: { schema: KeyPage },
              [mediaTypes.ndjson]: { schema: Type.Unsafe<string>({ type: 'string' }) },
            },
          },
          ...problems(
            'SHOAL_BUCKET_INVALID',
            'SHOAL_QUERY_INVALID',
            'SHOAL_CURSOR_INVALID',
            'SHOAL_CONSISTENCY_INVALID',
            'SHOAL_TIMEOUT_INVALID',
            'SHOAL_BUCKET_RESERVED',
            'SHOAL_INTERNAL',
            'SHOAL_QUORUM_UNREACHABLE',
            'SHOAL_OVERLOADED',
            'SHOAL_DRAINING',
            'SHOAL_QUORUM_TIMEOUT',
          ),
        },
      },
    },
    (request, reply) => respond(request, reply, (exchange) => list(exchange, request.query)),
  )
}

async function list(exchange: Exchange, query: ListQuery): Promise<void> {
  const { services, request } = exchange
  const bucket = bucketOf(exchange, prefix)
  const headers = request.headers as Headers
  const timeout = headers['shoal-timeout']
  const place = { bucket, prefix: query.prefix ?? '' }
  const refused = services.refusal('read')
  if (refused !== undefined) throw refused
  const answer = await services.keyValue.list({
    ...place,
    after: query.cursor === undefined ? '' : readCursor(query.cursor, place),
    limit: query.limit ?? limits.listKeysDefault,
    follower: exchange.span,
    consistency: consistencyOf(headers) ?? one,
    timeout: timeout === undefined ? limits.readTimeoutDefault : parseTimeout(timeout),
  })
  answerPage(exchange, answer, place)
}

function answerPage(exchange: Exchange, answer: ListAnswer, place: Place): void {
  const { keys, more, consistency } = answer
  const last = keys.at(-1)
  const cursor = more && last !== undefined ? makeCursor(last, place) : null
  const lines = [headerNames.consistency, formatConsistency(consistency)]
  const { accept } = exchange.request.headers
  if (chooseType(accept, [mediaTypes.json, mediaTypes.ndjson]) === mediaTypes.json) {
    return exchange.answerJson(200, mediaTypes.json, { keys, cursor }, lines)
  }
  const body = Buffer.from(
    `${[...keys.map((key) => JSON.stringify({ key })), JSON.stringify({ cursor })].join('\n')}\n`,
  )
  lines.push(headerNames.contentType, mediaTypes.ndjson)
  lines.push(headerNames.contentLength, String(body.length))
  exchange.answer(200, lines, body)
}

interface Place {
  readonly bucket: string
  readonly prefix: string
}

const CURSOR_PREFIX = 'k1.'
const CHECK_BYTES = 6

/** The last key of a page, bound to bucket and prefix so that it is not used for another list. */
export const makeCursor = (after: string, place: Place): string =>
  CURSOR_PREFIX + Buffer.concat([checkOf(after, place), Buffer.from(after)]).toString('base64url')

/** @throws SHOAL_CURSOR_INVALID */
export function readCursor(cursor: string, place: Place): string {
  const bytes = Buffer.from(cursor.slice(CURSOR_PREFIX.length), 'base64url')
  const key = bytes.subarray(CHECK_BYTES)
  const after = key.toString('utf8')
  const sound =
    cursor === CURSOR_PREFIX + bytes.toString('base64url') &&
    key.length >= 1 &&
    isUtf8(key) &&
    timingSafeEqual(bytes.subarray(0, CHECK_BYTES), checkOf(after, place))
  if (sound) return after
  const message = 'it is not one of this bucket and prefix'
  throw fieldError('SHOAL_CURSOR_INVALID', { field: 'cursor', offset: 0, message }, { got: cursor })
}

const checkOf = (after: string, { bucket, prefix: asked }: Place): Buffer =>
  createHash('sha256')
    .update(JSON.stringify([bucket, asked, after]))
    .digest()
    .subarray(0, CHECK_BYTES)
