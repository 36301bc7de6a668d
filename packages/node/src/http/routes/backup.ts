/** Rows out of this node, and rows into the cluster. */
import { limits, ShoalError } from '@shoal/kernel'
import { mediaTypes } from '@shoal/wire'
import type { FastifyInstance } from 'fastify'
import Type from 'typebox'
import { Compile } from 'typebox/compile'
import { collectBody } from '../body.ts'
import type { Exchange } from '../exchange.ts'
import { essenceOf } from '../headers/media-type.ts'
import { BackupDigests, BackupPageState, RestoreBody, RestoreState } from '../schemas/backup.ts'
import { json, problems } from '../schemas/common.ts'
import type { Services } from '../services.ts'
import { parseJson } from '../validation.ts'
import { taken } from './kv.ts'
import { type App, respond, unusableType } from './scope.ts'

const tags = ['Backup']
const config = { operation: 'state', access: 'admin' } as const
const params = Type.Object({ partition: Type.String({ pattern: '^[0-9]{1,4}$' }) })

const refusals = [
  'SHOAL_QUERY_INVALID',
  'SHOAL_REQUEST_INVALID',
  'SHOAL_COPY_INCOMPLETE',
  'SHOAL_INTERNAL',
] as const

/** NaN, which no node holds, for what is no number. */
const partitionOf = ({ partition }: { readonly partition: string }): number =>
  /^[0-9]{1,4}$/.test(partition) ? Number(partition) : Number.NaN

/** All rows may be asked for, of every bucket: these are for administrators. */
export function addBackupRoutes(app: App, { backup, cluster }: Services): void {
  const { node } = cluster.cluster()
  app.get(
    '/v1/backup/:partition/digests',
    {
      config,
      schema: {
        operationId: 'backupDigests',
        summary: 'What tells whether a segment of a partition has changed',
        tags,
        params,
        response: {
          200: json('As it is now.', BackupDigests),
          ...problems(...refusals),
        },
      },
    },
    (request, reply) =>
      respond(request, reply, (exchange) => {
        const partition = partitionOf(request.params)
        const digests = backup.digests(partition).toString('base64')
        exchange.answerJson(200, mediaTypes.json, { node, partition, digests })
      }),
  )
  app.get(
    '/v1/backup/:partition',
    {
      config,
      schema: {
        operationId: 'backupPage',
        summary: 'Rows of a partition as this node holds them, with clocks and siblings',
        tags,
        params,
        querystring: Type.Object({
          from: Type.Optional(Type.Integer({ minimum: 0, description: 'First segment.' })),
          to: Type.Optional(Type.Integer({ minimum: 1, description: 'Behind the last segment.' })),
          after: Type.Optional(Type.String({ description: 'Of the page before.' })),
        }),
        response: {
          200: json('One page.', BackupPageState),
          ...problems(...refusals),
        },
      },
    },
    (request, reply) =>
      respond(request, reply, async (exchange) => {
        const { from = 0, to = limits.digestSegments, after } = request.query
        if (from >= to || to > limits.digestSegments) {
          const wanted = `0 ≤ from < to ≤ ${limits.digestSegments}`
          throw new ShoalError('SHOAL_QUERY_INVALID', `segments: ${wanted}`, { wanted })
        }
        const behind = after === undefined ? undefined : Buffer.from(after, 'base64url')
        const page = await backup.page(partitionOf(request.params), { from, to, after: behind })
        exchange.answerJson(200, mediaTypes.json, {
          rows: page.rows.map(({ rowKey, row }) => ({
            key: rowKey.toString('base64'),
            row: row.toString('base64'),
          })),
          damaged: page.damaged,
          after: page.after?.toString('base64url') ?? null,
        })
      }),
  )
}

/** Apart from the others: its bodies are as large as those of batches. */
export function addRestoreRoute(app: FastifyInstance, services: Services): void {
  app.route({
    ...taken(services, { operation: 'batch', access: 'admin' }, takeRestore, '/v1/restore'),
    method: 'POST',
    schema: {
      operationId: 'restore',
      summary: 'Merge rows of a backup into their replicas',
      description:
        'Overwrites nothing: what is newer stays, what is concurrent becomes a sibling. May be ' +
        'repeated.',
      tags,
      body: Type.Unsafe<object>({ content: { [mediaTypes.json]: { schema: RestoreBody } } }),
      response: {
        200: json('How the rows fared.', RestoreState),
        ...problems(
          'SHOAL_BODY_INVALID',
          'SHOAL_BODY_INCOMPLETE',
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

const restoreBody = Compile(RestoreBody)

function takeRestore(exchange: Exchange): void {
  exchange.attempt(() => {
    const { services, request } = exchange
    const type = request.headers['content-type'] ?? ''
    if (essenceOf(type) !== mediaTypes.json) throw unusableType(type)
    const refused = services.refusal('write')
    if (refused !== undefined) throw refused
    const rules = { bytesMax: limits.batchBodyBytesMax, what: 'body' } as const
    collectBody(exchange, rules, (_exchange, body) => {
      restore(exchange, body).catch((error: unknown) => exchange.fail(error))
    })
  })
}

async function restore(exchange: Exchange, body: Buffer | ShoalError): Promise<void> {
  if (body instanceof ShoalError) throw body
  const document = parseJson(body)
  if (!restoreBody.Check(document)) {
    throw new ShoalError('SHOAL_BODY_INVALID', 'the body is { "rows": [{ "key", "row" }, …] }')
  }
  const rows = document.rows.map(({ key, row }) => ({
    rowKey: Buffer.from(key, 'base64'),
    row: Buffer.from(row, 'base64'),
  }))
  const ends = await exchange.services.backup.restore(rows)
  const refused = ends.flatMap((end, index) =>
    end === undefined ? [] : [{ index, code: end.code, detail: end.message }],
  )
  const restored = rows.length - refused.length
  exchange.answerJson(200, mediaTypes.json, { restored, refused })
}
