/** Properties of buckets. */
import type { BucketProperties, Consistency } from '@shoal/coordinator'
import { limits, ShoalError } from '@shoal/kernel'
import { mediaTypes } from '@shoal/wire'
import Type from 'typebox'
import { bucketOf } from '../access.ts'
import { formatAsked, parseConsistency } from '../headers/consistency.ts'
import { BucketDocument, BucketList } from '../schemas/buckets.ts'
import { BucketName, empty, json, problems } from '../schemas/common.ts'
import type { Services } from '../services.ts'
import { invalid } from '../validation.ts'
import { type App, respond } from './scope.ts'

const prefix = '/v1/buckets/'
const tags = ['Buckets']
const params = Type.Object({ bucket: BucketName })
const reading = { operation: 'buckets', access: 'read' } as const
const changing = { operation: 'buckets', access: 'admin' } as const
const nameErrors = ['SHOAL_BUCKET_INVALID', 'SHOAL_BUCKET_RESERVED'] as const
const storeErrors = ['SHOAL_INTERNAL', 'SHOAL_QUORUM_UNREACHABLE', 'SHOAL_QUORUM_TIMEOUT'] as const

export function addBucketRoutes(app: App, services: Services): void {
  app.get(
    '/v1/buckets',
    {
      config: reading,
      schema: {
        operationId: 'listBuckets',
        summary: 'Buckets that have properties of their own',
        tags,
        response: { 200: json('By name.', BucketList), ...problems(...storeErrors) },
      },
    },
    (request, reply) =>
      respond(request, reply, async (exchange) => {
        const buckets = (await services.buckets.all())
          .filter(({ name }) => exchange.caller.mayUse(name))
          .map(({ name, properties }) => ({ name, ...toDocument(properties) }))
        exchange.answerJson(200, mediaTypes.json, { buckets })
      }),
  )
  app.get(
    '/v1/buckets/:bucket',
    {
      config: reading,
      schema: {
        operationId: 'getBucket',
        summary: 'Properties of a bucket',
        tags,
        params,
        response: {
          200: json('All of them; the defaults where nobody set any.', BucketDocument),
          ...problems(...nameErrors, ...storeErrors),
        },
      },
    },
    (request, reply) =>
      respond(request, reply, async (exchange) => {
        const properties = await services.buckets.get(bucketOf(exchange, prefix))
        exchange.answerJson(200, mediaTypes.json, toDocument(properties))
      }),
  )
  addBucketWrites(app, services)
}

function addBucketWrites(app: App, services: Services): void {
  app.put(
    '/v1/buckets/:bucket',
    {
      config: changing,
      schema: {
        operationId: 'putBucket',
        summary: 'Replace all properties of a bucket',
        description:
          'Properties left out return to the default. Every node follows within 5 seconds.',
        tags,
        params,
        body: BucketDocument,
        response: {
          204: empty('Replaced.'),
          ...problems(
            ...nameErrors,
            'SHOAL_BODY_INVALID',
            'SHOAL_BODY_INCOMPLETE',
            'SHOAL_BODY_TIMEOUT',
            'SHOAL_CONSISTENCY_INVALID',
            'SHOAL_BUCKET_NOT_EMPTY',
            'SHOAL_VALUE_TOO_LARGE',
            'SHOAL_MEDIA_TYPE_INVALID',
            ...storeErrors,
          ),
        },
      },
    },
    (request, reply) =>
      respond(request, reply, async (exchange) => {
        const bucket = bucketOf(exchange, prefix)
        const properties = toProperties(request.body, services)
        await checkCopies(bucket, properties.n, services)
        await services.buckets.put(bucket, properties)
        exchange.answer(204, [])
      }),
  )
  app.delete(
    '/v1/buckets/:bucket',
    {
      config: changing,
      schema: {
        operationId: 'deleteBucket',
        summary: 'Return a bucket to the defaults',
        description: 'Drops properties, never data.',
        tags,
        params,
        response: {
          204: empty('Done, or there was nothing to drop.'),
          ...problems(...nameErrors, 'SHOAL_BUCKET_NOT_EMPTY', ...storeErrors),
        },
      },
    },
    (request, reply) =>
      respond(request, reply, async (exchange) => {
        const bucket = bucketOf(exchange, prefix)
        await checkCopies(bucket, services.buckets.defaults.n, services)
        await services.buckets.delete(bucket)
        exchange.answer(204, [])
      }),
  )
}

const toDocument = (properties: BucketProperties): BucketDocument => ({
  ...properties,
  consistency: formatAsked(properties.consistency),
})

/** @throws SHOAL_BODY_INVALID, SHOAL_CONSISTENCY_INVALID */
function toProperties(document: BucketDocument, { buckets, cluster }: Services): BucketProperties {
  const { consistency, ...rest } = document
  const properties = {
    ...buckets.defaults,
    ...rest,
    ...(consistency === undefined
      ? {}
      : { consistency: parseConsistency(consistency, 'consistency') }),
  }
  const { replicas } = cluster.ring()
  if (properties.n > replicas) {
    throw outOfRange('n', `the ring holds ${replicas} copies, n is at most that`)
  }
  checkFits(properties.consistency, properties.n)
  return properties
}

/** A default that no request could be served with is refused when it is set. */
function checkFits({ level, r = 1, w, durable = 0 }: Consistency, n: number): void {
  const acknowledgements = w ?? { one: 1, quorum: Math.floor(n / 2) + 1, all: n }[level]
  if (r > n || acknowledgements > n) {
    throw outOfRange('consistency', `r and w are at most n, which is ${n}`)
  }
  if (durable > acknowledgements) {
    throw outOfRange('consistency', `durable is at most w, which is ${acknowledgements}`)
  }
}

const outOfRange = (field: string, message: string): ShoalError =>
  invalid('SHOAL_BODY_INVALID', [{ field, message }])

/**
 * With another n the keys that are there would have copies in the wrong number, so n changes only
 * in an empty bucket. Asked of all replicas: one that is away may hold a key nobody else has.
 */
async function checkCopies(bucket: string, n: number, services: Services): Promise<void> {
  const current = await services.buckets.get(bucket)
  if (current.n === n) return
  const { keys } = await services.keyValue.list({
    bucket,
    prefix: '',
    after: '',
    limit: 1,
    consistency: { level: 'all', strict: false },
    timeout: limits.readTimeoutDefault,
  })
  if (keys.length === 0) return
  const detail = `${bucket} holds data with n = ${current.n}`
  throw new ShoalError('SHOAL_BUCKET_NOT_EMPTY', detail, { wanted: n, got: current.n })
}
