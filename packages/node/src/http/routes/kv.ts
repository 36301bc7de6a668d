/**
 * The key–value routes. fastify finds the route and shows its schema; from its first hook on the
 * request is ours: body parsing, hooks and serialisation of fastify are for documents, and a value
 * is bytes.
 */
import { invariant } from '@shoal/kernel'
import type { FastifyInstance, RouteOptions } from 'fastify'
import type { Access } from '../../security/scopes.ts'
import { Exchange } from '../exchange.ts'
import { readValue } from '../kv/read.ts'
import { deleteValue, putValue } from '../kv/write.ts'
import type { Operation } from '../metrics.ts'
import {
  DeleteHeaders,
  deleteResponses,
  headResponses,
  KeyParams,
  PutBody,
  putResponses,
  ReadHeaders,
  ReadQuery,
  readResponses,
  WriteHeaders,
} from '../schemas/kv.ts'
import type { Services } from '../services.ts'

const tags = ['Values']

export function addKeyValueRoutes(app: FastifyInstance, services: Services): void {
  app.route({
    ...taken(services, { operation: 'get', access: 'read' }, readValue),
    method: 'GET',
    exposeHeadRoute: false,
    schema: {
      operationId: 'getValue',
      summary: 'Read a value',
      tags,
      params: KeyParams,
      querystring: ReadQuery,
      headers: ReadHeaders,
      response: readResponses,
    },
  })
  app.route({
    ...taken(services, { operation: 'head', access: 'read' }, readValue),
    method: 'HEAD',
    config: { operation: 'head', access: 'read', swagger: { exposeHeadRoute: true } },
    schema: {
      operationId: 'headValue',
      summary: 'Read everything about a value but its bytes',
      tags,
      params: KeyParams,
      querystring: ReadQuery,
      headers: ReadHeaders,
      response: headResponses,
    },
  })
  app.route({
    ...taken(services, { operation: 'put', access: 'write' }, putValue),
    method: 'PUT',
    schema: {
      operationId: 'putValue',
      summary: 'Write a value',
      tags,
      params: KeyParams,
      headers: WriteHeaders,
      body: PutBody,
      response: putResponses,
    },
  })
  app.route({
    ...taken(services, { operation: 'delete', access: 'write' }, deleteValue),
    method: 'DELETE',
    schema: {
      operationId: 'deleteValue',
      summary: 'Delete a key',
      tags,
      params: KeyParams,
      headers: DeleteHeaders,
      response: deleteResponses,
    },
  })
}

type Taken = Pick<RouteOptions, 'url' | 'config' | 'onRequest' | 'handler' | 'validatorCompiler'>

/** A route whose requests leave fastify in its first hook. */
export function taken(
  services: Services,
  config: { readonly operation: Operation; readonly access: Access },
  handle: (exchange: Exchange) => void,
  url = '/v1/kv/:bucket/:key',
): Taken {
  const { operation } = config
  return {
    url,
    config,
    onRequest: (request, reply) => {
      reply.hijack()
      const [from, to] = [request.raw, reply.raw]
      handle(request.exchange ?? new Exchange(services, { request: from, response: to, operation }))
    },
    // Never reached, but a route has to have one.
    handler: () => invariant(false, 'a request taken in the first hook never reaches the handler'),
    // The schema shows what the parsers in headers/ and path.ts check.
    validatorCompiler: () => () => true,
  }
}
