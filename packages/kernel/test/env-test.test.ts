import fc from 'fast-check'
import t from 'tap'
import { createTestEnv, InvariantViolation, type Millis, millis } from '../src/index.ts'

const seed = Number(process.env.SHOAL_SEED ?? 20_071_014)
t.comment(`seed ${seed}`)

t.test('time stands still until it is told to move', async (t) => {
  const { clock, advance } = createTestEnv({ wall: millis(1_000_000) })
  t.equal(Number(clock.elapsed()), 0)
  t.equal(Number(clock.wall()), 1_000_000)
  advance(millis(250.5))
  t.equal(Number(clock.elapsed()), 250.5)
  t.equal(Number(clock.wall()), 1_000_250.5)
})

t.test('K1: a timer wakes once, when its delay has passed and not within the call', async (t) => {
  const env = createTestEnv()
  let woken = 0
  env.clock.after(millis(10), () => woken++)
  env.clock.after(millis(0), () => woken++)
  env.clock.after(millis(-5), () => woken++)
  t.equal(woken, 0, 'nothing wakes by itself')
  env.advance(millis(0))
  t.equal(woken, 2, 'what is due wakes with the next move, be it none')
  env.advance(millis(9.99))
  t.equal(woken, 2)
  env.advance(millis(0.01))
  t.equal(woken, 3)
  env.advance(millis(1_000))
  t.equal(woken, 3)
  t.equal(env.pendingTimers, 0)
})

t.test(
  'K2: timers wake by due time, equal ones as they were set, each at its own time',
  async (t) => {
    fc.assert(
      fc.property(fc.array(fc.nat(20), { maxLength: 30 }), fc.array(fc.nat(7)), (delays, moves) => {
        const env = createTestEnv()
        const woken: { delay: number; index: number }[] = []
        for (const [index, delay] of delays.entries()) {
          env.clock.after(millis(delay), () => {
            woken.push({ delay, index })
            t.equal(Number(env.clock.elapsed()), delay)
          })
        }
        for (const by of [...moves, 20]) env.advance(millis(by))
        const expected = delays
          .map((delay, index) => ({ delay, index }))
          .sort((one, other) => one.delay - other.delay || one.index - other.index)
        t.same(woken, expected)
      }),
      { seed, numRuns: 200 },
    )
  },
)

t.test('K2: a cancelled timer never wakes, even when another due at once cancels it', async (t) => {
  const env = createTestEnv()
  const woken: string[] = []
  const second = { cancel: () => {} }
  const never = env.clock.after(millis(5), () => woken.push('never'))
  env.clock.after(millis(5), () => {
    woken.push('first')
    second.cancel()
  })
  second.cancel = env.clock.after(millis(5), () => woken.push('second')).cancel
  t.equal(env.pendingTimers, 3)
  never.cancel()
  never.cancel()
  t.equal(env.pendingTimers, 2)
  env.advance(millis(5))
  t.same(woken, ['first'])
})

t.test('a timer set by one that woke is part of the same move when it is due in it', async (t) => {
  const env = createTestEnv()
  const woken: number[] = []
  const again = (): void => {
    woken.push(env.clock.elapsed())
    env.clock.after(millis(4), again)
  }
  env.clock.after(millis(4), again)
  env.advance(millis(13))
  t.same(woken, [4, 8, 12])
  t.equal(Number(env.clock.elapsed()), 13)
})

t.test('time never goes back, not even when what woke moved it', async (t) => {
  const env = createTestEnv()
  env.clock.after(millis(1), () => env.advance(millis(100)))
  env.advance(millis(2))
  t.equal(Number(env.clock.elapsed()), 101)
  t.throws(() => env.advance(millis(-1)), InvariantViolation)
  t.throws(() => env.clock.after(Number.NaN as Millis, () => {}), InvariantViolation)
})

t.test('K3: turns run in order, those they ask for in the turn after', async (t) => {
  const env = createTestEnv()
  const ran: string[] = []
  env.nextTurn(() => {
    ran.push('a')
    env.nextTurn(() => ran.push('of a'))
  })
  env.nextTurn(() => {
    ran.push('b')
    env.nextTurn(() => ran.push('of b'))
  })
  t.same(ran, [], 'not within the call')
  env.drainTurns()
  t.same(ran, ['a', 'b', 'of a', 'of b'])
})

t.test('K3: turns are over before time moves on', async (t) => {
  const env = createTestEnv()
  const seen: [string, number][] = []
  const note = (what: string): void => void seen.push([what, env.clock.elapsed()])
  env.nextTurn(() => note('turn before'))
  env.clock.after(millis(3), () => {
    note('timer')
    env.nextTurn(() => note('its turn'))
  })
  env.clock.after(millis(3), () => note('next timer'))
  env.advance(millis(9))
  t.same(seen, [
    ['turn before', 0],
    ['timer', 3],
    ['its turn', 3],
    ['next timer', 3],
  ])
})

t.test('turns that never come to rest are a bug of the test, and said', async (t) => {
  const env = createTestEnv()
  const forever = (): void => env.nextTurn(forever)
  forever()
  t.throws(() => env.drainTurns(), { message: 'turns come to rest' })
})

t.test('the first reason to halt is kept', async (t) => {
  const env = createTestEnv()
  t.equal(env.halted, undefined)
  const first = new InvariantViolation('first')
  env.halt(first)
  env.halt(new InvariantViolation('second'))
  t.equal(env.halted, first)
})
