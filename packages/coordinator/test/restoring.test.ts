import type { NodeId, ShoalError } from '@shoal/kernel'
import { makeRowKey, partitionOfRowKey } from '@shoal/ring'
import t from 'tap'
import { bodies, failed, succeeded, TestCluster } from './support/cluster.ts'

const rowKey = makeRowKey('b', 'k')

/** Five nodes, and a row such as a backup has it, of a cluster that is gone. */
async function emptyCluster() {
  const lost = await TestCluster.start(3)
  succeeded(await lost.put('n1', 'k', 'milk', { level: 'all' }))
  const row = lost.node('n1').store.disk.durable('rows', rowKey) as Buffer
  const cluster = await TestCluster.start(5, { hints: true })
  const ring = cluster.node('n1').coordinator.desk.ring()
  const primaries = ring.preferenceList(partitionOfRowKey(rowKey, ring.partitions))
  const others = ring.record.members.map(({ id }) => id).filter((id) => !primaries.includes(id))
  const restore = async (at: NodeId | undefined): Promise<ShoalError | undefined> => {
    const end: { failure?: ShoalError | undefined } = {}
    cluster.node(at ?? '').coordinator.restore({ rowKey, row: Buffer.from(row) }, (failure) => {
      end.failure = failure
    })
    await cluster.until(() => 'failure' in end)
    return end.failure
  }
  const holders = (): NodeId[] =>
    primaries.filter((id) => cluster.node(id).store.disk.durable('rows', rowKey) !== undefined)
  return { cluster, primaries, others, restore, holders }
}

t.test('a restored row comes to all N of the ring, whatever its bucket asks for', async (t) => {
  const { cluster, primaries, others, restore, holders } = await emptyCluster()
  cluster.setBucket('b', { n: 1 })
  t.equal(await restore(others[0]), undefined)
  t.same(holders(), primaries)
})

t.test('a quorum on disk is enough, and who misses it is owed it (H1)', async (t) => {
  const { cluster, primaries, restore, holders } = await emptyCluster()
  const [first, second, third] = primaries as [NodeId, NodeId, NodeId]
  await cluster.isolate(third)
  t.equal(await restore(first), undefined)
  t.same(holders(), [first, second])
  t.match(cluster.node(first).owed, [{ to: third }])
  await cluster.isolate(second)
  t.match(await restore(first), { code: 'SHOAL_QUORUM_UNMET', details: { wanted: 2, got: 1 } })
})

t.test('a restored row mends copies that are damaged everywhere (V11)', async (t) => {
  const { cluster, primaries, restore } = await emptyCluster()
  t.equal(await restore(primaries[0]), undefined)
  for (const id of primaries) {
    cluster.node(id).store.disk.corrupt('rows', rowKey, cluster.env.random('rot'))
  }
  const first = primaries[0] ?? ''
  t.equal(failed(await cluster.get(first, 'k')).code, 'SHOAL_QUORUM_UNMET')
  t.equal(await restore(primaries[0]), undefined)
  t.same(bodies(await cluster.get(first, 'k', { level: 'all' })), ['milk'])
})
