import { createTestEnv, millis, type NodeId, nodeId, type Partition } from '@shoal/kernel'
import { makeRowKey, partitionOfRowKey } from '@shoal/ring'
import { createMemoryStore } from '@shoal/storage'
import t from 'tap'
import type { ExchangeEnding } from '../src/core/exchange-machine.ts'
import type { DirtyMark } from '../src/ports.ts'
import { Marks } from '../src/shell/marks.ts'
import { TestCluster } from './support/cluster.ts'

const n2 = nodeId('n2')
const n3 = nodeId('n3')

/** Marks as handoff keeps them. */
class Kept {
  readonly left: DirtyMark[] = []

  add(node: NodeId, partition: number): void {
    const stamp = this.left.length + 1
    this.left.push({ node, partition: partition as Partition, since: millis(stamp), stamp })
  }

  dirty(): readonly DirtyMark[] {
    return [...this.left]
  }

  clean(mark: DirtyMark): boolean {
    this.left.splice(this.left.indexOf(mark), 1)
    return true
  }
}

const rowKeyOf = (key: string): Buffer => makeRowKey('b', key)

/** Marks of one node of a cluster; exchanges end as told. */
async function marksOf(cluster: TestCluster, id: string) {
  const { env } = cluster
  const { store, replica, local, peers, budget } = cluster.node(id)
  const kept = new Kept()
  const compared: string[] = []
  const ends = { complete: true }
  const marks = new Marks({
    ...{ env, store, replica: local, peers, budget, marks: kept },
    placement: () => cluster.ringOf(id),
    exchange: async ({ partition, peer }) => {
      compared.push(`${partition} ${peer}`)
      return { complete: ends.complete } as ExchangeEnding
    },
  })
  return { kept, compared, ends, marks, replica }
}

t.test('X29: what is marked is compared, oldest first, until it is done (H2)', async (t) => {
  const cluster = await TestCluster.start({ nodes: 3, idle: true })
  const { kept, compared, ends, marks } = await marksOf(cluster, 'n1')
  kept.add(n2, 5)
  kept.add(n3, 1)
  marks.start()
  await cluster.until(() => kept.left.length === 0)
  t.same(compared, ['5 n2', '1 n3'])

  ends.complete = false
  kept.add(n2, 6)
  marks.wake()
  await cluster.until(() => compared.length === 4)
  t.equal(kept.left.length, 1, 'one that did not come to its end leaves the mark')
  ends.complete = true
  await cluster.until(() => kept.left.length === 0)
  t.same(compared.slice(2), ['6 n2', '6 n2', '6 n2'])
})

t.test('X29: a target that is away keeps its marks and holds up no others (H2)', async (t) => {
  const cluster = await TestCluster.start({ nodes: 3, idle: true })
  const { kept, compared, marks } = await marksOf(cluster, 'n1')
  cluster.network.cut(nodeId('n1'), n2)
  await cluster.until(() => !cluster.node('n1').peers.isUp(n2))
  kept.add(n2, 5)
  kept.add(n3, 1)
  marks.start()
  await cluster.until(() => kept.left.length === 1)
  t.same(compared, ['1 n3'])
  cluster.network.heal(nodeId('n1'), n2)
  await cluster.until(() => kept.left.length === 0)
  t.same(compared, ['1 n3', '5 n2'])
})

t.test('X29: a fallback shows its target every row of the partition (H2)', async (t) => {
  const cluster = await TestCluster.start({ nodes: 4, idle: true })
  const ring = cluster.ringOf('n1')
  const partition = [0, 1, 2, 3, 4, 5, 6, 7].find(
    (each) => !ring.isReplica(each as Partition, nodeId('n1')),
  ) as Partition
  const [target] = ring.preferenceList(partition) as [NodeId]
  const keys = Array.from({ length: 200 }, (_none, index) => `key ${index}`)
  for (const key of keys) await cluster.put('n1', key, 'taken in place of another')
  const owed = keys.filter((key) => partitionOfRowKey(rowKeyOf(key), 8) === partition)
  t.ok(owed.length > 4)
  const { kept, compared, marks } = await marksOf(cluster, 'n1')
  kept.add(target, partition)
  marks.start()
  await cluster.until(() => kept.left.length === 0)
  t.same(compared, [], 'nobody compares with who is no replica')
  t.equal(cluster.node(target).disk.keyCount('rows'), owed.length)
  for (const key of owed) {
    t.ok(cluster.node(target).disk.durable('rows', rowKeyOf(key)), `${key} is on its disk`)
  }
})

t.test('X30: a round that fails does not begin again while the node halts', async (t) => {
  const env = createTestEnv()
  const kept = new Kept()
  kept.add(n2, 1)
  let rounds = 0
  const marks = new Marks({
    env,
    store: createMemoryStore(env),
    replica: (await TestCluster.start({ nodes: 1, idle: true })).node('n1').local,
    peers: { isUp: () => true, ask: () => undefined },
    budget: { paused: false, take: () => Promise.resolve() },
    placement: () => ({
      self: nodeId('n1'),
      partitions: 8,
      preferenceList: () => [nodeId('n1'), n2],
      partitionsOf: () => [],
    }),
    marks: kept,
    exchange: () => {
      rounds++
      return Promise.reject(new Error('the disk is gone'))
    },
  })
  marks.start()
  await marks.idle()
  t.match(env.halted, { message: 'the disk is gone' })
  marks.wake()
  env.advance(millis(60_000))
  await marks.idle()
  t.equal(rounds, 1)
})
