/** `/ui`: the console. The page is a program that uses the API of the node that served it. */
import fastifyStatic from '@fastify/static'
import { consoleFolder } from '@shoal/console'
import type { FastifyInstance } from 'fastify'
import { countPages } from './pages.ts'
import type { Services } from './services.ts'

/** @param chaos  where a local cluster lets faults be made: the one other place it may ask */
export function addConsolePage(
  app: FastifyInstance,
  services: Services,
  chaos: string | undefined,
): void {
  const policy = [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    `connect-src 'self'${chaos === undefined ? '' : ` ${chaos}`}`,
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ')
  app.register((scope, _options, ready) => {
    countPages(scope, services)
    scope.register(fastifyStatic, {
      root: consoleFolder,
      prefix: '/ui/',
      wildcard: false,
      decorateReply: false,
      cacheControl: false,
      setHeaders: (reply) => {
        reply.header('content-security-policy', policy)
        reply.header('x-content-type-options', 'nosniff')
        reply.header('referrer-policy', 'no-referrer')
      },
    })
    scope.get('/ui', { schema: { hide: true } }, (_request, reply) => reply.redirect('/ui/', 308))
    ready()
  })
}
