import { limits, millis, nodeId, type Partition } from '@shoal/kernel'
import { makeRowKey, partitionOfRowKey } from '@shoal/ring'
import { createMemoryDisk, createMemoryStore, noteLoss } from '@shoal/storage'
import fc from 'fast-check'
import t from 'tap'
import { LostData, neededFor } from '../src/core/lost-data.ts'
import { TestCluster, type TestNode } from './support/cluster.ts'
import { holds, seed } from './support/holds.ts'

t.comment(`seed ${seed}`)

const P = 2 as Partition
const others = ['ada', 'bob', 'cyd', 'dan'].map(nodeId)

t.test(
  'X23: enough peers are those without which no majority could have acknowledged (Q6)',
  async (t) => {
    const property = fc.property(
      fc.integer({ min: 1, max: limits.replicasMax }),
      fc.nat(),
      (copies, draw) => {
        const majority = Math.floor(copies / 2) + 1
        const needed = neededFor(copies - 1)
        // Any other primaries, as many as a majority has beside this node.
        const acknowledged = pick(copies - 1, majority - 1, draw)
        const merged = pick(copies - 1, needed, draw * 7 + 1)
        return majority === 1 || acknowledged.some((each) => merged.includes(each))
      },
    )
    t.ok(holds(property, 500))
    t.same(
      [1, 2, 3, 4, 5, 6, 7].map((copies) => neededFor(copies - 1)),
      [0, 1, 2, 2, 3, 3, 4],
    )
  },
)

function pick(from: number, count: number, draw: number): number[] {
  return Array.from({ length: count }, (_none, index) => (index * 1 + draw) % Math.max(1, from))
}

const merge = (lost: LostData, peer: string, losses = lost.losses(P)) =>
  lost.merged(P, { peer: nodeId(peer), losses, others })

t.test('a lost partition counts again after enough others, each counted once', async (t) => {
  const lost = new LostData()
  t.ok(lost.countsToReads(P))
  lost.lose([P])
  t.notOk(lost.countsToReads(P))
  t.equal(merge(lost, 'ada'), 'progress')
  t.equal(merge(lost, 'ada'), 'unchanged')
  t.equal(merge(lost, 'a stranger'), 'unchanged')
  t.equal(merge(lost, 'bob'), 'progress')
  t.notOk(lost.countsToReads(P))
  t.equal(merge(lost, 'cyd'), 'whole')
  t.ok(lost.countsToReads(P))
  t.equal(merge(lost, 'dan'), 'unchanged')
})

t.test(
  'X24: a further loss begins anew, and what was merged before it does not count',
  async (t) => {
    const lost = new LostData()
    lost.lose([P])
    const before = lost.losses(P)
    merge(lost, 'ada')
    merge(lost, 'bob')
    lost.lose([P])
    t.same(lost.mergedFrom(P), [])
    t.equal(merge(lost, 'cyd', before), 'unchanged', 'that exchange began before the loss')
    t.equal(merge(lost, 'cyd'), 'progress')
  },
)

t.test(
  'X24: progress survives a restart; a record that cannot be read is no proof of anything',
  async (t) => {
    const lost = new LostData()
    lost.lose([P, 5 as Partition])
    merge(lost, 'ada')
    const record = lost.encode()
    const read = LostData.decode(record)
    t.same(read?.partitions(), [2, 5])
    t.same(read?.mergedFrom(P), ['ada'])
    for (let at = 0; at < record.length; at++) {
      const damaged = Buffer.from(record)
      damaged[at] = (damaged[at] as number) ^ 4
      t.equal(LostData.decode(damaged), undefined, `byte ${at}`)
      t.equal(LostData.decode(record.subarray(0, at)), undefined)
    }
  },
)

t.test('a ring that changed is looked at anew', async (t) => {
  const lost = new LostData()
  lost.lose([P])
  merge(lost, 'ada')
  t.same(
    lost.review(() => others),
    [],
  )
  t.same(
    lost.review(() => [nodeId('ada')]),
    [P],
  )
  lost.lose([P])
  lost.forget([P])
  t.ok(lost.isWhole)
})

const countsAll = ({ antiEntropy }: TestNode) => antiEntropy.lostPartitions().length === 0

async function filled(): Promise<TestCluster> {
  const cluster = await TestCluster.start({ nodes: 3 })
  for (let index = 0; index < 60; index++) {
    await cluster.put(`n${1 + (index % 2)}`, `key ${index}`, 'value')
  }
  return cluster
}

t.test('X25: a node with an empty disk is full again before it counts to reads (Q6)', async (t) => {
  const cluster = await filled()
  cluster.crash('n3')
  const n3 = await cluster.boot('n3', undefined, { lost: true })
  t.equal(n3.antiEntropy.lostPartitions().length, 8)
  const seen = new Set<string>()
  await cluster.until(() => {
    for (const partition of n3.antiEntropy.lostPartitions()) seen.add(`${partition}`)
    return countsAll(n3)
  })
  t.equal(seen.size, 8)
  const union = new Map([...cluster.rowsOf('n1'), ...cluster.rowsOf('n2')])
  t.same(new Set(cluster.rowsOf('n3').keys()), new Set(union.keys()))
  t.equal(union.size, 60)
  t.equal(n3.events.filter(({ kind }) => kind === 'dataWhole').length, 8)
})

t.test('X25: where nobody holds anything, equal roots are enough, whoever asked', async (t) => {
  const cluster = await TestCluster.start({ nodes: 3, idle: true })
  for (const id of ['n1', 'n2', 'n3']) cluster.crash(id)
  for (const id of ['n1', 'n2', 'n3']) await cluster.boot(id, undefined, { lost: true })
  await cluster.untilConnected()
  for (const id of ['n1', 'n2']) cluster.node(id).antiEntropy.start()
  await cluster.until(() => countsAll(cluster.node('n3')), millis(10_000))
  t.ok(countsAll(cluster.node('n1')))
})

t.test('X25: one of two other primaries is not enough, also over a restart', async (t) => {
  const cluster = await filled()
  cluster.crash('n3')
  const away = cluster.crash('n2')
  let n3 = await cluster.boot('n3', undefined, { lost: true })
  await cluster.until(() => n3.antiEntropy.figures().unverified === 8)
  await cluster.run(1_000)
  t.equal(n3.antiEntropy.lostPartitions().length, 8)
  t.notOk(n3.antiEntropy.countsToReads(P))
  n3 = await cluster.boot('n3', cluster.crash('n3'))
  t.equal(n3.antiEntropy.lostPartitions().length, 8, 'known after the restart')
  await cluster.run(2_000)
  await cluster.boot('n2', away)
  await cluster.until(() => countsAll(n3), millis(30_000))
  t.ok(n3.antiEntropy.countsToReads(P))
})

t.test('X24: a damaged record makes all partitions lost', async (t) => {
  const cluster = await filled()
  const disk = cluster.crash('n3')
  let n3 = await cluster.boot('n3', disk, { lost: true })
  const at = Buffer.from('lost-data')
  const durable = () => disk.durable('meta', at)
  t.ok(durable())
  disk.corrupt('meta', at, cluster.env.random('damage'))
  n3 = await cluster.boot('n3', cluster.crash('n3'))
  t.equal(n3.antiEntropy.lostPartitions().length, 8)
  await cluster.until(() => countsAll(n3))
  await cluster.until(() => durable() === undefined)
  t.pass('forgotten on disk too')
})

t.test('X24: what was noted before a crash is lost after it, and noted only once', async (t) => {
  const cluster = await filled()
  const { store } = cluster.node('n3')
  const batch = store.batch()
  noteLoss(batch, P)
  store.write(batch)
  await cluster.settled(store.sync())
  const n3 = await cluster.boot('n3', cluster.crash('n3'))
  t.same(n3.antiEntropy.lostPartitions(), [P])
  await cluster.until(() => countsAll(n3))
  await cluster.until(() => n3.disk.durable('meta', Buffer.from('lost-data')) === undefined)
  const again = await cluster.boot('n3', cluster.crash('n3'))
  t.ok(countsAll(again), 'after another start nothing is')
})

t.test('X24: a new directory has lost all of it', async (t) => {
  const cluster = await filled()
  cluster.crash('n3')
  const disk = createMemoryDisk()
  const note = createMemoryStore(cluster.env, { disk })
  const batch = note.batch()
  noteLoss(batch)
  note.write(batch)
  await cluster.settled(note.close())
  const n3 = await cluster.boot('n3', disk)
  t.equal(n3.antiEntropy.lostPartitions().length, 8)
  await cluster.until(() => countsAll(n3))
  t.same([...cluster.rowsOf('n3')].length, 60)
  await cluster.until(() => n3.disk.durable('meta', Buffer.from('lost-data')) === undefined)
})

t.test('X25: a peer that cannot give a row has not been merged from', async (t) => {
  const cluster = await TestCluster.start({ nodes: 3 })
  const rowKey = makeRowKey('b', 'key 1')
  const partition = partitionOfRowKey(rowKey, 8)
  cluster.crash('n1')
  cluster.crash('n3')
  await cluster.put('n2', 'key 1', 'only here')
  const { disk } = cluster.node('n2')
  const row = Buffer.from(disk.current('rows', rowKey) as Buffer)
  disk.corrupt('rows', rowKey, cluster.env.random('damage'))
  await cluster.boot('n1')
  const n3 = await cluster.boot('n3', undefined, { lost: true })
  await cluster.until(() => n3.antiEntropy.lostPartitions().length <= 1)
  await cluster.run(60_000)
  t.same(n3.antiEntropy.lostPartitions(), [partition])
  const { store } = cluster.node('n2')
  const batch = store.batch()
  batch.put('rows', rowKey, row)
  store.write(batch)
  await cluster.until(() => countsAll(n3), limits.exchangeInterval)
  t.same(n3.disk.current('rows', rowKey), row)
})

t.test('X25: comparing one bucket is not comparing all', async (t) => {
  const cluster = await TestCluster.start({ nodes: 3, idle: true })
  await cluster.put('n1', 'key 1', 'value')
  cluster.crash('n3')
  const { antiEntropy } = await cluster.boot('n3', undefined, { lost: true })
  await cluster.untilConnected()
  t.match(await cluster.repair('n3', { bucket: 'other' }), { state: 'done' })
  t.equal(antiEntropy.lostPartitions().length, 8)
  t.match(await cluster.repair('n3'), { state: 'done' })
  t.equal(antiEntropy.lostPartitions().length, 0)
})
