import type { Mutation } from '../mutation.ts'

const courier = 'handoff/dist/src/courier.js'
const hintLog = 'handoff/dist/src/hint-log.js'
const logReading = 'handoff/dist/src/log-reading.js'
const pipeline = 'replica/dist/src/pipeline.js'
const readOperation = 'coordinator/dist/src/read-operation.js'
const reading = 'coordinator/dist/src/reading.js'
const standIns = 'coordinator/dist/src/stand-ins.js'
const syncPoints = 'handoff/dist/src/core/sync-points.js'
const writeMachine = 'coordinator/dist/src/core/write-machine.js'
const writeOperation = 'coordinator/dist/src/write-operation.js'

/** Fallbacks, and what is owed to those they stand in for. */
export const inStandIns: readonly Mutation[] = [
  {
    name: 'stand-in-owes-nobody',
    rule: 'H1',
    harm: 'A fallback takes a write and forgets whose it is: the primary is never told.',
    file: pipeline,
    find: 'if (!owedTo)',
    replace: 'if (owedTo !== undefined)',
  },
  {
    name: 'hint-after-its-row',
    rule: 'H1',
    harm: 'A crash between row and hint leaves a write with a fallback that owes it to nobody.',
    file: pipeline,
    find: 'owed.add(this.#batch, { rowKey, primaries: owedTo, bytes });',
    replace:
      'const later = this.#parts.store.batch(); ' +
      'owed.add(later, { rowKey, primaries: owedTo, bytes }); ' +
      'this.#parts.env.nextTurn(() => this.#parts.store.write(later));',
  },
  {
    name: 'stand-in-answers-before-its-sync',
    rule: 'H1',
    harm: 'A fallback acknowledges row and hint, and a power cut takes both.',
    file: pipeline,
    find: 'if (this.#unsynced) {',
    replace: 'if (this.#unsynced && !group.some((each) => each.owedTo)) {',
  },
  {
    name: 'stand-in-is-told-as-a-primary',
    rule: 'H1',
    harm: 'A fallback is not told for whom it stands in, so it keeps the row for itself.',
    file: writeOperation,
    find: 'const standsFor = this.#state.standsFor[candidate] ?? 0;',
    replace: 'const standsFor = 0;',
  },
  {
    name: 'stand-in-coordinator-owes-nobody',
    rule: 'V4',
    harm: 'With all primaries down a fallback coordinates, and none of them ever hears of it.',
    file: standIns,
    find: 'kept: self >= 0 ? 0 : primaries',
    replace: 'kept: 0',
  },
  {
    name: 'enlisted-is-acknowledged',
    rule: 'Q3',
    harm: 'A fallback counts from the moment it is asked.',
    file: writeMachine,
    find: 'tally: { ...tally, pending: tally.pending | bit(candidate) },',
    replace:
      'tally: { ...tally, acknowledged: tally.acknowledged | bit(candidate), ' +
      'durable: tally.durable | bit(candidate) },',
  },
  {
    name: 'strict-write-takes-stand-ins',
    rule: 'Q3',
    harm: 'A strict write is acknowledged by nodes that strict reads never ask.',
    file: standIns,
    find: 'if (self >= 0 && (missing === 0 || strict)) {',
    replace: 'if (self >= 0 && missing === 0) {',
  },
  {
    name: 'strict-read-asks-stand-ins',
    rule: 'Q3',
    harm: 'A strict read is answered by fallbacks, and the next one goes back in time.',
    file: reading,
    find: 'if (missing !== 0 && !strict) {',
    replace: 'if (missing !== 0) {',
  },
  {
    name: 'stand-in-says-not-found',
    rule: 'Q4',
    harm: 'A key that exists is not found, because a fallback has never heard of it.',
    file: readOperation,
    find: 'if (!known && candidate >= this.#plan.progress.primaries)',
    replace: 'if (!known && candidate >= 99)',
  },
  {
    name: 'hints-are-not-found-again',
    rule: 'H1',
    harm: 'What a node owes is forgotten with its restart, though its disk knows.',
    file: logReading,
    find: 'log.load(place.node, hint);',
    replace: 'void log;',
  },
  {
    name: 'refused-hint-is-delivered',
    rule: 'H1',
    harm: 'A hint that its target refused is taken for delivered and deleted.',
    file: courier,
    find: 'if (kind === answerKinds.mergedDurable)',
    replace: 'if (kind === answerKinds.mergedDurable || kind === answerKinds.refused)',
  },
  {
    name: 'full-log-forgets',
    rule: 'H2',
    harm: 'A hint for which there is no room is dropped, and no partition is marked for it.',
    file: hintLog,
    find: 'return this.mark(batch, { node: to, rowKey, reason }, staged);',
    replace: 'return;',
    needs: ['handoff: the log is full'],
  },
  {
    name: 'sync-point-ends-early',
    rule: 'H4',
    harm: 'Who waits for hints is told that all are delivered while one is not.',
    file: syncPoints,
    find: 'targets: awaited, total, left: total, lost: 0 });',
    replace: 'targets: awaited, total, left: Math.max(1, total - 1), lost: 0 });',
  },
]
