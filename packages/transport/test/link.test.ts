import { limits, type Millis } from '@shoal/kernel'
import t from 'tap'
import { isUp, type LinkEvent, type LinkState, stepLink } from '../src/core/link.ts'

const own = { connection: 1, run: 'run', channel: 'channel' }
const base = { last: 'channel', tries: 2 }
const newcomer = { connection: 9, run: 'other run', channel: 'their channel' }

const states: { [Kind in LinkState['kind']]: Extract<LinkState, { kind: Kind }> } = {
  idle: { kind: 'idle', last: '' },
  dialling: { kind: 'dialling', connection: 1, ...base },
  offering: { kind: 'offering', connection: 1, ...base },
  waiting: { kind: 'waiting', ...base },
  up: { kind: 'up', ...own, ...base },
  contested: { kind: 'contested', ...own, ...base, newcomer },
  leaving: { kind: 'leaving', ...own, ...base },
  stopped: { kind: 'stopped', last: 'channel' },
}

/** One of each kind, about the connection the state knows. Offers come from the run we know. */
const events: { [Kind in LinkEvent['kind']]: LinkEvent & { kind: Kind } } = {
  started: { kind: 'started', connection: 5 },
  retryDue: { kind: 'retryDue', connection: 5 },
  reached: { kind: 'reached', ...own },
  agreed: { kind: 'agreed', ...own },
  offered: {
    kind: 'offered',
    connection: 7,
    run: 'run',
    channel: 'new',
    lastChannel: 'channel',
  },
  closed: { kind: 'closed', connection: 1, reason: 'reset', lasted: 0 as Millis },
  answered: { kind: 'answered', connection: 1 },
  contestDue: { kind: 'contestDue' },
  goodbye: { kind: 'goodbye', connection: 1, reason: 'leaving' },
  stop: { kind: 'stop' },
}

/** The state after, and the effects: kind and, where it has one, connection. */
type Cell = `${LinkState['kind']}:${string}`

/** Of the leader; where a follower differs it is tested below. */
const expected: Record<LinkState['kind'], Record<LinkEvent['kind'], Cell>> = {
  idle: {
    started: 'dialling: dial 5',
    retryDue: 'idle:',
    reached: 'idle: refuse 1',
    agreed: 'idle: close 1',
    offered: 'idle: refuse 7',
    closed: 'idle:',
    answered: 'idle:',
    contestDue: 'idle:',
    goodbye: 'idle:',
    stop: 'stopped:',
  },
  dialling: {
    started: 'dialling:',
    retryDue: 'dialling:',
    reached: 'offering: offer 1',
    agreed: 'dialling: close 1',
    offered: 'up: close 1, accept 7, up 7',
    closed: 'waiting: wait',
    answered: 'dialling:',
    contestDue: 'dialling:',
    goodbye: 'dialling:',
    stop: 'stopped: close 1',
  },
  offering: {
    started: 'offering:',
    retryDue: 'offering:',
    reached: 'offering: refuse 1',
    agreed: 'up: up 1',
    offered: 'offering: refuse 7',
    closed: 'waiting: wait',
    answered: 'offering:',
    contestDue: 'offering:',
    goodbye: 'offering:',
    stop: 'stopped: close 1',
  },
  waiting: {
    started: 'waiting:',
    retryDue: 'dialling: dial 5',
    reached: 'waiting: refuse 1',
    agreed: 'waiting: close 1',
    offered: 'up: cancelWait, accept 7, up 7',
    closed: 'waiting:',
    answered: 'waiting:',
    contestDue: 'waiting:',
    goodbye: 'waiting:',
    stop: 'stopped: cancelWait',
  },
  up: {
    started: 'up:',
    retryDue: 'up:',
    reached: 'up: refuse 1',
    agreed: 'up: close 1',
    offered: 'up: close 1, down, accept 7, up 7',
    closed: 'waiting: down, wait',
    answered: 'up:',
    contestDue: 'up:',
    goodbye: 'leaving: down',
    stop: 'stopped: close 1, down',
  },
  contested: {
    started: 'contested:',
    retryDue: 'contested:',
    reached: 'contested: refuse 1',
    agreed: 'contested: close 1',
    offered: 'up: cancelProbe, refuse 9, close 1, down, accept 7, up 7',
    closed: 'up: cancelProbe, down, accept 9, up 9',
    answered: 'up: cancelProbe, refuse 9',
    contestDue: 'up: close 1, down, accept 9, up 9',
    goodbye: 'up: cancelProbe, close 1, down, accept 9, up 9',
    stop: 'stopped: cancelProbe, refuse 9, close 1, down',
  },
  leaving: {
    started: 'leaving:',
    retryDue: 'leaving:',
    reached: 'leaving: refuse 1',
    agreed: 'leaving: close 1',
    offered: 'up: close 1, accept 7, up 7',
    closed: 'waiting: wait',
    answered: 'leaving:',
    contestDue: 'leaving:',
    goodbye: 'leaving:',
    stop: 'stopped: close 1',
  },
  stopped: {
    started: 'stopped:',
    retryDue: 'stopped:',
    reached: 'stopped: refuse 1',
    agreed: 'stopped: close 1',
    offered: 'stopped: refuse 7',
    closed: 'stopped:',
    answered: 'stopped:',
    contestDue: 'stopped:',
    goodbye: 'stopped:',
    stop: 'stopped:',
  },
}

function cell(leads: boolean, state: LinkState, event: LinkEvent): string {
  const step = stepLink(leads, state, event)
  const effects = step.effects.map((effect) =>
    'connection' in effect ? `${effect.kind} ${effect.connection}` : effect.kind,
  )
  return `${step.state.kind}: ${effects.join(', ')}`.trim()
}

for (const [kind, row] of Object.entries(expected)) {
  const state = states[kind as LinkState['kind']]
  t.test(`${kind}: every event`, (t) => {
    for (const [event, wanted] of Object.entries(row)) {
      t.equal(cell(true, state, events[event as LinkEvent['kind']]), wanted, event)
    }
    t.end()
  })
}

t.test('a follower differs from the leader in one cell: it follows while it offers', (t) => {
  for (const state of Object.values(states)) {
    for (const event of Object.values(events)) {
      const differs = cell(true, state, event) !== cell(false, state, event)
      const here = state.kind === 'offering' && event.kind === 'offered'
      t.equal(differs, here, `${state.kind} ${event.kind}`)
    }
  }
  t.equal(cell(false, states.offering, events.offered), 'up: close 1, accept 7, up 7')
  t.end()
})

t.test('what concerns a connection of the past changes nothing', (t) => {
  for (const state of Object.values(states)) {
    for (const kind of ['closed', 'answered', 'goodbye'] as const) {
      const step = stepLink(true, state, { ...events[kind], connection: 4 })
      t.same([step.state, step.effects], [state, []], `${state.kind} ${kind}`)
    }
  }
  t.end()
})

t.test('TL3 a late connection of a race does not replace the channel', (t) => {
  const late = { ...events.offered, lastChannel: 'the one before' }
  t.equal(cell(true, states.up, late), 'up: refuse 7')
  t.equal(cell(false, states.up, { ...late, lastChannel: '' }), 'up: refuse 7')
  t.end()
})

t.test('TL4 another run that claims the id has to wait until the running one was asked', (t) => {
  const claim = { ...events.offered, run: 'other run', lastChannel: '' }
  t.equal(cell(true, states.up, claim), 'contested: probe 1')
  t.equal(cell(true, states.contested, claim), 'contested: refuse 7', 'one at a time')
  const { effects } = stepLink(true, states.contested, events.answered)
  t.match(effects[1], { kind: 'refuse', code: 'SHOAL_NODE_ID_TAKEN' }, 'the newcomer must go')
  const gone = { ...events.closed, connection: newcomer.connection }
  t.equal(cell(true, states.contested, gone), 'up: cancelProbe', 'the newcomer went by itself')
  t.ok(isUp(states.contested), 'meanwhile the running one is used')
  t.end()
})

t.test(
  'TL5 failures lengthen the wait; a channel that lasted, or said goodbye, shortens it',
  (t) => {
    const triesAfter = (state: LinkState, lasted: number) => {
      const step = stepLink(true, state, { ...events.closed, lasted: lasted as Millis })
      return step.effects.find(({ kind }) => kind === 'wait')
    }
    t.match(triesAfter(states.dialling, 0), { tries: 3 })
    t.match(
      triesAfter(states.up, 0),
      { tries: 3 },
      'a channel that breaks at once is a failure too',
    )
    t.match(triesAfter(states.up, limits.peerReconnectMax), { tries: 0 })
    t.match(triesAfter(states.leaving, 0), { tries: 0 })
    t.end()
  },
)
