/** One trace over the node that was asked, the one that coordinates, and every replica. */
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { diag, type HrTime, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base'
import { createSystemEnv, limits, millis, nodeId } from '@shoal/kernel'
import { decodeTraceContext, encodeTraceContext, questionKinds } from '@shoal/wire'
import t from 'tap'
import { type RunningNode, startNode } from '../src/start-node.ts'
import { Tracing } from '../src/tracing/tracing.ts'
import { Lines } from './http/doubles.ts'

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736'
const spanId = '00f067aa0ba902b7'
const client = { traceId, spanId, sampled: true, state: 'vendor=x' }
const sampled = { traceparent: `00-${traceId}-${spanId}-01`, tracestate: 'vendor=x' }
const asked = { id: 'r1', method: 'GET', route: '/v1/kv/{bucket}/{key}', scheme: 'http' } as const

t.test('without an SDK nothing is recorded, and a recorded trace is passed on', async (t) => {
  const tracing = new Tracing({ node: nodeId('n1'), version: '0' })
  t.notOk(tracing.isRecording)
  t.equal(tracing.begin({ ...asked, client: undefined }), undefined)
  t.equal(tracing.begin({ ...asked, client: { ...client, sampled: false } }), undefined)
  const span = tracing.begin({ ...asked, client })
  t.same(decodeTraceContext(Buffer.from(span?.carried ?? [])), client, 'to replicas')
  span?.happened(nodeId('n2'), 'asked')
  span?.reached()
  span?.end({ status: 200, failure: undefined, bucket: 'b', report: undefined })
  const question = {
    from: nodeId('n2'),
    kind: questionKinds.write,
    body: Buffer.alloc(0),
    trace: encodeTraceContext(client),
    epoch: 1,
    deadline: millis(1),
    answer: () => {},
  }
  t.same(tracing.follow(question).follower?.carried, question.trace, 'and from a coordinator')
  const probe = { ...question, kind: questionKinds.status }
  t.equal(tracing.follow(probe), probe, 'what is no work for a client is left alone')
  t.throws(() => tracing.follow({ ...question, trace: Buffer.from('rubbish') }), {
    code: 'SHOAL_FRAME_INVALID',
  })
})

const exporter = new InMemorySpanExporter()
/** Of all nodes. */
const log = new Lines()
const ids = ['n1', 'n2', 'n3', 'n4'] as const

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'))
  await Promise.all(servers.map((server) => once(server, 'listening')))
  const ports = servers.map((server) => (server.address() as { port: number }).port)
  await Promise.all(servers.map((server) => once(server.close(), 'close')))
  return ports
}

/** Four nodes and three copies, so that one node has to pass a write on. */
async function startCluster(): Promise<ReadonlyMap<string, RunningNode>> {
  const data = await mkdtemp(join(tmpdir(), 'shoal-tracing-'))
  const ports = await freePorts(ids.length)
  const members = ids.map((id, at) => ({ id: nodeId(id), url: `http://127.0.0.1:${ports[at]}` }))
  const nodes = await Promise.all(
    members.map(({ id }, at) =>
      startNode(
        {
          nodeId: id,
          listen: { host: '127.0.0.1', port: ports[at] ?? 0 },
          data: join(data, id),
          members,
          secret: 'a secret for tests',
          replicas: 3,
          partitions: 16,
          durability: 'memory',
          slowRequestMs: 1e-6,
          valueBytesMax: limits.valueBytesDefault,
          versionCacheBytes: limits.versionCacheBytesDefault,
          bucketDefaults: {
            consistency: { level: 'all', strict: false },
            conflicts: 'siblings',
            blindWrites: 'overwrite',
            ttl: 0,
            maxSiblings: 50,
          },
        },
        {
          log,
          onFatal: (error) => {
            throw error
          },
        },
      ),
    ),
  )
  t.teardown(async () => {
    await Promise.all(nodes.map((node) => node.stop()))
    await rm(data, { recursive: true, force: true })
  })
  await until('all nodes reach each other', () =>
    nodes.every(({ parts }) => parts.peers.status().every(({ up }) => up)),
  )
  return new Map(nodes.map((node, at) => [ids[at] as string, node]))
}

const { clock } = createSystemEnv(() => {})

async function until(what: string, condition: () => boolean): Promise<void> {
  const deadline = clock.elapsed() + 20_000
  while (!condition()) {
    if (clock.elapsed() > deadline) throw new Error(`never: ${what}`)
    await new Promise<void>((resolve) => void clock.after(millis(5), resolve))
  }
}

/** What was recorded meanwhile, once so many spans have ended. */
async function recorded(count: number, work: () => Promise<number>): Promise<ReadableSpan[]> {
  exporter.reset()
  const status = await work()
  t.ok(status < 300, `answered with ${status}`)
  await until(`${count} spans`, () => exporter.getFinishedSpans().length >= count)
  return exporter.getFinishedSpans()
}

const nodeOf = ({ attributes }: ReadableSpan): string => String(attributes['shoal.node'])
const eventsOf = ({ events }: ReadableSpan): string[] => events.map(({ name }) => name)
const started = ({ startTime: [seconds, nanos] }: { startTime: HrTime }): number =>
  seconds * 1e3 + nanos / 1e6

t.test('with an SDK', async (t) => {
  const complaints: unknown[] = []
  const complain = (...words: unknown[]): void => void complaints.push(words)
  diag.setLogger({ error: complain, warn: complain, info() {}, debug() {}, verbose() {} })
  const processor = new SimpleSpanProcessor(exporter)
  trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [processor] }))
  const nodes = await startCluster()
  const url = (node: string, key: string): string => `${nodes.get(node)?.url}/v1/kv/carts/${key}`
  const key = 'secretly-42'
  const explained = await fetch(url('n1', key).replace('/kv/', '/explain/'))
  const { preferenceList } = (await explained.json()) as { preferenceList: string[] }
  const [primary = ''] = preferenceList
  const other = ids.find((id) => !preferenceList.includes(id)) ?? ''

  t.test('a write that is passed on is one trace, down to each replica', async (t) => {
    const spans = await recorded(4, async () => {
      const put = { method: 'PUT', headers: sampled, body: 'a secret value' }
      return (await fetch(url(other, key), put)).status
    })
    t.equal(spans.length, 4)
    for (const span of spans) {
      t.equal(span.spanContext().traceId, traceId, `${span.name} of ${nodeOf(span)}`)
      t.equal(span.spanContext().traceState?.get('vendor'), 'x')
    }
    const named = (name: string) => spans.filter((span) => span.name === name)
    const [server] = named('PUT /v1/kv/{bucket}/{key}')
    const [coordinate] = named('shoal.coordinate')
    const writes = named('shoal.replica.write')
    if (!server || !coordinate) throw new Error('no span of the request')
    t.equal(server.parentSpanContext?.spanId, spanId, 'below the span of the client')
    t.equal(server.kind, SpanKind.SERVER)
    t.match(server.attributes, {
      'http.request.method': 'PUT',
      'http.route': '/v1/kv/{bucket}/{key}',
      'http.response.status_code': 204,
      'url.scheme': 'http',
      'shoal.node': other,
      'shoal.bucket': 'carts',
      'shoal.partition': Number,
      'shoal.request_id': String,
    })
    t.equal(coordinate.parentSpanContext?.spanId, server.spanContext().spanId)
    t.match(coordinate.attributes, { 'shoal.from': other, 'shoal.answer': 'written' })
    t.ok(preferenceList.includes(nodeOf(coordinate)))
    t.equal(eventsOf(coordinate).filter((name) => name === 'shoal.replica.asked').length, 3)
    t.ok(eventsOf(coordinate).includes('shoal.quorum.reached'))
    const rest = preferenceList.filter((node) => node !== nodeOf(coordinate))
    t.same(writes.map(nodeOf).sort(), rest.sort(), 'each other replica once')
    for (const write of writes) {
      t.equal(write.parentSpanContext?.spanId, coordinate.spanContext().spanId)
      t.match(write.attributes, { 'shoal.from': nodeOf(coordinate), 'shoal.answer': /^merged/ })
      t.ok(started(write) >= started(coordinate) - 1)
    }
    const told = spans.map(({ name, attributes, events }) => ({ name, attributes, events }))
    t.notMatch(JSON.stringify(told), /secret/, 'neither key nor value')
  })

  t.test('the log of slow requests names the trace, and tells of the replicas', async (t) => {
    const slow = log.lines.filter(({ message }) => message === 'slow request')
    const [passedOn] = slow.filter(({ details }) => 'traceId' in details)
    t.match(passedOn?.details, { operation: 'put', bucket: 'carts', traceId, outcome: 204 })
    t.match(passedOn?.details, { replicas: [{ state: 'passed-on', role: 'primary' }] })
    const [coordinated] = slow.filter(({ details }) => 'from' in details)
    t.match(coordinated?.details, { from: other, consistency: 'all;r=3;w=3;durable=0' })
    const done = { state: 'written', role: 'primary', ms: Number }
    t.match(coordinated?.details, { replicas: [done, done, done] })
    t.notMatch(JSON.stringify(slow), /secret/)
    const metrics = await fetch(`${nodes.get(other)?.url}/metrics`)
    t.match(await metrics.text(), /^shoal_slow_requests_total\{operation="put"\} 1$/m)
  })

  t.test('a read without a trace begins one', async (t) => {
    const spans = await recorded(3, async () => (await fetch(url(primary, key))).status)
    const [server] = spans.filter(({ name }) => name.startsWith('GET '))
    t.equal(server?.parentSpanContext, undefined)
    t.match(server?.attributes, { 'shoal.consistency': 'all;r=3;w=3;durable=0' })
    const reads = spans.filter(({ name }) => name === 'shoal.replica.read')
    t.equal(reads.length, 2)
    for (const read of reads) {
      t.equal(read.parentSpanContext?.spanId, server?.spanContext().spanId)
      t.match(read.attributes, { 'shoal.answer': /^(same|row)$/ })
    }
  })

  t.test('operations of a batch, and a listing', async (t) => {
    const batch = await recorded(3, async () => {
      const operations = [{ op: 'put', bucket: 'carts', key, value: '2' }]
      const headers = { 'Content-Type': 'application/json' }
      const body = JSON.stringify({ operations })
      const at = `${nodes.get(primary)?.url}/v1/batch`
      return (await fetch(at, { method: 'POST', headers, body })).status
    })
    t.match(batch.map(({ name }) => name).sort(), [
      'POST /v1/batch',
      'shoal.replica.write',
      'shoal.replica.write',
    ])
    const listed = await recorded(2, async () => {
      const at = `${nodes.get(primary)?.url}/v1/kv/carts`
      return (await fetch(at)).status
    })
    t.ok(listed.some(({ name }) => name === 'GET /v1/kv/{bucket}'))
    t.ok(listed.some(({ name }) => name === 'shoal.replica.list'))
  })

  t.test('what the client does not record nobody records', async (t) => {
    const headers = { traceparent: `00-${traceId}-${spanId}-00` }
    const spans = await recorded(
      0,
      async () => (await fetch(url(primary, key), { headers })).status,
    )
    await fetch(`${nodes.get(primary)?.url}/metrics`)
    t.same(spans, [])
  })

  t.test('a malformed trace is none, and no error', async (t) => {
    const headers = { traceparent: `00-${traceId}-${spanId}-01-x`, tracestate: '=' }
    const spans = await recorded(
      3,
      async () => (await fetch(url(primary, key), { headers })).status,
    )
    t.notOk(spans.some((span) => span.spanContext().traceId === traceId))
  })

  t.test('what replicas answer after the request has ended is no trouble', async (t) => {
    await recorded(3, async () => {
      const put = { method: 'PUT', headers: { Consistency: 'one;durable=0' }, body: 'x' }
      return (await fetch(url(primary, key), put)).status
    })
    // A read that waits for all: answers of before it have come.
    await recorded(3, async () => (await fetch(url(primary, key))).status)
    t.same(complaints, [])
  })

  t.test('a failure of the server is one of its span; that of a client is not', async (t) => {
    exporter.reset()
    await fetch(url(primary, 'nobody'))
    await fetch(url(primary, key), { headers: { Consistency: 'some' } })
    const spans = exporter.getFinishedSpans().filter(({ kind }) => kind === SpanKind.SERVER)
    const servers = spans.filter(({ name }) => name.startsWith('GET '))
    t.same(
      servers.map((span) => [span.attributes['http.response.status_code'], span.status.code]),
      [
        [404, SpanStatusCode.UNSET],
        [400, SpanStatusCode.UNSET],
      ],
    )
    exporter.reset()
    nodes.get(primary)?.parts.http.setDraining('refusing')
    await fetch(url(primary, key))
    const [span] = exporter.getFinishedSpans()
    t.equal(span?.status.code, SpanStatusCode.ERROR)
    t.match(span?.attributes, { 'error.type': 'SHOAL_DRAINING', 'http.response.status_code': 503 })
  })
})
