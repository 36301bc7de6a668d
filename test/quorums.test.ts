import { performance } from 'node:perf_hooks'
import t, { type Test } from 'tap'
import { kv } from './support/http.ts'
import { explanationOf, receiptOf, textsOf } from './support/kv-answers.ts'
import type { NodeProcess } from './support/node-process.ts'
import { checkProblem, type ProblemBody } from './support/problems.ts'
import { RealCluster } from './support/real-cluster.ts'

t.setTimeout(240_000)

const cluster = await RealCluster.start(t)
const [n1, n2, n3] = cluster.nodes as [NodeProcess, NodeProcess, NodeProcess]
const at = (level: string): Record<string, string> => ({ Consistency: level })

/** What a refusal for want of replicas must tell. */
function checkUnreachable(
  t: Test,
  body: ProblemBody,
  { wanted, up, down }: { wanted: number; up: readonly string[]; down: readonly string[] },
): void {
  t.equal(body.wanted, wanted, 'it says how many replicas were wanted')
  t.equal(body.got, up.length, 'and how many can be reached')
  const states = Object.fromEntries((body.replicas ?? []).map(({ node, state }) => [node, state]))
  t.same(Object.keys(states).sort(), [...up, ...down].sort(), 'it lists every replica')
  for (const node of up) t.equal(states[node], 'reachable', `${node} is reachable`)
  for (const node of down) t.equal(states[node], 'unreachable', `${node} is unreachable`)
}

t.test('what a quorum has taken on one node is read through the others', async (t) => {
  const put = await n1.ask(kv('carts', '42'), {
    method: 'PUT',
    body: 'milk',
    headers: { ...at('quorum'), 'Content-Type': 'text/plain' },
  })
  t.equal(put.status, 204)
  for (const node of [n2, n3, n1]) {
    const answer = await node.ask(kv('carts', '42'), { headers: at('quorum') })
    t.equal(answer.status, 200, `${node.id} answers`)
    t.equal(answer.text, 'milk', `${node.id} has it`)
    t.equal(answer.header('Content-Type'), 'text/plain')
    t.equal(answer.header('ETag'), put.header('ETag'), 'under one ETag on all nodes')
    t.equal(receiptOf(answer).node, node.id, 'each node coordinates what it was asked')
  }
})

t.test(
  'two writers with one context make siblings that every node shows, and a join ends them',
  async (t) => {
    const path = kv('carts', 'shared')
    await n1.ask(path, { method: 'PUT', body: 'empty' })
    const context = (await n2.ask(path)).header('Causal-Context')
    const headers = { 'Causal-Context': context }
    const [ada, bob] = await Promise.all([
      n1.ask(path, { method: 'PUT', body: 'ada', headers }),
      n3.ask(path, { method: 'PUT', body: 'bob', headers }),
    ])
    t.equal(ada.status, 204)
    t.equal(bob.status, 204)
    const joined: string[] = []
    for (const node of cluster.nodes) {
      const answer = await node.ask(path)
      t.equal(answer.status, 300, `${node.id} shows that there are several values`)
      t.equal(answer.header('Siblings'), '2')
      t.same(textsOf(answer), ['ada', 'bob'], `${node.id} shows both`)
      joined.push(answer.header('Causal-Context'))
    }
    t.equal(new Set(joined).size, 1, 'the joined context is one and the same')
    const join = await n2.ask(path, {
      method: 'PUT',
      body: 'ada and bob',
      headers: { 'Causal-Context': joined[0] ?? '' },
    })
    t.equal(join.status, 204)
    t.equal(join.header('Siblings'), '', 'the write left one value')
    for (const node of cluster.nodes) {
      const answer = await node.ask(path)
      t.equal(answer.status, 200, `${node.id} has one value again`)
      t.equal(answer.text, 'ada and bob')
    }
  },
)

t.test('a delete holds on every node, and leaves what it has not seen', async (t) => {
  const path = kv('carts', 'gone')
  const first = await n1.ask(path, { method: 'PUT', body: 'one' })
  const gone = await n2.ask(path, {
    method: 'DELETE',
    headers: { 'Causal-Context': first.header('Causal-Context') },
  })
  t.equal(gone.status, 204)
  for (const node of cluster.nodes) {
    const answer = await node.ask(path)
    checkProblem(t, answer, { status: 404, code: 'SHOAL_KEY_NOT_FOUND' }, node.id)
    t.match(answer.header('Causal-Context'), /^c1\./, 'a deleted key still has a context')
    t.equal(answer.header('ETag'), '', 'but no ETag')
    t.equal(answer.header('Last-Modified'), '', 'and no time')
  }
  const again = await n3.ask(path, { method: 'PUT', body: 'two' })
  const stale = await n1.ask(path, {
    method: 'DELETE',
    headers: { 'Causal-Context': first.header('Causal-Context') },
  })
  t.equal(stale.status, 204, 'deleting with an old context is allowed')
  const left = await n2.ask(path)
  t.same([left.status, left.text], [200, 'two'], 'and does not touch what came later')
  t.not(left.header('ETag'), again.header('ETag'), 'the tombstone beside it is part of the state')
})

t.test('with one of three nodes down', async (t) => {
  await n1.ask(kv('down', 'before'), { method: 'PUT', body: 'before', headers: at('all') })
  const [ending] = await cluster.stop('n3')
  t.same(ending, { code: 0, signal: null }, 'SIGTERM ends a node cleanly')

  for (const node of [n1, n2]) {
    const put = await node.ask(kv('down', node.id), { method: 'PUT', body: node.id })
    t.equal(put.status, 204, `${node.id}: a quorum still takes writes`)
    const { n, need, ack, primaries, fallbacks, durable } = receiptOf(put)
    t.same(
      { n, need, ack, primaries, fallbacks, durable },
      { n: 3, need: 2, ack: 2, primaries: 2, fallbacks: 0, durable: 2 },
      'the receipt says that two of three have it',
    )
    t.equal((await node.ask(kv('down', 'before'))).text, 'before', 'and still answers reads')
  }
  for (const method of ['PUT', 'DELETE', 'GET']) {
    const answer = await n1.ask(kv('down', 'before'), {
      method,
      headers: at('all'),
      ...(method === 'PUT' ? { body: 'after' } : {}),
    })
    const body = checkProblem(
      t,
      answer,
      { status: 503, code: 'SHOAL_QUORUM_UNREACHABLE', retry: 'after' },
      `${method} at all`,
    )
    checkUnreachable(t, body, { wanted: 3, up: ['n1', 'n2'], down: ['n3'] })
  }
  t.equal((await n2.ask(kv('down', 'before'))).text, 'before', 'what was refused was not applied')

  const health = (await n1.ask('/healthz')).json() as Record<string, unknown>
  t.match(health, { status: 'degraded', nodesUp: 2, nodesTotal: 3, verdict: /n3/ })
  const states = (await n2.ask('/v1/nodes')).json() as { id: string; state: string }[]
  t.same(
    states.map(({ id, state }) => [id, state]),
    [
      ['n1', 'up'],
      ['n2', 'up'],
      ['n3', 'down'],
    ],
  )
  const { holders } = explanationOf(await n1.ask('/v1/explain/down/n1'))
  t.equal(holders.find(({ node }) => node === 'n3')?.state, 'unreachable')
})

t.test('with two of three nodes down', async (t) => {
  await cluster.stop('n2')
  const put = await n1.ask(kv('down', 'alone'), {
    method: 'PUT',
    body: 'one copy',
    headers: at('one'),
  })
  t.equal(put.status, 204, 'one still takes writes')
  const { n, need, ack, durable } = receiptOf(put)
  t.same({ n, need, ack, durable }, { n: 3, need: 1, ack: 1, durable: 1 })
  const read = await n1.ask(kv('down', 'alone'), { headers: at('one') })
  t.equal(read.text, 'one copy', 'and answers reads')

  for (const method of ['PUT', 'DELETE', 'GET', 'HEAD']) {
    const answer = await n1.ask(kv('down', 'before'), {
      method,
      headers: at('quorum'),
      ...(method === 'PUT' ? { body: 'after' } : {}),
    })
    if (method === 'HEAD') {
      t.equal(answer.status, 503, 'HEAD says so without a body')
      t.equal(answer.text, '')
      continue
    }
    const body = checkProblem(
      t,
      answer,
      { status: 503, code: 'SHOAL_QUORUM_UNREACHABLE', retry: 'after' },
      `${method} at quorum`,
    )
    checkUnreachable(t, body, { wanted: 2, up: ['n1'], down: ['n2', 'n3'] })
  }
  const unavailable = await n1.ask('/healthz')
  checkProblem(t, unavailable, { status: 503, code: 'SHOAL_QUORUM_UNREACHABLE' }, 'the verdict')
  t.equal((await n1.ask('/readyz')).status, 200, 'this node itself serves')
})

t.test('who was away learns what it missed when the key is read', async (t) => {
  await cluster.start('n2', 'n3')
  for (const key of ['n1', 'n2', 'alone']) {
    const expected = key === 'alone' ? 'one copy' : key
    for (const node of cluster.nodes) {
      const answer = await node.ask(kv('down', key), { headers: at('all') })
      t.equal(answer.text, expected, `${key} through ${node.id}`)
    }
    const local = await n3.ask(kv('down', key), { headers: at('quorum;strict') })
    t.equal(local.text, expected)
    const { holders } = explanationOf(await n3.ask(`/v1/explain/down/${key}`))
    t.equal(new Set(holders.map(({ etag }) => etag)).size, 1, `${key}: all copies are equal`)
    t.same(
      holders.map(({ state }) => state),
      ['value', 'value', 'value'],
    )
  }
})

t.test('who is asked and does not answer in time leaves the outcome unknown', async (t) => {
  const path = kv('down', 'silent')
  await n1.ask(path, { method: 'PUT', body: 'before', headers: at('all') })
  const headers = { 'Shoal-Timeout': '400', 'Idempotency-Key': 'silent-1' }
  n2.freeze()
  n3.freeze()
  const began = performance.now()
  const [put, read] = await Promise.all([
    n1.ask(path, { method: 'PUT', body: 'after', headers }),
    n1.ask(kv('down', 'before'), { headers }),
  ])
  const took = performance.now() - began
  t.ok(took >= 390 && took < 3_000, `the deadline of the request counts: ${Math.round(took)} ms`)
  const timeout = { status: 504, code: 'SHOAL_QUORUM_TIMEOUT', retry: 'if-idempotent' } as const
  const body = checkProblem(t, put, { ...timeout, outcome: 'unknown' }, 'a write')
  t.equal(body.wanted, 2)
  t.equal(body.got, 1)
  const states = Object.fromEntries((body.replicas ?? []).map(({ node, state }) => [node, state]))
  t.equal(states.n1, 'durable', 'its own copy is on disk')
  t.same(Object.keys(states).sort(), ['n1', 'n2', 'n3'], 'every replica is listed')
  checkProblem(t, read, { ...timeout, outcome: 'not-applied' }, 'a read applies nothing')
  n2.thaw()
  n3.thaw()
  await cluster.settled()
  const retry = await n1.ask(path, {
    method: 'PUT',
    body: 'after',
    headers: { 'Idempotency-Key': 'silent-1' },
  })
  t.equal(retry.status, 204, 'safe to try again')
  for (const node of cluster.nodes) {
    const answer = await node.ask(path)
    t.same([answer.status, answer.text], [200, 'after'], `${node.id} has it once`)
    t.equal(answer.header('ETag'), retry.header('ETag'))
  }
})
