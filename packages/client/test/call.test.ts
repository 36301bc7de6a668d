/**
 * The call machine: every cell of its table, then sentences, then properties over random histories.
 */
import { millis } from '@shoal/kernel'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import {
  type CallEffect,
  type CallEvent,
  type CallPlan,
  type CallState,
  type Facts,
  newCall,
  stepCall,
  wakeAt,
} from '../src/core/call.ts'
import type { Failure } from '../src/core/failure.ts'
import { facts, lost, plan, refusal, silent, unsent } from './support/facts.ts'
import {
  draws,
  type History,
  type HistorySetting,
  replay,
  settings,
} from './support/random-history.ts'

const at = (now: number, more: Partial<Facts> = {}): Facts => facts({ now: millis(now), ...more })

function after(events: readonly CallEvent[], setting: Partial<CallPlan> = {}) {
  let state: CallState = newCall(plan(setting))
  let effects: readonly CallEffect[] = []
  for (const event of events) ({ state, effects } = stepCall(state, event))
  return { state, effects }
}

const begun: CallEvent = { kind: 'begun', facts: at(0) }
const failed = (failure: Failure, now = 10, more: Partial<Facts> = {}): CallEvent => ({
  kind: 'failed',
  node: failure.node,
  failure,
  facts: at(now, more),
})
const woken = (now: number, more: Partial<Facts> = {}): CallEvent => ({
  kind: 'woken',
  facts: at(now, more),
})
const overloaded = refusal('SHOAL_QUORUM_UNMET')
/** One example of each state. */
const states: Record<CallState['kind'], CallState> = {
  new: newCall(plan()),
  asking: after([begun]).state,
  resting: after([begun, failed(overloaded)]).state,
  settled: after([begun, { kind: 'answered', node: 'a' }]).state,
}
const events: Record<CallEvent['kind'], CallEvent> = {
  begun,
  answered: { kind: 'answered', node: 'a' },
  failed: failed(refusal('SHOAL_BODY_INVALID')),
  woken: woken(1),
  aborted: { kind: 'aborted', facts: at(1), reason: 'enough' },
}

/**
 * What each event does in each state: the kinds of its effects, or `never` where it cannot come.
 */
const table: Record<
  CallState['kind'],
  Record<CallEvent['kind'], readonly CallEffect['kind'][] | 'never'>
> = {
  new: { begun: ['send'], answered: 'never', failed: 'never', woken: 'never', aborted: ['fail'] },
  asking: {
    begun: 'never',
    answered: ['succeed'],
    failed: ['fail'],
    woken: [],
    aborted: ['cancel', 'fail'],
  },
  resting: { begun: 'never', answered: 'never', failed: 'never', woken: [], aborted: ['fail'] },
  settled: { begun: [], answered: [], failed: [], woken: [], aborted: [] },
}

t.test('every event in every state', async (t) => {
  t.equal(states.resting.kind, 'resting')
  for (const [state, row] of Object.entries(table)) {
    for (const [event, expected] of Object.entries(row)) {
      const step = () =>
        stepCall(states[state as CallState['kind']], events[event as CallEvent['kind']])
      if (expected === 'never') t.throws(step, { name: 'InvariantViolation' }, `${state} ${event}`)
      else
        t.same(
          step().effects.map(({ kind }) => kind),
          expected,
          `${state}, ${event}`,
        )
    }
  }
})

const sends = (effects: readonly CallEffect[]) =>
  effects.flatMap((effect) => (effect.kind === 'send' ? [{ to: effect.node, as: effect.as }] : []))

t.test('a node is told to end a little before the call does (CL1)', async (t) => {
  const told = (change: Partial<CallPlan>) => {
    const [effect] = after([begun], change).effects
    return effect?.kind === 'send' ? effect.timeout : undefined
  }
  t.equal(told({}), 2_000)
  t.equal(told({ deadline: millis(1_000) }), 950)
  t.equal(told({ deadline: millis(100) }), 90)
  t.equal(told({ deadline: millis(1) }), 1)
})

t.test('a call that knows no node fails and says so', async (t) => {
  const { effects } = after([{ kind: 'begun', facts: at(0, { candidates: [] }) }])
  t.match(effects, [{ kind: 'fail', failure: { code: 'SHOAL_CLIENT_UNREACHABLE' } }])
})

t.test('a lost write goes back to its coordinator first, then elsewhere (CL3, V10)', async (t) => {
  const once = after([begun, failed(lost('a'))])
  t.same(sends(once.effects), [{ to: 'a', as: 'retry' }])
  const twice = after([begun, failed(lost('a')), failed(lost('a'), 20)])
  t.same(sends(twice.effects), [{ to: 'b', as: 'retry' }])
})

t.test('a coordinator thought down by now is not asked again (CL3)', async (t) => {
  const candidates = [
    { node: 'b', usable: true },
    { node: 'a', usable: false },
  ]
  const { effects } = after([begun, failed(lost('a'), 10, { candidates })])
  t.same(sends(effects), [{ to: 'b', as: 'retry' }])
})

t.test('a timeout of the cluster rests, then asks the same coordinator (CL3)', async (t) => {
  const resting = after([begun, failed(refusal('SHOAL_QUORUM_TIMEOUT'), 10)])
  t.match(resting.state, { kind: 'resting', prefer: 'a' })
  const until = wakeAt(resting.state) ?? 0
  t.ok(until > 10 && until <= 10 + 25)
  const again = after([begun, failed(refusal('SHOAL_QUORUM_TIMEOUT'), 10), woken(until)])
  t.same(sends(again.effects), [{ to: 'a', as: 'retry' }])
})

t.test('a second timeout of the cluster rests again, then asks another node (CL3)', async (t) => {
  const once = [begun, failed(refusal('SHOAL_QUORUM_TIMEOUT'), 10), woken(100)]
  const twice = [...once, failed(refusal('SHOAL_QUORUM_TIMEOUT'), 110)]
  t.match(after(twice), { state: { kind: 'resting', prefer: 'b' }, effects: [] })
  t.same(sends(after([...twice, woken(300)]).effects), [{ to: 'b', as: 'retry' }])
})

t.test('nodes that cannot be reached are passed over for free, once each (CL5)', async (t) => {
  const first = after([begun, failed(unsent('a'))])
  t.same(sends(first.effects), [{ to: 'b', as: 'move' }])
  const all = [begun, failed(unsent('a')), failed(unsent('b')), failed(unsent('c'))]
  t.equal(after(all).state.kind, 'resting', 'then the call rests')
  t.match(after([...all.slice(0, 3), failed(unsent('c'), 10, { retryAllowed: false })]).effects, [
    { kind: 'fail', failure: { code: 'SHOAL_CLIENT_UNREACHABLE', outcome: 'not-applied' } },
  ])
})

t.test(
  'a node that refuses for now sends the call to another at once, then it waits',
  async (t) => {
    const busy = (node: string) => refusal('SHOAL_OVERLOADED', { node, retryAfter: '1' })
    const first = after([begun, failed(busy('a'))])
    t.same(sends(first.effects), [{ to: 'b', as: 'retry' }])
    const all = after([begun, failed(busy('a')), failed(busy('b')), failed(busy('c'), 10)])
    t.ok((wakeAt(all.state) ?? 0) >= 1_010, 'as long as was asked')
    const limited = after([begun, failed(refusal('SHOAL_RATE_LIMITED', { retryAfter: '2' }), 0)])
    t.match(
      limited.state,
      { kind: 'resting', prefer: 'a' },
      'a limit of this client holds everywhere',
    )
  },
)

t.test(
  'a rest that would outlast the call is not begun: the failure is told as it is',
  async (t) => {
    const busy = failed(refusal('SHOAL_RATE_LIMITED', { retryAfter: '60' }))
    t.match(after([begun, busy]).effects, [
      { kind: 'fail', failure: { code: 'SHOAL_RATE_LIMITED', retryAfter: 60_000 } },
    ])
  },
)

t.test('without a token of the budget nothing is tried again (CL5)', async (t) => {
  const { effects } = after([begun, failed(lost('a'), 10, { retryAllowed: false })])
  t.match(effects, [{ kind: 'fail', failure: { code: 'SHOAL_CLIENT_CONNECTION_LOST' } }])
})

t.test('tries are counted', async (t) => {
  const { effects } = after([begun, failed(lost('a')), failed(lost('a'))], { triesMax: 2 })
  t.match(effects, [{ kind: 'fail' }])
})

t.test(
  'a POST that may have arrived is not repeated, one that did not leave is (CL2)',
  async (t) => {
    const once = { repeatable: false }
    t.match(after([begun, failed(lost('a'))], once).effects, [{ kind: 'fail' }])
    t.match(after([begun, failed(silent('a'))], once).effects, [{ kind: 'fail' }])
    t.same(sends(after([begun, failed(unsent('a'))], once).effects), [{ to: 'b', as: 'move' }])
  },
)

t.test('a failure that came after doubt keeps the doubt (CL4)', async (t) => {
  const { effects } = after([
    begun,
    failed(lost('a')),
    failed(refusal('SHOAL_PRECONDITION_FAILED')),
  ])
  t.match(effects, [
    {
      kind: 'fail',
      failure: { code: 'SHOAL_PRECONDITION_FAILED' },
      doubt: { code: 'SHOAL_CLIENT_CONNECTION_LOST', outcome: 'unknown' },
    },
  ])
})

const read = { write: false, hedgeAfter: millis(20) }

t.test(
  'a slow read is hedged once, to another node, and the first answer wins (CL5)',
  async (t) => {
    t.equal(wakeAt(after([begun], read).state), 20)
    const hedged = after([begun, woken(20)], read)
    t.same(sends(hedged.effects), [{ to: 'b', as: 'hedge' }])
    t.same(after([begun, woken(20), woken(40)], read).effects, [])
    t.same(after([begun, woken(20), { kind: 'answered', node: 'b' }], read).effects, [
      { kind: 'abandon', node: 'a' },
      { kind: 'succeed', node: 'b' },
    ])
    t.same(sends(after([begun, woken(20, { hedgeAllowed: false })], read).effects), [])
    const alone = { candidates: [{ node: 'a', usable: true }] }
    t.same(sends(after([begun, woken(20, alone)], read).effects), [], 'nobody to hedge to')
  },
)

t.test('of two tries one may fail; a refusal that no node would lift ends both', async (t) => {
  const one = after([begun, woken(20), failed(lost('a', false), 30)], read)
  t.same(one.effects, [])
  t.same(
    after([begun, woken(20), failed(lost('a', false)), { kind: 'answered', node: 'b' }], read)
      .effects,
    [{ kind: 'succeed', node: 'b' }],
  )
  t.match(
    after([begun, woken(20), failed(refusal('SHOAL_UNAUTHENTICATED', { write: false }))], read)
      .effects,
    [
      { kind: 'cancel', node: 'b' },
      { kind: 'fail', failure: { code: 'SHOAL_UNAUTHENTICATED' } },
    ],
  )
})

t.test('a try that outlasts its time is broken off and made again', async (t) => {
  const late = after([begun, woken(2_250)])
  t.match(late.effects, [
    { kind: 'cancel', node: 'a' },
    { kind: 'send', node: 'a', as: 'retry' },
  ])
  const lateRead = after([begun, woken(2_250)], { write: false })
  t.match(lateRead.effects[1], { node: 'b' }, 'a read has no reason to go back')
  const both = after([begun, woken(20), woken(2_250)], read)
  t.same(both.effects, [{ kind: 'cancel', node: 'a' }], 'the hedge still runs')
})

t.test('the deadline ends everything, and says what is known (CL1, CL4)', async (t) => {
  const running = after([begun, woken(5_000)])
  t.match(running.effects, [
    { kind: 'cancel', node: 'a' },
    { kind: 'fail', failure: { code: 'SHOAL_CLIENT_TIMEOUT', outcome: 'unknown' } },
  ])
  const unsentYet = after([begun, woken(5_000, { sent: false })])
  t.match(unsentYet.effects[1], { failure: { outcome: 'not-applied' } })
  const reading = after([begun, woken(5_000)], { write: false })
  t.match(reading.effects[1], { failure: { outcome: 'not-applied' } })
  const resting = after([begun, failed(refusal('SHOAL_QUORUM_TIMEOUT'), 4_980), woken(5_000)])
  t.match(resting.effects, [{ kind: 'fail', doubt: { code: 'SHOAL_QUORUM_TIMEOUT' } }])
})

t.test('an abort says whether the write may have been applied (CL6)', async (t) => {
  const abort = (sent: boolean): CallEvent => ({
    kind: 'aborted',
    facts: at(1, { sent }),
    reason: 7,
  })
  t.match(after([begun, abort(true)]).effects[1], {
    failure: { code: 'SHOAL_CLIENT_ABORTED', outcome: 'unknown', cause: 7 },
  })
  t.match(after([begun, abort(false)]).effects[1], { failure: { outcome: 'not-applied' } })
})

t.test('after a rest with every node shunned the best of them is asked all the same', async (t) => {
  const down = { candidates: [{ node: 'c', usable: false }] }
  const rested = after([begun, failed(refusal('SHOAL_QUORUM_TIMEOUT')), woken(100, down)])
  t.same(sends(rested.effects), [{ to: 'c', as: 'retry' }])
  const broke = { retryAllowed: false }
  t.match(after([begun, failed(refusal('SHOAL_QUORUM_TIMEOUT')), woken(100, broke)]).effects, [
    { kind: 'fail', failure: { code: 'SHOAL_QUORUM_TIMEOUT' } },
  ])
  t.match(
    after([begun, failed(refusal('SHOAL_QUORUM_TIMEOUT')), woken(100, { candidates: [] })]).effects,
    [{ kind: 'fail', failure: { code: 'SHOAL_QUORUM_TIMEOUT' } }],
  )
})

const seed = { seed: 20_071_014, numRuns: 2_000 }

function holds(t: Test, rule: (history: History, setting: HistorySetting) => boolean): void {
  const property = fc.property(draws, settings, (chosen, setting) =>
    rule(replay(chosen, setting), setting),
  )
  fc.assert(property, seed)
  t.pass(`${seed.numRuns} histories from seed ${seed.seed}`)
}

t.test('whatever happens, a call settles once and in time, nothing left (CL1, CL6)', async (t) => {
  holds(t, ({ settled, settledAt, left }) => {
    return settled.length === 1 && settledAt <= 5_000 && left === 0
  })
})

t.test('whatever happens, doubt is kept, and a read is never in doubt (CL4)', async (t) => {
  holds(t, ({ settled: [end], doubted }, { write }) => {
    if (end?.kind !== 'fail') return true
    const unknown = end.failure.outcome === 'unknown' || end.doubt !== undefined
    return unknown === (doubted && write)
  })
})

t.test('whatever happens, tries keep their number and only reads are hedged (CL5)', async (t) => {
  holds(t, ({ sent }, { triesMax, write }) => {
    const count = (wanted: string) => sent.filter(({ as }) => as === wanted).length
    const paid = count('first') + count('retry')
    return paid <= triesMax && count('move') <= 2 * paid && (count('hedge') === 0 || !write)
  })
})

t.test('whatever happens, a node is asked in time to answer (CL1)', async (t) => {
  holds(t, ({ sent }) => sent.every(({ timeout }) => timeout >= 1 && timeout <= 2_000))
})
