import type { RequestReport } from '@shoal/coordinator'
import { createTestEnv, limits, millis, nodeId, type Partition, ShoalError } from '@shoal/kernel'
import t from 'tap'
import { noteCoordinated, SlowLog } from '../src/slow-log.ts'
import { Lines, openFace } from './http/doubles.ts'
import { call } from './http/talk.ts'

const consistency = { level: 'quorum', n: 3, r: 2, w: 2, durable: 2, strict: false } as const

const report: RequestReport = {
  began: millis(0),
  partition: 7 as Partition,
  consistency,
  reports: () => [
    { node: nodeId('n1'), role: 'primary', state: 'durable', ms: 3 },
    { node: nodeId('n2'), role: 'primary', state: 'asked', ms: 0 },
  ],
}

const put = { operation: 'put', ms: 600, bucket: 'carts', outcome: 204, report } as const

t.test('a line tells what it was and what each replica did', async (t) => {
  const log = new Lines()
  const slow = new SlowLog({ env: createTestEnv(), log, thresholdMs: 500 })
  t.notOk(slow.isSlow(499.9))
  t.ok(slow.isSlow(500))
  slow.note({ ...put, requestId: 'r1', traceId: 't1', receivedMs: 1.23456 })
  t.same(log.lines, [
    {
      level: 'warn',
      message: 'slow request',
      details: {
        operation: 'put',
        ms: 600,
        receivedMs: 1.235,
        bucket: 'carts',
        outcome: 204,
        consistency: 'quorum;r=2;w=2;durable=2',
        requestId: 'r1',
        traceId: 't1',
        partition: 7,
        replicas: report.reports(),
      },
    },
  ])
})

t.test('with a threshold of 0 nothing is slow', async (t) => {
  const slow = new SlowLog({ env: createTestEnv(), log: new Lines(), thresholdMs: 0 })
  t.notOk(slow.isSlow(60_000))
})

t.test('when everything is slow some lines are written and the others counted', async (t) => {
  const env = createTestEnv()
  const log = new Lines()
  const slow = new SlowLog({ env, log, thresholdMs: 500 })
  const burst = limits.slowLinesBurst
  for (let at = 0; at < burst + 30; at++) slow.note(put)
  t.equal(log.lines.length, burst)
  t.equal(slow.count('put'), burst + 30, 'the metric counts all of them')
  env.advance(millis(1_000))
  slow.note(put)
  t.match(log.lines.at(-1), { message: 'slow request', details: { notShown: 30 } })
  for (let at = 0; at < 30; at++) slow.note(put)
  const before = log.lines.length
  env.advance(millis(10_000))
  t.equal(log.lines.length, before + 1, 'told in the end, if nothing follows')
  const shown = before - burst - 1
  const details = { notShown: 30 - shown }
  t.match(log.lines.at(-1), { message: 'slow requests not shown', details })
  t.equal(env.pendingTimers, 0)
})

t.test('a write that was passed on is told where its replicas are known', async (t) => {
  const log = new Lines()
  const slow = new SlowLog({ env: createTestEnv(), log, thresholdMs: 500 })
  const request = { operation: 'put', bucket: 'carts', key: 'secret' } as never
  const result = new ShoalError('SHOAL_QUORUM_TIMEOUT', 'late')
  const write = { from: nodeId('n9'), request, result, report }
  noteCoordinated(slow, write, millis(499))
  t.same(log.lines, [])
  noteCoordinated(slow, write, millis(700))
  t.match(log.lines, [{ details: { from: 'n9', ms: 700, outcome: 'SHOAL_QUORUM_TIMEOUT' } }])
  t.notMatch(JSON.stringify(log.lines), 'secret')
})

t.test('requests over HTTP: those that took long, without key, value or token', async (t) => {
  const face = await openFace({ slow: (env, log) => new SlowLog({ env, log, thresholdMs: 1e-6 }) })
  t.teardown(() => face.app.close())
  const { keyValue } = face
  keyValue.report = report
  const id = '4bf92f3577b34da6a3ce929d0e0e4736'
  const headers = { traceparent: `00-${id}-00f067aa0ba902b7-01`, Authorization: 'Bearer hidden' }
  const key = '/v1/kv/carts/hidden'
  const { headers: answered } = await call(face, 'PUT', key, { headers, body: 'hidden' })
  keyValue.failure = new ShoalError('SHOAL_QUORUM_TIMEOUT', 'late')
  await call(face, 'GET', key)
  keyValue.failure = undefined
  await call(face, 'GET', '/v1/kv/carts?prefix=hidden')
  const operations = [{ op: 'delete', bucket: 'carts', key: 'hidden' }]
  const json = { 'Content-Type': 'application/json' }
  await call(face, 'POST', '/v1/batch', { headers: json, body: JSON.stringify({ operations }) })
  await call(face, 'GET', '/metrics')
  await call(face, 'PUT', key, { headers: { TTL: 'x' }, body: 'refused before any work' })
  const lines = face.log.lines.filter(({ message }) => message === 'slow request')
  t.match(
    lines.map(({ details }) => details),
    [
      {
        ...{ operation: 'put', outcome: 204, traceId: id, receivedMs: Number },
        requestId: answered['request-id'],
      },
      { operation: 'get', outcome: 'SHOAL_QUORUM_TIMEOUT', bucket: 'carts' },
      { operation: 'list', outcome: 200, bucket: 'carts' },
      { operation: 'delete', outcome: 204, bucket: 'carts' },
    ],
  )
  t.equal(lines.length, 4, 'and nothing else')
  t.notMatch(JSON.stringify(lines), 'hidden')
})
