import { createSeededRandom, millis, type Partition } from '@shoal/kernel'
import { makeRowKey, partitionOfRowKey, rowKeyName, segmentOfRowKey } from '@shoal/ring'
import t from 'tap'
import { TestCluster, type TestNode } from './support/cluster.ts'
import { seed } from './support/holds.ts'

t.comment(`seed ${seed}`)
const random = createSeededRandom(`damage ${seed}`)

const PARTITIONS = 8
const rowKeyOf = (key: string): Buffer => makeRowKey('b', key)
const partitionOf = (key: string): Partition => partitionOfRowKey(rowKeyOf(key), PARTITIONS)
const segmentOf = (key: string): number => segmentOfRowKey(rowKeyOf(key), PARTITIONS)

/** Two nodes that hold the same few keys. */
async function equalPair(count = 6, nodes = 2): Promise<TestCluster> {
  const cluster = await TestCluster.start({ nodes, idle: true })
  for (let index = 0; index < count; index++) {
    await cluster.put('n1', `key ${index}`, `value ${index}`)
    for (let other = 2; other <= nodes; other++) await copy(cluster, `n${other}`, `key ${index}`)
  }
  return cluster
}

const copy = (cluster: TestCluster, to: string, key: string): Promise<void> =>
  cluster.merge(to, rowKeyOf(key), cluster.rowAt('n1', key) as Buffer)

/** The replica forgets what it has in memory. */
async function restart(cluster: TestCluster, id: string): Promise<TestNode> {
  const node = await cluster.boot(id, cluster.crash(id))
  await cluster.untilConnected()
  return node
}

const kindsOf = (node: TestNode): string[] => node.events.map(({ kind }) => kind)

t.test('X5: a damaged row is fetched from the peer, and never sent to it (V11)', async (t) => {
  const cluster = await equalPair()
  const before = cluster.rowsOf('n2')
  const key = 'key 3'
  cluster.node('n1').disk.corrupt('rows', rowKeyOf(key), random)
  const plan = { partition: partitionOf(key), segments: [segmentOf(key)] }
  const ending = await cluster.exchange('n1', { ...plan, peer: 'n2' })
  t.ok(ending.complete)
  t.match(ending.tally, { healed: 1, pulled: 1, pushed: 0 })
  t.same(cluster.rowsOf('n1'), before)
  t.same(cluster.rowsOf('n2'), before)
})

t.test('X5: the copy of the peer is healed when that one is damaged', async (t) => {
  const cluster = await equalPair()
  const before = cluster.rowsOf('n1')
  const key = 'key 3'
  cluster.node('n2').disk.corrupt('rows', rowKeyOf(key), random)
  const plan = { partition: partitionOf(key), segments: [segmentOf(key)] }
  const ending = await cluster.exchange('n1', { ...plan, peer: 'n2' })
  t.ok(ending.complete)
  t.match(ending.tally, { healed: 1, pulled: 0, pushed: 1 })
  t.same(cluster.rowsOf('n2'), before)
})

t.test('where both copies are damaged, both stay as they are and it is said', async (t) => {
  const cluster = await equalPair()
  const key = 'key 3'
  for (const id of ['n1', 'n2']) cluster.node(id).disk.corrupt('rows', rowKeyOf(key), random)
  const before = [cluster.rowsOf('n1'), cluster.rowsOf('n2')]
  const plan = { partition: partitionOf(key), segments: [segmentOf(key)] }
  const ending = await cluster.exchange('n1', { ...plan, peer: 'n2' })
  t.notOk(ending.complete)
  t.notOk(ending.pulledAll)
  t.match(ending.tally, { healed: 0, unhealed: 1 })
  t.same([cluster.rowsOf('n1'), cluster.rowsOf('n2')], before)
})

t.test('X5: a damaged row that knew more than the peer is not replaced by less', async (t) => {
  const cluster = await equalPair()
  const key = 'key 3'
  await cluster.put('n1', key, 'only here')
  cluster.node('n1').disk.corrupt('rows', rowKeyOf(key), random)
  const ending = await cluster.exchange('n1', { partition: partitionOf(key), peer: 'n2' })
  t.notOk(ending.complete)
  t.match(ending.tally, { unhealed: 1, pulled: 0, pushed: 0 })
})

t.test('X6: a scrub finds a flipped bit and has it replaced (E4)', async (t) => {
  const cluster = await equalPair(20)
  const before = cluster.rowsOf('n2')
  const { disk } = cluster.node('n1')
  disk.corrupt('rows', rowKeyOf('key 7'), random)
  const report = await cluster.repair('n1')
  t.equal(report.state, 'done', report.detail)
  t.same(cluster.rowsOf('n1'), before)
  const node = cluster.node('n1')
  t.ok(kindsOf(node).includes('rowDamaged') && kindsOf(node).includes('rowHealed'))
  t.notOk(kindsOf(node).includes('digestWrong'), 'a damaged row is no wrong digest')
  t.match(await cluster.repair('n1'), { state: 'done' })
})

t.test('X6: a damaged version record is written anew from its row', async (t) => {
  const cluster = await equalPair(20)
  const name = rowKeyName(rowKeyOf('key 7'))
  cluster.node('n1').disk.corrupt('versions', name, random)
  const node = await restart(cluster, 'n1')
  const before = cluster.node('n2').disk.current('versions', name) as Buffer
  t.notSame(node.disk.current('versions', name), before)
  const report = await cluster.repair('n1')
  t.equal(report.state, 'done', report.detail)
  t.same(node.disk.current('versions', name), before)
  t.notOk(kindsOf(node).includes('digestWrong'))
})

t.test('X6: a row and its record, both damaged, come back from the peer', async (t) => {
  const cluster = await equalPair(20)
  const before = cluster.rowsOf('n2')
  const rowKey = rowKeyOf('key 7')
  cluster.node('n1').disk.corrupt('rows', rowKey, random)
  cluster.node('n1').disk.corrupt('versions', rowKeyName(rowKey), random)
  const node = await restart(cluster, 'n1')
  t.match(await cluster.repair('n1'), { state: 'done' })
  t.same(cluster.rowsOf('n1'), before)
  t.match(await cluster.repair('n1'), { state: 'done' })
  const digest = node.local.segmentDigest(partitionOf('key 7'), segmentOf('key 7'))
  t.equal(digest, cluster.node('n2').local.segmentDigest(partitionOf('key 7'), segmentOf('key 7')))
})

t.test('X6: rows the disk cannot list are merged again from a peer', async (t) => {
  const cluster = await equalPair(20)
  const before = cluster.rowsOf('n2')
  const { disk } = cluster.node('n1')
  disk.failRead('rows', rowKeyOf('key 7'), 'SHOAL_ROW_DAMAGED')
  const report = await cluster.repair('n1')
  t.equal(report.state, 'failed', 'the disk is to be looked at')
  t.match(report.detail, /cannot give 1 segments/)
  t.ok(kindsOf(cluster.node('n1')).includes('segmentsUnreadable'))
  t.same(cluster.rowsOf('n1'), before)
  t.match(await cluster.repair('n1'), { state: 'done' }, 'it was written again elsewhere')
})

t.test('X7: a digest that is not that of its rows raises an alarm and is put right', async (t) => {
  const cluster = await equalPair(20)
  const node = cluster.node('n1')
  const right = node.local.segmentDigest(2 as Partition, 77)
  node.local.disturb(2 as Partition, 77, 12_345n)
  t.match(await cluster.repair('n1'), { state: 'done' })
  t.match(
    node.events.find(({ kind }) => kind === 'digestWrong'),
    {
      partition: 2,
      segments: [77],
      corrected: 1,
    },
  )
  t.equal(node.local.segmentDigest(2 as Partition, 77), right)
})

t.test(
  'X7: an exchange that finds rows equal and digests not has the digests checked',
  async (t) => {
    const cluster = await equalPair(20)
    const key = 'key 5'
    const [partition, segment] = [partitionOf(key), segmentOf(key)]
    for (const wrong of ['n1', 'n2']) {
      const { local, antiEntropy } = cluster.node(wrong)
      local.disturb(partition, segment, 99n)
      antiEntropy.start()
      const node = cluster.node(wrong)
      await cluster.until(() => kindsOf(node).includes('digestWrong'))
      t.pass(`${wrong} found its own digest wrong`)
    }
    const last = await cluster.exchange('n1', { partition, peer: 'n2' })
    t.equal(last.tally.segments, 0)
  },
)

for (const column of ['rows', 'versions'] as const) {
  t.test(`X6: what went to the wrong place of ${column} is found and put right`, async (t) => {
    const cluster = await equalPair(20)
    const { disk } = cluster.node('n1')
    for (let index = 20; index < 40; index++) await cluster.put('n2', `key ${index}`, 'new')
    disk.misdirectNextWrite(column, random)
    await cluster.merge('n1', rowKeyOf('key 21'), cluster.rowAt('n2', 'key 21') as Buffer)
    const node = await restart(cluster, 'n1')
    for (let round = 0; round < 4; round++) await cluster.repair('n1')
    t.same(cluster.rowsOf('n1'), cluster.rowsOf('n2'))
    t.match(await cluster.repair('n1'), { state: 'done' })
    const alarms = kindsOf(node).length
    t.match(await cluster.repair('n1'), { state: 'done' })
    t.notOk(
      kindsOf(node)
        .slice(alarms)
        .some((kind) => kind === 'digestWrong'),
    )
    const end = await cluster.exchangeAll('n1', 'n2')
    t.ok(end.every(({ tally }) => tally.segments === 0))
  })
}

t.test('a reported key is healed as soon as a peer that has it is back', async (t) => {
  const cluster = await equalPair()
  const node = cluster.node('n1')
  node.disk.corrupt('rows', rowKeyOf('key 1'), random)
  cluster.network.cut(node.id, cluster.node('n2').id)
  await cluster.until(() => !node.peers.isUp(cluster.node('n2').id))
  node.antiEntropy.reportDamage(rowKeyOf('key 1'))
  await cluster.until(() => kindsOf(node).includes('rowUnhealed'))
  t.equal(node.antiEntropy.figures().unhealed, 1)
  cluster.network.heal(node.id, cluster.node('n2').id)
  await cluster.until(() => kindsOf(node).includes('rowHealed'))
  t.equal(node.antiEntropy.figures().unhealed, 0)
  t.same(cluster.rowsOf('n1'), cluster.rowsOf('n2'))
})

t.test('X7: writes under a scrub are no damage and make no digest wrong', async (t) => {
  const cluster = await TestCluster.start({ nodes: 1, idle: true, readLatency: millis(3) })
  for (let index = 0; index < 60; index++) await cluster.put('n1', `key ${index}`, 'value')
  const node = cluster.node('n1')
  const { repairs } = node.antiEntropy
  const { id } = repairs.start({})
  let writes = 0
  let isOver = false
  const writing = (async () => {
    while (!isOver) await cluster.putSoon('n1', `key ${10 + random.below(50)}`, `write ${writes++}`)
  })()
  node.disk.corrupt('rows', rowKeyOf('key 9'), random)
  await cluster.settled(repairs.whenEnded(id), millis(600_000))
  isOver = true
  await cluster.settled(writing)
  t.ok(writes > 100, `${writes} writes`)
  t.notOk(kindsOf(node).includes('digestWrong'))
  const damaged = node.events.flatMap((event) => (event.kind === 'rowDamaged' ? [event] : []))
  t.ok(damaged.every(({ rowKey }) => rowKey.equals(rowKeyOf('key 9'))))
  t.match(repairs.find(id)?.detail, /rows checked/)
})
