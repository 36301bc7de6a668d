import type { Mutation } from '../mutation.ts'

const consistency = 'coordinator/dist/src/core/consistency.js'
const coordinator = 'coordinator/dist/src/coordinator.js'
const deadlines = 'coordinator/dist/src/deadlines.js'
const forwarding = 'coordinator/dist/src/forwarding.js'
const judge = 'coordinator/dist/src/core/judge.js'
const repair = 'coordinator/dist/src/repair.js'
const speeds = 'coordinator/dist/src/speeds.js'
const writeMachine = 'coordinator/dist/src/core/write-machine.js'
const writeOperation = 'coordinator/dist/src/write-operation.js'
const writing = 'coordinator/dist/src/writing.js'

/** Writes, and what reads and writes have in common. */
export const inCoordinator: readonly Mutation[] = [
  {
    name: 'quorum-is-half',
    rule: 'Q1',
    harm: 'A quorum is one of three: reads and writes miss each other.',
    file: consistency,
    find: 'Math.floor(n / 2) + 1;',
    replace: 'Math.max(1, Math.floor(n / 2));',
  },
  {
    name: 'one-answer-short',
    rule: 'Q2',
    harm: 'A read is over after R - 1 answers.',
    file: judge,
    find: 'if (countOf(acknowledged) >= need && countOf(durable) >= needDurable)',
    replace: 'if (countOf(acknowledged) >= need - 1 && countOf(durable) >= needDurable)',
  },
  {
    name: 'one-sync-short',
    rule: 'Q2',
    harm: 'A write is acknowledged with W - 1 copies on disk.',
    file: judge,
    find: 'if (countOf(acknowledged) >= need && countOf(durable) >= needDurable)',
    replace: 'if (countOf(acknowledged) >= need && countOf(durable) >= needDurable - 1)',
  },
  {
    name: 'failed-replica-counts',
    rule: 'Q2',
    harm: 'A replica that refused or could not be reached counts as one that has the write.',
    file: writeMachine,
    find: 'return { ...state, tally: { ...tally, pending: tally.pending & ~bit(event.by) } };',
    replace:
      'return { ...state, tally: { ...tally, acknowledged: tally.acknowledged | bit(event.by), ' +
      'durable: tally.durable | bit(event.by), pending: tally.pending & ~bit(event.by) } };',
  },
  {
    name: 'written-counts-as-durable',
    rule: 'durability',
    harm: 'The coordinator counts copies as on disk when they are written.',
    file: writeMachine,
    find:
      'return { ...state, tally: ' +
      '{ ...tally, acknowledged: tally.acknowledged | bit(event.by) } };',
    replace:
      'return { ...state, tally: { ...tally, acknowledged: tally.acknowledged | bit(event.by), ' +
      'durable: tally.durable | bit(event.by) } };',
  },
  {
    name: 'write-ended-twice',
    rule: 'O2',
    harm: 'A late acknowledgement ends a request that has ended, and the client hears two answers.',
    file: writeMachine,
    find: "if (state.kind === 'settled')",
    replace: "if (state.kind === 'never')",
  },
  {
    name: 'late-refusal-ends-again',
    rule: 'O2',
    harm: 'A refusal of the own disk after the deadline ends the request a second time.',
    file: writeOperation,
    find: "if (this.#state.kind === 'settled')",
    replace: "if (this.#state.kind === 'never')",
    needs: ['disk slow'],
  },
  {
    name: 'write-without-deadline',
    rule: 'O2',
    harm: 'A write whose replicas are silent never ends.',
    file: writeOperation,
    find: "this.#feed({ kind: 'expired' });",
    replace: '',
  },
  {
    name: 'deadlines-forget-each-other',
    rule: 'O2',
    harm: 'Of all requests with one deadline only the last one ends by it.',
    file: deadlines,
    find: 'entry.deadlineAfter = head;',
    replace: 'entry.deadlineAfter = undefined;',
  },
  {
    name: 'sent-and-called-not-applied',
    rule: 'Q7',
    harm: 'A client is told that its write did not happen, and it did.',
    file: writeOperation,
    find: '{ wanted: w, got: countOf(tally.acknowledged),',
    replace: "{ outcome: 'not-applied', wanted: w, got: countOf(tally.acknowledged),",
  },
  {
    name: 'reach-not-looked-at',
    rule: 'Q7',
    harm: 'A write that cannot succeed is sent all the same, and is half there.',
    file: writing,
    find: 'if (got < w)',
    replace: 'if (got < 1)',
  },
  {
    name: 'any-node-mints',
    rule: 'V4',
    harm: 'A node that does not hold the key mints dots upon a state it does not have.',
    file: coordinator,
    find: 'if (place.self >= 0 || asked.asStandIn)',
    replace: 'if (place.nodes.length > 0)',
  },
  {
    name: 'forwarded-until-answered',
    rule: 'V4',
    harm: 'A write whose answer was lost is done a second time by another replica.',
    file: forwarding,
    find: "code === 'SHOAL_PEER_UNREACHABLE' || code === 'SHOAL_PEER_BUSY';",
    replace: "code !== 'SHOAL_FRAME_INVALID';",
  },
  {
    name: 'write-leaves-no-trace-in-session',
    rule: 'S1',
    harm: 'A session does not read its own writes.',
    file: writing,
    find: 'desk.sessions.encode(joinIntoSession(session, rowToken, context))',
    replace: 'desk.sessions.encode(session)',
  },
  {
    name: 'blind-writes-never-refused',
    rule: 'V7',
    harm: 'A bucket that refuses blind writes takes them.',
    file: writing,
    find: "if (blindWrites === 'reject') {",
    replace: "if (blindWrites === 'never') {",
  },
  {
    name: 'blind-delete-of-nothing',
    rule: 'D1',
    harm: 'A delete without a context is acknowledged and deletes nothing.',
    file: writing,
    find: "if (blindWrites === 'sibling' && request.operation === 'delete') {",
    replace: "if (blindWrites === 'never') {",
  },
  {
    name: 'ttl-in-milliseconds',
    rule: 'D2',
    harm: 'Values expire a thousand times too early.',
    file: writing,
    find: 'return Math.round(desk.env.clock.wall()) + ttl * 1_000;',
    replace: 'return Math.round(desk.env.clock.wall()) + ttl;',
  },
  {
    name: 'request-never-leaves-the-count',
    rule: 'O1',
    harm: 'The bound on requests in flight fills up and the node refuses everything.',
    file: coordinator,
    find: '            figures.operationsInFlight--;',
    replace: '            figures.operationsInFlight;',
  },
  {
    name: 'repair-never-leaves-the-count',
    rule: 'O1',
    harm: 'The bound on repairs fills up and nothing is repaired any more.',
    file: repair,
    find: 'answered() {\n        this.#figures.repairsInFlight--;',
    replace: 'answered() {',
  },
  {
    name: 'hedges-without-limit',
    rule: 'O4',
    harm: 'Slow replicas double the load on all others.',
    file: speeds,
    find: 'if (this.#hedges + 1 > this.#reads * HEDGE_SHARE)',
    replace: 'if (this.#reads < 0)',
  },
]
