/** Cut cables: every node alive, none can hear another. */
import t from 'tap'
import { type Answer, kv } from './support/http.ts'
import { textsOf } from './support/kv-answers.ts'
import { Load, readAll } from './support/load.ts'
import type { NodeProcess } from './support/node-process.ts'
import { checkProblem } from './support/problems.ts'
import { RealCluster } from './support/real-cluster.ts'
import { until } from './support/until.ts'

t.setTimeout(180_000)

const cluster = await RealCluster.start(t, { cables: true })
const nodes = cluster.nodes as [NodeProcess, NodeProcess, NodeProcess]
const [n1, n2, n3] = nodes

const put = (node: NodeProcess, key: string, body: string, headers = {}): Promise<Answer> =>
  node.ask(kv('parted', key), { method: 'PUT', body, headers })

t.test('every node alone takes what one copy is enough for, and refuses the rest', async (t) => {
  await put(n1, 'shared', 'before', { Consistency: 'all' })
  const context = (await n1.ask(kv('parted', 'shared'))).header('Causal-Context')
  const load = new Load({ nodes, bucket: 'through', seed: 11, requestTimeoutMs: 10_000 })
  await until('the load', () => load.acknowledgements.length > 100)

  for (const cable of cluster.cables) cable.cut()
  await until('every node to know that it is alone', async () => {
    const answers = await Promise.all(nodes.map((node) => node.ask('/healthz')))
    return answers.every(({ status, text }) => status === 503 && text.includes('"got":1'))
  })
  const { length } = load.acknowledgements
  for (const node of nodes) {
    // While a channel looks open its node is suspected, and still asked: what is sent may happen.
    const refused = await until(`${node.id} to ask nobody`, async () => {
      const answer = await put(node, `probe-${node.id}`, 'x')
      return answer.status === 503 ? answer : undefined
    })
    checkProblem(t, refused, { status: 503, code: 'SHOAL_QUORUM_UNREACHABLE' }, `${node.id} alone`)
    const headers = { 'Causal-Context': context, Consistency: 'one' }
    t.equal((await put(node, 'shared', node.id, headers)).status, 204, 'but at one')
    const own = await node.ask(kv('parted', 'shared'), { headers: { Consistency: 'one' } })
    t.equal(own.text, node.id, 'each sees its own')
  }
  t.equal(load.acknowledgements.length, length, 'nothing was acknowledged at a quorum')

  for (const cable of cluster.cables) cable.mend()
  await cluster.settled()
  for (const node of nodes) {
    const answer = await node.ask(kv('parted', 'shared'), { headers: { Consistency: 'all' } })
    t.same(textsOf(answer), ['n1', 'n2', 'n3'], `${node.id} shows what each wrote alone`)
  }
  await until('the load to go on', () => load.acknowledgements.length > length + 50)
  await load.stop()
  t.same(load.unexpected.slice(0, 3), [], 'every refusal was in words')
  const final = await readAll(n3, load)
  t.same([...(await readAll(n2, load))], [...final])
  t.same(load.history.faults(final).slice(0, 5), [], 'nothing lost, stale, back or invented')
})
