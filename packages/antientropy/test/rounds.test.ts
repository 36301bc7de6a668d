import { limits, millis, type Partition } from '@shoal/kernel'
import { makeRowKey } from '@shoal/ring'
import { questionKinds } from '@shoal/wire'
import t from 'tap'
import { combineDebts } from '../src/index.ts'
import { TestCluster, type TestNode } from './support/cluster.ts'

const all = Array.from({ length: 8 }, (_none, index) => index as Partition)
const ended = (node: TestNode) => node.events.filter(({ kind }) => kind === 'exchangeEnded')
const isVerified = ({ antiEntropy }: TestNode) => antiEntropy.figures().unverified === 0
const noHints = { bytes: 0, oldest: millis(0) }
const debtOf = ({ antiEntropy }: TestNode) => antiEntropy.debt(noHints)

async function verified(cluster: TestCluster): Promise<void> {
  await cluster.until(() => [...cluster.nodes.values()].every(isVerified))
}

t.test(
  'X18: replicas that missed writes are made equal soon after they meet, by themselves (I12)',
  async (t) => {
    const cluster = await TestCluster.start({ nodes: 3 })
    await verified(cluster)
    for (const other of ['n1', 'n2']) {
      cluster.network.cut(cluster.node('n3').id, cluster.node(other).id)
      cluster.network.cut(cluster.node(other).id, cluster.node('n3').id)
    }
    await cluster.until(() => !cluster.node('n3').peers.isUp(cluster.node('n1').id))
    for (let index = 0; index < 60; index++) {
      await cluster.put(`n${1 + (index % 3)}`, `key ${index}`, 'missed by others')
    }
    for (const other of ['n1', 'n2']) {
      cluster.network.heal(cluster.node('n3').id, cluster.node(other).id)
      cluster.network.heal(cluster.node(other).id, cluster.node('n3').id)
    }
    const equal = () => {
      const [one, two, three] = ['n1', 'n2', 'n3'].map((id) => cluster.rowsOf(id))
      return one?.size === 60 && same(one, two) && same(one, three)
    }
    await cluster.until(
      () => ['n1', 'n2', 'n3'].some((id) => cluster.rowsOf(id).size === 60),
      millis(10_000),
    )
    // n1 and n2 never lost sight of each other: what they missed of one another waits its turn.
    await cluster.until(equal, limits.exchangeInterval)
    t.pass('all three are equal')
  },
)

const same = (one: Map<string, string>, other: Map<string, string> | undefined): boolean =>
  one.size === other?.size && [...one].every(([name, row]) => other.get(name) === row)

t.test(
  'X15: a clean cluster compares every pair within the interval, with little said (E3)',
  async (t) => {
    const cluster = await TestCluster.start({ nodes: 3 })
    await verified(cluster)
    const before = cluster.sent.length
    let worst = 0
    for (let minute = 0; minute < 20; minute++) {
      await cluster.run(60_000)
      for (const node of cluster.nodes.values()) {
        worst = Math.max(worst, debtOf(node).oldestUnverified)
      }
    }
    t.ok(worst <= limits.exchangeInterval, `${worst} ms`)
    const asked = cluster.sent.slice(before).filter(({ kind }) => kind === questionKinds.exchange)
    // 24 pairs; whoever answers that roots are equal need not ask.
    const rounds = (20 * 60_000) / limits.exchangeInterval
    t.ok(asked.length <= 24 * rounds * 2 + 48, `${asked.length} exchanges in 20 minutes`)
  },
)

t.test('a pair known dirty is compared at once', async (t) => {
  const cluster = await TestCluster.start({ nodes: 2 })
  await verified(cluster)
  const node = cluster.node('n1')
  await cluster.put('n1', 'key 1', 'missed')
  for (const each of all) node.antiEntropy.markDirty(each, cluster.node('n2').id)
  const count = ended(node).length
  await cluster.until(() => ended(node).length >= count + 8, millis(5_000))
  t.same(cluster.rowsOf('n1'), cluster.rowsOf('n2'))
})

t.test(
  'nothing is compared while the budget is paused, and soon after it is resumed',
  async (t) => {
    const cluster = await TestCluster.start({ nodes: 2 })
    await verified(cluster)
    for (const node of cluster.nodes.values()) node.budget.pause()
    await cluster.put('n1', 'key 1', 'missed')
    const counts = () => [...cluster.nodes.values()].map((node) => ended(node).length)
    const before = counts()
    await cluster.run(limits.exchangeInterval)
    t.same(counts(), before)
    t.equal(cluster.node('n1').antiEntropy.figures().exchanging, 0, 'none begun and left waiting')
    t.equal(cluster.rowAt('n2', 'key 1'), undefined)
    for (const node of cluster.nodes.values()) node.budget.resume()
    await cluster.until(() => cluster.rowAt('n2', 'key 1') !== undefined, millis(5_000))
    t.pass('compared again')
  },
)

t.test('X19: a crash in the middle of an exchange harms nothing', async (t) => {
  for (const victim of ['n1', 'n2']) {
    const cluster = await TestCluster.start({ nodes: 2, idle: true })
    for (let index = 0; index < 80; index++) await cluster.put('n2', `key ${index}`, 'value')
    const { antiEntropy } = cluster.node('n1')
    antiEntropy.start()
    await cluster.until(() => cluster.rowsOf('n1').size > 10)
    const had = cluster.rowsOf('n1').size
    const disk = cluster.crash(victim)
    t.ok(had < 80, `${had} of 80 keys were there when ${victim} crashed`)
    await cluster.run(1_000)
    const node = await cluster.boot(victim, disk)
    node.antiEntropy.start()
    await cluster.until(() => cluster.rowsOf('n1').size === 80)
    t.same(cluster.rowsOf('n1'), cluster.rowsOf('n2'))
  }
})

t.test('X20: a node that stops lets what is under way end and begins nothing', async (t) => {
  const cluster = await TestCluster.start({ nodes: 2, idle: true })
  for (let index = 0; index < 80; index++) await cluster.put('n2', `key ${index}`, 'value')
  const node = cluster.node('n1')
  node.antiEntropy.start()
  await cluster.until(() => cluster.rowsOf('n1').size > 5)
  node.antiEntropy.stop()
  node.budget.close()
  await cluster.until(() => node.antiEntropy.figures().exchanging === 0)
  await cluster.run(1_000)
  const { length } = cluster.sent
  const size = cluster.rowsOf('n1').size
  await cluster.run(limits.exchangeInterval)
  t.equal(cluster.rowsOf('n1').size, size)
  t.equal(cluster.sent.length, length)
})

t.test(
  'X21: the debt of a cluster is the age of the oldest possible difference (E6)',
  async (t) => {
    const cluster = await TestCluster.start({ nodes: 2 })
    await verified(cluster)
    t.ok(debtOf(cluster.node('n1')).debt < 5_000)
    cluster.network.cut(cluster.node('n1').id, cluster.node('n2').id)
    await cluster.run(20 * 60_000)
    const debts = [...cluster.nodes.values()].map(debtOf)
    t.ok((debts[0]?.debt as number) > 15 * 60_000)
    const hints = { bytes: 5, oldest: millis(9_999_999) }
    const withHints = cluster.node('n1').antiEntropy.debt(hints)
    t.match(withHints, { debt: 9_999_999, hintBytes: 5, oldestHint: 9_999_999 })
    t.match(combineDebts([...debts, withHints]), { debt: 9_999_999, hintBytes: 5 })
    cluster.network.heal(cluster.node('n1').id, cluster.node('n2').id)
    await cluster.until(() => debtOf(cluster.node('n1')).debt < 60_000)
    t.match(debtOf(cluster.node('n1')), { divergentSegments: 0, unverified: 0 })
  },
)

t.test('X22: a key can be proven to be in the tree of each replica', async (t) => {
  const cluster = await TestCluster.start({ nodes: 2 })
  await cluster.put('n1', 'key 1', 'value')
  const rowKey = makeRowKey('b', 'key 1')
  const { antiEntropy, id, local } = cluster.node('n1')
  const digest = () => local.digestOf(versionAt(cluster, 'n1'), rowKey)
  const prove = (node: TestNode['id'], asked?: Buffer) =>
    cluster.settled(antiEntropy.prove({ node, rowKey, ...(asked ? { digest: asked } : {}) }))
  t.match(await prove(id), { verdict: 'proven', others: 0 })
  t.match(await prove(id, digest()), { verdict: 'proven', digest: digest().toString('hex') })
  const other = cluster.node('n2')
  t.match(await prove(other.id, digest()), { verdict: 'absent' })
  await cluster.put('n2', 'key 1', 'another value')
  t.match(await prove(other.id, digest()), { verdict: 'other' })
  t.match(await cluster.repair('n1'), { state: 'done' })
  t.match(await prove(other.id, digest()), { verdict: 'proven' })
  const segment = Number((rowKey.readBigUInt64BE() >> 51n) & 1_023n)
  other.local.disturb(Number(rowKey.readBigUInt64BE() >> 61n) as Partition, segment, 1n)
  t.match(await prove(other.id, digest()), { verdict: 'broken' })
  cluster.crash('n2')
  t.match(await prove(other.id, digest()), { verdict: 'unanswered' })
})

function versionAt(cluster: TestCluster, id: string): Buffer {
  return cluster.node(id).replica.cachedVersion(makeRowKey('b', 'key 1')) as Buffer
}
