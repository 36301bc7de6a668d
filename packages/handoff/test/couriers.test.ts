import { limits, nodeId } from '@shoal/kernel'
import { answerKinds } from '@shoal/wire'
import t from 'tap'
import { ada, type Conduct, isHealing, keyOf, Rig, rowOf } from './support/rig.ts'

t.test('HO5 hints arrive in the order of their age', async (t) => {
  const rig = await Rig.open()
  rig.target(ada).up = false
  const names = Array.from({ length: 700 }, (_none, index) => `k${(index * 7_919) % 700}`)
  for (const [index, name] of names.entries()) {
    rig.owe(ada, name, 1)
    if (index % 50 === 0) await rig.advance(10)
  }
  rig.handoff.start()
  rig.setUp(ada, true)
  await rig.until(() => rig.handoff.figures().total === 0)
  t.same(rig.target(ada).order, names)
})

t.test('HO5 rows that the target refuses hold up no others', async (t) => {
  const rig = await Rig.open()
  const target = rig.target(ada)
  target.up = false
  const refused = new Set<string>()
  for (let index = 0; index < 1_000; index++) {
    const rowKey = rig.owe(ada, index, 1)
    if (index < 500) refused.add(rowKey.toString('latin1'))
  }
  const codes = ['SHOAL_ROWS_CONTRADICT', 'SHOAL_PEER_TOO_LARGE', 'SHOAL_ROW_DAMAGED'] as const
  target.conduct = (rowKey) =>
    refused.has(rowKey.toString('latin1')) ? codes[rowKey.length % 3]! : 'acknowledges'
  rig.handoff.start()
  rig.setUp(ada, true)
  await rig.until(() => rig.handoff.figures().total === 500, 5_000)
  t.ok(rig.events.some((event) => event.kind === 'hints-refused' && event.node === ada))
  target.asked = 0
  await rig.advance(60_000, 100)
  t.ok(target.asked < 60 * 500, `left alone longer each time: ${target.asked} tries`)
  target.conduct = () => 'acknowledges'
  await rig.until(() => rig.handoff.figures().total === 0, limits.hintRetryMax + 5_000)
})

t.test('HO6 a round is bounded by hints and by bytes, however much is owed', async (t) => {
  const rig = await Rig.open()
  const target = rig.target(ada)
  target.up = false
  target.latency = 20
  for (let index = 0; index < 2_000; index++) rig.owe(ada, `small ${index}`, 1)
  for (let index = 0; index < 30; index++) rig.owe(ada, `large ${index}`, 1, 1_500_000)
  // Owed while they were small: the log does not know how large they are now.
  for (let index = 0; index < 100; index++) rig.write(keyOf(`small ${index}`), rowOf(1, 1_000_000))
  rig.handoff.start()
  rig.setUp(ada, true)
  await rig.until(() => rig.handoff.figures().total === 0)
  t.ok(target.inFlightMax <= limits.hintRoundHintsMax, `${target.inFlightMax} at a time`)
  const most = limits.hintBytesInFlightMax + 16 * 1_600_000
  t.ok(target.bytesInFlightMax <= most, `${target.bytesInFlightMax} bytes at a time`)
})

t.test('HO6 few targets have a round at a time, and each has its turn', async (t) => {
  const nodes = Array.from({ length: 12 }, (_none, index) => nodeId(`n${index}`))
  const rig = await Rig.open({ nodes })
  for (const node of nodes) {
    rig.target(node).latency = 50
    for (let index = 0; index < 100; index++) rig.owe(node, index, 1)
  }
  let most = 0
  rig.handoff.start()
  await rig.until(() => {
    most = Math.max(most, nodes.filter((node) => rig.target(node).inFlight > 0).length)
    return rig.handoff.figures().total === 0
  })
  t.equal(most, limits.hintRoundsInFlightMax)
})

t.test('a damaged row of this node is owed until it was repaired', async (t) => {
  let damaged = true
  const rig = await Rig.open({ rowFails: () => (damaged ? 'SHOAL_ROW_DAMAGED' : undefined) })
  rig.owe(ada, 'k', 1)
  rig.handoff.start()
  await rig.advance(5_000)
  t.equal(rig.target(ada).asked, 0, 'damage is not passed on')
  t.equal(rig.handoff.figures().total, 1)
  damaged = false
  await rig.until(() => rig.handoff.figures().total === 0)
})

t.test('a target whose own copy is damaged is told to replace it', async (t) => {
  const rig = await Rig.open()
  const target = rig.target(ada)
  const flagged: boolean[] = []
  target.conduct = (_rowKey, flags) => {
    flagged.push(isHealing(flags))
    return isHealing(flags) ? 'acknowledges' : 'SHOAL_ROW_DAMAGED'
  }
  rig.owe(ada, 'k', 1)
  rig.handoff.start()
  await rig.until(() => rig.handoff.figures().total === 0)
  t.same(flagged, [false, true])
})

const conducts: readonly Conduct[] = [
  'is silent',
  'loses the answer',
  'SHOAL_OVERLOADED',
  'SHOAL_EPOCH_STALE',
  'SHOAL_NOT_REPLICA',
  'SHOAL_STORAGE_FULL',
  'SHOAL_DRAINING',
  'SHOAL_ROW_DAMAGED',
  'SHOAL_ROWS_CONTRADICT',
  'SHOAL_FRAME_INVALID',
  'SHOAL_INTERNAL',
]

for (const conduct of conducts) {
  t.test(`HO1 HO11 a target that ${conduct} is owed all the same, and tried again`, async (t) => {
    const rig = await Rig.open()
    const target = rig.target(ada)
    target.conduct = () => conduct
    for (let index = 0; index < 40; index++) rig.owe(ada, index, 1)
    rig.handoff.start()
    await rig.advance(120_000, 100)
    t.equal(rig.handoff.figures().total, 40)
    t.ok(target.asked > 40, 'it was tried again')
    t.ok(target.asked < 40 * 40, `and left alone longer each time: ${target.asked} tries`)
    target.conduct = () => 'acknowledges'
    await rig.until(() => rig.handoff.figures().total === 0, 45_000)
    t.match(rig.handoff.counters(), { delivered: 40, lost: 0 })
  })
}

t.test('HO11 an answer that never comes stalls nothing', async (t) => {
  const rig = await Rig.open()
  const target = rig.target(ada)
  const ask = target.ask.bind(target)
  let swallowed = 0
  target.ask = (env, question, sink) => {
    if (swallowed++ < 3) return
    ask(env, question, sink)
  }
  for (let index = 0; index < 40; index++) rig.owe(ada, index, 1)
  rig.handoff.start()
  await rig.until(() => rig.handoff.figures().total === 0, 2 * limits.hintRoundTime, 100)
  t.equal(swallowed, 43)
})

t.test('HO1 an answer to a round that was given up ends no hint of another', async (t) => {
  const rig = await Rig.open()
  const target = rig.target(ada)
  const ask = target.ask.bind(target)
  let late: (() => void) | undefined
  target.ask = (_env, { tag }, sink) => {
    late = () => sink.answered(tag, answerKinds.mergedDurable, Buffer.alloc(0), false)
  }
  rig.owe(ada, 'first', 1)
  rig.handoff.start()
  await rig.until(() => late !== undefined)
  target.ask = ask
  await rig.until(() => rig.handoff.figures().total === 0, 2 * limits.hintRoundTime, 100)
  target.conduct = () => 'SHOAL_OVERLOADED'
  target.latency = 50
  rig.owe(ada, 'second', 1)
  await rig.until(() => target.inFlight > 0)
  late?.()
  await rig.advance(5_000)
  t.equal(rig.handoff.owed(keyOf('second')), 1)
})

t.test('HO11 a change of liveness that nobody told of is found by the timer', async () => {
  const rig = await Rig.open()
  rig.handoff.start()
  rig.target(ada).up = false
  rig.owe(ada, 'k', 1)
  await rig.advance(5_000)
  rig.target(ada).up = true
  await rig.until(() => rig.handoff.figures().total === 0, 2 * limits.hintRecheck)
})

t.test('a target that comes and goes gets its hints in the end', async (t) => {
  const rig = await Rig.open()
  rig.handoff.start()
  rig.target(ada).up = false
  for (let index = 0; index < 2_000; index++) rig.owe(ada, index, 1)
  for (let turn = 0; turn < 40; turn++) {
    rig.setUp(ada, turn % 2 === 0)
    await rig.advance(5, 1)
  }
  rig.setUp(ada, true)
  await rig.until(() => rig.handoff.figures().total === 0)
  t.equal(rig.target(ada).rows.size, 2_000)
})

t.test('HO13 while background work is paused nothing is sent', async (t) => {
  const budget = {
    paused: true,
    taken: 0,
    take(bytes: number) {
      budget.taken += bytes
      return Promise.resolve()
    },
  }
  const rig = await Rig.open({ budget })
  rig.owe(ada, 'k', 1, 500)
  rig.handoff.start()
  const job = rig.handoff.sync()
  await rig.advance(10_000, 100)
  t.equal(rig.target(ada).asked, 0)
  t.equal(job.status().state, 'paused')
  budget.paused = false
  await rig.until(() => rig.handoff.figures().total === 0, 2_000)
  t.equal(budget.taken, 500)
})

t.test('HO13 each round is paid for before it is sent', async (t) => {
  const waiting: (() => void)[] = []
  const rig = await Rig.open({
    budget: {
      paused: false,
      take: () => new Promise((resolve) => waiting.push(resolve)),
    },
  })
  for (let index = 0; index < 20; index++) rig.owe(ada, index, 1)
  rig.handoff.start()
  await rig.advance(5_000)
  t.equal(rig.target(ada).asked, 0)
  t.equal(waiting.length, 1)
  waiting.shift()?.()
  await rig.advance(100)
  t.equal(rig.target(ada).asked, 16)
  t.equal(waiting.length, 1)
})
