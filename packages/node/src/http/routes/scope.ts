/** What all routes but the key–value ones have in common. */
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import { type ErrorCode, limits, ShoalError } from '@shoal/kernel'
import { headerNames, mediaTypes } from '@shoal/wire'
import type {
  FastifyBaseLogger,
  FastifyInstance,
  FastifyReply,
  FastifyRequest,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
  RawServerDefault,
} from 'fastify'
import { collectBody } from '../body.ts'
import { Exchange } from '../exchange.ts'
import { essenceOf } from '../headers/media-type.ts'
import type { Operation } from '../metrics.ts'
import { parseQuery, queryOf } from '../path.ts'
import type { Services } from '../services.ts'
import { parseJson } from '../validation.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What the requests of this route count as in the metrics. */
    operation?: Operation
  }
  interface FastifyRequest {
    exchange: Exchange | undefined
  }
}

export type App = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>

export function decorateRequests(app: FastifyInstance): void {
  app.decorateRequest('exchange', undefined)
}

/** The exchange of a request; made here for requests that no route has taken. */
export function exchangeOf(
  services: Services,
  request: FastifyRequest,
  reply: FastifyReply,
): Exchange {
  request.exchange ??= new Exchange(services, {
    request: request.raw,
    response: reply.raw,
    operation: request.routeOptions?.config?.operation ?? 'other',
  })
  return request.exchange
}

/**
 * Opens an exchange for each request, reads queries and JSON bodies strictly. Answers leave through
 * the exchange, so that every one has the same headers and is counted.
 */
export function prepareScope(app: FastifyInstance, services: Services): void {
  app.addHook('onRequest', (request, reply, done) => {
    exchangeOf(services, request, reply)
    done()
  })
  app.addHook('preValidation', (request, _reply, done) => {
    const { querystring } = (request.routeOptions.schema ?? {}) as {
      querystring?: { properties?: object }
    }
    const known = Object.keys(querystring?.properties ?? {})
    request.query = parseQuery(queryOf(request.raw.url ?? ''), known)
    done()
  })
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', (request, _payload, done) => {
    if (request.method === 'DELETE') return done(null, undefined)
    const { exchange } = request
    if (exchange === undefined) return done(unusableType(''))
    const type = request.headers['content-type'] ?? ''
    if (essenceOf(type) !== mediaTypes.json) return done(unusableType(type))
    const rules = { bytesMax: limits.documentBytesMax, what: 'body' } as const
    collectBody(exchange, rules, (_exchange, body) => {
      if (body instanceof ShoalError) return done(body)
      try {
        done(null, parseJson(body))
      } catch (error) {
        done(error as Error)
      }
    })
  })
}

export const unusableType = (type: string, wanted: string = mediaTypes.json): ShoalError =>
  new ShoalError('SHOAL_MEDIA_TYPE_INVALID', `send the body as ${wanted}`, {
    wanted,
    got: type,
    errors: [{ field: headerNames.contentType, offset: 0, message: `${wanted} is allowed` }],
  })

/** Answers once the work is done, with JSON or with what went wrong. */
export function respond(
  request: FastifyRequest,
  reply: FastifyReply,
  work: (exchange: Exchange) => Promise<void> | void,
): void {
  reply.hijack()
  const { exchange } = request
  if (exchange === undefined) return
  Promise.resolve()
    .then(() => work(exchange))
    .catch((error: unknown) => exchange.fail(error))
}

/** Errors that fastify itself raises, in this API's words. */
export function asShoalError(error: unknown): unknown {
  if (error instanceof ShoalError) return error
  const { statusCode, message } = error as { statusCode?: number; message?: string }
  const code = codes[statusCode ?? 500]
  return code === undefined ? error : new ShoalError(code, message ?? 'malformed')
}

const codes: Readonly<Record<number, ErrorCode>> = {
  400: 'SHOAL_REQUEST_INVALID',
  404: 'SHOAL_ROUTE_NOT_FOUND',
  413: 'SHOAL_VALUE_TOO_LARGE',
  414: 'SHOAL_KEY_TOO_LONG',
  415: 'SHOAL_MEDIA_TYPE_INVALID',
}
