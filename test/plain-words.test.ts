/** What people are told of a node that lost its disk, and of one whose rows are damaged. */
import { randomBytes } from 'node:crypto'
import t from 'tap'
import { flipBits, storeFiles } from './support/flip-bits.ts'
import { keepAlive, kv } from './support/http.ts'
import { randomFrom } from './support/load.ts'
import type { NodeProcess } from './support/node-process.ts'
import { RealCluster } from './support/real-cluster.ts'
import { type Ran, shoal } from './support/secured-cluster.ts'
import { until } from './support/until.ts'

t.setTimeout(180_000)

const status = ({ url }: NodeProcess): Promise<Ran> => shoal('status', '--url', url)
const doctor = ({ url }: NodeProcess): Promise<Ran> => shoal('doctor', '--url', url)

t.test('a node with a new disk does not count yet, and why is said (Q6)', async (t) => {
  const cluster = await RealCluster.start(t, { partitions: 64 })
  const [n1, , n3] = cluster.nodes as [NodeProcess, NodeProcess, NodeProcess]
  const put = await n1.ask(kv('words', '1'), { method: 'PUT', body: 'x' })
  t.equal(put.status, 204)
  // With three copies it has to hear both others: as long as n2 is away it stays as it is.
  await cluster.stop('n2')
  await cluster.kill('n3')
  n3.emptyData()
  await cluster.start('n3')
  const words = 'n3 lost data or has a new disk, its copies of 64 partitions do not count to strict'
  await until('n1 to have heard of it', async () => (await status(n1)).out.includes(words))
  const { out } = await status(n1)
  t.match(out, /copies: not all of them were compared yet.*; of n2 nothing is known: no answer/)
  t.match(out, '64 copies of partitions lost')
  t.match(out, 'the others fill it by themselves; shoal repair --status tells how far it is')
  const found = await doctor(n1)
  t.match(found.out, new RegExp(`warning +node n3 +${words}`))
  await cluster.start('n2')
  await until('n3 to be full again', async () => (await status(n1)).out.startsWith('healthy'))
  t.notMatch((await doctor(n1)).out, 'node n3')
  t.match((await status(n1)).out, /copies: every write older than .* is on all its replicas/)
})

t.test('rows that nobody can replace are counted, with what to do (V11)', async (t) => {
  const cluster = await RealCluster.start(t, { nodes: 1 })
  const [n1] = cluster.nodes as [NodeProcess]
  const agent = keepAlive()
  t.teardown(() => agent.destroy())
  const keys = Array.from({ length: 50 }, (_, key) => kv('words', String(key)))
  for (const key of keys) await n1.ask(key, { method: 'PUT', body: randomBytes(4_000), agent })
  // What a crash left in the log is in a table once the node has started again.
  await n1.kill()
  await n1.start()
  await n1.stop()
  flipBits(storeFiles(n1.plan.data).slice(0, 1), { flips: 10, random: randomFrom(7), share: 0.8 })
  await n1.start()
  await until('damage to be found', async () => {
    const answers = await Promise.all(keys.map((key) => n1.ask(key, { agent })))
    return answers.some(({ text }) => text.includes('SHOAL_DATA_DAMAGED'))
  })
  const words = /n1 has \d+ damaged rows?, and no other node a sound copy so far/
  await until('it to be told', async () => words.test((await status(n1)).out))
  t.match((await status(n1)).out, 'shoal doctor on its machine, then shoal repair --wait')
  t.match((await doctor(n1)).out, words)
})
