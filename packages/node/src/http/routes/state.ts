/** What this node knows: of a key, of a request, of the ring, of the cluster. */
import { limits, ShoalError } from '@shoal/kernel'
import { mediaTypes } from '@shoal/wire'
import Type, { type TSchema } from 'typebox'
import { bucketAndKeyOf, demandBucket } from '../access.ts'
import type { Exchange } from '../exchange.ts'
import { checkOpaque } from '../headers/fault.ts'
import type { Headers } from '../headers/key-headers.ts'
import { parseTimeout } from '../headers/numbers.ts'
import { pathOf } from '../path.ts'
import { json, problems } from '../schemas/common.ts'
import { KeyParams } from '../schemas/kv.ts'
import {
  ClusterState,
  ExplanationState,
  NodesState,
  RingState,
  TraceState,
} from '../schemas/state.ts'
import type { Services } from '../services.ts'
import { type App, respond } from './scope.ts'

const tags = ['State']
const explainPrefix = '/v1/explain/'
const tracePrefix = '/v1/traces/'

export function addStateRoutes(app: App, services: Services): void {
  const { cluster } = services
  const show = (
    url: string,
    about: { operationId: string; summary: string; schema: TSchema },
    read: () => unknown,
  ): void => {
    const { operationId, summary, schema } = about
    const response = { 200: json('As this node sees it.', schema), ...problems('SHOAL_INTERNAL') }
    app.get(
      url,
      {
        config: { operation: 'state', access: 'read' },
        schema: { operationId, summary, tags, response },
      },
      (request, reply) =>
        respond(request, reply, async (exchange) =>
          exchange.answerJson(200, mediaTypes.json, await read()),
        ),
    )
  }
  show(
    '/v1/cluster',
    { operationId: 'getCluster', summary: 'The cluster and its verdict', schema: ClusterState },
    () => cluster.cluster(),
  )
  show(
    '/v1/ring',
    { operationId: 'getRing', summary: 'The placement of all partitions', schema: RingState },
    () => cluster.ring(),
  )
  show(
    '/v1/nodes',
    { operationId: 'getNodes', summary: 'Every member, asked now', schema: NodesState },
    () => cluster.nodes(),
  )
  addExplainRoute(app)
  addTraceRoute(app)
}

function addExplainRoute(app: App): void {
  app.get(
    '/v1/explain/:bucket/:key',
    {
      config: { operation: 'explain', access: 'read' },
      schema: {
        operationId: 'explainKey',
        summary: 'Where a key is and who holds which version right now',
        tags,
        params: KeyParams,
        querystring: Type.Object({
          proof: Type.Optional(
            Type.String({
              enum: ['1'],
              description: 'Have each replica show that what it holds is in its Merkle tree.',
            }),
          ),
        }),
        headers: Type.Object({ 'Shoal-Timeout': Type.Optional(Type.String()) }),
        response: {
          200: json(
            'The place of the key, and what each of its replicas answered.',
            ExplanationState,
          ),
          ...problems(
            'SHOAL_KEY_INVALID',
            'SHOAL_BUCKET_INVALID',
            'SHOAL_TIMEOUT_INVALID',
            'SHOAL_BUCKET_RESERVED',
            'SHOAL_KEY_TOO_LONG',
            'SHOAL_INTERNAL',
            'SHOAL_OVERLOADED',
          ),
        },
      },
    },
    (request, reply) =>
      respond(request, reply, (exchange) => explain(exchange, request.query.proof !== undefined)),
  )
}

async function explain(exchange: Exchange, proof: boolean): Promise<void> {
  const { services, request } = exchange
  const { bucket, key } = bucketAndKeyOf(exchange, explainPrefix)
  const given = (request.headers as Headers)['shoal-timeout']
  const timeout = given === undefined ? limits.readTimeoutDefault : parseTimeout(given)
  const explanation = await services.keyValue.explain(bucket, key, timeout)
  if (!proof) return exchange.answerJson(200, mediaTypes.json, explanation)
  const nodes = explanation.holders
    .filter(({ role, state }) => role === 'primary' && state !== 'unreachable')
    .map(({ node }) => node)
  const proofs = await services.repairs.prove(bucket, key, nodes)
  exchange.answerJson(200, mediaTypes.json, { ...explanation, proofs })
}

function addTraceRoute(app: App): void {
  app.get(
    '/v1/traces/:id',
    {
      config: { operation: 'state', access: 'read' },
      schema: {
        operationId: 'getTrace',
        summary: 'What every replica did for a request sent with Explain: ?1',
        description: 'Kept for 5 minutes by the node that coordinated; the others ask it.',
        tags,
        params: Type.Object({ id: Type.String({ maxLength: limits.traceIdCharsMax }) }),
        response: {
          200: json('The timeline.', TraceState),
          ...problems('SHOAL_REQUEST_INVALID', 'SHOAL_TRACE_NOT_FOUND', 'SHOAL_INTERNAL'),
        },
      },
    },
    (request, reply) => respond(request, reply, showTrace),
  )
}

async function showTrace(exchange: Exchange): Promise<void> {
  const { services, request } = exchange
  const id = checkOpaque(pathOf(request.url ?? '').slice(tracePrefix.length), {
    code: 'SHOAL_REQUEST_INVALID',
    field: 'id',
    max: limits.traceIdCharsMax,
  })
  const trace = await services.keyValue.trace(id)
  if (trace === undefined) {
    throw new ShoalError('SHOAL_TRACE_NOT_FOUND', `no node has a trace ${id}`)
  }
  demandBucket(exchange.caller, trace.bucket)
  exchange.answerJson(200, mediaTypes.json, trace)
}
