import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import t from 'tap'
import {
  createSystemEnv,
  InvariantViolation,
  type Millis,
  millis,
  minutes,
  nodeId,
} from '../src/index.ts'

const halts: Error[] = []
const env = createSystemEnv((reason) => void halts.push(reason))
const { clock } = env

/** Timers of an Env do not keep a process alive; a test that waits for one has to. */
const alive = setInterval(() => {}, 1_000)
t.teardown(() => clearInterval(alive))

const woken = (delay: number): Promise<void> =>
  new Promise((resolve) => void clock.after(millis(delay), resolve))

t.test('the clocks are those of the machine', async (t) => {
  const before = Date.now()
  const wall = clock.wall()
  t.ok(before <= wall && wall <= Date.now())
  let last = clock.elapsed()
  for (let look = 0; look < 10_000; look++) {
    const now = clock.elapsed()
    if (now < last) t.fail('elapsed time went back')
    last = now
  }
  t.not(last, Math.round(last), 'finer than a millisecond')
})

t.test('K1: no timer wakes before its delay has passed', async (t) => {
  const early: number[] = []
  const one = async (delay: number): Promise<void> => {
    const began = clock.elapsed()
    await woken(delay)
    const passed = clock.elapsed() - began
    if (passed < delay) early.push(passed - delay)
  }
  for (let round = 0; round < 10; round++) {
    await Promise.all([0, 0.4, 1, 1.5, 2.7, 3, 4.9].map((delay) => one(delay)))
  }
  t.same(early, [])
})

t.test('K1: a delay too long for a timer of node is not a short one', async (t) => {
  let tooSoon = 0
  const warnings: Error[] = []
  const note = (warning: Error): void => void warnings.push(warning)
  process.on('warning', note)
  const timers = [2 ** 31, 2 ** 40, Number.POSITIVE_INFINITY].map((delay) =>
    clock.after(millis(delay), () => tooSoon++),
  )
  await woken(5)
  for (const timer of timers) timer.cancel()
  process.off('warning', note)
  t.equal(tooSoon, 0)
  t.same(warnings, [], 'node was not asked for what it cannot do')
})

t.test('a cancelled timer does not wake, and cancelling again does no harm', async (t) => {
  let wrong = 0
  const timer = clock.after(millis(1), () => wrong++)
  timer.cancel()
  timer.cancel()
  const over = clock.after(millis(0), () => over.cancel())
  await woken(4)
  t.equal(wrong, 0)
  t.throws(() => clock.after(Number.NaN as Millis, () => wrong++), InvariantViolation)
})

t.test('K3: turns run after this one, in order', async (t) => {
  const ran: string[] = []
  await new Promise<void>((resolve) => {
    env.nextTurn(() => ran.push('a'))
    env.nextTurn(() => ran.push('b'))
    env.nextTurn(resolve)
    t.same(ran, [])
  })
  t.same(ran, ['a', 'b'])
})

t.test('a waiting timer does not keep a process alive', async (t) => {
  const kernel = import.meta.resolve('../src/index.js')
  const program = `
    import { createSystemEnv, minutes } from ${JSON.stringify(kernel)}
    createSystemEnv(() => {}).clock.after(minutes(5), () => {})
  `
  const child = promisify(execFile)(process.execPath, ['--input-type=module', '-e', program], {
    timeout: minutes(1),
  })
  await t.resolves(child)
})

t.test('to halt is left to the process', async (t) => {
  const reason = new InvariantViolation(`the disk of ${nodeId('n1')} failed`)
  env.halt(reason)
  t.same(halts, [reason])
})

t.test('chance differs from start to start', async (t) => {
  const [one, other] = [env.random('a').bytes(16), env.random('a').bytes(16)]
  t.notSame(Buffer.from(one).toString('hex'), Buffer.from(other).toString('hex'))
})
