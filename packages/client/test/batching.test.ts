/** Gathered operations: what travels together, and that nobody can tell by the results. */
import { limits } from '@shoal/kernel'
import t from 'tap'
import { connect } from '../src/index.ts'
import { startFakeCluster } from './support/fake-cluster.ts'
import { ofKind } from './support/kind.ts'
import { rejection, startVirtual } from './support/virtual.ts'

const done = {
  status: 204,
  context: 'c1.x',
  etag: '"1"',
  receipt: 'n=3, need=2, epoch=1, node="n1"',
}

t.test('what one turn asks of one node travels as one request (CL12)', async (t) => {
  const { client, net, advance } = startVirtual(['http://a'], { batching: true })
  const calls = [
    client.put('b', '1', 'text'),
    client.put('b', '2', Uint8Array.of(0, 255)),
    client.delete('b', '3', { context: 'c1.y', idempotencyKey: 'mine', consistency: 'all' }),
    client.put('b', '4', '', { ttlSeconds: 5, contentType: 'text/csv', contentEncoding: 'br' }),
  ]
  const read = client.get('b', '5')
  await advance(0)
  t.equal(net.sent.length, 1)
  t.equal(net.last.request.path, '/v1/batch')
  t.equal(net.last.header('content-type'), 'application/json')
  t.match(net.last.json.operations, [
    { op: 'put', bucket: 'b', key: '1', value: 'text', type: 'text/plain; charset=utf-8' },
    { op: 'put', key: '2', base64: 'AP8=' },
    { op: 'delete', key: '3', context: 'c1.y', idempotencyKey: 'mine', consistency: 'all' },
    { op: 'put', key: '4', value: '', ttl: 5, type: 'text/csv', encoding: 'br' },
    { op: 'get', key: '5' },
  ])
  const told = { type: 'text/plain', encoding: 'br', modified: '2023-11-14T22:13:20.000Z' }
  const value = { status: 200, context: 'c1.z', etag: '"7"', value: 'five', ...told }
  net.last.answer(200, { 'request-id': 'r1' }, { results: [done, done, done, done, value] })
  const [first] = await Promise.all(calls)
  t.match(first, { context: 'c1.x', etag: '"1"', receipt: { n: 3, node: 'n1' }, requestId: 'r1' })
  const got = await read
  const { value: five } = ofKind('value', got)
  t.equal(five.text(), 'five')
  t.equal(five.contentEncoding, 'br')
  t.equal(five.modified?.getTime(), 1_700_000_000_000)
})

t.test(
  'one alone, and what a batch cannot say, travels as a request of its own (CL12)',
  async (t) => {
    const { client, net, advance } = startVirtual(['http://a'], { batching: true })
    const alone = client.put('b', 'k', 'v')
    await advance(0)
    t.equal(net.last.request.path, '/v1/kv/b/k')
    net.last.answer(204)
    await alone
    const large = 'x'.repeat(limits.clientBatchValueBytesMax + 1)
    const calls = [
      client.put('b', '1', 'v', { ifMatch: '"1"' }),
      client.put('b', '2', 'v', { ifNoneMatch: '*' }),
      client.put('b', '3', large),
      client.get('b', '4', { siblings: 'resolve' }),
      client.get('b', '5', { explain: true }),
      client.head('b', '6'),
    ]
    await advance(0)
    t.same(
      net.sent.slice(1).map(({ request }) => request.path),
      [1, 2, 3, 4, 5, 6].map((key) => `/v1/kv/b/${key}`),
    )
    for (const sent of net.waiting) sent.answer(sent.request.method === 'PUT' ? 204 : 200)
    await Promise.all(calls)
  },
)

t.test('only what agrees in its timeout shares a request (CL12)', async (t) => {
  const { client, net, advance } = startVirtual(['http://a'])
  const { pipeline } = client
  const calls = [
    pipeline.put('b', '1', 'v'),
    pipeline.put('b', '2', 'v', { timeoutMs: 100 }),
    pipeline.put('b', '3', 'v'),
    pipeline.put('b', '4', 'v', { timeoutMs: 100 }),
  ]
  await advance(0)
  t.same(
    net.sent.map(({ json }) => json.operations.map(({ key }) => key)),
    [
      ['1', '3'],
      ['2', '4'],
    ],
  )
  t.same(
    net.sent.map((sent) => sent.header('shoal-timeout')),
    ['2000', '90'],
  )
  for (const sent of net.waiting) sent.answer(200, {}, { results: [done, done] })
  await Promise.all(calls)
})

t.test('a batch is bounded in items and bytes, there and back (CL16)', async (t) => {
  const items = (count: number) => Array.from({ length: count }, (_, index) => `${index}`)
  const bucket = 'b'
  const most = limits.batchOperationsMax
  const one = startVirtual(['http://a'])
  const many = one.client.batch(
    items(most + 1).map((key) => ({ op: 'delete', bucket, key }) as const),
  )
  await one.advance(0)
  t.same(
    one.net.sent.map(({ request }) => request.path),
    ['/v1/batch', `/v1/kv/b/${most}`],
  )
  const two = startVirtual(['http://a'])
  const value = 'x'.repeat(limits.clientBatchValueBytesMax)
  const heavy = two.client.batch(
    items(100).map((key) => ({ op: 'put', bucket, key, value }) as const),
  )
  await two.advance(0)
  const bodies = two.net.sent.map(({ request }) => String(request.body).length)
  t.ok(bodies.length > 1)
  t.ok(bodies.every((bytes) => bytes <= limits.clientBatchBodyBytesMax))
  const three = startVirtual(['http://a'])
  const reads = three.client.batch(items(500).map((key) => ({ op: 'get', bucket, key }) as const))
  await three.advance(0)
  const [first] = three.net.sent
  t.ok(
    (first?.json.operations.length ?? 500) < 200,
    'reads may bring much more back than they send',
  )
  for (const { client } of [one, two, three]) await client.destroy()
  await Promise.all([many, heavy, reads])
})

t.test(
  'what comes while a node has two batches to answer waits and leaves as one (CL12)',
  async (t) => {
    const { client, net, advance } = startVirtual(['http://a'], { batching: true })
    const calls: Promise<unknown>[] = []
    const put = (...keys: string[]) => calls.push(...keys.map((key) => client.put('b', key, 'v')))
    for (const turn of ['1', '2', '3', '4']) {
      put(`${turn}a`, `${turn}b`)
      await advance(0)
    }
    t.equal(net.sent.length, limits.clientBatchesInFlightMax)
    net.sent[0]?.answer(200, {}, { results: [done, done] })
    await advance(0)
    t.same(
      net.last.json.operations.map(({ key }) => key),
      ['3a', '3b', '4a', '4b'],
    )
    for (const sent of net.waiting) {
      sent.answer(200, {}, { results: sent.json.operations.map(() => done) })
    }
    await Promise.all(calls)
    put('5a', '5b')
    await advance(0)
    t.equal(net.sent.length, 4, 'and the places are free again')
    net.last.answer(200, {}, { results: [done, done] })
    await Promise.all(calls)
    await client.destroy()
  },
)

const refusals = {
  409: {
    code: 'SHOAL_SIBLINGS_FULL',
    retry: 'after-read',
    outcome: 'not-applied',
    context: 'c1.f',
  },
  400: { code: 'SHOAL_CONTEXT_FOREIGN', retry: 'never', outcome: 'not-applied' },
  428: { code: 'SHOAL_CONTEXT_REQUIRED', retry: 'after-read', outcome: 'not-applied' },
}

t.test('an item fails with the same error as a request of its own (CL12)', async (t) => {
  for (const [status, problem] of Object.entries(refusals)) {
    const alone = startVirtual(['http://a'])
    const single = rejection(alone.client.put('b', 'k', 'v'))
    await alone.advance(0)
    alone.net.last.refuse(Number(status), { detail: 'why', ...problem })

    const gathered = startVirtual(['http://a'])
    const items = gathered.client.batch([
      { op: 'put', bucket: 'b', key: 'k', value: 'v' },
      { op: 'put', bucket: 'b', key: 'l', value: 'v' },
    ])
    await gathered.advance(0)
    const failed = {
      status: Number(status),
      problem: { status: Number(status), detail: 'why', ...problem },
    }
    gathered.net.last.answer(200, {}, { results: [failed, done] })
    const [first, second] = await items
    t.match(second, { ok: true })
    t.same(first.ok ? undefined : { ...first.error }, { ...(await single) })
    t.equal(first.ok ? '' : first.error.name, (await single).name)
  }
})

t.test('an item is tried again alone, under its key, as its advice says (CL2, CL12)', async (t) => {
  const { client, net, advance } = startVirtual(['http://a'])
  const batch = client.batch([
    { op: 'put', bucket: 'b', key: '1', value: 'v' },
    { op: 'put', bucket: 'b', key: '2', value: 'v' },
  ])
  await advance(0)
  const keys = net.last.json.operations.map((item) => item.idempotencyKey)
  const unknown = {
    status: 504,
    code: 'SHOAL_QUORUM_TIMEOUT',
    retry: 'if-idempotent',
    outcome: 'unknown',
  }
  net.last.answer(200, {}, { results: [done, { status: 504, problem: unknown }] })
  await advance(30)
  t.equal(net.last.request.path, '/v1/kv/b/2')
  t.equal(net.last.header('idempotency-key'), keys[1])
  net.last.answer(204)
  t.ok((await batch).every(({ ok }) => ok))
})

t.test('a batch refused or lost as a whole is that for each item (CL12)', async (t) => {
  const { client, net, advance } = startVirtual(['http://a', 'http://b'])
  const items = [
    { op: 'put', bucket: 'b', key: '1', value: 'v' },
    { op: 'get', bucket: 'b', key: '2' },
    { op: 'put', bucket: 'b', key: '3', value: 'v' },
    { op: 'get', bucket: 'b', key: '4' },
  ] as const
  const refused = client.batch(items)
  await advance(0)
  for (const sent of net.waiting)
    sent.refuse(401, { code: 'SHOAL_UNAUTHENTICATED', retry: 'never', outcome: 'not-applied' })
  t.ok((await refused).every((result) => !result.ok && result.error.name === 'Unauthenticated'))

  const before = net.sent.length
  const lost = client.batch(items)
  await advance(0)
  for (const sent of net.waiting) sent.fail('lost')
  await advance(0)
  t.same(
    net.sent.slice(before).map(({ url, json }) => [url, json.operations.length]),
    [
      ['http://a', 2],
      ['http://b', 2],
      ['http://a', 2],
      ['http://b', 2],
    ],
    'each half goes back to its coordinator, together (CL3)',
  )
  for (const sent of net.waiting)
    sent.answer(200, {}, { results: sent.json.operations.map(() => done) })
  const results = await lost
  t.match(
    results,
    [{ ok: true }, { ok: false }, { ok: true }, { ok: false }],
    'a get is not answered by 204',
  )
})

t.test('an answer that does not fit the batch is no answer (CL15)', async (t) => {
  const bad = [
    'nonsense',
    { results: [done] },
    { results: [done, { no: 'status' }] },
    { results: 5 },
  ]
  for (const body of bad) {
    const { client, net, advance } = startVirtual(['http://a'])
    const batch = client.batch([
      { op: 'put', bucket: 'b', key: '1', value: 'v' },
      { op: 'get', bucket: 'b', key: '2' },
    ])
    await advance(0)
    net.last.answer(200, {}, body)
    t.match(await batch, [
      {
        ok: false,
        error: { name: 'Internal', code: 'SHOAL_CLIENT_RESPONSE_INVALID', outcome: 'unknown' },
      },
      { ok: false, error: { code: 'SHOAL_CLIENT_RESPONSE_INVALID', outcome: 'not-applied' } },
    ])
  }
})

t.test('an aborted item leaves its batch, and the last one takes it along (CL6)', async (t) => {
  const { client, net, advance } = startVirtual(['http://a'], { batching: true })
  const controllers = [new AbortController(), new AbortController(), new AbortController()]
  const calls = controllers.map(({ signal }, index) =>
    rejection(client.put('b', `${index}`, 'v', { signal })),
  )
  controllers[0]?.abort()
  await advance(0)
  t.equal(net.last.json.operations.length, 2, 'aborted before it left: not in the batch')
  controllers[1]?.abort()
  t.equal(net.last.cancelled, false)
  controllers[2]?.abort()
  t.equal(net.last.cancelled, true)
  t.match(await Promise.all(calls), [
    { outcome: 'not-applied' },
    { outcome: 'unknown' },
    { outcome: 'unknown' },
  ])
})

t.test('over the network, hundreds of calls take a few requests and lose nothing', async (t) => {
  const cluster = await startFakeCluster(3)
  const client = connect(cluster.urls, { batching: true, hedge: false })
  t.teardown(async () => {
    await client.destroy()
    await cluster.close()
  })
  await client.ready()
  const keys = Array.from({ length: 300 }, (_, index) => `k${index}`)
  await Promise.all(keys.map((key) => client.put('b', key, `value of ${key}`)))
  const reads = await Promise.all(keys.map((key) => client.get('b', key)))
  t.ok(
    reads.every(
      (read, index) => read.kind === 'value' && read.value.text() === `value of k${index}`,
    ),
  )
  const requests = cluster.nodes.reduce((sum, { asked }) => sum + asked.length, 0)
  t.ok(requests <= 12, `${requests} requests for 600 calls`)
})
