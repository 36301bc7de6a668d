import type { Mutation } from '../mutation.ts'

const context = 'causality/dist/src/context.js'
const session = 'causality/dist/src/session.js'
const token = 'causality/dist/src/token.js'

export const inTokens: readonly Mutation[] = [
  {
    name: 'context-of-any-key',
    rule: 'V6',
    harm: 'A context of one key, sent with another, makes later honest writes vanish.',
    file: token,
    find: 'this.#work.set(name, end + CLUSTER_BYTES);',
    replace: 'this.#work.fill(0, end + CLUSTER_BYTES, bound);',
  },
  {
    name: 'context-check-ignored',
    rule: 'V6',
    harm: 'A damaged context is believed, and claims events that never were.',
    file: context,
    find: 'if (seal.fits(end, name))',
    replace: 'if (length > 0)',
  },
  {
    name: 'session-keeps-the-newest-only',
    rule: 'S1',
    harm: 'A session that wrote forgets what it had read, and goes back in time.',
    file: session,
    find: 'const joined = known === undefined ? seen : joinClocks(known, seen);',
    replace: 'const joined = seen;',
  },
]
