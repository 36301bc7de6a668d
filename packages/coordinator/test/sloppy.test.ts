import { type NodeId, nodeId } from '@shoal/kernel'
import { createRing, makeRowKey, partitionOfRowKey } from '@shoal/ring'
import t from 'tap'
import { bodies, failed, succeeded, TestCluster } from './support/cluster.ts'

const KEY = 'k'
const rowKey = makeRowKey('b', KEY)
const strict = { consistency: { level: 'quorum', strict: true } } as const

/** Five nodes, three of them primaries of the key, in the order of its preference list. */
async function fiveNodes() {
  const cluster = await TestCluster.start(5, { hints: true })
  const ring = cluster.node('n1').coordinator.desk.ring()
  const partition = partitionOfRowKey(rowKey, ring.partitions)
  const primaries = ring.preferenceList(partition) as [NodeId, NodeId, NodeId]
  const others = ring.record.members.map(({ id }) => id).filter((id) => !primaries.includes(id))
  return { cluster, primaries, others: others as [NodeId, NodeId], ring, partition }
}

const holders = (cluster: TestCluster): NodeId[] =>
  [...cluster.nodes.values()]
    .filter(({ store }) => store.disk.durable('rows', rowKey) !== undefined)
    .map(({ id }) => id)

t.test(
  'one fallback takes the place of a primary that is down, and owes it (Q3, H1)',
  async (t) => {
    const { cluster, primaries, others } = await fiveNodes()
    const [first, , third] = primaries
    await cluster.isolate(third)
    const put = succeeded(await cluster.put(first, KEY, 'milk', { level: 'all' }))
    t.match(put.receipt, { n: 3, need: 3, primaries: 2, fallbacks: 1, hinted: 1, durable: 3 })
    const owing = others.flatMap((id) => cluster.node(id).owed)
    t.match(owing, [{ to: third, inBatch: true }])
    t.same(cluster.node(first).owed, [], 'the coordinator owes what nobody else does')
    t.equal(holders(cluster).length, 3)
  },
)

t.test('strict: only primaries count, and only they are told', async (t) => {
  const { cluster, primaries } = await fiveNodes()
  const [first, second, third] = primaries
  await cluster.isolate(third)
  const put = succeeded(await cluster.put(first, KEY, 'milk', strict))
  t.match(put.receipt, { primaries: 2, fallbacks: 0, hinted: 1 })
  t.same(holders(cluster).sort(), [first, second].sort())
  await cluster.isolate(second)
  const refused = failed(await cluster.put(first, KEY, 'more', strict))
  t.match(refused, { code: 'SHOAL_QUORUM_UNREACHABLE', outcome: 'not-applied' })
})

t.test('a primary that fails on the way is replaced (Q3)', async (t) => {
  const { cluster, primaries } = await fiveNodes()
  const [first, second, third] = primaries
  // Up as far as anybody knows, and full.
  for (const id of [second, third]) cluster.node(id).store.disk.setFull(true)
  const put = succeeded(await cluster.put(first, KEY, 'milk', { level: 'all' }))
  t.match(put.receipt, { primaries: 1, fallbacks: 2, hinted: 2 })
})

t.test('with no primary up the first living fallback coordinates (V4, K13)', async (t) => {
  const { cluster, primaries, others, ring, partition } = await fiveNodes()
  for (const id of primaries) await cluster.isolate(id)
  const [standIn] = ring.fallbacks(partition, primaries)
  const other = others.find((id) => id !== standIn) as NodeId
  const put = succeeded(await cluster.put(other, KEY, 'milk'))
  t.match(put.receipt, { node: standIn, primaries: 0, fallbacks: 2, hinted: 3 })
  const owed = cluster.node(standIn as NodeId).owed.map(({ to, inBatch }) => ({ to, inBatch }))
  t.same(
    owed,
    primaries.map((to) => ({ to, inBatch: true })),
    'who coordinates in their place owes all of them, with its own row',
  )
  t.equal(failed(await cluster.put(other, KEY, 'more', strict)).code, 'SHOAL_QUORUM_UNREACHABLE')
  const all = failed(await cluster.put(other, KEY, 'more', { level: 'all' }))
  t.equal(all.code, 'SHOAL_QUORUM_UNREACHABLE', 'three of two')
})

t.test(
  'a stand-in answers once row and hint are on disk, whatever was asked (H1, K12)',
  async (t) => {
    const { cluster, primaries } = await fiveNodes()
    const [first, second, third] = primaries
    await cluster.isolate(second)
    await cluster.isolate(third)
    const consistency = { level: 'quorum', durable: 0, strict: false } as const
    const put = succeeded(await cluster.put(first, KEY, 'milk', { consistency }))
    t.match(put.receipt, { primaries: 1, fallbacks: 1 })
    t.ok(holders(cluster).some((id) => !primaries.includes(id)))
  },
)

t.test('a value that only fallbacks have is read from them, and counts (Q4, K14)', async (t) => {
  const { cluster, primaries, others } = await fiveNodes()
  for (const id of primaries) await cluster.isolate(id)
  const [one, other] = others
  succeeded(await cluster.put(one, KEY, 'milk'))
  for (const id of others) {
    const read = succeeded(await cluster.get(id, KEY))
    t.same(bodies(read), ['milk'], id)
    t.match(read.receipt, { ack: 2, primaries: 0, fallbacks: 2 })
  }
  const refused = failed(await cluster.get(other, KEY, strict))
  t.equal(refused.code, 'SHOAL_QUORUM_UNREACHABLE', 'strict reads ask primaries alone')
})

t.test('not found needs R primaries, whatever fallbacks do not have (Q4, K14)', async (t) => {
  const { cluster, primaries } = await fiveNodes()
  const [first, second, third] = primaries
  t.same(bodies(await cluster.get(first, KEY)), [])
  await cluster.isolate(third)
  t.same(bodies(await cluster.get(first, KEY)), [], 'two primaries suffice')
  await cluster.isolate(second)
  t.equal(failed(await cluster.get(first, KEY)).code, 'SHOAL_QUORUM_UNMET')
  t.same(bodies(await cluster.get(first, KEY, { level: 'one' })), [])
})

t.test('a fallback completes a read when a primary is down (Q4)', async (t) => {
  const { cluster, primaries } = await fiveNodes()
  const [first, second, third] = primaries
  await cluster.isolate(second)
  await cluster.isolate(third)
  succeeded(await cluster.put(first, KEY, 'milk'))
  const read = succeeded(await cluster.get(first, KEY))
  t.same(bodies(read), ['milk'])
  t.match(read.receipt, { need: 2, primaries: 1, fallbacks: 1, repaired: 0 })
})

t.test('a session is served from a fallback when no primary has what it saw (S1)', async (t) => {
  const { cluster, primaries, others } = await fiveNodes()
  for (const id of primaries) await cluster.isolate(id)
  const put = succeeded(await cluster.put(others[0], KEY, 'milk', { session: 'new' }))
  for (const id of primaries) await cluster.rejoin(id)
  const read = await cluster.get(primaries[0], KEY, { session: put.session, level: 'one' })
  t.same(bodies(read), ['milk'])
})

t.test('a replica that lost data does not count to strict reads (Q6, K15)', async (t) => {
  const { cluster, primaries, partition } = await fiveNodes()
  const [first, second, third] = primaries
  succeeded(await cluster.put(first, KEY, 'milk', { level: 'all' }))
  cluster.node(second).lost.add(partition)
  t.equal(succeeded(await cluster.get(first, KEY, strict)).receipt.ack, 2)
  t.equal(succeeded(await cluster.get(second, KEY, strict)).receipt.ack, 2, 'through itself too')
  t.equal(succeeded(await cluster.get(second, KEY, { level: 'all' })).receipt.ack, 3)
  const all = { consistency: { level: 'all', strict: true } } as const
  const whole = succeeded(await cluster.get(first, KEY, all))
  t.equal(whole.receipt.ack, 3, 'when all have answered nothing is left that could be missed')
  await cluster.isolate(third)
  t.equal(failed(await cluster.get(first, KEY, strict)).code, 'SHOAL_QUORUM_UNMET')
})

t.test('a lost replica whose row does not arrive has said nothing (Q6, K15)', async (t) => {
  const { cluster, primaries, partition } = await fiveNodes()
  const [first, second, third] = primaries
  await cluster.isolate(second)
  succeeded(await cluster.put(second, KEY, 'milk', { level: 'one' }))
  await cluster.rejoin(second)
  for (const id of [second, third]) cluster.node(id).lost.add(partition)
  t.same(bodies(await cluster.get(first, KEY, strict)), ['milk'], 'all have answered')
  const { peers } = cluster.node(first)
  const ask = peers.ask.bind(peers)
  peers.ask = (question, sink) =>
    ask(question, {
      answered: (tag, kind, body, more) => {
        if (!more) sink.answered(tag, kind, body, more)
      },
      failed: (tag, code) => sink.failed(tag, code),
    })
  t.equal(failed(await cluster.get(first, KEY, strict)).code, 'SHOAL_QUORUM_UNMET')
})

t.test('a cluster of new disks can be read at once (Q6)', async (t) => {
  const { cluster, primaries, partition } = await fiveNodes()
  for (const id of primaries) cluster.node(id).lost.add(partition)
  t.same(bodies(await cluster.get(primaries[0], KEY, strict)), [])
  succeeded(await cluster.put(primaries[0], KEY, 'milk'))
  t.same(bodies(await cluster.get(primaries[1], KEY, strict)), ['milk'])
})

t.test('without hints nobody stands in', async (t) => {
  const cluster = await TestCluster.start(5)
  const ring = createRing(cluster.node('n1').coordinator.desk.ring().record, nodeId('n1'))
  const primaries = ring.preferenceList(partitionOfRowKey(rowKey, ring.partitions))
  for (const id of primaries.slice(1)) await cluster.isolate(id)
  const refused = failed(await cluster.put(primaries[0] as NodeId, KEY, 'milk'))
  t.equal(refused.code, 'SHOAL_QUORUM_UNREACHABLE')
  t.same(bodies(await cluster.get(primaries[0] as NodeId, KEY, { level: 'one' })), [])
})
