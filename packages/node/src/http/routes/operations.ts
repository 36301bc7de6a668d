/**
 * What operators and their tools ask: alive, ready, healthy, metrics, the API's own description.
 */
import { ShoalError } from '@shoal/kernel'
import { headerNames, mediaTypes } from '@shoal/wire'
import type { Registry } from 'prom-client'
import Type from 'typebox'
import type { Exchange } from '../exchange.ts'
import { commonHeaders, json, problems } from '../schemas/common.ts'
import { HealthState } from '../schemas/state.ts'
import { draining } from '../services.ts'
import { type App, respond } from './scope.ts'

const tags = ['Operations']
const open = { operation: 'operations', access: 'open' } as const
const state = { operation: 'operations', access: 'read' } as const

export function addOperationsRoutes(app: App, registry: Registry): void {
  const Live = Type.Object({ status: Type.String() })
  app.get(
    '/livez',
    {
      config: open,
      schema: {
        operationId: 'livez',
        summary: 'Whether the process answers at all',
        tags,
        response: { 200: json('It does.', Live) },
      },
    },
    (request, reply) =>
      respond(request, reply, (exchange) =>
        exchange.answerJson(200, mediaTypes.json, { status: 'live' }),
      ),
  )
  app.get(
    '/readyz',
    {
      config: open,
      schema: {
        operationId: 'readyz',
        summary: 'Whether this node serves',
        description: 'Says nothing about its peers. The first thing to fail when a node drains.',
        tags,
        response: {
          200: json('It does.', Live),
          ...problems('SHOAL_DRAINING', 'SHOAL_OVERLOADED', 'SHOAL_STORAGE_FULL'),
        },
      },
    },
    (request, reply) => respond(request, reply, answerReady),
  )
  app.get(
    '/healthz',
    {
      config: state,
      schema: {
        operationId: 'healthz',
        summary: 'The verdict on the cluster in plain words',
        tags,
        response: {
          200: json('Healthy, or degraded and still serving.', HealthState),
          ...problems('SHOAL_QUORUM_UNREACHABLE'),
        },
      },
    },
    (request, reply) => respond(request, reply, answerHealth),
  )
  addMetricsRoute(app, registry)
  addDescriptionRoute(app)
}

function answerReady(exchange: Exchange): void {
  const { services } = exchange
  const failure = services.drain === 'none' ? services.cluster.notReady() : draining()
  if (failure !== undefined) return exchange.fail(failure)
  exchange.answerJson(200, mediaTypes.json, { status: 'ready' })
}

function answerHealth(exchange: Exchange): void {
  const health = exchange.services.cluster.health()
  if (health.status !== 'unavailable') return exchange.answerJson(200, mediaTypes.json, health)
  const { verdict, nodesTotal, nodesUp } = health
  throw new ShoalError('SHOAL_QUORUM_UNREACHABLE', verdict, { wanted: nodesTotal, got: nodesUp })
}

function addMetricsRoute(app: App, registry: Registry): void {
  app.get(
    '/metrics',
    {
      config: state,
      schema: {
        operationId: 'metrics',
        summary: 'Metrics for Prometheus',
        tags,
        response: {
          200: {
            description: 'Text exposition format 0.0.4.',
            headers: commonHeaders,
            content: { 'text/plain': { schema: Type.String() } },
          },
          ...problems('SHOAL_INTERNAL'),
        },
      },
    },
    (request, reply) =>
      respond(request, reply, async (exchange) =>
        answerText(exchange, registry.contentType, await registry.metrics()),
      ),
  )
}

function addDescriptionRoute(app: App): void {
  let document: string | undefined
  app.get(
    '/openapi.json',
    {
      config: open,
      schema: {
        operationId: 'openapi',
        summary: 'This API as an OpenAPI 3.1 document',
        tags,
        response: { 200: json('The document.', Type.Unsafe<object>({ type: 'object' })) },
      },
    },
    (request, reply) =>
      respond(request, reply, (exchange) => {
        document ??= JSON.stringify(app.swagger())
        answerText(exchange, mediaTypes.json, document)
      }),
  )
}

function answerText(exchange: Exchange, type: string, text: string): void {
  const body = Buffer.from(text)
  const lines = [headerNames.contentType, type, headerNames.contentLength, String(body.length)]
  exchange.answer(200, lines, body)
}
