/** What happens on this node, as it happens. */
import { limits } from '@shoal/kernel'
import { mediaTypes } from '@shoal/wire'
import Type from 'typebox'
import { type Topic, topics } from '../../events/node-event.ts'
import type { Exchange } from '../exchange.ts'
import { checkOpaque, fieldError } from '../headers/fault.ts'
import { commonHeaders, problems } from '../schemas/common.ts'
import { draining } from '../services.ts'
import { type App, respond } from './scope.ts'

const LAST_EVENT_ID = 'Last-Event-ID'

export function addEventsRoute(app: App): void {
  app.get(
    '/v1/events',
    {
      config: { operation: 'state', access: 'read' },
      schema: {
        operationId: 'followEvents',
        summary: 'What happens on this node, as server-sent events',
        description:
          'Each event has an id, its topic as name, and a JSON document: `id`, `time`, `node`, ' +
          '`topic`, `kind`, `level`, `message`, `details`. A client that comes back with ' +
          '`Last-Event-ID` gets what it missed as far as it is kept; an event `gap` without an ' +
          'id says before it how many are not (`null`: nobody knows, the node was started anew).',
        tags: ['State'],
        querystring: Type.Object({
          topics: Type.Optional(
            Type.String({ description: `Some of ${topics.join(', ')}, by commas. Default: all.` }),
          ),
        }),
        headers: Type.Object({
          [LAST_EVENT_ID]: Type.Optional(
            Type.String({ description: 'The last id the client has; 0 for all that are kept.' }),
          ),
        }),
        response: {
          200: {
            description: 'Ends when the node stops, or when the client does not read in time.',
            headers: commonHeaders,
            content: { [mediaTypes.events]: { schema: Type.String() } },
          },
          ...problems(
            'SHOAL_QUERY_INVALID',
            'SHOAL_HEADER_INVALID',
            'SHOAL_OVERLOADED',
            'SHOAL_DRAINING',
            'SHOAL_INTERNAL',
          ),
        },
      },
    },
    (request, reply) =>
      respond(request, reply, (exchange) => follow(exchange, request.query.topics)),
  )
}

function follow(exchange: Exchange, names: string | undefined): void {
  const { services, request, response } = exchange
  const options = { topics: readTopics(names), after: readLastId(request.headers) }
  if (services.drain !== 'none') throw draining()
  if (request.method !== 'HEAD') return services.streams.begin(exchange, options)
  exchange.answer(response.statusCode, ['Content-Type', mediaTypes.events])
}

function readTopics(names: string | undefined): ReadonlySet<Topic> | undefined {
  if (names === undefined) return undefined
  let offset = 0
  const chosen = names.split(',').map((name) => {
    const topic = topics.find((each) => each === name)
    if (topic !== undefined) {
      offset += name.length + 1
      return topic
    }
    const wanted = topics.join(', ')
    const place = { field: 'topics', offset, message: `some of ${wanted}` }
    throw fieldError('SHOAL_QUERY_INVALID', place, { wanted, got: name })
  })
  return new Set(chosen)
}

function readLastId(headers: Exchange['request']['headers']): string | undefined {
  const given = headers['last-event-id']
  // An empty one is what a browser sends that has none.
  if (given === undefined || given === '') return undefined
  return checkOpaque(String(given), {
    code: 'SHOAL_HEADER_INVALID',
    field: LAST_EVENT_ID,
    max: limits.eventIdCharsMax,
  })
}
