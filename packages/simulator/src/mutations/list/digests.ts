import type { Mutation } from '../mutation.ts'

const apply = 'replica/dist/src/core/apply.js'
const journal = 'replica/dist/src/digest-journal.js'
const pipeline = 'replica/dist/src/pipeline.js'
const replica = 'replica/dist/src/replica.js'

const APART =
  'const apart = store.batch();\n' +
  '        this.#parts.journal.add(apart, changes, { checkpoint });\n' +
  '        try {\n            store.write(apart);\n        }\n        catch { }'

/** E1: the digests of a partition never differ from its rows. */
export const inDigests: readonly Mutation[] = [
  {
    name: 'digests-written-apart',
    rule: 'E1',
    harm: 'After a crash the digests claim rows that are not there, and nothing ever repairs them.',
    file: pipeline,
    find: 'this.#parts.journal.add(this.#batch, changes, { checkpoint });',
    replace: APART,
  },
  {
    name: 'digest-forgets-the-old-version',
    rule: 'E1',
    harm: 'The digest of a segment still counts versions that were overwritten.',
    file: apply,
    find: 'return before ^ after;',
    replace: 'return after;',
  },
  {
    name: 'checkpoint-taken-for-newer',
    rule: 'E1',
    harm: 'Journal records are deleted that the checkpoint does not contain.',
    file: journal,
    find:
      'this.#digests.checkpointed(this.#checkpoint);\n' + '        this.#digests.apply(changes);',
    replace:
      '{ }\n        this.#digests.apply(changes);\n        if (this.#checkpoint !== undefined)\n' +
      '            this.#digests.checkpointed(this.#checkpoint);',
  },
  {
    name: 'journal-holes-ignored',
    rule: 'E1',
    harm: 'Digests that build on a batch lost in a power cut are believed.',
    file: replica,
    find: 'const doubted = holes ||',
    replace: 'const doubted =',
  },
]
