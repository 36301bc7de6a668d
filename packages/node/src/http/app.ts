/** Builds the HTTP face of a node. */
import { once } from 'node:events'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import { limits, millis, ShoalError } from '@shoal/kernel'
import Fastify, { type FastifyInstance } from 'fastify'
import type { RouteAccess } from '../security/scopes.ts'
import { guardRoutes } from './access.ts'
import { addConsolePage } from './console.ts'
import { Exchange } from './exchange.ts'
import { renewCertificate } from './listener.ts'
import { answerUnrouted, RouteTable } from './not-found.ts'
import { addDocsPage, describeRoutes } from './openapi.ts'
import { pathOf, readBucketAndKey } from './path.ts'
import type { DrainStage, HttpApp, HttpAppOptions, Listening } from './ports.ts'
import { addBackupRoutes, addRestoreRoute } from './routes/backup.ts'
import { addBatchRoute } from './routes/batch.ts'
import { addBucketRoutes } from './routes/buckets.ts'
import { addEventsRoute } from './routes/events.ts'
import { addHintRoutes } from './routes/hints.ts'
import { addJobRoute } from './routes/jobs.ts'
import { addKeyValueRoutes } from './routes/kv.ts'
import { addListRoute } from './routes/list.ts'
import { addOperationsRoutes } from './routes/operations.ts'
import { addRepairRoutes } from './routes/repairs.ts'
import { asShoalError, decorateRequests, exchangeOf, prepareScope } from './routes/scope.ts'
import { addStateRoutes } from './routes/state.ts'
import { NodeServer } from './server.ts'
import { Services } from './services.ts'
import { validatorCompiler } from './validation.ts'

/**
 * The HTTP API of one node: everything a person or program can ask of it.
 *
 * Nothing listens yet when this resolves. Cost: about 50 ms, most of it compiling schemas.
 */
export async function createHttpApp(options: HttpAppOptions): Promise<HttpApp> {
  const services = new Services(options)
  const routes = new RouteTable()
  let nodeServer: NodeServer | undefined
  const app = Fastify({
    logger: false,
    serverFactory: (handler) => {
      nodeServer = new NodeServer(services, handler)
      return nodeServer.server
    },
    clientErrorHandler: (error, socket) => nodeServer?.onClientError(error, socket),
    genReqId: () => '',
    return503OnClosing: false,
    routerOptions: {
      // A key may have 3 characters for each byte, and one that is too long must reach us to be
      // told.
      maxParamLength: limits.headerBytesMax,
      querystringParser: () => ({}),
    },
    frameworkErrors: (_error, request, reply) =>
      refuseUrl(
        new Exchange(services, { request: request.raw, response: reply.raw, operation: 'other' }),
      ),
  })
  const access = await addRoutes(app, { services, routes, options })
  await app.ready()
  if (nodeServer === undefined) throw new ShoalError('SHOAL_INTERNAL', 'fastify made no server')
  return { ...toHttpApp(app, services, nodeServer), access }
}

async function addRoutes(
  app: FastifyInstance,
  parts: { services: Services; routes: RouteTable; options: HttpAppOptions },
): Promise<readonly RouteAccess[]> {
  const { services, routes, options } = parts
  app.addHook('onRoute', ({ url, method }) => routes.add(url, [method].flat()))
  const access = guardRoutes(app, services)
  app.setValidatorCompiler(validatorCompiler)
  app.setSerializerCompiler(() => (value) => JSON.stringify(value))
  decorateRequests(app)
  app.setErrorHandler((error, request, reply) => {
    reply.hijack()
    exchangeOf(services, request, reply).fail(asShoalError(error))
  })
  app.setNotFoundHandler((request, reply) => {
    reply.hijack()
    answerUnrouted(exchangeOf(services, request, reply), routes)
  })
  await describeRoutes(app, options.version)
  app.register((scope, _options, ready) => {
    addKeyValueRoutes(scope, services)
    addBatchRoute(scope, services)
    addRestoreRoute(scope, services)
    ready()
  })
  app.register((scope, _options, ready) => {
    prepareScope(scope, services)
    const typed = scope.withTypeProvider<TypeBoxTypeProvider>()
    addListRoute(typed)
    addBucketRoutes(typed, services)
    addStateRoutes(typed, services)
    addBackupRoutes(typed, services)
    addEventsRoute(typed)
    addHintRoutes(typed, services)
    addRepairRoutes(typed, services)
    addJobRoute(typed, services)
    addOperationsRoutes(typed, options.metrics)
    ready()
  })
  addDocsPage(app, services)
  addConsolePage(app, services, options.chaos)
  return access
}

/** A path whose percent-encoding the router cannot read. */
function refuseUrl(exchange: Exchange): void {
  exchange.attempt(() => {
    const path = pathOf(exchange.request.url ?? '')
    const [prefix] = /^\/v1\/(?:kv|explain)\/(?=[^/]*\/[^/]*$)/.exec(path) ?? []
    if (prefix !== undefined) readBucketAndKey(path, prefix)
    throw new ShoalError('SHOAL_REQUEST_INVALID', 'the path is not valid percent-encoded UTF-8')
  })
}

function toHttpApp(
  app: FastifyInstance,
  services: Services,
  nodeServer: NodeServer,
): Omit<HttpApp, 'access'> {
  const { server } = nodeServer
  return {
    server,
    listen: async (host, port): Promise<Listening> => {
      server.listen({ host, port, backlog: BACKLOG })
      await listening(nodeServer, `${host}:${port}`)
      const address = server.address()
      const bound = typeof address === 'object' && address !== null ? address.port : port
      const shown = host.includes(':') ? `[${host}]` : host
      const scheme = services.tls === undefined ? 'http' : 'https'
      return { host, port: bound, url: `${scheme}://${shown}:${bound}` }
    },
    onUpgrade: (listener) => nodeServer.onUpgrade(listener),
    renewCertificate: (identity) => renewCertificate(server, identity),
    setDraining: (stage: DrainStage = 'refusing') => {
      if (services.drain !== 'refusing') services.drain = stage
      services.streams.end()
    },
    close: async () => {
      services.drain = 'refusing'
      services.streams.end()
      await closeServer(nodeServer, services)
      await app.close()
    },
  }
}

/** Connections that wait for `accept`; the system caps it. */
const BACKLOG = 4_096

async function listening({ server }: NodeServer, address: string): Promise<void> {
  try {
    await once(server, 'listening')
  } catch (error) {
    if ((error as { code?: string }).code !== 'EADDRINUSE') throw error
    throw new ShoalError('SHOAL_ADDRESS_IN_USE', `${address} is taken`, { cause: error })
  }
}

async function closeServer(nodeServer: NodeServer, services: Services): Promise<void> {
  const { server } = nodeServer
  if (!server.listening) return
  server.close()
  server.closeIdleConnections()
  nodeServer.dropSilent()
  const timer = services.env.clock.after(millis(services.limits.drainMs), () =>
    server.closeAllConnections(),
  )
  await nodeServer.clientsGone()
  timer.cancel()
}
