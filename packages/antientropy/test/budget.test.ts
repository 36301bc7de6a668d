import { createTestEnv, millis, type TestEnv } from '@shoal/kernel'
import t from 'tap'
import { BudgetCore, budgetDefaults, type QuietHours } from '../src/core/budget.ts'
import { BackgroundBudget } from '../src/index.ts'

const settings = { ...budgetDefaults, bytesMin: 1_000, bytesMax: 64_000, p99Target: millis(20) }
const at = (ms: number) => millis(ms)
const noon = millis(Date.UTC(2_024, 0, 1, 12))

t.test(
  'X17: the rate halves while requests are slow, and grows back when they are not (E5)',
  async (t) => {
    const core = new BudgetCore(settings, at(0))
    const start = core.rate
    core.observe(millis(30), at(1_000), noon)
    t.equal(core.rate, start / 2)
    for (let second = 2; second < 30; second++) core.observe(millis(30), at(second * 1_000), noon)
    t.equal(core.rate, settings.bytesMin, 'never to nothing')
    core.observe(millis(18), at(31_000), noon)
    t.equal(core.rate, settings.bytesMin, 'near the target it stays')
    core.observe(millis(5), at(32_000), noon)
    t.ok(core.rate > settings.bytesMin)
    for (let second = 33; second < 120; second++) core.observe(undefined, at(second * 1_000), noon)
    t.equal(core.rate, settings.bytesMax)
  },
)

t.test('no more is let in than the rate allows, for a long time', async (t) => {
  const core = new BudgetCore(settings, at(0))
  let now = 0
  while (now < 100_000) {
    if (!core.tryTake(700, at(now))) now += Math.max(1, core.waitFor(at(now)) as number)
  }
  t.ok(core.granted <= core.rate * 100 + 10_000, `${core.granted} bytes`)
  t.ok(core.granted >= core.rate * 95)
})

t.test('work larger than all tokens is let in, and paid for afterwards', async (t) => {
  const core = new BudgetCore(settings, at(0))
  t.ok(core.tryTake(80_000, at(1_000)))
  t.notOk(core.tryTake(1, at(1_001)))
  t.ok((core.waitFor(at(1_001)) as number) > 9_000)
  t.ok(core.tryTake(1, at(12_000)))
})

t.test('in quiet hours the rate is the least there is, around midnight too', async (t) => {
  const hours: QuietHours[] = [{ fromMinute: 22 * 60, toMinute: 6 * 60 }]
  const core = new BudgetCore({ ...settings, quietHours: hours }, at(0))
  const hour = (value: number) => millis(Date.UTC(2_024, 0, 1, value))
  for (const [value, quiet] of [
    [21, false],
    [22, true],
    [2, true],
    [6, false],
    [12, false],
  ] as const) {
    core.observe(undefined, at(1), hour(value))
    t.equal(core.quiet, quiet, `${value}:00`)
    t.equal(core.rate === settings.bytesMin, quiet)
  }
})

t.test('nothing is let in while paused', async (t) => {
  const core = new BudgetCore(settings, at(0))
  core.pause(at(1_000))
  t.notOk(core.tryTake(1, at(2_000)))
  t.equal(core.waitFor(at(2_000)), undefined)
  t.equal(core.rate, 0)
  core.resume(at(3_000))
  t.ok(core.tryTake(1, at(3_001)))
})

const turn = async (env: TestEnv): Promise<void> => {
  for (let hop = 0; hop < 10; hop++) await Promise.resolve()
  env.drainTurns()
}

t.test('who comes first is let in first; a pause holds them, closing lets all go', async (t) => {
  const env = createTestEnv()
  const budget = new BackgroundBudget({ env, p99: () => undefined, settings })
  const order: string[] = []
  const take = (name: string, bytes: number): void =>
    void budget.take(bytes).then(() => void order.push(name))
  budget.pause()
  take('first', 20_000)
  take('second', 10)
  env.advance(millis(5_000))
  await turn(env)
  t.same(order, [])
  t.match(budget.figures(), { paused: true, waiting: 20_010, rate: 0 })
  budget.resume()
  env.advance(millis(100))
  await turn(env)
  t.same(order, ['first'], 'the second pays for the first')
  t.ok((budget.figures().etaMs as number) > 500)
  env.advance(millis(5_000))
  await turn(env)
  t.same(order, ['first', 'second'])
  budget.pause()
  take('third', 1)
  budget.close()
  take('fourth', 1_000_000)
  await turn(env)
  t.same(order, ['first', 'second', 'third', 'fourth'])
  t.equal(env.pendingTimers, 0)
})

t.test('slow requests shrink the budget by themselves', async (t) => {
  const env = createTestEnv()
  let p99 = millis(100)
  const budget = new BackgroundBudget({ env, p99: () => p99, settings })
  const before = budget.figures().rate
  env.advance(millis(3_100))
  t.equal(budget.figures().rate, before / 8)
  p99 = millis(1)
  env.advance(millis(60_000))
  t.equal(budget.figures().rate, settings.bytesMax)
  budget.close()
})
