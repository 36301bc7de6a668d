/** Pages for people: what they have in common with each other, and not with the API. */
import type { FastifyInstance } from 'fastify'
import { exchangeOf } from './routes/scope.ts'
import type { Services } from './services.ts'

/**
 * Files leave through fastify's own replies. They are counted, and have the headers of every
 * answer, all the same.
 */
export function countPages(scope: FastifyInstance, services: Services): void {
  scope.addHook('onRequest', (request, reply, done) => {
    exchangeOf(services, request, reply)
    done()
  })
  scope.addHook('onSend', (request, reply, payload, done) => {
    const lines = request.exchange?.handOver(reply.statusCode) ?? []
    for (let at = 0; at < lines.length; at += 2) {
      reply.header(lines[at] ?? '', lines[at + 1])
    }
    done(null, payload)
  })
}
