import fc from 'fast-check'
import t from 'tap'
import {
  beginRead,
  type ReadEffect,
  type ReadEvent,
  type ReadState,
  stepRead,
} from '../src/core/read-machine.ts'

const begin = (need: number, order: readonly number[]): ReadState =>
  beginRead({ need, order }).state

function replay(state: ReadState, events: readonly ReadEvent[]): [ReadState, ReadEffect[]] {
  const effects: ReadEffect[] = []
  let current = state
  for (const event of events) {
    const step = stepRead(current, event)
    current = step.state
    effects.push(...step.effects)
  }
  return [current, effects]
}

t.test('a read asks R replicas and no more (Q2)', async (t) => {
  const { effects } = beginRead({ need: 2, order: [1, 0, 2] })
  t.same(effects, [
    { kind: 'ask', candidate: 1 },
    { kind: 'ask', candidate: 0 },
  ])
})

type Cell = { kind: ReadState['kind']; effects: readonly ReadEffect[] }
const cells: Record<ReadState['kind'], Record<ReadEvent['kind'], Cell>> = {
  gathering: {
    answered: { kind: 'gathering', effects: [] },
    failed: { kind: 'gathering', effects: [{ kind: 'ask', candidate: 2 }] },
    slow: { kind: 'gathering', effects: [{ kind: 'ask', candidate: 2 }] },
    insufficient: { kind: 'escalated', effects: [{ kind: 'ask', candidate: 2 }] },
    expired: { kind: 'settled', effects: [{ kind: 'reply', verdict: 'timed-out' }] },
  },
  escalated: {
    answered: { kind: 'settled', effects: [{ kind: 'reply', verdict: 'met' }] },
    failed: { kind: 'escalated', effects: [] },
    slow: { kind: 'escalated', effects: [] },
    insufficient: { kind: 'escalated', effects: [] },
    expired: { kind: 'settled', effects: [{ kind: 'reply', verdict: 'timed-out' }] },
  },
  settled: {
    answered: { kind: 'settled', effects: [] },
    failed: { kind: 'settled', effects: [] },
    slow: { kind: 'settled', effects: [] },
    insufficient: { kind: 'escalated', effects: [{ kind: 'ask', candidate: 2 }] },
    expired: { kind: 'settled', effects: [] },
  },
}

t.test('every cell of the read machine is decided', async (t) => {
  const gathering = begin(2, [0, 1, 2])
  const [escalated] = replay(begin(1, [0, 1, 2]), [
    { kind: 'answered', by: 0 },
    { kind: 'insufficient' },
  ])
  const [settled] = replay(begin(1, [1, 0, 2]), [{ kind: 'answered', by: 1 }])
  const second = stepRead(settled, { kind: 'insufficient' })
  t.same(second.effects, [
    { kind: 'ask', candidate: 0 },
    { kind: 'ask', candidate: 2 },
  ])
  const [settledOfTwo] = replay(begin(2, [0, 1, 2]), [
    { kind: 'answered', by: 0 },
    { kind: 'answered', by: 1 },
  ])
  const states = { gathering, escalated, settled: settledOfTwo }
  const events: Record<ReadEvent['kind'], ReadEvent> = {
    answered: { kind: 'answered', by: 1 },
    failed: { kind: 'failed', by: 1 },
    slow: { kind: 'slow' },
    insufficient: { kind: 'insufficient' },
    expired: { kind: 'expired' },
  }
  for (const [kind, row] of Object.entries(cells)) {
    for (const [event, cell] of Object.entries(row)) {
      const step = stepRead(states[kind as ReadState['kind']], events[event as ReadEvent['kind']])
      t.equal(step.state.kind, cell.kind, `${kind} × ${event} leads to ${cell.kind}`)
      t.same(step.effects, cell.effects, `${kind} × ${event} has its effects`)
    }
  }
})

t.test('a replica that fails is replaced until nobody is left', async (t) => {
  const [state, effects] = replay(begin(2, [0, 1, 2]), [
    { kind: 'failed', by: 0 },
    { kind: 'failed', by: 1 },
  ])
  t.same(effects, [
    { kind: 'ask', candidate: 2 },
    { kind: 'reply', verdict: 'impossible' },
  ])
  t.equal(state.kind, 'settled')
})

t.test('a read is hedged once', async (t) => {
  const [, effects] = replay(begin(1, [0, 1, 2]), [{ kind: 'slow' }, { kind: 'slow' }])
  t.same(effects, [{ kind: 'ask', candidate: 1 }])
})

t.test('a session that nobody can satisfy ends when everyone has answered (S1)', async (t) => {
  const [, effects] = replay(begin(1, [0, 1]), [
    { kind: 'answered', by: 0 },
    { kind: 'insufficient' },
    { kind: 'answered', by: 1 },
    { kind: 'insufficient' },
  ])
  t.same(effects, [
    { kind: 'reply', verdict: 'met' },
    { kind: 'ask', candidate: 1 },
    { kind: 'reply', verdict: 'met' },
    { kind: 'reply', verdict: 'impossible' },
  ])
})

t.test('answers of those never asked change nothing', async (t) => {
  const state = begin(1, [0, 1, 2])
  t.equal(stepRead(state, { kind: 'answered', by: 2 }).state, state)
})

const event = fc.oneof(
  fc.record({ kind: fc.constant('answered' as const), by: fc.integer({ min: 0, max: 2 }) }),
  fc.record({ kind: fc.constant('failed' as const), by: fc.integer({ min: 0, max: 2 }) }),
  fc.constant({ kind: 'slow' as const }),
  fc.constant({ kind: 'expired' as const }),
)

t.test(
  'a read replies at most once without a session, and asks nobody twice (K1, K11)',
  async () => {
    fc.assert(
      fc.property(
        fc.array(event, { maxLength: 25 }),
        fc.integer({ min: 1, max: 3 }),
        (events, need) => {
          const first = beginRead({ need, order: [2, 0, 1] })
          const [, later] = replay(first.state, events)
          const effects = [...first.effects, ...later]
          const asked = effects.flatMap((effect) =>
            effect.kind === 'ask' ? [effect.candidate] : [],
          )
          const replies = effects.filter((effect) => effect.kind === 'reply')
          return replies.length <= 1 && new Set(asked).size === asked.length
        },
      ),
      { seed: 20_071_014, numRuns: 5_000 },
    )
  },
)
