/** How far work is that goes on after the answer to whoever asked for it. */
import { limits, ShoalError } from '@shoal/kernel'
import { headerNames, mediaTypes } from '@shoal/wire'
import Type from 'typebox'
import type { Job } from '../../jobs.ts'
import type { Exchange } from '../exchange.ts'
import { checkOpaque } from '../headers/fault.ts'
import { pathOf } from '../path.ts'
import { json, problems } from '../schemas/common.ts'
import { JobState } from '../schemas/jobs.ts'
import type { Services } from '../services.ts'
import { type App, respond } from './scope.ts'

const prefix = '/v1/jobs/'

export function addJobRoute(app: App, { jobs }: Services): void {
  app.get(
    '/v1/jobs/:id',
    {
      config: { operation: 'state', access: 'read' },
      schema: {
        operationId: 'getJob',
        summary: 'How far a job is',
        description: 'Known to the node that began it, until it restarts.',
        tags: ['State'],
        params: Type.Object({ id: Type.String({ maxLength: limits.traceIdCharsMax }) }),
        response: {
          200: json('As it is now.', JobState),
          ...problems('SHOAL_REQUEST_INVALID', 'SHOAL_JOB_NOT_FOUND', 'SHOAL_INTERNAL'),
        },
      },
    },
    (request, reply) =>
      respond(request, reply, (exchange) => {
        const id = checkOpaque(pathOf(request.raw.url ?? '').slice(prefix.length), {
          code: 'SHOAL_REQUEST_INVALID',
          field: 'id',
          max: limits.traceIdCharsMax,
        })
        const job = jobs.find(id)
        if (!job) throw new ShoalError('SHOAL_JOB_NOT_FOUND', `this node has no job ${id}`)
        exchange.answerJson(200, mediaTypes.json, job)
      }),
  )
}

/** 202, and where to ask for the rest. */
export function answerAccepted(exchange: Exchange, job: Job): void {
  exchange.answerJson(202, mediaTypes.json, job, [headerNames.location, prefix + job.id])
}
