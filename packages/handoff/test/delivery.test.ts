import { createSeededRandom, InvariantViolation, limits } from '@shoal/kernel'
import fc from 'fast-check'
import t from 'tap'
import {
  beginDelivery,
  type DeliveryEffect,
  type DeliveryEvent,
  type DeliveryState,
  type Page,
  stepDelivery,
} from '../src/core/delivery.ts'
import type { Outcome } from '../src/core/outcome.ts'

const page = (given: Partial<Page> = {}): Page => ({
  hints: 2,
  strays: false,
  bytes: 200,
  from: 1,
  next: 3,
  finished: true,
  ...given,
})

function after(events: readonly DeliveryEvent[], from = beginDelivery()) {
  const effects: DeliveryEffect[] = []
  let state = from
  for (const event of events) {
    const step = stepDelivery(state, event)
    state = step.state
    effects.push(...step.effects)
  }
  return { state, effects }
}

const begun: DeliveryEvent = { kind: 'begun' }
const paged = (given?: Partial<Page>): DeliveryEvent => ({ kind: 'paged', page: page(given) })
const granted: DeliveryEvent = { kind: 'granted', reachable: true }
const sent: DeliveryEvent = { kind: 'sent', bytes: 100 }
const ended = (outcome: Outcome, bytes = 100): DeliveryEvent => ({
  kind: 'ended',
  outcome,
  bytes,
})
const settled = (stayed = 0): DeliveryEvent => ({ kind: 'settled', written: true, stayed })

const states: Record<DeliveryState['kind'], DeliveryState> = {
  idle: after([]).state,
  reading: after([begun]).state,
  asking: after([begun, paged()]).state,
  sending: after([begun, paged(), granted, sent]).state,
  settling: after([begun, paged({ hints: 1 }), granted, sent, ended('halted')]).state,
  resting: after([begun, paged({ hints: 1 }), granted, sent, ended('halted'), settled()]).state,
  sweeping: after([{ kind: 'sweepBegun' }]).state,
}

const events: Record<DeliveryEvent['kind'], DeliveryEvent> = {
  begun,
  paged: paged(),
  granted,
  sent,
  ended: ended('delivered'),
  overdue: { kind: 'overdue' },
  settled: settled(),
  rested: { kind: 'rested' },
  returned: { kind: 'returned' },
  sweepBegun: { kind: 'sweepBegun' },
  swept: { kind: 'swept' },
}

type Cell = { to: DeliveryState['kind']; effects: DeliveryEffect['kind'][] } | 'never'
const stays = (to: DeliveryState['kind']): Cell => ({ to, effects: [] })

const never: Record<DeliveryEvent['kind'], Cell> = {
  begun: 'never',
  paged: 'never',
  granted: 'never',
  sent: 'never',
  ended: 'never',
  overdue: 'never',
  settled: 'never',
  rested: 'never',
  returned: 'never',
  sweepBegun: 'never',
  swept: 'never',
}

const anyTime = (state: DeliveryState['kind']) => ({
  overdue: stays(state),
  rested: stays(state),
  returned: stays(state),
})

const expected: Record<DeliveryState['kind'], Record<DeliveryEvent['kind'], Cell>> = {
  idle: {
    ...never,
    ...anyTime('idle'),
    begun: { to: 'reading', effects: ['read'] },
    returned: { to: 'idle', effects: ['ready'] },
    sweepBegun: stays('sweeping'),
  },
  reading: { ...never, ...anyTime('reading'), paged: { to: 'asking', effects: ['take'] } },
  asking: {
    ...never,
    ...anyTime('asking'),
    granted: { to: 'sending', effects: ['fetch', 'fetch'] },
  },
  sending: {
    ...never,
    ...anyTime('sending'),
    sent: stays('sending'),
    ended: stays('sending'),
    overdue: { to: 'settling', effects: ['settle'] },
  },
  settling: {
    ...never,
    ...anyTime('settling'),
    settled: { to: 'resting', effects: ['rest', 'release'] },
  },
  resting: {
    ...never,
    ...anyTime('resting'),
    rested: { to: 'idle', effects: ['ready'] },
    returned: { to: 'idle', effects: ['ready'] },
    sweepBegun: stays('sweeping'),
  },
  sweeping: { ...never, ...anyTime('sweeping'), swept: { to: 'idle', effects: ['ready'] } },
}

t.test('every state decides every event', async (t) => {
  for (const [kind, cells] of Object.entries(expected)) {
    for (const [name, cell] of Object.entries(cells)) {
      const state = states[kind as DeliveryState['kind']]
      const event = events[name as DeliveryEvent['kind']]
      t.equal(state.kind, kind)
      if (cell === 'never') {
        t.throws(() => stepDelivery(state, event), InvariantViolation, `${kind}, ${name}`)
        continue
      }
      const step = stepDelivery(state, event)
      const effects = step.effects.map((effect) => effect.kind)
      t.same({ to: step.state.kind, effects }, cell, `${kind}, ${name}`)
    }
  }
})

t.test('a round is read, paid for, sent, settled; then the next is wanted', async (t) => {
  const { state, effects } = after([
    begun,
    paged({ finished: false }),
    granted,
    sent,
    sent,
    ended('delivered'),
    ended('delivered'),
    settled(),
  ])
  t.same(effects, [
    { kind: 'read', from: 0, limit: 16 },
    { kind: 'take', bytes: 200 },
    { kind: 'fetch', index: 0 },
    { kind: 'fetch', index: 1 },
    { kind: 'settle' },
    { kind: 'release' },
  ])
  t.match(state, { kind: 'idle', course: { cursor: 3, failures: 0, size: 32, left: false } })
})

t.test(
  'HO5 what is refused stays behind; the pass goes on and begins anew after a rest',
  async (t) => {
    const first = after([
      begun,
      paged({ finished: false }),
      granted,
      sent,
      sent,
      ended('kept'),
      ended('delivered'),
      settled(),
    ])
    t.match(first.state, { kind: 'idle', course: { cursor: 3, left: true } })
    const second = after(
      [begun, paged({ hints: 1, from: 3, next: 4 }), granted, sent, ended('delivered'), settled()],
      first.state,
    )
    t.match(second.effects.at(-2), { kind: 'rest', failures: 1 })
    t.match(second.state, { kind: 'resting', course: { cursor: 0, left: false } })
  },
)

t.test(
  'HO11 a target that does no work is left alone longer each time, never for ever',
  async (t) => {
    let state: DeliveryState = beginDelivery()
    const rests: number[] = []
    for (let round = 0; round < 8; round++) {
      const step = after(
        [begun, paged({ hints: 1, finished: false }), granted, sent, ended('halted'), settled()],
        state,
      )
      for (const effect of step.effects) if (effect.kind === 'rest') rests.push(effect.failures)
      const { course } = step.state
      // The first rounds try the same hints; then they are passed by, whatever is wrong with them.
      t.equal(course.cursor, round < 5 ? 1 : 3, `round ${round}`)
      state = stepDelivery(step.state, { kind: 'rested' }).state
    }
    t.same(rests, [1, 2, 3, 4, 5, 6, 7, 8])
  },
)

t.test('a halt stops the round: rows not yet read are not read', async (t) => {
  const { state, effects } = after([
    begun,
    paged({ hints: 40 }),
    granted,
    ...Array.from({ length: 16 }, () => sent),
    ...Array.from({ length: 16 }, () => ended('halted')),
  ])
  t.equal(effects.filter(({ kind }) => kind === 'fetch').length, 32)
  t.equal(state.kind, 'sending')
  t.match(state, { round: { reading: 16, flying: 0 } })
})

t.test('HO6 few rows are read ahead, and few bytes are on the way', async (t) => {
  const large = limits.hintBytesInFlightMax
  const one = after([begun, paged({ hints: 100 }), granted])
  t.equal(one.effects.filter(({ kind }) => kind === 'fetch').length, 16)
  const two = after([{ kind: 'sent', bytes: large }], one.state)
  t.same(two.effects, [], 'the window is full')
  const three = after([ended('delivered', large)], two.state)
  t.same(three.effects, [{ kind: 'fetch', index: 16 }], 'and has room again')
})

t.test('a full disk delivers again: nothing was deleted', async (t) => {
  const { state } = after([
    begun,
    paged({ hints: 1 }),
    granted,
    sent,
    ended('delivered'),
    { kind: 'settled', written: false, stayed: 0 },
  ])
  t.match(state, { kind: 'resting', course: { cursor: 1, failures: 1, left: true } })
})

t.test('a target gone before its round costs nothing', async (t) => {
  const gone = after([begun, paged(), { kind: 'granted', reachable: false }])
  t.match(gone.state, { kind: 'idle' })
  t.same(gone.effects.at(-1), { kind: 'release' })
})

t.test('an empty log is not looked at without end', async (t) => {
  const { state, effects } = after([begun, paged({ hints: 0, bytes: 0 })])
  t.equal(state.kind, 'resting')
  t.same(effects.at(-1), { kind: 'release' })
  const strays = after([begun, paged({ hints: 0, bytes: 0, finished: false })])
  t.match(strays.state, { kind: 'idle', course: { cursor: 3 } }, 'behind strays there may be more')
  const stuck = after([begun, paged({ hints: 0, strays: true, from: 3, next: 5 })], strays.state)
  t.match(stuck.state, { kind: 'resting', course: { cursor: 0 } }, 'some are there still')
})

const outcomes: readonly Outcome[] = ['delivered', 'missing', 'kept', 'silent', 'halted']

/**
 * Plays a log of hints against the machine: what each hint comes to is drawn. Returns how often
 * each was tried, and what is left.
 */
function play(drawn: readonly Outcome[], { log, rounds }: { log: number[]; rounds: number }) {
  const tried = new Map<number, number>()
  let left = [...log]
  let state: DeliveryState = beginDelivery()
  const random = createSeededRandom(`answers ${drawn.join()}`)
  for (let round = 0; round < rounds && left.length > 0; round++) {
    const { course } = state
    const open = left.filter((sequence) => sequence >= course.cursor)
    const hints = open.slice(0, course.size)
    const next = (hints.at(-1) ?? course.cursor) + 1
    const from = hints[0] ?? course.cursor
    const finished = hints.length === open.length
    const given = { hints: hints.length, strays: false, bytes: 0, from, next, finished }
    let step = after([begun, { kind: 'paged', page: given }], state)
    if (step.state.kind === 'asking') step = after([granted], step.state)
    const waiting = step.effects.flatMap((e) => (e.kind === 'fetch' ? [e.index] : []))
    const done: number[] = []
    state = step.state
    while (state.kind === 'sending') {
      const index = waiting.shift() as number
      const sequence = hints[index] as number
      tried.set(sequence, (tried.get(sequence) ?? 0) + 1)
      const outcome = drawn[random.below(drawn.length)] as Outcome
      if (outcome === 'delivered' || outcome === 'missing') done.push(sequence)
      step = after([{ kind: 'ended', outcome, bytes: undefined }], state)
      waiting.push(...step.effects.flatMap((e) => (e.kind === 'fetch' ? [e.index] : [])))
      state = step.state
    }
    if (state.kind === 'settling') state = after([settled()], state).state
    left = left.filter((sequence) => !done.includes(sequence))
    if (state.kind === 'resting') state = after([{ kind: 'rested' }], state).state
  }
  return { tried, left, state }
}

t.test('HO5 whatever the answers are, every hint has its turn', async () => {
  const log = Array.from({ length: 100 }, (_none, index) => index + 1)
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom(...outcomes), { minLength: 1, maxLength: 20 }),
      (drawn) => {
        const { tried, left, state } = play(drawn, { log, rounds: 400 })
        return state.kind === 'idle' && left.every((sequence) => (tried.get(sequence) ?? 0) > 1)
      },
    ),
    { seed: 20_071_014, numRuns: 300 },
  )
})

t.test('HO5 where some answer is yes now and then, the log is emptied', async () => {
  const log = Array.from({ length: 60 }, (_none, index) => index + 1)
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom<Outcome>('kept', 'silent', 'halted'), { maxLength: 8 }),
      (drawn) => play([...drawn, 'delivered'], { log, rounds: 3_000 }).left.length === 0,
    ),
    { seed: 20_071_014, numRuns: 100 },
  )
})
