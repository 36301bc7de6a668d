/** Writes that nodes owe each other. */
import { mediaTypes } from '@shoal/wire'
import Type from 'typebox'
import { commonHeaders, json, problems } from '../schemas/common.ts'
import { HintsState, JobState } from '../schemas/jobs.ts'
import type { Services } from '../services.ts'
import { answerAccepted } from './jobs.ts'
import { type App, respond } from './scope.ts'
import { checkScope, scopeQuery } from './state-scope.ts'

const tags = ['Hints']
const reading = { operation: 'state', access: 'read' } as const
const acting = { operation: 'state', access: 'admin' } as const

export function addHintRoutes(app: App, { hints }: Services): void {
  app.get(
    '/v1/hints',
    {
      config: reading,
      schema: {
        operationId: 'getHints',
        summary: 'Writes kept for nodes that missed them',
        tags,
        querystring: scopeQuery,
        response: {
          200: json('What is owed, by whom it is owed to.', HintsState),
          ...problems('SHOAL_QUERY_INVALID', 'SHOAL_INTERNAL'),
        },
      },
    },
    (request, reply) =>
      respond(request, reply, async (exchange) => {
        const scope = checkScope(request.query.scope)
        const state = scope === 'cluster' ? await hints.cluster() : hints.own()
        exchange.answerJson(200, mediaTypes.json, state)
      }),
  )
  app.post(
    '/v1/hints/sync',
    {
      config: acting,
      schema: {
        operationId: 'syncHints',
        summary: 'Wait until every hint of this moment is delivered',
        description: 'The hints of this node. The job ends when the last of them is delivered.',
        tags,
        response: {
          202: {
            ...json('A job that says how far it is.', JobState),
            headers: { ...commonHeaders, Location: Type.String() },
          },
          ...problems('SHOAL_OVERLOADED', 'SHOAL_INTERNAL'),
        },
      },
    },
    (request, reply) =>
      respond(request, reply, (exchange) => answerAccepted(exchange, hints.sync())),
  )
}
