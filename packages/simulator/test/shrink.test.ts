import t from 'tap'
import { generatePlan } from '../src/plan/generate.ts'
import type { Plan } from '../src/plan/plan.ts'
import { shrink } from '../src/plan/shrink.ts'

const plan = generatePlan(3, { duration: 60_000, rate: 50 })
const puts = plan.operations.filter(({ kind }) => kind === 'put')
const crash = plan.faults.find(({ kind }) => kind === 'crash') ?? plan.faults[0]

/** Fails while the plan has two certain operations and one certain fault. */
function fails(needed: readonly string[]) {
  return async (tried: Plan) => {
    const ids = new Set([...tried.operations, ...tried.faults].map(({ id }) => id))
    return needed.every((id) => ids.has(id)) ? { rule: 'I3', at: tried.duration + 1 } : undefined
  }
}

t.test('a failing plan is reduced to what makes it fail', async (t) => {
  const needed = [puts[5]?.id ?? '', puts.at(-3)?.id ?? '', crash?.id ?? '']
  const shrunk = await shrink(plan, { run: fails(needed), runsMax: 2_000 })
  t.same(
    [...(shrunk?.plan.operations ?? []), ...(shrunk?.plan.faults ?? [])].map(({ id }) => id),
    needed,
  )
  t.equal(shrunk?.rule, 'I3')
  t.same(shrunk?.plan.injections, {})
  t.ok((shrunk?.plan.duration ?? 0) <= plan.duration)
  const again = await shrink(plan, { run: fails(needed), runsMax: 2_000 })
  t.same(again, shrunk, 'and so again')
})

t.test('a plan that fails in another way is not what was looked for', async (t) => {
  const shrunk = await shrink(plan, {
    run: async ({ operations }) => ({ rule: operations.length > 10 ? 'I3' : 'I7', at: 100_000 }),
    runsMax: 2_000,
  })
  t.equal(shrunk?.rule, 'I3')
  t.equal(shrunk?.plan.operations.length, 11)
})

t.test('what happens after the failure is left out at once', async (t) => {
  let runs = 0
  const shrunk = await shrink(plan, {
    run: async () => {
      runs++
      return { rule: 'I3', at: 10_000 }
    },
    runsMax: 2,
  })
  t.equal(runs, 2)
  t.notOk(shrunk?.plan.operations.some(({ at }) => at > 10_000))
  t.equal(shrunk?.plan.duration, 10_001)
})

t.test('a plan that does not fail is left alone, and the search is bounded', async (t) => {
  t.equal(await shrink(plan, { run: async () => undefined, runsMax: 10 }), undefined)
  let runs = 0
  const count = fails([puts[5]?.id ?? ''])
  const counted = (tried: Plan): ReturnType<typeof count> => {
    runs++
    return count(tried)
  }
  await shrink(plan, { run: counted, runsMax: 10 })
  t.ok(runs <= 10, `${runs} runs`)
})
