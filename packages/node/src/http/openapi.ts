/** The OpenAPI document, made from the schemas of the routes, and the page that shows it. */
import fastifySwagger from '@fastify/swagger'
import fastifySwaggerUi from '@fastify/swagger-ui'
import type { FastifyInstance } from 'fastify'
import { countPages } from './pages.ts'
import { tokenScheme } from './schemas/access.ts'
import type { Services } from './services.ts'

/** Must come before the routes it is to describe. */
export async function describeRoutes(app: FastifyInstance, version: string): Promise<void> {
  await app.register(fastifySwagger, {
    convertConstToEnum: false,
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Shoal',
        version,
        description:
          'A leaderless, replicated key–value store. Any node answers any request; the ' +
          'consistency of each is chosen in a header.',
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      components: { securitySchemes: tokenScheme },
      servers: [{ url: '/', description: 'The node that shows this page.' }],
      tags: [
        { name: 'Values', description: 'Keys and their values.' },
        { name: 'Buckets', description: 'Properties that keys of one bucket share.' },
        { name: 'State', description: 'Where things are, and why.' },
        { name: 'Hints', description: 'Writes kept for nodes that missed them.' },
        { name: 'Repairs', description: 'Copies made equal and kept whole.' },
        { name: 'Backup', description: 'Rows out of a cluster, and into one.' },
        { name: 'Operations', description: 'For probes, dashboards and tools.' },
      ],
    },
  })
}

/** `/docs`: assets come from this node, and the page asks no other host for anything. */
export function addDocsPage(app: FastifyInstance, services: Services): void {
  app.register((scope, _options, ready) => {
    countPages(scope, services)
    scope.register(fastifySwaggerUi, {
      routePrefix: '/docs',
      staticCSP: {
        'default-src': ["'self'"],
        'img-src': ["'self'", 'data:'],
        'style-src': ["'self'", "'unsafe-inline'"],
        'frame-ancestors': ["'none'"],
      },
      uiConfig: { url: '/openapi.json', validatorUrl: null, docExpansion: 'list' },
      theme: { title: 'Shoal API' },
    })
    ready()
  })
}
