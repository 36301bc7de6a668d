import t from 'tap'
import { generatePlan } from '../src/plan/generate.ts'
import type { FaultEvent, Plan } from '../src/plan/plan.ts'
import { nodesOf } from '../src/plan/simplify.ts'

const DURATION = 120_000
const seeds = Array.from({ length: 60 }, (_none, index) => index + 1)
const plans = seeds.map((seed) => generatePlan(seed, { duration: DURATION, rate: 20 }))

t.test('a seed gives the same plan each time, and it survives JSON', async (t) => {
  const text = JSON.stringify(generatePlan(7, { duration: DURATION }))
  t.ok(JSON.stringify(generatePlan(7, { duration: DURATION })) === text)
  t.ok(JSON.stringify(JSON.parse(text)) === text)
  t.notOk(JSON.stringify(generatePlan(8, { duration: DURATION })) === text)
})

t.test('what is drawn for one item does not hang on how many others there are', async (t) => {
  const long = generatePlan(7, { duration: DURATION, rate: 100 })
  const slots = (plan: Plan): string[] =>
    plan.operations
      .filter(({ id }) => id.startsWith('o'))
      .map(({ id, kind, key }) => `${id} ${kind} ${key.slice(0, 20)}`)
      .sort()
  const short = generatePlan(7, { duration: DURATION / 2, rate: 100 })
  const all = new Set(slots(long))
  t.same(
    slots(short).filter((slot) => !all.has(slot)),
    [],
  )
})

t.test('every item names nodes, buckets and times that exist, and is named once', async (t) => {
  for (const plan of plans) {
    const { seed } = plan
    const { nodes, replicas } = plan.cluster
    const buckets = new Set(plan.buckets.map(({ name }) => name))
    const ids = new Set([...plan.operations, ...plan.faults].map(({ id }) => id))
    t.equal(ids.size, plan.operations.length + plan.faults.length, `seed ${seed}: ids`)
    t.ok(replicas <= nodes)
    const odd = plan.operations.filter(
      ({ node, bucket, at }) => node >= nodes || !buckets.has(bucket) || at < 0,
    )
    t.same(odd, [], `seed ${seed}: operations`)
    const strange = plan.faults.filter((fault) => nodesOf(fault).some((node) => node >= nodes))
    t.same(strange, [], `seed ${seed}: faults`)
  }
})

t.test('faults have ended when the workload ends', async (t) => {
  for (const { seed, faults } of plans) {
    t.same(faults.filter((fault) => endOf(fault) > DURATION).length, 0, `seed ${seed}`)
  }
})

function endOf(fault: FaultEvent): number {
  if ('downFor' in fault) return fault.at + fault.downFor
  return fault.at + (('lasts' in fault ? fault.lasts : 0) ?? 0)
}

t.test('where a majority must go on, only a minority is broken and no copy damaged', async (t) => {
  const living = plans.filter(({ liveness }) => liveness !== undefined)
  t.ok(living.length >= 5, `${living.length} of ${seeds.length} seeds ask for it`)
  for (const { faults, liveness, cluster, seed } of living) {
    const { from, broken } = liveness as NonNullable<Plan['liveness']>
    t.ok(broken.length * 2 < cluster.replicas, `seed ${seed}: ${broken} of ${cluster.replicas}`)
    const late = faults.filter(({ at }) => at >= from)
    const elsewhere = late.filter((fault) => !nodesOf(fault).some((node) => broken.includes(node)))
    t.same(elsewhere, [], `seed ${seed}: faults among the healthy`)
    t.notOk(faults.some(({ kind }) => kind === 'wipe' || kind === 'rollback'))
  }
})

t.test('the median run has enough of every common fault', async (t) => {
  const counts = seeds.map((seed) => {
    const { faults } = generatePlan(seed, { duration: 300_000, rate: 1 })
    const count = (test: (fault: FaultEvent) => boolean): number => faults.filter(test).length
    return {
      crash: count(({ kind }) => kind === 'crash'),
      partition: count(({ kind }) => kind === 'partition'),
      clog: count(({ kind }) => kind === 'clog'),
      disk: count(({ kind }) => kind === 'disk'),
      jump: count((fault) => fault.kind === 'clock' && fault.change === 'jump'),
    }
  })
  const median = (name: keyof (typeof counts)[number]): number =>
    counts.map((each) => each[name]).sort((one, other) => one - other)[counts.length >> 1] ?? 0
  t.ok(median('crash') >= 10, `${median('crash')} crashes`)
  t.ok(median('partition') >= 5, `${median('partition')} partitions`)
  t.ok(median('clog') >= 20, `${median('clog')} clogs`)
  t.ok(median('disk') >= 3, `${median('disk')} disk faults`)
  t.ok(median('jump') >= 5, `${median('jump')} clock jumps`)
})
