/** Copies that are made equal and kept whole. */
import type { RepairRange } from '@shoal/antientropy'
import { mediaTypes } from '@shoal/wire'
import Type from 'typebox'
import { fieldError } from '../headers/fault.ts'
import { commonHeaders, json, problems } from '../schemas/common.ts'
import { JobState } from '../schemas/jobs.ts'
import { ClusterRepairsState, RepairsState } from '../schemas/repairs.ts'
import type { Services } from '../services.ts'
import { answerAccepted } from './jobs.ts'
import { type App, respond } from './scope.ts'
import { checkScope, scopeQuery } from './state-scope.ts'

const tags = ['Repairs']
const reading = { operation: 'state', access: 'read' } as const
const acting = { operation: 'state', access: 'admin' } as const

export function addRepairRoutes(app: App, services: Services): void {
  const { repairs } = services
  app.get(
    '/v1/repairs',
    {
      config: reading,
      schema: {
        operationId: 'getRepairs',
        summary: 'How equal and how whole copies are',
        tags,
        querystring: scopeQuery,
        response: {
          200: json(
            'As it is now: of this node, or with `scope=cluster` of all that answer.',
            Type.Union([RepairsState, ClusterRepairsState]),
          ),
          ...problems('SHOAL_QUERY_INVALID', 'SHOAL_INTERNAL'),
        },
      },
    },
    (request, reply) =>
      respond(request, reply, async (exchange) => {
        const scope = checkScope(request.query.scope)
        const state = scope === 'cluster' ? await repairs.cluster() : repairs.state()
        exchange.answerJson(200, mediaTypes.json, state)
      }),
  )
  addStartRoute(app, services)
  addBudgetRoute(app, services, 'pause')
  addBudgetRoute(app, services, 'resume')
}

function addStartRoute(app: App, { repairs, cluster }: Services): void {
  app.post(
    '/v1/repairs',
    {
      config: acting,
      schema: {
        operationId: 'repair',
        summary: 'Check and compare the copies of this node now',
        description:
          'Reads and verifies every row, rebuilds digests, and makes the range equal to that of ' +
          'every other replica, within the background budget.',
        tags,
        querystring: Type.Object({
          bucket: Type.Optional(
            Type.String({ description: 'Make only keys of this bucket equal.' }),
          ),
          partition: Type.Optional(Type.String({ description: 'Only this partition.' })),
        }),
        response: {
          202: {
            ...json('A job that says how far it is.', JobState),
            headers: { ...commonHeaders, Location: Type.String() },
          },
          ...problems('SHOAL_QUERY_INVALID', 'SHOAL_OVERLOADED', 'SHOAL_INTERNAL'),
        },
      },
    },
    (request, reply) =>
      respond(request, reply, (exchange) => {
        const { partitions } = cluster.ring()
        answerAccepted(exchange, repairs.start(rangeOf(request.query, partitions)))
      }),
  )
}

function addBudgetRoute(app: App, { repairs }: Services, change: 'pause' | 'resume'): void {
  app.post(
    `/v1/repairs/${change}`,
    {
      config: acting,
      schema: {
        operationId: `${change}Repairs`,
        summary: change === 'pause' ? 'Hold all background work' : 'Go on with background work',
        description:
          'Hints, comparisons and checks of this node, until it is resumed or the node restarts.',
        tags,
        response: { 200: json('As it is now.', RepairsState), ...problems('SHOAL_INTERNAL') },
      },
    },
    (request, reply) =>
      respond(request, reply, (exchange) =>
        exchange.answerJson(200, mediaTypes.json, repairs[change]()),
      ),
  )
}

interface RangeQuery {
  readonly bucket?: string | undefined
  readonly partition?: string | undefined
}

function rangeOf({ bucket, partition }: RangeQuery, partitions: number): RepairRange {
  return {
    ...(bucket === undefined ? {} : { bucket: checkBucket(bucket) }),
    ...(partition === undefined ? {} : { partition: checkPartition(partition, partitions) }),
  }
}

function checkPartition(text: string, partitions: number): NonNullable<RepairRange['partition']> {
  const partition = Number(text)
  if (/^[0-9]{1,5}$/.test(text) && partition < partitions) {
    return partition as NonNullable<RepairRange['partition']>
  }
  const wanted = `0 to ${partitions - 1}`
  const place = { field: 'partition', offset: 0, message: `a partition: ${wanted}` }
  throw fieldError('SHOAL_QUERY_INVALID', place, { wanted, got: text })
}

function checkBucket(name: string): string {
  if (/^[A-Za-z0-9._-]{1,128}$/.test(name)) return name
  const wanted = '1 to 128 of A-Z a-z 0-9 . _ -'
  const place = { field: 'bucket', offset: 0, message: `the name of a bucket: ${wanted}` }
  throw fieldError('SHOAL_QUERY_INVALID', place, { wanted, got: name })
}
