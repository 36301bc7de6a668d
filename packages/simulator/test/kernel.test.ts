import { randomBytes } from 'node:crypto'
import { createSeededRandom, InvariantViolation, millis, ShoalError } from '@shoal/kernel'
import fc from 'fast-check'
import t from 'tap'
import { EventQueue } from '../src/kernel/event-queue.ts'
import { HashChain } from '../src/kernel/hash-chain.ts'
import { MachineClock } from '../src/kernel/machine-clock.ts'
import { findFirstDifference, type Recorder } from '../src/kernel/recorder.ts'
import { eventKinds, Scheduler } from '../src/kernel/scheduler.ts'
import { Dice, SimProcess } from '../src/kernel/sim-process.ts'

const SEED = Number(process.env.SHOAL_SEED ?? 20_071_014)
t.comment(`seed ${SEED}`)

function openKernel(options: { seed?: number; recorder?: Recorder } = {}) {
  const { seed = SEED, recorder } = options
  const chain = new HashChain()
  const dice = new Dice(seed)
  const errors: unknown[] = []
  const scheduler = new Scheduler({
    seed,
    chain,
    draws: () => dice.draws,
    onError: (error) => errors.push(error),
    isOfTheDead: () => false,
    ...(recorder ? { onEvent: (event) => recorder.add(event, chain.value) } : {}),
  })
  const host = { index: 0, clock: new MachineClock(() => scheduler.now), slowness: 1 }
  const halts: Error[] = []
  const start = (name = 'p'): SimProcess =>
    new SimProcess({
      scheduler,
      dice,
      host,
      name,
      seams: { probability: () => 0, fired: () => {} },
      onHalt: (reason) => halts.push(reason),
    })
  const outside = (delay: number, work: () => void): void => {
    scheduler.add(delay, eventKinds.outside, undefined, work)
  }
  return { scheduler, chain, dice, host, errors, halts, start, outside }
}

t.test('SK1 events come out in order of time, whatever was added, cancelled and put back', (t) => {
  const step = fc.record({
    due: fc.integer({ min: 0, max: 30 }),
    act: fc.constantFrom('add', 'add', 'add', 'take', 'cancel', 'put back'),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
      const queue = new EventQueue<undefined>(SEED)
      let model: { due: number; event: ReturnType<typeof queue.add> }[] = []
      const add = (due: number): void => {
        const fields = { due, kind: 0, owner: undefined, work: () => {}, target: -1 }
        model.push({ due, event: queue.add(fields) })
      }
      for (const { due, act } of steps) {
        const earliest = Math.min(...model.map((each) => each.due))
        if (act === 'add') add(due)
        else if (act === 'cancel') {
          const chosen = model[due % Math.max(1, model.length)]
          chosen?.event.cancel()
          chosen?.event.cancel()
          model = model.filter((each) => each !== chosen)
        } else {
          const event = queue.take()
          if (event?.due !== (model.length > 0 ? earliest : undefined)) return false
          model = model.filter((each) => each.event !== event)
          if (!event || act === 'take') continue
          queue.putBack(event, event.due + 5)
          model.push({ due: event.due, event })
        }
      }
      return queue.size === model.length
    }),
    { seed: SEED },
  )
  t.end()
})

t.test('SK1 what is due together comes in an order drawn from the seed', (t) => {
  const order = (seed: number): string => {
    const queue = new EventQueue<undefined>(seed)
    const add = (kind: number) =>
      queue.add({ due: 1, kind, owner: undefined, work: () => {}, target: -1 })
    for (let kind = 0; kind < 20; kind++) add(kind)
    return Array.from({ length: 20 }, () => queue.take()?.kind).join()
  }
  t.equal(order(1), order(1))
  t.not(order(1), order(2))
  t.end()
})

t.test('SK2 everything an event promised happens before the next event', async (t) => {
  const { scheduler, outside, errors } = openKernel()
  const log: string[] = []
  const promise = async (name: string, depth: number): Promise<void> => {
    for (let at = 0; at < depth; at++) await Promise.resolve()
    log.push(name)
  }
  outside(1, () => void promise('first', 50).then(() => promise('then', 10)))
  outside(1.5, () => log.push('second'))
  outside(2, () => void promise('third', 1))
  await scheduler.run(10)
  t.same(log, ['first', 'then', 'second', 'third'])
  t.equal(scheduler.now, 10)
  t.same(errors, [])
})

t.test('SK2 a run ends at its time, or when what it waits for holds; the rest waits', async (t) => {
  const { scheduler, outside } = openKernel()
  const log: number[] = []
  for (let at = 1; at <= 5; at++) outside(at, () => log.push(at))
  await scheduler.run(2)
  t.same(log, [1, 2])
  await scheduler.run(10, () => log.length === 4)
  t.same([log.length, scheduler.now, scheduler.pending], [4, 4, 1])
})

t.test('SK3 what nobody catches fails the run, be it thrown or promised', async (t) => {
  for (const act of [
    () => {
      throw new ShoalError('SHOAL_STORE_FAILED', 'thrown')
    },
    () => void Promise.reject(new ShoalError('SHOAL_STORE_FAILED', 'promised')),
  ]) {
    const { scheduler, errors, outside } = openKernel()
    outside(1, act)
    await scheduler.run(2)
    t.match(errors, [{ code: 'SHOAL_STORE_FAILED' }])
  }
})

t.test('SK4 a dead process does nothing more, and the next one is not touched by it', async (t) => {
  const { scheduler, start, outside, errors } = openKernel()
  const log: string[] = []
  const first = start('one')
  const speak = (process: SimProcess, name: string): void => {
    process.clock.after(millis(5), () => log.push(`${name} timer`))
    process.wire.after(millis(5), () => log.push(`${name} wire`))
    process.nextTurn(() => log.push(`${name} turn`))
  }
  speak(first, 'first')
  outside(1, () => {
    speak(first, 'again')
    first.kill()
    speak(first, 'dead')
    speak(start('two'), 'second')
  })
  await scheduler.run(20)
  t.same(log[0], 'first turn')
  t.same(log.slice(1).sort(), ['second timer', 'second turn', 'second wire'])
  t.same(errors, [])
})

t.test('SK4 what the dead throw on their way out concerns nobody, bugs do', async (t) => {
  const { scheduler, start, errors } = openKernel()
  const throwing = (error: Error): void => {
    const process = start()
    process.nextTurn(() => {
      process.kill()
      throw error
    })
  }
  throwing(new ShoalError('SHOAL_STORE_CLOSED', 'the store is closed'))
  await scheduler.run(1)
  t.same(errors, [])
  throwing(new InvariantViolation('a rule'))
  await scheduler.run(2)
  t.match(errors, [{ name: 'InvariantViolation' }])
})

t.test('SK5 a paused process does nothing and finds everything when it goes on', async (t) => {
  const { scheduler, start, outside } = openKernel()
  const process = start()
  const log: string[] = []
  const at = (name: string) => () => log.push(`${name} ${scheduler.now}`)
  process.clock.after(millis(5), at('timer'))
  const cancelled = process.clock.after(millis(6), at('cancelled'))
  process.clock.after(millis(50), at('later'))
  process.wire.after(millis(1), () => process.nextTurn(at('turn')))
  outside(2, () => process.pause())
  outside(20, () => cancelled.cancel())
  outside(30, () => process.resume())
  await scheduler.run(100)
  t.equal(log.length, 3)
  t.match(log[0], /^turn [12]/, 'before the pause')
  t.same(log.slice(1), ['timer 30', 'later 50'])
  t.equal(scheduler.pending, 0)
})

t.test('SK5 a slow process takes its time for each event, one after the other', async (t) => {
  const { scheduler, start, host } = openKernel()
  const process = start()
  const times: number[] = []
  host.slowness = 100
  for (let count = 0; count < 4; count++) {
    process.wire.after(millis(1), () => times.push(Math.round(scheduler.now)))
  }
  await scheduler.run(100)
  t.same(times, [1, 6, 11, 16])
})

t.test('SK6 turns are done together, in order, each with what it promised', async (t) => {
  const { scheduler, start } = openKernel()
  const process = start()
  const log: string[] = []
  const say = (name: string) => () => {
    void Promise.resolve().then(() => log.push(`${name} promised`))
    log.push(name)
  }
  process.nextTurn(say('a'))
  process.nextTurn(say('b'))
  process.nextTurn(() => process.nextTurn(say('next')))
  process.nextTurn(say('c'))
  await scheduler.run(1)
  const expected = ['a', 'b', 'c', 'next'].flatMap((name) => [name, `${name} promised`])
  t.same(log, expected)
})

t.test('SK7 a clock may run wrong; what it measures never goes back or ends early', async (t) => {
  const { scheduler, start, host, outside } = openKernel()
  const process = start()
  const { clock } = process
  const woken: Record<string, [elapsed: number, honest: number]> = {}
  const began = clock.elapsed()
  const wake = (name: string, delay: number) =>
    clock.after(millis(delay), () => {
      woken[name] = [clock.elapsed() - began, scheduler.now]
    })
  wake('before', 100)
  wake('across', 1_000)
  outside(500, () => host.clock.setRate(0.5))
  outside(501, () => wake('slow', 100))
  await scheduler.run(5_000)
  t.same(woken.before, [100, 100])
  t.ok(woken.across && woken.across[0] >= 1_000 - 1e-6 && woken.across[1] > 1_499)
  t.ok(woken.slow && Math.abs(woken.slow[1] - 701) < 0.01)

  const wall = (): number => Math.round(clock.wall() - 1_700_000_000_000 - scheduler.now)
  host.clock.correct()
  t.equal(wall(), 0)
  host.clock.shiftWall(-3_600_000)
  t.equal(wall(), -3_600_000)
  host.clock.freezeWall()
  const frozen = clock.wall()
  await scheduler.run(9_000)
  t.equal(clock.wall(), frozen)
  host.clock.thawWall()
  t.equal(wall(), -3_600_000)
  host.clock.correct()
  t.equal(wall(), 0)
})

t.test('SK8 nothing of the real world gets in, and it is back afterwards', async (t) => {
  const ways: Record<string, () => unknown> = {
    'Date.now': () => Date.now(),
    'new Date': () => new Date(),
    'Math.random': () => Math.random(),
    'performance.now': () => performance.now(),
    setTimeout: () => setTimeout(() => {}, 1),
    setImmediate: () => setImmediate(() => {}),
    randomBytes: () => randomBytes(4),
    getRandomValues: () => crypto.getRandomValues(new Uint8Array(1)),
    hrtime: () => process.hrtime(),
    WeakRef: () => new WeakRef({}),
  }
  for (const [name, way] of Object.entries(ways)) {
    const { scheduler, errors, outside } = openKernel()
    let caught = false
    outside(1, () => {
      try {
        way()
      } catch {
        caught = true
      }
    })
    await scheduler.run(2)
    t.ok(caught, name)
    t.match(errors, [{ name: 'InvariantViolation' }], `${name}: caught or not, it is a bug`)
  }
  const { scheduler, errors, outside } = openKernel()
  const shown: string[] = []
  outside(1, () => shown.push(new Date(0).toISOString()))
  await scheduler.run(2)
  t.same([shown, errors], [['1970-01-01T00:00:00.000Z'], []], 'a date of a given time is no clock')
  for (const [name, way] of Object.entries(ways)) t.ok(way(), `${name} is back`)
})

/** A few processes that draw and set timers; `leak` is something a seed does not decide. */
async function wander(seed: number, recorder?: Recorder, leak?: () => boolean): Promise<string> {
  const { scheduler, chain, start, outside } = openKernel({
    seed,
    ...(recorder ? { recorder } : {}),
  })
  for (const name of ['a', 'b', 'c']) {
    const process = start(name)
    const random = process.random('way')
    const step = (): void => {
      process.clock.after(millis(random.below(100)), step)
      if (random.below(3) === 0) process.nextTurn(() => void random.below(2))
    }
    step()
  }
  if (leak) outside(7_000, () => leak() && outside(1, () => {}))
  await scheduler.run(10_000)
  return chain.value
}

t.test('SK9 equal seeds have equal hashes, and the first difference is found', async (t) => {
  t.equal(await wander(1), await wander(1))
  t.not(await wander(1), await wander(2))
  const run = (leak?: () => boolean) => async (recorder: Recorder) =>
    void (await wander(1, recorder, leak))
  t.equal(await findFirstDifference(run(), 100), undefined)
  let times = 0
  const found = await findFirstDifference(
    run(() => times++ % 2 === 1),
    100,
  )
  t.equal(found?.one?.time === 7_001, false)
  t.equal(found?.other?.time, 7_001, 'the event that only one of the runs has')
})

t.test('SK9 streams of chance do not touch each other', (t) => {
  const [one, other] = [new Dice(SEED), new Dice(SEED)]
  const a = one.stream('a')
  const b = other.stream('b')
  for (let draw = 0; draw < 10; draw++) b.below(100)
  const after = other.stream('a')
  const draws = (random: typeof a) => Array.from({ length: 20 }, () => random.below(1_000))
  t.same(draws(after), draws(a))
  t.equal(one.draws, 20)
  const plain = createSeededRandom(`${SEED}:a`)
  t.same(draws(one.stream('a')), draws(plain))
  t.end()
})
