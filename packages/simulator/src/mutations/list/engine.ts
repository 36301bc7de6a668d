import type { Mutation } from '../mutation.ts'

const engine = 'node/dist/src/engine.js'
const bucketMemory = 'node/dist/src/bucket-memory.js'

/** How a node is put together, started and stopped. */
export const inEngine: readonly Mutation[] = [
  {
    name: 'marker-before-the-last-write',
    rule: 'A2',
    harm: 'A node that stops cleanly forgets the dots of its last writes and uses them again.',
    file: engine,
    find: 'await peers.stop(',
    replace:
      'await replica.close();\n    replica.close = () => Promise.resolve();\n' +
      '    await peers.stop(',
    needs: ['stop'],
  },
  {
    name: 'bucket-properties-not-remembered',
    rule: 'V7',
    harm: 'After a restart a bucket has the properties of the cluster until a quorum is found.',
    file: bucketMemory,
    find: 'remembered.set(name, parsed);',
    replace: '{ }',
  },
]
