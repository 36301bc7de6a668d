import { limits } from '@shoal/kernel'
import type { SegmentKey } from '@shoal/wire'
import t from 'tap'
import {
  beginExchange,
  type ExchangeEffect,
  type ExchangeEvent,
  type ExchangeState,
  stepExchange,
} from '../src/core/exchange-machine.ts'
import { GROUP_BYTES } from '../src/core/groups.ts'
import type { RowOutcome } from '../src/core/row-repair.ts'

const segmentOf = (rowKey: Buffer): number => rowKey[0] as number

const roots = (changed: readonly number[] = []): Buffer[] =>
  Array.from({ length: 32 }, (_none, index) => Buffer.alloc(32, changed.includes(index) ? 9 : 1))
const leaves = (changed: readonly number[] = []): Buffer => {
  const group = Buffer.alloc(GROUP_BYTES)
  for (const index of changed) group[index * 8] = 1
  return group
}
const entry = (...bytes: number[]): SegmentKey => ({
  rowKey: Buffer.from(bytes),
  digest: Buffer.alloc(8, 1),
  damaged: false,
})
const listOf = (entries: readonly SegmentKey[], finished = true, unreadable: number[] = []) => ({
  ...{ entries, finished, unreadable },
})

const equal: RowOutcome = { result: 'equal', pulled: true, pushed: false, healed: false }
const children: ExchangeEvent = { kind: 'children', own: roots(), theirs: roots([1, 3]) }
const leafEvent: ExchangeEvent = {
  kind: 'leaves',
  own: [leaves(), leaves()],
  theirs: [leaves([2]), leaves([0, 31])],
}
/** Segments 34, 96 and 127 differ; one key is in the first of them. */
const listed: ExchangeEvent = {
  kind: 'listed',
  own: listOf([]),
  theirs: listOf([entry(34, 1)]),
}
const repaired: ExchangeEvent = { kind: 'repaired', outcome: equal, bytes: 100 }
const stopped: ExchangeEvent = { kind: 'stopped', code: 'SHOAL_PEER_LOST' }
const same: ExchangeEvent = { kind: 'same' }

function replay(events: readonly ExchangeEvent[]): [ExchangeState, ExchangeEffect[]] {
  let { state, effects } = beginExchange()
  for (const event of events) ({ state, effects } = stepExchange(state, event, segmentOf))
  return [state, [...effects]]
}

type Kind = ExchangeState['kind']
const reach: Record<Kind, readonly ExchangeEvent[]> = {
  roots: [],
  leaves: [children],
  keys: [children, leafEvent],
  rows: [children, leafEvent, listed],
  ended: [same],
}
const events: Record<ExchangeEvent['kind'], ExchangeEvent> = {
  same,
  children,
  leaves: leafEvent,
  listed,
  repaired,
  stopped,
}
type Cell = readonly [kind: Kind, effects: readonly ExchangeEffect['kind'][]]
const ends: Cell = ['ended', ['end']]
const ignored: Cell = ['ended', []]
const expected: Record<Kind, Record<ExchangeEvent['kind'], Cell>> = {
  roots: {
    same: ends,
    children: ['leaves', ['askLeaves']],
    leaves: ends,
    listed: ends,
    repaired: ['roots', []],
    stopped: ends,
  },
  leaves: {
    same: ends,
    children: ends,
    leaves: ['keys', ['list']],
    listed: ends,
    repaired: ['leaves', []],
    stopped: ends,
  },
  keys: {
    same: ends,
    children: ends,
    leaves: ends,
    listed: ['rows', ['repair']],
    repaired: ['keys', []],
    stopped: ends,
  },
  rows: {
    same: ['rows', []],
    children: ['rows', []],
    leaves: ['rows', []],
    listed: ['rows', []],
    repaired: ends,
    stopped: ['rows', []],
  },
  ended: {
    same: ignored,
    children: ignored,
    leaves: ignored,
    listed: ignored,
    repaired: ignored,
    stopped: ignored,
  },
}

t.test('every cell of the exchange machine is decided', async (t) => {
  for (const kind of Object.keys(expected) as Kind[]) {
    for (const event of Object.keys(events) as ExchangeEvent['kind'][]) {
      const [state] = replay(reach[kind])
      t.equal(state.kind, kind)
      const step = stepExchange(state, events[event], segmentOf)
      const [after, effects] = expected[kind][event]
      t.equal(step.state.kind, after, `${kind} and ${event}`)
      t.same(
        step.effects.map((effect) => effect.kind),
        effects,
        `${kind} and ${event}`,
      )
    }
  }
})

t.test('each step looks only where the one before found a difference', async (t) => {
  const [, [leafEffect]] = replay(reach.leaves)
  t.match(leafEffect, { kind: 'askLeaves', groups: 0b1010 })
  const [, [list]] = replay(reach.keys)
  t.match(list, { kind: 'list', segments: [34, 96, 127] })
  const [, [end]] = replay([children, { ...leafEvent, theirs: leafEvent.own }] as ExchangeEvent[])
  t.match(end, { kind: 'end', ending: { complete: true } }, 'it arrived by itself meanwhile')
})

t.test(
  'an exchange that stops waits for its rows, begins no further, and is not complete',
  async (t) => {
    const [state] = replay(reach.rows)
    const halted = stepExchange(state, stopped, segmentOf)
    t.same(halted.effects, [])
    const { effects } = stepExchange(halted.state, repaired, segmentOf)
    t.match(effects, [{ kind: 'end', ending: { complete: false, code: 'SHOAL_PEER_LOST' } }])
  },
)

t.test('a page that breaks off is followed by the next, from where both had arrived', async (t) => {
  const page: ExchangeEvent = {
    kind: 'listed',
    own: listOf([entry(34, 1), entry(34, 3), entry(96, 1)]),
    theirs: listOf([entry(34, 1), entry(34, 2)], false),
  }
  const [state, effects] = replay([...reach.keys, page])
  t.match(effects, [{ kind: 'repair', difference: { rowKey: Buffer.from([34, 2]) } }])
  const next = stepExchange(state, repaired, segmentOf)
  t.same(next.effects, [{ kind: 'list', segments: [34, 96, 127], after: Buffer.from([34, 2]) }])
})

t.test('X13: rows move a bounded number at a time, fewer when they are large', async (t) => {
  const entries = Array.from({ length: 100 }, (_none, index) => entry(34, index))
  const page: ExchangeEvent = { kind: 'listed', own: listOf([]), theirs: listOf(entries) }
  const [state, effects] = replay([...reach.keys, page])
  t.equal(effects.length, limits.exchangeRowsInFlightMax)
  const large = stepExchange(state, { ...repaired, bytes: 4_194_304 } as ExchangeEvent, segmentOf)
  t.same(large.effects, [], 'two at a time from now on')
  let current = large.state
  let under = limits.exchangeRowsInFlightMax - 1
  let done = 1
  for (; current.kind !== 'keys' && current.kind !== 'ended'; done++) {
    const step = stepExchange(current, repaired, segmentOf)
    under += step.effects.filter(({ kind }) => kind === 'repair').length - 1
    current = step.state
    if (done > limits.exchangeRowsInFlightMax) t.ok(under <= 2, `${under} at a time`)
  }
  t.equal(done, 100)
  t.equal(current.tally.pulled, 100)
})

t.test('X14: what the peer cannot read is not taken for merged (Q6)', async (t) => {
  const ending = (event: ExchangeEvent) => {
    const [, [effect]] = replay([...reach.keys, event])
    return effect
  }
  const nothing = { kind: 'listed', own: listOf([]), theirs: listOf([]) } as const
  t.match(ending(nothing), { ending: { complete: true, pulledAll: true } })
  t.match(ending({ ...nothing, theirs: listOf([], true, [96]) }), {
    ending: { complete: false, pulledAll: false, tally: { unreadTheirs: 1 } },
  })
  t.match(ending({ ...nothing, own: listOf([], true, [96]) }), {
    ending: { complete: false, pulledAll: true, tally: { unreadOwn: 1 } },
  })
  const outcomes: RowOutcome[] = [
    { ...equal, result: 'failed' },
    { ...equal, result: 'unhealed' },
  ]
  for (const outcome of outcomes) {
    const [state] = replay(reach.rows)
    const { effects } = stepExchange(state, { kind: 'repaired', outcome, bytes: 1 }, segmentOf)
    t.match(effects, [{ ending: { complete: false, pulledAll: false } }], outcome.result)
  }
})
