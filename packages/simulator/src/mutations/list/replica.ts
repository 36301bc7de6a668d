import type { Mutation } from '../mutation.ts'

const actors = 'replica/dist/src/core/actors.js'
const apply = 'replica/dist/src/core/apply.js'
const mergeRows = 'replica/dist/src/core/merge-rows.js'
const requestMemory = 'replica/dist/src/core/request-memory.js'
const versionCache = 'replica/dist/src/core/version-cache.js'
const fetch = 'replica/dist/src/fetch.js'
const pipeline = 'replica/dist/src/pipeline.js'
const reads = 'replica/dist/src/reads.js'
const replica = 'replica/dist/src/replica.js'
const serve = 'replica/dist/src/serve.js'

const FULL = "if (error instanceof ShoalError && error.code === 'SHOAL_STORAGE_FULL')"

/** What a replica does with one write, or with one copy of another replica. */
export const inReplica: readonly Mutation[] = [
  {
    name: 'restart-issues-the-last-counter-again',
    rule: 'A1',
    harm: 'After a clean restart one dot stands for two values, and one of them is lost.',
    file: actors,
    find: 'const counter = Number(marker.readBigUInt64BE(at + 2 + ACTOR_BYTES));',
    replace:
      'const counter = Math.max(0, Number(marker.readBigUInt64BE(at + 2 + ACTOR_BYTES)) - 1);',
  },
  {
    name: 'counter-stands-still',
    rule: 'A1',
    harm: 'All keys of a partition share one dot.',
    file: actors,
    find: 'actor.counter++;',
    replace: 'actor.counter = Math.max(1, actor.counter);',
  },
  {
    name: 'damage-keeps-the-actor',
    rule: 'A2',
    harm: 'A replica that lost a key to damage goes on as if it remembered its own writes to it.',
    file: pipeline,
    find: 'this.#parts.actors.rotate(slot.partition);',
    replace: '',
  },
  {
    name: 'sibling-bucket-overwrites',
    rule: 'V7',
    harm: 'Writes without a context replace values in a bucket that promised to keep them all.',
    file: apply,
    find: "if (operation.blind === 'sibling')",
    replace: "if (operation.blind === 'neither')",
  },
  {
    name: 'blind-write-forgets-session',
    rule: 'S1',
    harm: 'A write in a session leaves a sibling of what the same session wrote before.',
    file: apply,
    find:
      'return known === undefined ? operation.seen : ' +
      'joinClocks(versionClock(known), operation.seen);',
    replace: 'return known;',
  },
  {
    name: 'delete-takes-concurrent-values',
    rule: 'D1',
    harm: 'A delete with an old context deletes the values written since.',
    file: apply,
    find: 'const context = operation.context ?? blindContext(slot.version, operation);',
    replace:
      'const context = operation.tombstone ? slot.version : ' +
      'operation.context ?? blindContext(slot.version, operation);',
  },
  {
    name: 'sibling-limit-ignored',
    rule: 'V8',
    harm: 'A client that never reads makes siblings without end.',
    file: apply,
    find: 'if (kept > 0 && kept >= operation.siblingsMax)',
    replace: 'if (kept > 10_000)',
  },
  {
    name: 'merge-refuses-siblings',
    rule: 'V8',
    harm: 'Replicas with many siblings never become equal: the limit for clients blocks repair.',
    file: apply,
    find: 'if (!isIntact(slot) || !slot.row)',
    replace: 'if (!isIntact(slot) || !slot.row || liveCount(local) > 1)',
  },
  {
    name: 'merge-takes-the-wrong-value',
    rule: 'V1',
    harm: 'A merge puts the value of one dot in the place of another of the same actor.',
    file: mergeRows,
    find: 'return block?.compare(version, header, header + DOT_BYTES, 0, DOT_BYTES) === 0;',
    replace: 'return block?.compare(version, header, header + 8, 0, 8) === 0;',
  },
  {
    name: 'repair-overwrites',
    rule: 'V2',
    harm: 'A repair or a late message replaces a concurrent value instead of joining it.',
    file: apply,
    find: "return relation === 'mix' ? mix(slot, operation.row, incoming) : undefined;",
    replace: "if (relation === 'mix') take(slot, incoming, operation.row);\n    return undefined;",
  },
  {
    name: 'heal-goes-back',
    rule: 'V11',
    harm: 'A damaged copy is replaced by an older one, and what only it had is forgotten.',
    file: apply,
    find: "if (relation === 'keep' || relation === 'mix')",
    replace: 'if (relation === undefined)',
  },
  {
    name: 'damaged-values-merged',
    rule: 'V11',
    harm: 'A write carries a damaged value of its own disk into the new row.',
    file: apply,
    find: "if (slot.row === undefined || verifyRow(slot.row, slot.token) !== 'ok')",
    replace: 'if (slot.row === undefined)',
  },
  {
    name: 'request-forgotten',
    rule: 'V10',
    harm: 'A retry that comes after the next write undoes that write.',
    file: requestMemory,
    find: 'if (slot < 0 || now - times[slot] > this.#age)',
    replace: 'if (now >= 0)',
  },
  {
    name: 'request-of-a-value-ignored',
    rule: 'V10',
    harm: 'A retry through another coordinator that has the value leaves it there twice.',
    file: apply,
    find: 'if (index < 0)',
    replace: 'if (index < 1_000)',
  },
  {
    name: 'retry-answers-merged-clock',
    rule: 'V5',
    harm: 'A client whose write was retried deletes siblings it was never shown.',
    file: apply,
    find: 'context: repeatedContext(slot.version, operation, known),',
    replace: 'context: versionClock(slot.version),',
  },
]

/** How a replica reads, writes and answers: groups, cache, sync. */
export const inReplicaDrivers: readonly Mutation[] = [
  {
    name: 'mint-without-reading',
    rule: 'V3',
    harm: 'A dot minted upon nothing denies what is on the disk already.',
    file: pipeline,
    find: 'if (unknown.length > 0)',
    replace: 'if (unknown.length > 1)',
  },
  {
    name: 'read-error-is-not-found',
    rule: 'V3',
    harm: 'A write after a failed read takes the key for new and overwrites it.',
    file: fetch,
    find: 'throw error;\n        return Promise.all(',
    replace: 'return keys.map(() => undefined);\n        return Promise.all(',
    needs: ['disk read-fails', 'disk read-error'],
  },
  {
    name: 'unreadable-is-not-found',
    rule: 'V11',
    harm: 'A key whose block on disk is damaged counts as a key that was never written.',
    file: fetch,
    find: 'return DAMAGED;',
    replace: 'return undefined;',
  },
  {
    name: 'damaged-row-answers-not-found',
    rule: 'V11',
    harm: 'A damaged copy answers "not found", and R such answers hide the value.',
    file: reads,
    find: "sink.failed('SHOAL_ROW_DAMAGED');",
    replace: 'sink.row(undefined);',
  },
  {
    name: 'row-unchecked-on-read',
    rule: 'V11',
    harm: 'Clients read bytes that nobody wrote.',
    file: reads,
    find: "verifyRow(row, rowKey.readBigUInt64BE(0)) === 'ok';",
    replace: 'row.length > rowKey.length;',
  },
  {
    name: 'group-forgets-itself',
    rule: 'V3',
    harm: 'Of two writes to one key in one group the second does not know of the first.',
    file: pipeline,
    find: 'const known = byKey.get(text);',
    replace: 'const known = undefined;',
  },
  {
    name: 'groups-overlap',
    rule: 'V3',
    harm: 'Two groups read the same state and the later one overwrites the earlier.',
    file: pipeline,
    find: 'if (this.#running || this.#scheduled)',
    replace: 'if (this.#scheduled)',
  },
  {
    name: 'cache-left-behind',
    rule: 'V3',
    harm: 'A write is based on the version before the last one.',
    file: pipeline,
    find: '            cache.set(rowKey, version);',
    replace: '            cache.get(rowKey);',
  },
  {
    name: 'cache-hands-out-a-view',
    rule: 'V3',
    harm: 'The version of one key turns into that of another while a group works with it.',
    file: versionCache,
    find: 'return copy;',
    replace: 'return this.#slab.subarray(versionAt, versionAt + length);',
  },
  {
    name: 'cache-takes-an-old-row',
    rule: 'V3',
    harm: 'A read that was overtaken by a write puts the old version back into the cache.',
    file: reads,
    find: 'const cacheable = writesBefore === this.#writes();',
    replace: 'const cacheable = true;',
  },
  {
    name: 'acknowledged-before-sync',
    rule: 'durability',
    harm: 'A power cut takes writes that were acknowledged as on disk.',
    file: pipeline,
    find: 'await this.#parts.store.sync();',
    replace: 'this.#parts.store.sync().catch(() => undefined);',
  },
  {
    name: 'sync-error-ignored',
    rule: 'A3',
    harm: 'A write is acknowledged although its sync failed.',
    file: pipeline,
    find: 'await this.#parts.store.sync();',
    replace: 'await this.#parts.store.sync().catch(() => undefined);',
    needs: ['disk sync-fails'],
  },
  {
    name: 'failed-disk-does-not-stop-the-node',
    rule: 'A3',
    harm: 'A node whose disk has failed stays up, and whoever asks it waits in vain.',
    file: pipeline,
    find: 'this.#parts.env.halt(reason);',
    replace: '',
    needs: ['disk sync-fails', 'disk write-fails'],
  },
  {
    name: 'full-disk-acknowledges',
    rule: 'durability',
    harm: 'Writes to a full disk are acknowledged and are nowhere.',
    file: pipeline,
    find: `${FULL}\n                return false;`,
    replace: `${FULL}\n                return true;`,
    needs: ['disk full'],
  },
  {
    name: 'full-disk-changes-the-cache',
    rule: 'V3',
    harm: 'A refused write lives on in memory: the next one builds on a state that is not there.',
    file: pipeline,
    find: `${FULL}\n                return false;`,
    replace:
      `${FULL} {\n                for (const slot of changed)` +
      '\n                    cache.set(slot.rowKey, slot.version);' +
      '\n                return false;\n            }',
    needs: ['disk full'],
  },
  {
    name: 'written-called-durable',
    rule: 'durability',
    harm: 'The receipt counts copies as on disk that only the operating system has.',
    file: serve,
    find: 'this.#question.answer(answerKinds.mergedWritten, EMPTY, true);',
    replace: 'this.#question.answer(answerKinds.mergedDurable, EMPTY);',
  },
  {
    name: 'memory-write-called-durable',
    rule: 'durability',
    harm: 'A write that asked for no sync gets a receipt that says it is on disk.',
    file: serve,
    find: 'this.#question.answer(answerKinds.mergedWritten, EMPTY);',
    replace: 'this.#question.answer(answerKinds.mergedDurable, EMPTY);',
  },
  {
    name: 'same-for-any-digest',
    rule: 'Q4',
    harm: 'A replica says that it has the same version when it has another one.',
    file: serve,
    find: 'if (digest?.equals(this.#replica.digestOf(version, rowKey))) {',
    replace: 'if (digest !== undefined) {',
  },
  {
    name: 'strict-answer-before-sync',
    rule: 'Q5',
    harm: 'A strict read counts a copy that a power cut takes away again.',
    file: serve,
    find: 'if ((this.#message.flags & readFlags.durable) === 0)',
    replace: 'if (body !== undefined)',
  },
  {
    name: 'always-durable',
    rule: 'Q5',
    harm: 'A strict read shows a value that only memory has.',
    file: replica,
    find: 'this.#pipeline.isDurable &&',
    replace: 'this.#pipeline.depth >= 0 &&',
  },
]
