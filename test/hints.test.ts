/** A node that missed writes is told of them when it is back. */
import { performance } from 'node:perf_hooks'
import { connect } from '@shoal/client'
import t from 'tap'
import { keepAlive, kv } from './support/http.ts'
import { receiptOf } from './support/kv-answers.ts'
import type { NodeProcess } from './support/node-process.ts'
import { RealCluster } from './support/real-cluster.ts'
import { until } from './support/until.ts'

/** Writes that the third node misses; 10,000 in the long run. */
const MISSED = Number(process.env.SHOAL_TEST_MISSED_WRITES ?? 2_000)
/** From the moment the node serves again; more where others use the machine too. */
const DELIVERED_MS = Number(process.env.SHOAL_TEST_DELIVERED_MS ?? 20_000)
const WRITERS = 32

t.setTimeout(240_000)

const bucket = 'missed'
const keyOf = (index: number): string => `k${index}`
const textOf = (index: number): string => `value ${index}`

/** Rows owed by all nodes that answer. */
async function owed(node: NodeProcess): Promise<number> {
  const answer = await node.ask('/v1/hints?scope=cluster')
  return (answer.json() as { total: number }).total
}

interface ClusterRepairs {
  readonly debt: { readonly hintBytes: number }
  readonly nodes: readonly { readonly debt: { readonly hintBytes: number } }[]
}

async function inParallel(count: number, work: (index: number) => Promise<void>): Promise<void> {
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < count) await work(next++)
  }
  await Promise.all(Array.from({ length: WRITERS }, worker))
}

t.test(
  'a node is killed under load: nothing fails, and it is told of what it missed',
  async (t) => {
    const cluster = await RealCluster.start(t)
    const [first, , third] = cluster.nodes as [NodeProcess, NodeProcess, NodeProcess]
    const client = connect(cluster.nodes.map(({ url }) => url))
    t.teardown(() => client.close())
    const failures: string[] = []
    const put = (index: number): Promise<void> =>
      client.put(bucket, keyOf(index), textOf(index)).then(
        () => undefined,
        (error: Error) => void failures.push(error.message),
      )
    // Some before, so that the kill comes in the middle of them.
    const before = inParallel(500, (index) => put(MISSED + index))
    await until('some writes', async () => (await owed(first)) >= 0)
    await third.kill()
    await before
    await inParallel(MISSED, put)
    t.same(failures, [], 'no request failed after the retries of the client')
    const hints = await owed(first)
    t.ok(hints >= MISSED, `${hints} hints for ${MISSED} missed writes`)
    const repairs = await first.ask('/v1/repairs?scope=cluster')
    t.match(repairs.json(), { nodes: [{ node: 'n1' }, { node: 'n2' }], silent: ['n3'] })
    const { debt, nodes } = repairs.json() as ClusterRepairs
    const bytes = nodes.reduce((sum, node) => sum + node.debt.hintBytes, 0)
    t.ok(bytes > 0)
    t.equal(debt.hintBytes, bytes, 'the debt of the cluster is that of all nodes (E6)')

    await third.start()
    const back = performance.now()
    await until('no hints', async () => (await owed(first)) === 0, DELIVERED_MS)
    const took = Math.round(performance.now() - back)
    t.comment(`${hints} hints delivered ${took} ms after the node served again`)

    const agent = keepAlive()
    t.teardown(() => agent.destroy())
    const faults: string[] = []
    await inParallel(MISSED, async (index) => {
      // The own copy alone answers.
      const answer = await third.ask(kv(bucket, keyOf(index)), {
        headers: { Consistency: 'one' },
        agent,
      })
      const { repaired } = receiptOf(answer)
      if (answer.text !== textOf(index) || repaired !== 0) faults.push(keyOf(index))
    })
    t.same(faults.slice(0, 5), [], 'the node holds what it missed')
    const sync = await first.ask('/v1/hints/sync', { method: 'POST' })
    t.match([sync.status, sync.json()], [202, { state: 'done', progress: 1 }])
  },
)

t.test('hints survive the crash of the node that holds them', async (t) => {
  const cluster = await RealCluster.start(t)
  const [first, second, third] = cluster.nodes as [NodeProcess, NodeProcess, NodeProcess]
  await cluster.kill(third.id)
  await inParallel(100, async (index) => {
    const put = { method: 'PUT', body: textOf(index) }
    const answer = await first.ask(kv(bucket, keyOf(index)), put)
    if (answer.status !== 204) t.comment(answer.text)
    if (index === 0) t.match(receiptOf(answer), { primaries: 2, fallbacks: 0, hinted: 1 })
  })
  const hints = await owed(first)
  t.equal(hints, 100)
  await cluster.kill(first.id, second.id)
  await cluster.start(first.id)
  t.ok((await owed(first)) > 0, 'found again')
  await cluster.start(second.id, third.id)
  await until('no hints', async () => (await owed(first)) === 0)
  const answer = await third.ask(kv(bucket, keyOf(99)), { headers: { Consistency: 'one' } })
  t.equal(answer.text, textOf(99))
})
