import { limits, millis, nodeId } from '@shoal/kernel'
import t from 'tap'
import { ada, bob, hop, keyOf, mergeMessage, Rig, rowOf } from './support/rig.ts'

t.test('a row that a target missed is on its disk soon after it is back', async (t) => {
  const rig = await Rig.open()
  rig.handoff.start()
  rig.target(ada).up = false
  const rowKey = rig.owe(ada, 'k', 1)
  t.equal(rig.handoff.owed(rowKey), 1)
  await rig.advance(5_000)
  t.equal(rig.target(ada).asked, 0, 'who is down is not asked')
  t.match(rig.handoff.figures(), { total: 1, bytes: 8, oldestMs: 5_000 })

  rig.setUp(ada, true)
  await rig.advance(50)
  t.equal(rig.target(ada).holds(rowKey), 1)
  t.equal(rig.handoff.owed(rowKey), 0)
  t.same(rig.handoff.figures(), { total: 0, bytes: 0, oldestMs: 0, targets: [] })
  t.equal(rig.disk.keyCount('hints'), 0)
})

t.test('HO2 what a fallback acknowledged is found again after a power cut', async (t) => {
  const rig = await Rig.open({ nodes: [ada, bob] })
  rig.target(ada).up = false
  rig.target(bob).up = false
  const kept = rig.writeOwing([ada, bob], 'kept', 1)
  await rig.store.sync()
  const lost = rig.writeOwing([ada], 'lost', 1)
  rig.disk.crash()

  const again = await Rig.open({ disk: rig.disk, targets: rig.targets })
  t.equal(again.handoff.owed(kept), 2)
  t.equal(again.handoff.owed(lost), 0)
  again.handoff.start()
  again.setUp(ada, true)
  again.setUp(bob, true)
  await again.until(() => again.handoff.figures().total === 0)
  t.equal(again.target(ada).holds(kept), 1)
  t.equal(again.target(bob).holds(kept), 1)
})

t.test(
  'HO2 a record is durable when it resolves; what is owed after a reply is so soon',
  async (t) => {
    const rig = await Rig.open({ syncLatency: 5 })
    rig.target(ada).up = false
    rig.write(keyOf('k'), rowOf(1))
    let recorded = false
    const message = mergeMessage(keyOf('k'), rowOf(1))
    const recording = rig.handoff.record(ada, message).then(() => {
      recorded = true
    })
    t.equal(rig.hintsOnDisk(), 1)
    t.equal(rig.disk.unsyncedBatches, 2)
    await hop()
    t.notOk(recorded)
    await rig.advance(20, 1)
    await recording
    t.equal(rig.disk.unsyncedBatches, 0)

    rig.owe(ada, 'l', 1)
    rig.env.drainTurns()
    t.equal(rig.hintsOnDisk(), 2)
    await rig.advance(limits.hintSyncDelay + 20)
    t.equal(rig.disk.unsyncedBatches, 0)
  },
)

t.test(
  'HO3 a row overwritten a thousand times is one hint, and its newest state arrives',
  async (t) => {
    const rig = await Rig.open()
    rig.handoff.start()
    rig.target(ada).up = false
    for (let state = 1; state <= 1_000; state++) {
      if (state % 2) rig.owe(ada, 'hot', state)
      else rig.writeOwing([ada], 'hot', state)
      if (state % 100 === 0) await rig.advance(10)
    }
    t.equal(rig.hintsOnDisk(), 1)
    t.match(rig.handoff.counters(), { stored: 1, joined: 999 })
    rig.setUp(ada, true)
    await rig.advance(50)
    t.equal(rig.target(ada).holds(keyOf('hot')), 1_000)
    t.equal(rig.target(ada).asked, 1)
  },
)

t.test('HO3 also after a restart a row that is owed already gets no second hint', async (t) => {
  const rig = await Rig.open()
  rig.target(ada).up = false
  rig.writeOwing([ada], 'k', 1)
  rig.handoff.stop()
  await rig.store.close()
  const again = await Rig.open({ disk: rig.disk, targets: rig.targets })
  again.writeOwing([ada], 'k', 2)
  t.equal(again.hintsOnDisk(), 1)
})

t.test('HO2 a group does not count on what is not yet with the store', async (t) => {
  const rig = await Rig.open()
  rig.target(ada).up = false
  rig.owe(ada, 'k', 1)
  t.equal(rig.hintsOnDisk(), 0, 'it waits for the end of the turn')
  rig.writeOwing([ada], 'k', 2)
  t.equal(rig.hintsOnDisk(), 1)
})

t.test('HO4 a row owed anew while it is on its way is delivered once more', async (t) => {
  const rig = await Rig.open()
  rig.handoff.start()
  const target = rig.target(ada)
  target.latency = 100
  rig.owe(ada, 'k', 1)
  await rig.until(() => target.inFlight === 1)
  // Its row was read before: what is on the way does not contain this.
  rig.owe(ada, 'k', 2)
  await rig.until(() => rig.handoff.figures().total === 0)
  t.equal(target.holds(keyOf('k')), 2)
  t.same(target.order, ['k', 'k'])
})

t.test('hints for who no longer holds a row are owed to those who do', async (t) => {
  let holders = [ada]
  const cyd = nodeId('cyd')
  const rig = await Rig.open({
    nodes: [ada, bob, cyd],
    holds: (_at, node) => holders.includes(node),
  })
  rig.handoff.start()
  rig.target(ada).up = false
  const rowKey = rig.owe(ada, 'k', 1)
  await rig.advance(1_500)
  holders = [bob, cyd]
  rig.setUp(ada, true)
  await rig.until(() => rig.handoff.figures().total === 0)
  t.equal(rig.target(ada).asked, 0)
  t.equal(rig.target(bob).holds(rowKey), 1)
  t.equal(rig.target(cyd).holds(rowKey), 1)
  t.ok(rig.events.some((event) => event.kind === 'hints-moved' && event.count === 1))
})

t.test('hints for a node that left the ring do not wait for its return', async (t) => {
  const rig = await Rig.open({ nodes: [ada, bob] })
  const gone = nodeId('gone')
  const rowKey = rig.owe(gone, 'k', 1)
  rig.handoff.start()
  await rig.until(() => rig.handoff.figures().total === 0)
  t.equal(rig.target(ada).holds(rowKey), 1)
  t.equal(rig.target(bob).holds(rowKey), 1)
})

t.test('what happened is told once a second, not for each hint', async (t) => {
  const rig = await Rig.open()
  rig.handoff.start()
  rig.target(ada).up = false
  for (let index = 0; index < 100; index++) rig.owe(ada, index, 1)
  await rig.advance(1_500)
  rig.setUp(ada, true)
  await rig.advance(2_000)
  t.same(rig.events, [
    { kind: 'hints-stored', node: ada, count: 100, bytes: 800 },
    { kind: 'hints-delivered', node: ada, count: 100, bytes: 800, left: 0 },
  ])
})

t.test('after stop nothing happens any more', async (t) => {
  const rig = await Rig.open()
  rig.handoff.start()
  const target = rig.target(ada)
  target.latency = 100
  for (let index = 0; index < 20; index++) rig.owe(ada, index, 1)
  await rig.until(() => target.inFlight > 0)
  rig.owe(bob, 'late', 1)
  rig.handoff.stop()
  await rig.store.close()
  t.equal(rig.hintsOnDisk(), 21, 'what is owed is with the store')
  await rig.advance(20_000, 100)
  t.equal(rig.env.halted, undefined)
  t.equal(rig.env.pendingTimers, 0)
  const again = await Rig.open({ disk: rig.disk })
  t.equal(again.handoff.figures().total, 21)
})

t.test('a disk that fails in a write stops the node, whoever wrote', async (t) => {
  const owing = await Rig.open()
  owing.owe(ada, 'k', 1)
  owing.disk.failNextWrite()
  owing.env.drainTurns()
  t.match(owing.env.halted, { code: 'SHOAL_STORE_FAILED' })

  const delivering = await Rig.open()
  delivering.owe(ada, 'k', 1)
  delivering.handoff.start()
  await delivering.until(() => delivering.target(ada).inFlight === 1)
  delivering.disk.failNextWrite()
  await t.rejects(delivering.advance(100), { code: 'SHOAL_STORE_FAILED' })

  const cleaning = await Rig.open({ settings: { countMax: 0 } })
  cleaning.writeOwing([ada], 'k', 1)
  cleaning.disk.failNextWrite()
  t.notOk(cleaning.handoff.clean(cleaning.handoff.dirty()[0]!))
  t.match(cleaning.env.halted, { code: 'SHOAL_STORE_FAILED' })
})

t.test('a disk that fails stops the node', async (t) => {
  const rig = await Rig.open()
  rig.disk.failNextSync()
  rig.owe(ada, 'k', 1)
  rig.env.drainTurns()
  rig.env.advance(millis(limits.hintSyncDelay))
  await hop()
  t.match(rig.env.halted, { code: 'SHOAL_STORE_FAILED' })
})
