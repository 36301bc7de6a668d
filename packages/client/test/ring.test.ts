/** Where calls go: to whom holds the key, with the ring or without. */
import { makeRowKey, partitionOfRowKey } from '@shoal/ring'
import t, { type Test } from 'tap'
import { type ConnectOptions, connect } from '../src/index.ts'
import { startFakeCluster } from './support/fake-cluster.ts'
import { refuse } from './support/fake-node.ts'
import { startVirtual } from './support/virtual.ts'

async function start(
  t: Test,
  { ring = true, ...options }: ConnectOptions & { ring?: boolean } = {},
) {
  const cluster = await startFakeCluster(3, { ring })
  const client = connect(cluster.urls[0]!, { hedge: false, ...options })
  t.teardown(async () => {
    await client.destroy()
    await cluster.close()
  })
  return { cluster, client }
}

/** The fake ring gives partition p to node p modulo 3 first. */
const leaderOf = (key: string): number => partitionOfRowKey(makeRowKey('b', key), 8) % 3

t.test('with the ring, a call goes straight to the first holder of its key (CL7)', async (t) => {
  const { cluster, client } = await start(t)
  t.equal(await client.ready(), true)
  t.equal(client.status().ringEpoch, 1)
  const keys = Array.from({ length: 30 }, (_, index) => `k${index}`)
  for (const key of keys) await client.put('b', key, 'v')
  for (const [index, node] of cluster.nodes.entries()) {
    const got = node.asked.map(({ path }) => path.split('/').at(-1)!)
    t.same(
      got,
      keys.filter((key) => leaderOf(key) === index),
    )
    t.ok(got.length > 0)
  }
})

t.test('a newer epoch in a receipt makes the client fetch the ring (CL10)', async (t) => {
  const { cluster, client } = await start(t)
  await client.ready()
  const fetches = () =>
    cluster.nodes.flatMap(({ seen }) => seen).filter(({ path }) => path === '/v1/ring').length
  t.equal(fetches(), 1)
  const [first] = cluster.nodes
  for (const node of cluster.nodes) {
    node.epoch = 2
    node.ring = cluster.ringOf(2)
  }
  // Not more often than once a second, however often it is told.
  while (client.status().ringEpoch !== 2) await client.put('b', 'k', 'v')
  t.equal(fetches(), 2)
  for (const node of cluster.nodes) node.ring = cluster.ringOf(1)
  first!.epoch = 3
  t.equal(client.status().ringEpoch, 2, 'and never goes back')
})

t.test('without a ring the client works through what it was given (CL10)', async (t) => {
  const { cluster, client } = await start(t, { ring: false })
  t.equal(await client.ready(), false)
  t.match(client.status().ringProblem, /No such route/)
  await client.put('b', 'k', 'v')
  t.equal(cluster.nodes[0]?.asked.length, 1)
  t.equal((await client.get('b', 'k')).kind, 'value')
})

t.test('a ring that does not hold together is not taken (CL10)', async (t) => {
  const { cluster, client } = await start(t, { ring: false })
  cluster.nodes[0]!.ring = { epoch: 1, partitions: 7 }
  await client.ready()
  await client.put('b', 'k', 'v')
  t.equal(client.status().ringEpoch, undefined)
  t.match(client.status().ringProblem, /./)
})

t.test('members that cannot be reached from here leave the given URL (CL7)', async (t) => {
  const { cluster, client } = await start(t, { ring: false })
  const inside = [1, 2, 3].map((number) => ({
    id: `n${number}`,
    url: `http://127.0.0.1:${number}`,
  }))
  cluster.nodes[0]!.ring = {
    epoch: 1,
    partitions: 2,
    replicas: 3,
    members: inside,
    table: [
      ['n1', 'n2', 'n3'],
      ['n2', 'n3', 'n1'],
    ],
  }
  await client.ready()
  await client.put('b', 'k', 'v')
  t.equal(cluster.nodes[0]?.asked.length, 1)
})

t.test('a node that leaves the ring is let go (CL10)', async (t) => {
  const { cluster, client } = await start(t)
  await client.ready()
  for (let index = 0; index < 20; index++) await client.put('b', `${index}`, 'v')
  t.equal(client.status().nodes.length, 3)
  const two = {
    epoch: 2,
    partitions: 2,
    replicas: 2,
    members: cluster.nodes.slice(0, 2).map(({ id, url }) => ({ id, url })),
    table: [
      ['n1', 'n2'],
      ['n2', 'n1'],
    ],
  }
  for (const node of cluster.nodes) {
    node.epoch = 2
    node.ring = two
  }
  while (client.status().ringEpoch !== 2) await client.put('b', 'k', 'v')
  await cluster.nodes[2]?.until(() => cluster.nodes[2]?.connections === 0)
  t.equal(client.status().nodes.length, 2)
})

t.test('a draining node sends its calls on and is spared (CL7)', async (t) => {
  const { cluster, client } = await start(t)
  await client.ready()
  const [drained] = cluster.nodes
  drained?.always((_seen, reply) => {
    refuse(reply, 'SHOAL_DRAINING', { retryAfterSeconds: 1 })
    return true
  })
  for (let index = 0; index < 30; index++) await client.put('b', `${index}`, 'v')
  t.equal(cluster.store.writes, 30)
  t.equal(drained?.asked.length, 1)
})

t.test(
  'the ring is renewed slowly while the client is in use, not at all while it is not (CL10)',
  async (t) => {
    const { client, net, env, advance } = startVirtual(['http://a'], { routing: 'ring' })
    const ring = {
      epoch: 1,
      partitions: 2,
      replicas: 1,
      members: [{ id: 'n1', url: 'http://a' }],
      table: [['n1'], ['n1']],
    }
    net.respond = (sent) => sent.answer(200, {}, sent.request.path === '/v1/ring' ? ring : '')
    const fetches = () => net.sent.filter(({ request }) => request.path === '/v1/ring').length
    await advance(0)
    t.equal(await client.ready(), true)
    await advance(120_000)
    t.equal(fetches(), 1)
    t.equal(env.pendingTimers, 0)
    const use = async () => {
      const call = client.get('b', 'k')
      await advance(0)
      await call
    }
    await use()
    t.equal(fetches(), 2)
    await advance(59_000)
    await use()
    t.equal(fetches(), 2)
    await advance(17_000)
    await use()
    t.equal(fetches(), 3)
  },
)
