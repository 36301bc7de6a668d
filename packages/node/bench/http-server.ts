/**
 * One server as a process of its own: our face over an immediate store in memory, or, to compare
 * with, fastify with bare handlers, or Node's server alone with the headers that we send.
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { KeyValue, ReadAnswer, WriteAnswer } from '@shoal/coordinator'
import { createSystemEnv, millis, nodeId } from '@shoal/kernel'
import Fastify from 'fastify'
import { Registry } from 'prom-client'
import { EventHub } from '../src/events/event-hub.ts'
import { createHttpApp } from '../src/http/app.ts'
import { Jobs } from '../src/jobs.ts'
import {
  FixedCluster,
  fixedBackup,
  fixedHints,
  fixedRepairs,
  Lines,
  MemoryBuckets,
  MemoryKeyValue,
} from '../test/http/doubles.ts'

const value = Buffer.alloc(1_024, 'v')

/** Answers that cost next to nothing to make, so that what is measured is the face. */
class Immediate extends MemoryKeyValue implements KeyValue {
  #count = 0

  override read(_request: unknown, done: (result: ReadAnswer) => void): void {
    process.nextTick(done, {
      ...this.#common(),
      values: [
        {
          etag: '"AAAAAAAAAAAAAAAAAAAAAA"',
          contentType: 'application/json',
          contentEncoding: '',
          modified: millis(Date.now()),
          body: value,
        },
      ],
    })
  }

  override write(_request: unknown, done: (result: WriteAnswer) => void): void {
    process.nextTick(done, { ...this.#common(), siblings: 1 })
  }

  #common() {
    const level = 'quorum' as const
    return {
      context: `c1.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA${this.#count++}`,
      session: '',
      etag: `"AAAAAAAAAAAAAAAA${this.#count}"`,
      modified: millis(Date.now()),
      consistency: { level, n: 3, r: 2, w: 2, durable: 2, strict: false },
      receipt: {
        n: 3,
        need: 2,
        ack: 3,
        primaries: 3,
        fallbacks: 0,
        durable: 3,
        hinted: 0,
        repaired: 0,
        epoch: 1,
        node: nodeId('n1'),
      },
    }
  }
}

async function openOurs(): Promise<string> {
  const env = createSystemEnv((reason) => {
    throw reason
  })
  const jobs = new Jobs(env)
  const app = await createHttpApp({
    env,
    jobs,
    hints: fixedHints(jobs),
    events: new EventHub({ env, node: nodeId('n1') }),
    repairs: fixedRepairs(jobs),
    backup: fixedBackup,
    keyValue: new Immediate(),
    buckets: new MemoryBuckets(),
    cluster: new FixedCluster(),
    admission: { admit: () => undefined, refusal: undefined },
    metrics: new Registry(),
    log: new Lines(),
    version: '0.1.0',
  })
  return (await app.listen('127.0.0.1', 0)).url
}

async function openFastify(): Promise<string> {
  const app = Fastify({ logger: false })
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
  app.put('/v1/kv/:bucket/:key', (_request, reply) => void reply.code(204).send())
  app.get('/v1/kv/:bucket/:key', (_request, reply) => void reply.send(value))
  return app.listen({ port: 0, host: '127.0.0.1' })
}

const lines = [
  ['Causal-Context', 'c1.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'],
  ['Consistency', 'quorum;r=2;w=2;durable=2'],
  [
    'Receipt',
    'n=3, need=2, ack=3, primaries=3, fallbacks=0, hinted=0, repaired=0, epoch=1, node="n1"',
  ],
  ['ETag', '"AAAAAAAAAAAAAAAAAAAAAA"'],
  ['Last-Modified', 'Tue, 14 Nov 2023 22:13:20 GMT'],
  ['Request-Id', 'AAAAAAAA-1'],
  ['Server-Timing', 'total;dur=0.05'],
  ['Cache-Control', 'no-store'],
].flat()

async function openNode(): Promise<string> {
  const server = createServer((request, response) => {
    if (request.method === 'PUT') {
      request.on('data', () => {})
      request.on('end', () => response.writeHead(204, lines).end())
      return
    }
    const type = ['Content-Type', 'application/json', 'Content-Length', String(value.length)]
    response.writeHead(200, [...lines, ...type]).end(value)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const open = { ours: openOurs, fastify: openFastify, node: openNode }
process.on('message', (question) => {
  if (question === 'cpu') process.send?.(process.cpuUsage())
  if (question === 'stop') process.exit(0)
})
process.send?.(await open[process.argv[2] as keyof typeof open]())
