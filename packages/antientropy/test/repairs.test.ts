import { createTestEnv, limits, millis, nodeId, type Partition } from '@shoal/kernel'
import t from 'tap'
import {
  beginJob,
  pauseJob,
  planRepair,
  reportJob,
  resumeJob,
  stepJob,
} from '../src/core/repair-job.ts'
import { ScrubCalendar } from '../src/core/scrub-calendar.ts'
import { Repairs } from '../src/shell/repairs.ts'
import { TestCluster } from './support/cluster.ts'

const at = (ms: number) => millis(ms)
const partitions = [0, 1, 2].map((each) => each as Partition)

t.test('a repair checks each partition of its range and compares it with every peer', async (t) => {
  const peersOf = () => ['ada', 'bob'] as never[]
  const steps = planRepair({}, partitions, peersOf)
  t.equal(steps.length, 9)
  t.same(planRepair({ partition: 1 as Partition }, partitions, peersOf), [
    { kind: 'scrub', partition: 1 },
    { kind: 'exchange', partition: 1, peer: 'ada' },
    { kind: 'exchange', partition: 1, peer: 'bob' },
  ])
  t.same(planRepair({ partition: 9 as Partition }, partitions, peersOf), [])
  t.match(beginJob('a', {}, { steps: [], now: at(0) }), { state: 'done' })
})

t.test(
  'X26: a job knows how far it is and how long it will take, pauses not counted',
  async (t) => {
    const steps = planRepair({}, partitions, () => ['ada'] as never[])
    let job = beginJob('a', {}, { steps, now: at(0) })
    t.match(reportJob(job, at(500)), { state: 'running', progress: 0, etaMs: undefined })
    job = stepJob(job, { now: at(1_000), moved: { rows: 5 } })
    t.match(reportJob(job, at(1_000)), { progress: 1 / 6, etaMs: 5_000 })
    job = pauseJob(job, at(1_000))
    t.match(reportJob(job, at(9_000)), { state: 'paused', etaMs: undefined })
    t.equal(pauseJob(job, at(9_000)), job)
    job = resumeJob(job, at(9_000))
    job = stepJob(job, { now: at(10_000), failure: 'bob is down' })
    t.match(reportJob(job, at(10_000)), { progress: 2 / 6, etaMs: 4_000 })
    for (let rest = 0; rest < 4; rest++) job = stepJob(job, { now: at(11_000) })
    t.match(reportJob(job, at(99_000)), { state: 'failed', progress: 1, detail: /bob is down/ })
    t.equal(stepJob(job, { now: at(12_000) }), job)
  },
)

t.test(
  'X26: a running repair can be paused and resumed, and another waits behind it',
  async (t) => {
    const cluster = await TestCluster.start({ nodes: 2, idle: true })
    for (let index = 0; index < 40; index++) await cluster.put('n2', `key ${index}`, 'value')
    const { repairs } = cluster.node('n1').antiEntropy
    const { id } = repairs.start({})
    const { id: second } = repairs.start({ partition: 0 as Partition })
    t.match(repairs.list(), [{ id: second }, { id }])
    await cluster.until(() => (repairs.find(id)?.progress ?? 0) > 0.2)
    repairs.pause(id)
    repairs.pause(second)
    await cluster.run(1_000)
    const { progress } = repairs.find(id) as { progress: number }
    await cluster.run(10_000)
    t.match(repairs.find(id), { state: 'paused', progress })
    t.equal(repairs.find(second)?.progress, 0)
    repairs.resume(id)
    await cluster.settled(repairs.whenEnded(id))
    t.match(repairs.find(id), { state: 'done', progress: 1, detail: /40 fetched|fetched/ })
    t.same(cluster.rowsOf('n1'), cluster.rowsOf('n2'))
    repairs.resume(second)
    await cluster.settled(repairs.whenEnded(second))
    t.equal(repairs.find('nobody'), undefined)
    t.equal(repairs.pause('nobody'), undefined)
    await cluster.settled(repairs.whenEnded('nobody'))
  },
)

t.test('a repair says what it could not do', async (t) => {
  const cluster = await TestCluster.start({ nodes: 2, idle: true })
  cluster.crash('n2')
  const report = await cluster.repair('n1')
  t.match(report, { state: 'failed', progress: 1, detail: /n2 is down/ })
})

t.test('X13: jobs are bounded: ended ones make room, others are not pushed out', async (t) => {
  const cluster = await TestCluster.start({ nodes: 2, idle: true })
  const { repairs } = cluster.node('n1').antiEntropy
  const first = repairs.start({ partition: 99 as Partition })
  t.equal(first.state, 'done', 'nothing to do')
  for (let count = 1; count < limits.repairJobsMax; count++) repairs.pause(repairs.start({}).id)
  repairs.start({})
  t.equal(repairs.find(first.id), undefined)
  t.throws(() => repairs.start({}), { code: 'SHOAL_OVERLOADED' })
})

t.test(
  'X27: every partition is scrubbed once a week, also when no process lives as long (E4)',
  async (t) => {
    const week = limits.scrubInterval
    const calendar = new ScrubCalendar(week)
    let chance = 0
    calendar.hold(partitions, at(week * 10), () => (chance += 0.25))
    t.match(calendar.next(), { partition: 2, dueAt: week * 10.25 })
    calendar.scrubbed(2 as Partition, at(week * 10.25))
    t.match(calendar.next(), { partition: 1, dueAt: week * 10.5 })
    calendar.hold([1 as Partition], at(week * 10.3), () => 0)
    t.match(calendar.next(), { partition: 1, dueAt: week * 10.5 })
    calendar.hold([1 as Partition], at(week), () => 0.5)
    t.match(calendar.next(), { partition: 1, dueAt: week * 1.5 }, 'a clock that jumped back')
    calendar.hold([], at(week), () => 0)
    t.equal(calendar.next(), undefined)
  },
)

t.test('X27: scrubs go on where the last process was', async (t) => {
  const minute = 60_000
  const settings = { scrubInterval: millis(60 * minute) }
  const cluster = await TestCluster.start({ nodes: 1, settings })
  const scrubbed = () =>
    cluster
      .node('n1')
      .events.flatMap((event) => (event.kind === 'scrubEnded' ? [event.partition] : []))
  await cluster.run(30 * minute)
  const before = scrubbed()
  t.ok(before.length > 0)
  await cluster.put('n1', 'key 1', 'syncs what was noted')
  const { disk } = cluster.node('n1')
  for (const partition of before) {
    const noted = disk.durable('meta', Buffer.from(`scrubbed \0${String.fromCharCode(partition)}`))
    t.ok(noted, `partition ${partition}`)
  }
  await cluster.boot('n1', cluster.crash('n1'))
  await cluster.run(28 * minute)
  const after = scrubbed()
  t.same(
    after.filter((each) => before.includes(each)),
    [],
    'not due again',
  )
  await cluster.run(35 * minute)
  t.equal(new Set([...before, ...scrubbed()]).size, 8)
})

t.test('X26: a job resumed at any moment goes on', async (t) => {
  for (let hops = 0; hops < 12; hops++) {
    const env = createTestEnv()
    const scrubs: (() => void)[] = []
    const placement = () => ({
      self: nodeId('n1'),
      partitions: 8,
      preferenceList: () => [nodeId('n1')],
      partitionsOf: () => partitions,
    })
    const repairs = new Repairs({
      ...{ env, placement },
      peers: { isUp: () => true, ask: () => undefined },
      scrub: () => new Promise((resolve) => scrubs.push(() => resolve(clean))),
      exchange: () => Promise.reject(new Error('there is no peer')),
    })
    const { id } = repairs.start({})
    repairs.pause(id)
    scrubs[0]?.()
    for (let hop = 0; hop < hops; hop++) await Promise.resolve()
    repairs.resume(id)
    for (let hop = 0; hop < 40; hop++) {
      await Promise.resolve()
      scrubs.at(-1)?.()
    }
    t.match(repairs.find(id), { state: 'done' }, `after ${hops} turns`)
  }
})

const clean = {
  ...{
    rows: 1,
    tombstones: 0,
    wrong: 0,
    corrected: 0,
    damaged: 0,
    healed: 0,
    unreadable: 0,
    busy: 0,
  },
}
