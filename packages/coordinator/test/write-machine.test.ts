import fc from 'fast-check'
import t from 'tap'
import { bit, countOf } from '../src/core/judge.ts'
import {
  beginWrite,
  indices,
  stepWrite,
  type WriteEffect,
  type WriteEvent,
  type WriteState,
} from '../src/core/write-machine.ts'

const waiting = (given: Partial<Parameters<typeof beginWrite>[0]> = {}): WriteState =>
  beginWrite({ need: 2, needDurable: 2, primaries: 3, asked: 0b111, ...given })

const replay = (state: WriteState, events: readonly WriteEvent[]): WriteEffect[] => {
  const effects: WriteEffect[] = []
  let current = state
  for (const event of events) {
    const step = stepWrite(current, event)
    current = step.state
    effects.push(...step.effects)
  }
  return effects
}

/** Every state × event cell. `settled` stands for one that has replied. */
type Cell = { kind: WriteState['kind']; effects: readonly WriteEffect[] }
const cells: Record<WriteState['kind'], Record<WriteEvent['kind'], Cell>> = {
  gathering: {
    written: { kind: 'gathering', effects: [] },
    durable: { kind: 'gathering', effects: [] },
    failed: { kind: 'gathering', effects: [{ kind: 'owe', candidate: 2 }] },
    expired: {
      kind: 'settled',
      effects: [
        { kind: 'owe', candidate: 0 },
        { kind: 'owe', candidate: 1 },
        { kind: 'owe', candidate: 2 },
        { kind: 'reply', verdict: 'timed-out' },
      ],
    },
  },
  settled: {
    written: { kind: 'settled', effects: [] },
    durable: { kind: 'settled', effects: [] },
    failed: { kind: 'settled', effects: [{ kind: 'owe', candidate: 2 }] },
    expired: { kind: 'settled', effects: [{ kind: 'owe', candidate: 2 }] },
  },
}

t.test('every cell of the write machine is decided', async (t) => {
  const settled = replayTo(waiting(), [
    { kind: 'durable', by: 0 },
    { kind: 'durable', by: 1 },
  ])
  const states = { gathering: waiting(), settled }
  const events: Record<WriteEvent['kind'], WriteEvent> = {
    written: { kind: 'written', by: 2 },
    durable: { kind: 'durable', by: 2 },
    failed: { kind: 'failed', by: 2 },
    expired: { kind: 'expired' },
  }
  for (const [kind, row] of Object.entries(cells)) {
    for (const [event, cell] of Object.entries(row)) {
      const step = stepWrite(
        states[kind as WriteState['kind']],
        events[event as WriteEvent['kind']],
      )
      t.equal(step.state.kind, cell.kind, `${kind} × ${event} leads to ${cell.kind}`)
      t.same(step.effects, cell.effects, `${kind} × ${event} has its effects`)
    }
  }
})

t.test(
  'a write is acknowledged by the second of three replicas, and the third is owed it (K4)',
  async (t) => {
    const effects = replay(waiting(), [
      { kind: 'durable', by: 0 },
      { kind: 'durable', by: 1 },
      { kind: 'failed', by: 2 },
    ])
    t.same(effects, [
      { kind: 'reply', verdict: 'met' },
      { kind: 'owe', candidate: 2 },
    ])
  },
)

t.test('an acknowledgement counts once, however often it is said (K3)', async (t) => {
  const effects = replay(waiting(), [
    { kind: 'durable', by: 0 },
    { kind: 'durable', by: 0 },
    { kind: 'written', by: 0 },
  ])
  t.same(effects, [])
})

t.test('a written acknowledgement counts to w but not to durable', async (t) => {
  const effects = replay(waiting({ needDurable: 1 }), [
    { kind: 'written', by: 0 },
    { kind: 'written', by: 1 },
    { kind: 'durable', by: 0 },
  ])
  t.same(effects, [{ kind: 'reply', verdict: 'met' }])
})

t.test('a fallback is asked in place of a primary that fails (Q3)', async (t) => {
  const effects = replay(waiting({ spare: 0b1000 }), [
    { kind: 'failed', by: 1 },
    { kind: 'durable', by: 3 },
    { kind: 'durable', by: 0 },
  ])
  t.same(effects, [
    { kind: 'enlist', candidate: 3, primaries: 0b010 },
    { kind: 'reply', verdict: 'met' },
  ])
})

t.test('a fallback that fails is replaced, the last one by the coordinator (H1)', async (t) => {
  const effects = replay(
    waiting({
      need: 3,
      needDurable: 3,
      asked: 0b1011,
      spare: 0b10000,
      standsFor: [0, 0, 0, 0b100],
    }),
    [
      { kind: 'failed', by: 3 },
      { kind: 'failed', by: 4 },
    ],
  )
  t.same(effects, [
    { kind: 'enlist', candidate: 4, primaries: 0b100 },
    { kind: 'owe', candidate: 2 },
    { kind: 'reply', verdict: 'impossible' },
  ])
})

t.test('who was falsely suspected is not replaced twice (Q3)', async (t) => {
  const standsFor = [0, 0, 0, 0b100]
  const suspected = waiting({ asked: 0b1111, spare: 0b10000, standsFor })
  t.same(replay(suspected, [{ kind: 'failed', by: 2 }]), [], 'its stand-in may still have it')
  t.same(replay(suspected, [{ kind: 'failed', by: 3 }]), [], 'it may have it itself')
})

t.test('a strict read is confirmed by what already holds it (Q5)', async (t) => {
  const effects = replay(waiting({ acknowledged: 0b001 }), [{ kind: 'durable', by: 1 }])
  t.same(effects, [{ kind: 'reply', verdict: 'met' }])
})

const event = fc.oneof(
  fc.record({ kind: fc.constant('written' as const), by: fc.integer({ min: 0, max: 4 }) }),
  fc.record({ kind: fc.constant('durable' as const), by: fc.integer({ min: 0, max: 4 }) }),
  fc.record({ kind: fc.constant('failed' as const), by: fc.integer({ min: 0, max: 4 }) }),
  fc.constant({ kind: 'expired' as const }),
)

t.test('a write replies at most once, and truthfully, whatever comes (K1, K2)', async () => {
  fc.assert(
    fc.property(
      fc.array(event, { maxLength: 30 }),
      fc.integer({ min: 1, max: 3 }),
      fc.integer({ min: 0, max: 3 }),
      (events, need, durable) => {
        const needDurable = Math.min(need, durable)
        let state = waiting({ need, needDurable, spare: 0b11000 })
        let replies = 0
        for (const each of events) {
          const step = stepWrite(state, each)
          state = step.state
          const reply = step.effects.find((effect) => effect.kind === 'reply')
          if (!reply) continue
          replies++
          const { acknowledged, durable: onDisk } = state.tally
          const met = countOf(acknowledged) >= need && countOf(onDisk) >= needDurable
          if ((reply.verdict === 'met') !== met) return false
        }
        return replies <= 1 && (state.tally.durable & ~state.tally.acknowledged) === 0
      },
    ),
    { seed: 20_071_014, numRuns: 5_000 },
  )
})

t.test('every write has ended once its time is up (K1)', async () => {
  fc.assert(
    fc.property(
      fc.array(event, { maxLength: 20 }),
      fc.integer({ min: 1, max: 3 }),
      (events, need) => {
        const effects = replay(waiting({ need, needDurable: need }), [
          ...events,
          { kind: 'expired' },
        ])
        return effects.filter((effect) => effect.kind === 'reply').length === 1
      },
    ),
    { seed: 20_071_014, numRuns: 2_000 },
  )
})

t.test('in the end each primary has the write, or somebody owes it (K4, H1)', async () => {
  const shapes = [
    { asked: 0b111, spare: 0b11000, standsFor: [], kept: 0 },
    { asked: 0b111, spare: 0, standsFor: [], kept: 0 },
    { asked: 0b1011, spare: 0b10000, standsFor: [0, 0, 0, 0b100], kept: 0 },
    { asked: 0b1111, spare: 0b10000, standsFor: [0, 0, 0, 0b100], kept: 0 },
    { asked: 0b11000, spare: 0, standsFor: [0, 0, 0, 0, 0b010], kept: 0b111 },
  ]
  fc.assert(
    fc.property(
      fc.array(event, { maxLength: 20 }),
      fc.constantFrom(...shapes),
      fc.integer({ min: 1, max: 3 }),
      (events, shape, need) => {
        let state = waiting({ need, needDurable: need, ...shape })
        const unasked = 0b111 & ~shape.asked & ~(shape.standsFor.at(-1) ?? 0)
        let owed = shape.kept | unasked
        const feed = (each: WriteEvent): void => {
          const step = stepWrite(state, each)
          state = step.state
          for (const effect of step.effects)
            if (effect.kind === 'owe') owed |= bit(effect.candidate)
        }
        for (const each of events) feed(each)
        feed({ kind: 'expired' })
        for (let by = 0; by < 5; by++) feed({ kind: 'failed', by })
        const { durable, acknowledged } = state.tally
        let cared = (owed | acknowledged) & 0b111
        for (const index of indices(durable & ~0b111)) cared |= state.standsFor[index] ?? 0
        return cared === 0b111
      },
    ),
    { seed: 20_071_014, numRuns: 5_000 },
  )
})

t.test('members of a set come in order', async (t) => {
  t.same(indices(0b10110), [1, 2, 4])
  t.same(indices(0), [])
  t.same(indices(bit(0)), [0])
})

function replayTo(state: WriteState, events: readonly WriteEvent[]): WriteState {
  return events.reduce((current, each) => stepWrite(current, each).state, state)
}
