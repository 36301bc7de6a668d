/** `POST /v1/batch`. */
import type { IncomingHttpHeaders } from 'node:http'
import { limits, ShoalError } from '@shoal/kernel'
import { headerNames, mediaTypes } from '@shoal/wire'
import type { FastifyInstance } from 'fastify'
import Type from 'typebox'
import type { BatchDefaults } from '../batch/operation.ts'
import { jsonFrame, lineFrame, runBatch } from '../batch/run.ts'
import { fromDocument, fromLines, type Source } from '../batch/source.ts'
import { collectBody } from '../body.ts'
import type { Exchange } from '../exchange.ts'
import { fieldError } from '../headers/fault.ts'
import { consistencyOf, type Headers } from '../headers/key-headers.ts'
import { essenceOf, readContentType } from '../headers/media-type.ts'
import { chooseType } from '../headers/negotiation.ts'
import { parseTimeout } from '../headers/numbers.ts'
import { parseQuery, queryOf } from '../path.ts'
import { BatchBody, BatchOperation, BatchResult, BatchResults } from '../schemas/batch.ts'
import { commonHeaders, problems } from '../schemas/common.ts'
import type { Services } from '../services.ts'
import { taken } from './kv.ts'
import { unusableType } from './scope.ts'

export function addBatchRoute(app: FastifyInstance, services: Services): void {
  app.route({
    ...taken(services, { operation: 'batch', access: 'token' }, takeBatch, '/v1/batch'),
    method: 'POST',
    schema: {
      operationId: 'batch',
      summary: 'Up to 1,000 independent operations',
      description:
        'They run in any order, side by side; results come in the order sent. In NDJSON one ' +
        'operation and one result stand on each line, and both are streamed: a result is sent ' +
        'as soon as those before it are.',
      tags: ['Values'],
      headers: Type.Object({
        Consistency: Type.Optional(
          Type.String({ description: 'For the operations that do not say.' }),
        ),
        'Shoal-Timeout': Type.Optional(Type.String({ description: 'Of each operation.' })),
        Accept: Type.Optional(Type.String({ description: 'As the batch was sent, if absent.' })),
      }),
      body: Type.Unsafe<object>({
        content: {
          [mediaTypes.json]: { schema: BatchBody },
          [mediaTypes.ndjson]: { schema: BatchOperation },
        },
      }),
      response: {
        200: {
          description: 'A result for each operation. Look at the status of each.',
          headers: commonHeaders,
          content: {
            [mediaTypes.json]: { schema: BatchResults },
            [mediaTypes.ndjson]: { schema: BatchResult },
          },
        },
        ...problems(
          'SHOAL_BODY_INVALID',
          'SHOAL_BODY_INCOMPLETE',
          'SHOAL_HEADER_INVALID',
          'SHOAL_QUERY_INVALID',
          'SHOAL_CONSISTENCY_INVALID',
          'SHOAL_TIMEOUT_INVALID',
          'SHOAL_BODY_TIMEOUT',
          'SHOAL_VALUE_TOO_LARGE',
          'SHOAL_MEDIA_TYPE_INVALID',
          'SHOAL_INTERNAL',
          'SHOAL_OVERLOADED',
          'SHOAL_DRAINING',
        ),
      },
    },
  })
}

function takeBatch(exchange: Exchange): void {
  exchange.attempt(() => {
    const { services, request } = exchange
    parseQuery(queryOf(request.url ?? ''), [])
    const defaults = readDefaults(exchange)
    const type = essenceOf(readContentType(request.headers['content-type'] ?? ''))
    if (type !== mediaTypes.json && type !== mediaTypes.ndjson) {
      throw unusableType(type, `${mediaTypes.json} or ${mediaTypes.ndjson}`)
    }
    const refused = services.refusal('read') ?? tooManyBatches(services)
    if (refused !== undefined) throw refused
    if (type === mediaTypes.ndjson) return start(exchange, fromLines(exchange), { defaults, type })
    const rules = { bytesMax: limits.batchBodyBytesMax, what: 'batch' } as const
    collectBody(exchange, rules, (_exchange, body) =>
      exchange.attempt(() => {
        if (body instanceof ShoalError) throw body
        start(exchange, fromDocument(body), { defaults, type })
      }),
    )
  })
}

type BatchType = typeof mediaTypes.json | typeof mediaTypes.ndjson

function start(
  exchange: Exchange,
  source: Source,
  { defaults, type }: { defaults: BatchDefaults; type: BatchType },
): void {
  const { services, request } = exchange
  const other = type === mediaTypes.json ? mediaTypes.ndjson : mediaTypes.json
  const form = chooseType(request.headers.accept, [type, other])
  const frame = form === mediaTypes.json ? jsonFrame : lineFrame
  services.batches++
  exchange.begin(200, [headerNames.contentType, form])
  runBatch({ exchange, source, defaults, frame })
    .catch((error: unknown) => exchange.fail(error))
    .finally(() => services.batches--)
}

function readDefaults({ request, services }: Exchange): BatchDefaults {
  refuseItemHeaders(request.headers)
  const headers = request.headers as Headers
  const timeout = headers['shoal-timeout']
  return {
    consistency: consistencyOf(headers),
    timeout: timeout === undefined ? undefined : parseTimeout(timeout),
    valueBytesMax: services.limits.valueBytesMax,
  }
}

const ofOneKey = [
  headerNames.causalContext,
  headerNames.idempotencyKey,
  headerNames.ifMatch,
  headerNames.ifNoneMatch,
  headerNames.session,
  headerNames.ttl,
]

/** To pass over a precondition or a session would break what its sender relies on. */
function refuseItemHeaders(headers: IncomingHttpHeaders): void {
  const found = ofOneKey.find((name) => headers[name.toLowerCase()] !== undefined)
  if (found === undefined) return
  const message = 'it speaks of one key and has no meaning for a batch'
  throw fieldError('SHOAL_HEADER_INVALID', { field: found, offset: 0, message })
}

function tooManyBatches(services: Services): ShoalError | undefined {
  const { batchesMax } = services.limits
  if (services.batches < batchesMax) return undefined
  return new ShoalError('SHOAL_OVERLOADED', `${batchesMax} batches are under way`, {
    wanted: batchesMax,
    retryAfterMs: 1_000,
  })
}
