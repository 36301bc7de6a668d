/** Connections: more than a node takes, and such that say nothing or too little. */
import { performance } from 'node:perf_hooks'
import t from 'tap'
import { Flood, socketsAllowed } from './support/flood.ts'
import { type Answer, keepAlive, kv } from './support/http.ts'
import type { NodeProcess } from './support/node-process.ts'
import { checkProblem } from './support/problems.ts'
import { RawConnection } from './support/raw.ts'
import { RealCluster } from './support/real-cluster.ts'
import { until } from './support/until.ts'

t.setTimeout(240_000)

const cluster = await RealCluster.start(t)
const [node, other, patient] = cluster.nodes as [NodeProcess, NodeProcess, NodeProcess]
/** How long a node waits for a body and for the head of a request. */
const BODY_MS = 20_000
const HEAD_MS = 10_000
/** Connections that a node serves at a time. */
const CONNECTIONS_MAX = 8_192
const FLOOD = 10_000

/** Begun first because they take longest; looked at in the last test. */
const slow = beginSlowRequests()

async function beginSlowRequests(): Promise<{ answer: Answer; took: number; about: string }[]> {
  const head = 'PUT /v1/kv/slow/k HTTP/1.1\r\nHost: n\r\n'
  const batch = 'POST /v1/batch HTTP/1.1\r\nHost: n\r\nContent-Type: application/x-ndjson\r\n'
  const operation = '{"op":"put","bucket":"slow","key":"k","value":"1"}\n'
  const cells: [string, string][] = [
    ['a body that stops', `${head}Content-Length: 10\r\n\r\nabc`],
    ['a body in chunks that stops', `${head}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n`],
    ['a batch that stops', `${batch}Content-Length: 1000\r\n\r\n${operation}`],
    ['a head that stops', 'GET /v1/kv/slow/k HTTP/1.1\r\nHost: n\r\nAcce'],
    ['a connection that says nothing', ''],
  ]
  return Promise.all(
    cells.map(async ([about, bytes]) => {
      const connection = await RawConnection.open(patient.url)
      const began = performance.now()
      connection.send(bytes)
      const answer = await connection.answer()
      connection.destroy()
      return { answer, took: performance.now() - began, about }
    }),
  )
}

t.test('ten thousand idle sockets: the surplus is refused politely', async (t) => {
  const allowed = socketsAllowed()
  if (allowed < FLOOD + 500) {
    t.pass('the surplus', {
      skip: `this system allows ${allowed} open files, ${FLOOD + 500} are needed`,
    })
    return
  }
  const agent = keepAlive()
  const early = await node.ask('/livez', { agent })
  t.equal(early.status, 200)

  const flood = await Flood.open(node.url, { count: FLOOD, asking: CONNECTIONS_MAX })
  t.teardown(() => flood.close())
  const surplus = FLOOD - CONNECTIONS_MAX
  await until('the refusal of the surplus', () => flood.refusals.length >= surplus)
  t.ok(flood.refusals.length < surplus + 200, `${flood.refusals.length} of ${FLOOD} were refused`)
  t.equal(flood.broken, 0, 'none was closed without a word')
  for (const answer of [flood.refusals[0], flood.refusals.at(-1)] as [Answer, Answer]) {
    const expected = { status: 503, code: 'SHOAL_CONNECTIONS_FULL', retry: 'after' } as const
    const body = checkProblem(t, answer, expected, 'a refusal')
    t.equal(body.wanted, CONNECTIONS_MAX)
    t.equal(answer.header('Connection'), 'close')
  }
  const late = await node.ask(kv('flood', 'k'), { method: 'PUT', body: 'x' })
  // Unless it takes the place of one that has said nothing for a second.
  if (late.status === 204) t.pass('a request in the flood is served')
  else checkProblem(t, late, { status: 503, code: 'SHOAL_CONNECTIONS_FULL' }, 'or refused')
  const kept = await node.ask(kv('flood', 'k'), { method: 'PUT', body: 'x', agent })
  t.equal(kept.status, 204, 'who was there before is served, and through the peers')

  await other.stop()
  await other.start()
  await until('the peer to come through the flood', async () => {
    const answer = await other.ask(kv('flood', 'k'))
    return answer.status === 200 && answer.text === 'x'
  })
  t.pass('a peer comes in all the same')
  flood.close()
  await until('room for others', async () => (await node.ask('/livez')).status === 200)
  agent.destroy()
})

t.test('sockets that never speak keep nobody out', async (t) => {
  if (socketsAllowed() < FLOOD + 500) {
    t.pass('the silence', { skip: 'too few open files, as above' })
    return
  }
  const flood = await Flood.open(node.url, { count: CONNECTIONS_MAX + 100, asking: 0 })
  t.teardown(() => flood.close())
  await until(
    'a newcomer to be served',
    async () => (await node.ask('/livez')).status === 200,
    HEAD_MS / 2,
  )
  t.pass('a newcomer takes the place of one of them')
  flood.close()
})

t.test('who is slow is told so, in time', async (t) => {
  for (const { answer, took, about } of await slow) {
    const isBody = /body|batch/.test(about)
    const least = isBody ? BODY_MS : HEAD_MS
    t.ok(took >= least - 100, `${about}: waited for ${Math.round(took)} ms`)
    t.ok(took < least + 5_000, 'and not much longer')
    if (about.includes('batch')) {
      const lines = answer.text.trimEnd().split('\n')
      t.match(JSON.parse(lines[0] ?? ''), { status: 204 }, 'what came was done')
      t.match(JSON.parse(lines.at(-1) ?? ''), {
        status: 408,
        problem: { code: 'SHOAL_BODY_TIMEOUT' },
      })
      continue
    }
    const code = isBody ? 'SHOAL_BODY_TIMEOUT' : 'SHOAL_HEADERS_TIMEOUT'
    checkProblem(t, answer, { status: 408, code, retry: 'after' }, about)
    t.equal(answer.header('Connection'), 'close')
  }
  t.equal((await patient.ask(kv('slow', 'k'))).text, '1', 'no slow body was written')
  t.equal((await node.ask('/livez')).status, 200)
})
