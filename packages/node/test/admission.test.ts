import { type Env, limits, millis, type ShoalError, type Timer } from '@shoal/kernel'
import fc from 'fast-check'
import t from 'tap'
import { LoadAdmission, type LoadSignals } from '../src/admission.ts'
import { BOUND_MIN, beginLoad, type LoadState, stepLoad } from '../src/admission-core.ts'

const MAX = limits.operationsInFlightMax
const calm = { loopDelayMs: 1, quickestMs: 2, inFlight: 10, met: 100, overMs: 100 }

/** A node that answers so many requests a second, however many wait; a look each 100 ms. */
function serve(options: { offered: number; capacity: number; looks: number }) {
  const { offered, capacity, looks } = options
  let state: LoadState = beginLoad(MAX)
  let waiting = 0
  let done = 0
  let worst = 0
  let first = 0
  for (let look = 0; look < looks; look++) {
    // In hundredths of an interval, so that what is answered makes room for others in it.
    let peak = 0
    let met = 0
    for (let part = 0; part < 100; part++) {
      waiting = Math.min(waiting + offered / 1_000, Math.max(waiting, state.bound))
      peak = Math.max(peak, waiting)
      const answered = Math.min(waiting, capacity / 1_000)
      waiting -= answered
      met += answered
      if (look >= looks / 2) done += answered
    }
    const delayMs = (waiting / capacity) * 1_000
    if (look >= looks / 2) worst = Math.max(worst, delayMs)
    first = Math.max(first, delayMs)
    const inFlight = Math.ceil(peak)
    const seen = { loopDelayMs: delayMs, quickestMs: delayMs + 1, inFlight, met, overMs: 100 }
    state = stepLoad(state, seen, MAX)
  }
  return { perSecond: done / (looks / 20), worstMs: worst, firstMs: first, bound: state.bound }
}

t.test('O3 however much is offered, what is answered stays and what waits is bounded', async () => {
  const loads = fc.record({
    capacity: fc.integer({ min: 2_000, max: 50_000 }),
    times: fc.double({ min: 1, max: 5, noNaN: true }),
  })
  fc.assert(
    fc.property(loads, ({ capacity, times }) => {
      const { perSecond, worstMs, firstMs } = serve({
        capacity,
        offered: capacity * times,
        looks: 200,
      })
      // What came before it was noticed waits longer, but not for long.
      return perSecond >= capacity * 0.95 && worstMs < 250 && firstMs < 300 * times
    }),
    { seed: 20_071_014, numRuns: 200 },
  )
})

t.test('O3 who is not busy is never bounded', async (t) => {
  const { bound } = serve({ capacity: 10_000, offered: 9_000, looks: 100 })
  t.equal(bound, MAX)
})

t.test('O3 one late turn is no overload, three in a row are', async (t) => {
  const late = { loopDelayMs: 10_000, quickestMs: 10_000, inFlight: 500, met: 100, overMs: 100 }
  let state = beginLoad(MAX)
  for (const look of [calm, late, late, calm, late, late, calm]) {
    state = stepLoad(state, look, MAX)
    t.equal(state.bound, MAX)
  }
  for (const look of [late, late, late]) state = stepLoad(state, look, MAX)
  t.equal(state.bound, 150, 'as many as are met in 150 ms')
})

t.test('O3 the bound has a floor, and nothing that is slow by itself reaches it', async (t) => {
  const slow = { loopDelayMs: 0, quickestMs: 900, inFlight: 1, met: 0, overMs: 100 }
  let state = beginLoad(MAX)
  for (let look = 0; look < 20; look++) state = stepLoad(state, slow, MAX)
  t.ok(state.bound >= BOUND_MIN)
  const nothing = { loopDelayMs: 0, quickestMs: undefined, inFlight: 0, met: 0, overMs: 100 }
  for (let look = 0; look < 200; look++) state = stepLoad(state, nothing, MAX)
  t.equal(state.bound, MAX, 'and it is whole again when nobody comes')
})

/** A clock that moves when told to. */
function manual() {
  let now = 0
  let timers: { at: number; wake: () => void }[] = []
  const env = {
    clock: {
      elapsed: () => millis(now),
      after: (delay: number, wake: () => void): Timer => {
        const timer = { at: now + delay, wake }
        timers.push(timer)
        return {
          cancel: () => {
            timers = timers.filter((each) => each !== timer)
          },
        }
      },
    },
  } as unknown as Env
  const advance = (ms: number): void => {
    const until = now + ms
    for (;;) {
      const [next] = timers.filter(({ at }) => at <= until).sort((one, two) => one.at - two.at)
      if (next === undefined) break
      timers = timers.filter((each) => each !== next)
      now = next.at
      next.wake()
    }
    now = until
  }
  return { env, advance, pending: () => timers.length }
}

const well: LoadSignals = {
  loopDelayMs: 0,
  loopDelayMaxMs: 0,
  quickestMs: 1,
  met: 1,
  queued: 0,
  writesStopped: false,
}

t.test('O1 refused with what was wanted and had; O3 cleared without a request', async (t) => {
  const { env, advance, pending } = manual()
  const told: (ShoalError | undefined)[] = []
  let signals: LoadSignals = well
  let inFlight = 0
  const admission = new LoadAdmission({
    env,
    read: () => signals,
    inFlight: () => inFlight,
    onChange: (refusal) => told.push(refusal),
  })
  t.equal(admission.admit('write'), undefined)
  inFlight = 1_000
  signals = { ...well, loopDelayMs: 200 }
  advance(2_000)
  const refusal = admission.admit('read')
  t.match(refusal, { code: 'SHOAL_OVERLOADED', retry: 'after', details: { got: 1_000 } })
  t.ok((refusal?.details.retryAfterMs ?? 0) > 0)
  t.equal(admission.admit('write'), refusal, 'one object for all of them')
  t.equal(admission.shed('in-flight'), 2)
  signals = well
  advance(100)
  const later = admission.admit('read')
  t.not(later?.details.wanted, refusal?.details.wanted, 'the bound has changed')
  t.equal(admission.admit('write'), later, 'and again it is one object')
  signals = { ...well, loopDelayMs: 200 }
  inFlight = 0
  signals = well
  advance(3_000)
  t.equal(admission.refusal, undefined, 'nobody had to ask')
  t.equal(told.length, 2)
  t.same([told[0]?.code, told[1]], ['SHOAL_OVERLOADED', undefined])
  t.equal(admission.admit('write'), undefined)
  admission.close()
  t.equal(pending(), 0)
})

t.test('O3 a store that has stopped writes is still read', async (t) => {
  const { env, advance } = manual()
  let signals: LoadSignals = { ...well, writesStopped: true }
  const admission = new LoadAdmission({ env, read: () => signals, inFlight: () => 0 })
  advance(150)
  t.match(admission.admit('write'), { code: 'SHOAL_OVERLOADED' })
  t.equal(admission.admit('read'), undefined)
  signals = { ...well, queued: 100_000 }
  advance(150)
  t.equal(admission.admit('read')?.details.got, 100_000)
  t.same([admission.shed('store'), admission.shed('queue')], [1, 1])
  admission.close()
})
