/** What a cluster tells of itself: to people, to probes, to tools. */
import t, { type Test } from 'tap'
import { keyHeldBy, keyNotHeldBy } from './support/buckets.ts'
import { type Answer, kv, type Question } from './support/http.ts'
import { explanationOf } from './support/kv-answers.ts'
import type { NodeProcess } from './support/node-process.ts'
import { type ApiDocument, departures, operationsOf } from './support/openapi.ts'
import { checkProblem } from './support/problems.ts'
import { parseMetrics, sumOf } from './support/prometheus.ts'
import { RealCluster } from './support/real-cluster.ts'

t.setTimeout(180_000)

const cluster = await RealCluster.start(t, { nodes: 4, partitions: 64 })
const { nodes } = cluster
const [n1, n2, , n4] = nodes as [NodeProcess, NodeProcess, NodeProcess, NodeProcess]
const ids = nodes.map(({ id }) => id)

interface RingBody {
  readonly epoch: number
  readonly partitions: number
  readonly replicas: number
  readonly members: readonly { id: string; url: string; weight: number }[]
  readonly table: readonly (readonly string[])[]
}

function checkState(t: Test, answer: Answer): void {
  t.equal(answer.status, 200)
  t.equal(answer.header('Content-Type'), 'application/json')
  for (const name of ['Request-Id', 'Server-Timing']) t.not(answer.header(name), '', name)
  t.equal(answer.header('Cache-Control'), 'no-store')
}

t.test('the ring is one and the same on all nodes', async (t) => {
  const answers = await Promise.all(nodes.map((node) => node.ask('/v1/ring')))
  for (const answer of answers) {
    checkState(t, answer)
    t.same(answer.json(), answers[0]?.json())
  }
  const ring = answers[0]?.json() as RingBody
  t.match(ring, { epoch: 1, partitions: 64, replicas: 3 })
  t.same(
    ring.members.map(({ id, url, weight }) => ({ id, url, weight })),
    nodes.map(({ id, url }) => ({ id, url, weight: 1 })),
  )
  t.equal(ring.table.length, 64)
  t.ok(
    ring.table.every((set) => new Set(set).size === 3 && set.every((id) => ids.includes(id))),
    'every partition lies on three different members',
  )
  const held = ids.map((id) => ring.table.filter((set) => set.includes(id)).length)
  t.same(held, [48, 48, 48, 48], 'in equal shares')
})

t.test('the cluster and its nodes', async (t) => {
  const clusters = await Promise.all(nodes.map((node) => node.ask('/v1/cluster')))
  const bodies = clusters.map((answer) => answer.json() as Record<string, unknown>)
  for (const [index, body] of bodies.entries()) {
    checkState(t, clusters[index] as Answer)
    t.match(body, { node: ids[index], epoch: 1, partitions: 64, replicas: 3, nodes: 4 })
    t.match(body.version, /^\d+\.\d+\.\d+/)
    t.match(body.health, { status: 'healthy', verdict: 'healthy: can lose 1 node', warnings: [] })
  }
  t.equal(new Set(bodies.map(({ id }) => id)).size, 1, 'all name one cluster')
  for (const node of nodes) {
    const answer = await node.ask('/v1/nodes')
    checkState(t, answer)
    const states = answer.json() as { id: string; uptimeMs: number; load: number }[]
    t.match(
      states,
      nodes.map(({ id, url }) => ({ id, url, state: 'up', version: bodies[0]?.version })),
    )
    t.ok(states.every(({ uptimeMs, load }) => uptimeMs > 0 && load >= 0))
  }
})

t.test('explain tells the place of a key and what its holders have', async (t) => {
  const key = await keyNotHeldBy(n1, 'explain')
  const path = kv('explain', key)
  const where = path.replace('/kv/', '/explain/')
  const before = explanationOf(await n1.ask(where))
  t.match(before.token, /^[0-9a-f]{16}$/)
  t.equal(before.partition, Math.floor(Number.parseInt(before.token.slice(0, 4), 16) / 1_024))
  t.same(before.holders.map(({ node }) => node).sort(), [...before.preferenceList].sort())
  t.same(
    before.holders.map(({ state }) => state),
    Array(3).fill('absent'),
  )
  t.same(before.fallbacks, [n1.id], 'the node that is left stands in')
  t.equal(before.hintsOwed, 0)
  const ring = (await n1.ask('/v1/ring')).json() as RingBody
  t.same(ring.table[before.partition], before.preferenceList)

  const put = await n1.ask(path, { method: 'PUT', body: 'x', headers: { Consistency: 'all' } })
  for (const node of nodes) {
    const { holders } = explanationOf(await node.ask(where))
    t.ok(
      holders.every(({ state, etag, dots, role }) => {
        return (
          state === 'value' &&
          etag === put.header('ETag') &&
          dots.length === 1 &&
          /^[0-9a-f]{16}:\d+$/.test(dots[0] ?? '') &&
          role === 'primary'
        )
      }),
      `${node.id} knows who holds it`,
    )
  }
  await n1.ask(path, { method: 'DELETE', headers: { Consistency: 'all' } })
  const after = explanationOf(await n4.ask(where))
  t.same(
    after.holders.map(({ state }) => state),
    Array(3).fill('deleted'),
  )
})

interface TraceBody {
  readonly id: string
  readonly node: string
  readonly operation: string
  readonly started: number
  readonly events: readonly { at: number; node: string; event: string }[]
  readonly replicas: readonly { node: string; state: string; ms: number }[]
}

t.test('a trace is shown by every node', async (t) => {
  const headers = { Explain: '?1' }
  const own = await keyHeldBy(n1, 'traced')
  const foreign = await keyNotHeldBy(n1, 'traced')
  for (const [about, key, question] of [
    ['a write', own, { method: 'PUT', body: 'x', headers }],
    ['a read', own, { headers }],
    ['a delete', own, { method: 'DELETE', headers }],
    ['a miss', own, { headers }],
    ['a forwarded write', foreign, { method: 'PUT', body: 'x', headers }],
  ] as [string, string, Question][]) {
    const id = (await n1.ask(kv('traced', key), question)).header('Trace-Id')
    t.match(id, /^\S{1,64}$/, `${about} names its trace`)
    for (const node of nodes) {
      const answer = await node.ask(`/v1/traces/${id}`)
      checkState(t, answer)
      const trace = answer.json() as TraceBody
      t.match(trace, { id, bucket: 'traced', key })
      t.ok(Date.now() - trace.started < 60_000)
      t.ok(trace.events.length >= 2 && trace.events.every(({ at }) => at >= 0))
      t.equal(trace.replicas.length, 3, `${node.id} tells of every replica`)
    }
  }
  t.equal((await n1.ask(kv('traced', own))).header('Trace-Id'), '', 'none without asking')
  const unknown = await n2.ask('/v1/traces/0123456789abcdef')
  checkProblem(t, unknown, { status: 404, code: 'SHOAL_TRACE_NOT_FOUND' }, 'an unknown one')
})

t.test('probes', async (t) => {
  t.same((await n1.ask('/livez')).json(), { status: 'live' })
  t.same((await n1.ask('/readyz')).json(), { status: 'ready' })
  t.match((await n1.ask('/healthz')).json(), { status: 'healthy', nodesUp: 4, nodesTotal: 4 })
  for (const path of ['/livez', '/readyz', '/healthz']) checkState(t, await n1.ask(path))
  const wrong = await n1.ask('/readyz', { method: 'PUT' })
  checkProblem(t, wrong, { status: 405, code: 'SHOAL_METHOD_NOT_ALLOWED' }, 'PUT')
})

t.test('metrics are what Prometheus reads, and count', async (t) => {
  const answer = await n1.ask('/metrics')
  t.match(answer.header('Content-Type'), /^text\/plain; version=0\.0\.4/)
  const before = parseMetrics(answer.text)
  const key = await keyHeldBy(n1, 'counted')
  for (let count = 0; count < 5; count++) {
    await n1.ask(kv('counted', key), { method: 'PUT', body: 'x' })
    await n1.ask(kv('counted', key))
  }
  await n1.ask(kv('counted', 'missing'))
  const after = parseMetrics((await n1.ask('/metrics')).text)
  const risen = (name: string, labels = {}): number =>
    sumOf(after, name, labels) - sumOf(before, name, labels)
  const requests = 'shoal_http_requests_total'
  t.equal(risen(requests, { operation: 'put', status: '204' }), 5)
  t.equal(risen(requests, { operation: 'get', status: '200' }), 5)
  t.equal(risen(requests, { operation: 'get', status: '404' }), 1)
  t.equal(risen('shoal_http_request_duration_seconds_count', { operation: 'put' }), 5)
  t.ok(risen('shoal_writes_total') >= 5)
  t.ok(risen('shoal_reads_total') >= 5)
  t.equal(sumOf(after, 'shoal_peers_up'), 3)
  t.ok(sumOf(after, 'shoal_store_free_bytes') > 0)
  t.ok(sumOf(after, 'process_resident_memory_bytes') > 0)
})

const json = { 'Content-Type': 'application/json' }
const wrongLevel = { Consistency: 'most' }

/** For every operation of the API: requests, and what each must be answered with. */
const samples: Readonly<Record<string, readonly [string, Question, number][]>> = {
  'GET /v1/kv/{bucket}/{key}': [
    ['/v1/kv/api/one', {}, 200],
    ['/v1/kv/api/two', {}, 300],
    ['/v1/kv/api/two', { headers: { Accept: 'multipart/mixed' } }, 300],
    ['/v1/kv/api/two', { headers: { Accept: 'application/vnd.shoal.siblings+json' } }, 300],
    ['/v1/kv/api/one', { headers: { 'If-None-Match': '*' } }, 304],
    ['/v1/kv/api/one', { headers: wrongLevel }, 400],
    ['/v1/kv/_api/one', {}, 403],
    ['/v1/kv/api/none', {}, 404],
    ['/v1/kv/api/two?sibling=none', {}, 404],
    ['/v1/kv/api/one', { headers: { 'If-Match': '"x"' } }, 412],
    [`/v1/kv/api/${'k'.repeat(1_025)}`, {}, 414],
  ],
  'HEAD /v1/kv/{bucket}/{key}': [
    ['/v1/kv/api/one', {}, 200],
    ['/v1/kv/api/two', {}, 300],
    ['/v1/kv/api/none', {}, 404],
    ['/v1/kv/api/one', { headers: wrongLevel }, 400],
  ],
  'PUT /v1/kv/{bucket}/{key}': [
    ['/v1/kv/api/put', { body: 'x' }, 204],
    ['/v1/kv/api/put', { body: 'x', headers: wrongLevel }, 400],
    ['/v1/kv/api/put', { body: 'x', headers: { 'Causal-Context': 'x' } }, 400],
    ['/v1/kv/_api/put', { body: 'x' }, 403],
    ['/v1/kv/api/put', { body: 'x', headers: { 'If-Match': '"x"' } }, 412],
    ['/v1/kv/api/put', { body: Buffer.alloc(2 ** 20 + 1) }, 413],
    [`/v1/kv/api/${'k'.repeat(1_025)}`, { body: 'x' }, 414],
    ['/v1/kv/api/put', { body: 'x', headers: { 'Content-Type': 'x' } }, 415],
    ['/v1/kv/api/retried', { body: 'x', headers: { 'Idempotency-Key': 'k' } }, 204],
    ['/v1/kv/api/retried', { body: 'y', headers: { 'Idempotency-Key': 'k' } }, 422],
  ],
  'DELETE /v1/kv/{bucket}/{key}': [
    ['/v1/kv/api/put', {}, 204],
    ['/v1/kv/api/put', { headers: { TTL: '1' } }, 400],
    ['/v1/kv/_api/put', {}, 403],
    ['/v1/kv/api/one', { headers: { 'If-Match': '"x"' } }, 412],
  ],
  'GET /v1/kv/{bucket}': [
    ['/v1/kv/api', {}, 200],
    ['/v1/kv/api', { headers: { Accept: 'application/x-ndjson' } }, 200],
    ['/v1/kv/api?limit=0', {}, 400],
    ['/v1/kv/_api', {}, 403],
  ],
  'POST /v1/batch': [
    ['/v1/batch', { headers: json, body: batchBody(['get', 'put', 'delete', 'jump']) }, 200],
    ['/v1/batch', { headers: json, body: '{' }, 400],
    ['/v1/batch', { body: '{}' }, 415],
  ],
  'GET /v1/buckets': [['/v1/buckets', {}, 200]],
  'GET /v1/buckets/{bucket}': [
    ['/v1/buckets/api', {}, 200],
    ['/v1/buckets/a%20b', {}, 400],
    ['/v1/buckets/_api', {}, 403],
  ],
  'PUT /v1/buckets/{bucket}': [
    ['/v1/buckets/apis', { headers: json, body: '{"ttl":1}' }, 204],
    ['/v1/buckets/apis', { headers: json, body: '{"tll":1}' }, 400],
    ['/v1/buckets/_apis', { headers: json, body: '{}' }, 403],
    ['/v1/buckets/api', { headers: json, body: '{"n":1}' }, 409],
    ['/v1/buckets/apis', { headers: json, body: `{"x":"${'x'.repeat(70_000)}"}` }, 413],
    ['/v1/buckets/apis', { body: '{}' }, 415],
  ],
  'DELETE /v1/buckets/{bucket}': [
    ['/v1/buckets/apis', {}, 204],
    ['/v1/buckets/_apis', {}, 403],
  ],
  'GET /v1/cluster': [['/v1/cluster', {}, 200]],
  'GET /v1/ring': [['/v1/ring', {}, 200]],
  'GET /v1/nodes': [['/v1/nodes', {}, 200]],
  'GET /v1/explain/{bucket}/{key}': [
    ['/v1/explain/api/two', {}, 200],
    ['/v1/explain/api/%ff', {}, 400],
    ['/v1/explain/_api/k', {}, 403],
    [`/v1/explain/api/${'k'.repeat(1_025)}`, {}, 414],
  ],
  'GET /v1/traces/{id}': [
    ['/v1/traces/0123', {}, 404],
    [`/v1/traces/${'0'.repeat(65)}`, {}, 400],
  ],
  'GET /livez': [['/livez', {}, 200]],
  'GET /readyz': [['/readyz', {}, 200]],
  'GET /healthz': [['/healthz', {}, 200]],
  'GET /metrics': [['/metrics', {}, 200]],
  'GET /openapi.json': [['/openapi.json', {}, 200]],
}

function batchBody(operations: readonly string[]): string {
  return JSON.stringify({
    operations: operations.map((op) => ({
      op,
      bucket: 'api',
      key: 'batch',
      ...(op === 'put' ? { value: 'x' } : {}),
    })),
  })
}

/** What other files of this folder try. */
const elsewhere = /^(GET|POST) \/v1\/(backup|events|hints|jobs|repairs|restore)\b/

t.test('every route answers as the API document says', async (t) => {
  const answer = await n1.ask('/openapi.json')
  checkState(t, answer)
  const document = answer.json() as ApiDocument
  t.match(document, { openapi: /^3\.1\./, info: { title: 'Shoal', version: /^\d/ } })
  const sampled = operationsOf(document).filter((name) => !elsewhere.test(name))
  t.same(sampled, Object.keys(samples).sort(), 'every operation has its samples')
  const operations = Object.values(document.paths).flatMap((methods) => Object.values(methods))
  const names = operations.map(({ operationId }) => operationId)
  t.equal(new Set(names).size, names.length, 'every operation has a name of its own')
  t.ok(operations.every(({ summary }) => summary.length > 5))

  await n1.ask('/v1/kv/api/one', { method: 'PUT', body: 'x' })
  const context = (await n1.ask('/v1/kv/api/two')).header('Causal-Context')
  for (const body of ['1', '2']) {
    const headers = { 'Causal-Context': context }
    await n1.ask('/v1/kv/api/two', { method: 'PUT', body, headers })
  }
  for (const [name, requests] of Object.entries(samples)) {
    const [method = '', path = ''] = name.split(' ')
    const operation = document.paths[path]?.[method.toLowerCase()]
    for (const [url, question, status] of requests) {
      const got = await n1.ask(url, { ...question, method })
      const about = `${method} ${url.slice(0, 60)} ${JSON.stringify(question.headers ?? {})}`
      t.equal(got.status, status, about)
      t.same(operation ? departures(operation, method, got) : ['unknown'], [], `${about}: as told`)
    }
  }
})

t.test('the page of the API loads everything from its own node', async (t) => {
  const page = await n1.ask('/docs')
  t.equal(page.status, 200)
  t.match(page.header('Content-Type'), /^text\/html/)
  const links = [...page.text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, link = '']) => link)
  t.ok(links.length >= 4)
  for (const link of links) {
    t.match(link, /^(\/docs\/|\.\/)/, `${link} is here`)
    t.equal((await n1.ask(link.replace(/^\.\//, '/docs/'))).status, 200)
  }
  const script = links.find((link) => link.includes('initializer')) ?? ''
  const code = (await n1.ask(script.replace(/^\.\//, '/docs/'))).text
  t.match(code, /\/openapi\.json/, 'and shows the document of this node')
  t.match(page.header('Content-Security-Policy'), /default-src 'self'/)
})

t.test('unknown routes and methods', async (t) => {
  for (const path of ['/', '/v1', '/v1/', '/v1/kv', '/v2/kv/b/k', '/v1/kv/b/k/', '/x%']) {
    const answer = await n1.ask(path)
    const expected =
      path === '/x%' ? [400, 'SHOAL_REQUEST_INVALID'] : [404, 'SHOAL_ROUTE_NOT_FOUND']
    const [status, code] = expected as [number, string]
    checkProblem(t, answer, { status, code }, path)
  }
  const cells: [string, string, string][] = [
    ['POST', '/v1/kv/b/k', 'DELETE, GET, HEAD, PUT'],
    ['PATCH', '/v1/kv/b/k', 'DELETE, GET, HEAD, PUT'],
    ['OPTIONS', '/v1/kv/b/k', 'DELETE, GET, HEAD, PUT'],
    ['PUT', '/v1/kv/b', 'GET, HEAD'],
    ['DELETE', '/v1/ring', 'GET, HEAD'],
    ['POST', '/v1/buckets/b', 'DELETE, GET, HEAD, PUT'],
  ]
  for (const [method, path, allow] of cells) {
    const answer = await n1.ask(path, { method })
    checkProblem(t, answer, { status: 405, code: 'SHOAL_METHOD_NOT_ALLOWED' }, `${method} ${path}`)
    t.equal(answer.header('Allow'), allow)
  }
  const slash = await n1.ask('/v1/kv/b/k/more')
  t.match(slash.json(), { detail: /%2F/ }, 'a slash in a key is written %2F')
})
