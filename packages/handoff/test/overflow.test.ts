import t from 'tap'
import { ada, bob, keyOf, mergeMessage, Rig, rowOf } from './support/rig.ts'

const hour = 3_600_000

t.test(
  'HO7 beyond the bytes of a target its partitions are marked, durably, and told',
  async (t) => {
    const rig = await Rig.open({ settings: { bytesPerTargetMax: 100 } })
    rig.target(ada).up = false
    const held = rig.writeOwing([ada], 'held', 1, 60)
    const beyond = rig.writeOwing([ada], 'beyond', 1, 60)
    rig.writeOwing([ada], 'beyond', 2, 60)
    t.equal(rig.handoff.owed(held), 1)
    t.equal(rig.handoff.owed(beyond), 0)
    t.ok(rig.isDirty(ada, beyond))
    t.match(rig.handoff.figures().targets, [{ node: ada, count: 1, bytes: 60, dirtyPartitions: 1 }])
    const told = rig.events.filter(({ kind }) => kind === 'hints-overflowed')
    t.match(told, [{ node: ada, reason: 'bytes' }], 'once for each mark')
    await rig.store.sync()
    rig.disk.crash()
    const again = await Rig.open({ disk: rig.disk })
    t.ok(again.isDirty(ada, beyond))
    t.equal(again.handoff.owed(held), 1)
  },
)

t.test('HO7 the number of hints is bounded too', async (t) => {
  const rig = await Rig.open({ settings: { countMax: 3 } })
  rig.target(ada).up = false
  for (let index = 0; index < 10; index++) rig.owe(index % 2 ? ada : bob, index, 1)
  await rig.advance(10)
  t.equal(rig.hintsOnDisk(), 3)
  t.match(rig.events.filter(({ kind }) => kind === 'hints-overflowed')[0], { reason: 'count' })
})

t.test('HO7 a hint that gets too old is given up for a mark', async (t) => {
  const rig = await Rig.open()
  rig.handoff.start()
  rig.target(ada).up = false
  const old = Array.from({ length: 1_500 }, (_none, index) => rig.owe(ada, `old ${index}`, 1))
  await rig.advance(hour, 1_000)
  const young = rig.owe(ada, 'young', 1)
  await rig.advance(2 * hour + 2_000, 1_000)
  t.ok(old.every((rowKey) => rig.isDirty(ada, rowKey)))
  t.ok(old.every((rowKey) => rig.handoff.owed(rowKey) === 0))
  t.equal(rig.handoff.owed(young), 1)
  t.equal(rig.hintsOnDisk(), 1)
  t.match(rig.handoff.figures(), { total: 1, oldestMs: 2 * hour + 2_000 })
  t.match(rig.handoff.counters(), { lost: 1_500, delivered: 0 })
})

t.test(
  'HO7 a full disk fails nothing here, and what it had no room for is marked later',
  async (t) => {
    const rig = await Rig.open()
    rig.handoff.start()
    rig.target(ada).up = false
    rig.write(keyOf('k'), rowOf(1))
    rig.disk.setFull(true)
    const message = mergeMessage(keyOf('k'), rowOf(1))
    rig.handoff.owe(ada, message)
    await rig.advance(3_000)
    t.equal(rig.handoff.owed(keyOf('k')), 0)
    t.ok(rig.isDirty(ada, keyOf('k')))
    t.equal(rig.disk.keyCount('hints'), 0)
    await t.rejects(rig.handoff.record(ada, message), { code: 'SHOAL_STORAGE_FULL' })
    t.throws(() => rig.writeOwing([ada], 'l', 1), { code: 'SHOAL_STORAGE_FULL' })
    t.equal(rig.handoff.owed(keyOf('l')), 0, 'a group that was refused owes nothing')

    rig.disk.setFull(false)
    await rig.advance(2_000)
    t.equal(rig.disk.keyCount('hints'), 1)
    rig.disk.crash({ keepUnsynced: 'all' })
    const again = await Rig.open({ disk: rig.disk })
    t.ok(again.isDirty(ada, keyOf('k')))
  },
)

t.test(
  'a disk that is full when hints were delivered keeps them, and delivers again',
  async (t) => {
    const rig = await Rig.open()
    rig.target(ada).up = false
    rig.owe(ada, 'k', 1)
    await rig.advance(10)
    rig.disk.setFull(true)
    rig.handoff.start()
    rig.setUp(ada, true)
    await rig.advance(1_000)
    t.equal(rig.handoff.figures().total, 1)
    t.ok(rig.target(ada).asked > 1)
    rig.disk.setFull(false)
    await rig.until(() => rig.handoff.figures().total === 0)
  },
)

t.test('HO8 a damaged record marks every partition of its target', async (t) => {
  const rig = await Rig.open()
  rig.target(ada).up = false
  for (const name of ['a', 'b', 'c']) rig.writeOwing([ada], name, 1)
  await rig.store.sync()
  const damaged = rig.disk.keyAt('hints', 1)!
  t.ok(rig.disk.corrupt('hints', damaged, rig.env.random('rot')))
  rig.disk.crash()
  const again = await Rig.open({ disk: rig.disk, targets: rig.targets })
  t.match(again.handoff.figures(), { total: 2, targets: [{ dirtyPartitions: 8 }] })
  t.equal(again.hintsOnDisk(), 2)
  again.handoff.start()
  again.setUp(ada, true)
  await again.until(() => again.handoff.figures().total === 0)
  t.same(again.target(ada).order, ['a', 'c'])
})

t.test('HO8 also one that is damaged while the node runs, or cannot be read at all', async (t) => {
  for (const harm of ['rot', 'read error'] as const) {
    const rig = await Rig.open()
    rig.target(ada).up = false
    const keys = ['a', 'b', 'c'].map((name) => rig.writeOwing([ada], name, 1))
    const damaged = rig.disk.keyAt('hints', 1)!
    if (harm === 'rot') rig.disk.corrupt('hints', damaged, rig.env.random('rot'))
    else rig.disk.failRead('hints', damaged)
    rig.handoff.start()
    rig.setUp(ada, true)
    await rig.until(() => rig.handoff.figures().total === 0)
    t.same(rig.target(ada).order, ['a', 'c'])
    t.ok(rig.isDirty(ada, keys[1]!))
    // Whatever the record owed: nothing is taken for owed that is not.
    rig.target(ada).up = false
    rig.writeOwing([ada], 'b', 2)
    t.equal(rig.hintsOnDisk(), 1)
  }
})

t.test('HO8 an unreadable record does not keep a node from starting', async (t) => {
  const rig = await Rig.open()
  rig.target(ada).up = false
  for (const name of ['a', 'b', 'c']) rig.writeOwing([ada], name, 1)
  await rig.store.sync()
  rig.disk.failRead('hints', rig.disk.keyAt('hints', 0)!)
  rig.disk.crash()
  const again = await Rig.open({ disk: rig.disk, targets: rig.targets })
  t.match(again.handoff.figures(), { total: 2, targets: [{ dirtyPartitions: 8 }] })
})

t.test('HO9 a mark is cleaned when nothing more is owed since it was read', async (t) => {
  const rig = await Rig.open({ settings: { countMax: 0 } })
  const rowKey = rig.writeOwing([ada], 'k', 1)
  const [mark] = rig.handoff.dirty()
  rig.writeOwing([ada], 'k', 2)
  t.notOk(rig.handoff.clean(mark!), 'the exchange did not see the second write')
  t.ok(rig.isDirty(ada, rowKey))
  t.ok(rig.handoff.clean(rig.handoff.dirty()[0]!))
  t.same(rig.handoff.dirty(), [])
  t.equal(rig.disk.keyCount('hints'), 0)
  t.notOk(rig.handoff.clean(mark!), 'once')
})

t.test('HO9 a mark on a full disk stays', async (t) => {
  const rig = await Rig.open({ settings: { countMax: 0 } })
  rig.writeOwing([ada], 'k', 1)
  rig.disk.setFull(true)
  t.notOk(rig.handoff.clean(rig.handoff.dirty()[0]!))
  t.equal(rig.handoff.dirty().length, 1)
})

t.test('a row that this node lost is marked, not forgotten', async (t) => {
  const rig = await Rig.open()
  rig.target(ada).up = false
  const rowKey = rig.writeOwing([ada], 'k', 1)
  const batch = rig.store.batch()
  batch.delete('rows', rowKey)
  rig.store.write(batch)
  rig.handoff.start()
  rig.setUp(ada, true)
  await rig.until(() => rig.handoff.figures().total === 0)
  t.equal(rig.target(ada).asked, 0)
  t.ok(rig.isDirty(ada, rowKey))
})

t.test('HO7 a mark is written once', async (t) => {
  const rig = await Rig.open({ settings: { countMax: 0 } })
  let writes = 0
  rig.disk.watch({ wrote: () => void writes++ })
  rig.handoff.start()
  rig.writeOwing([ada], 'k', 1)
  t.equal(writes, 1)
  rig.handoff.owe(ada, mergeMessage(keyOf('k'), rowOf(1)))
  await rig.advance(3_000)
  t.equal(writes, 1, 'a partition marked already costs nothing')
})

t.test('HO8 damaged records that a full disk cannot drop hold up no others', async (t) => {
  const rig = await Rig.open()
  rig.target(ada).up = false
  for (let index = 0; index < 40; index++) rig.writeOwing([ada], index, 1)
  for (let index = 0; index < 16; index++) {
    rig.disk.corrupt('hints', rig.disk.keyAt('hints', index)!, rig.env.random('rot'))
  }
  rig.disk.setFull(true)
  rig.handoff.start()
  rig.setUp(ada, true)
  await rig.until(() => rig.target(ada).rows.size === 24)
  rig.disk.setFull(false)
  await rig.until(() => rig.handoff.figures().total === 0)
  t.equal(rig.handoff.dirty().length, 8)
})

t.test('hints that the disk has lost are not waited for', async (t) => {
  const rig = await Rig.open()
  rig.handoff.start()
  rig.target(ada).up = false
  rig.writeOwing([ada], 'k', 1)
  const job = rig.handoff.sync()
  const batch = rig.store.batch()
  batch.delete('hints', rig.disk.keyAt('hints', 0)!)
  rig.store.write(batch)
  rig.setUp(ada, true)
  await rig.until(() => rig.handoff.figures().total === 0)
  t.equal(await job.ended, 'failed')
  t.equal(rig.handoff.owed(keyOf('k')), 0)
})
