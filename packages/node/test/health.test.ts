import { limits, type NodeId, nodeId, ShoalError } from '@shoal/kernel'
import { createRing, foundRing } from '@shoal/ring'
import t from 'tap'
import { createClusterView } from '../src/cluster-view.ts'
import { judgeHealth, type Standing } from '../src/health.ts'
import { type Condition, problemsOf } from '../src/problems.ts'

const ids = ['n1', 'n2', 'n3', 'n4', 'n5'].map((id) => nodeId(id))
const [n1, n2, n3] = ids as [NodeId, NodeId, NodeId]

const ringOf = (nodes: number) =>
  createRing(
    foundRing({
      secretDigest: 'x',
      members: ids.slice(0, nodes).map((id, index) => ({ id, url: `http://127.0.0.1:${index}` })),
      partitions: 16,
      replicas: 3,
    }),
    n1,
  )

const standing =
  (others: Record<string, Standing>) =>
  (node: NodeId): Standing =>
    others[node] ?? 'up'

t.test('the verdict comes first, and says what may still fail', async (t) => {
  const ring = ringOf(3)
  const verdicts: [Record<string, Standing>, string[], string, string][] = [
    [{}, [], 'healthy', 'healthy: can lose 1 node'],
    [
      { n2: 'down' },
      [],
      'degraded',
      'degraded: n2 cannot be reached, quorum works, can lose no node more',
    ],
    [
      { n2: 'suspect' },
      [],
      'degraded',
      'degraded: n2 does not answer, quorum works, can lose no node more',
    ],
    [
      { n2: 'down', n3: 'suspect' },
      [],
      'unavailable',
      'unavailable: n2 cannot be reached, n3 does not answer, too few nodes are left',
    ],
    [{}, ['n3 lost everything: shoal repair'], 'degraded', 'degraded: n3 lost everything'],
  ]
  for (const [others, problems, status, verdict] of verdicts) {
    t.match(judgeHealth(ring, standing(others), problems), { status, verdict })
  }
})

t.test('Q3 primaries of a key are lost and a quorum of nodes lives: writes go on', async (t) => {
  const health = judgeHealth(ringOf(5), standing({ n2: 'down', n3: 'down' }), [])
  t.match(health, { status: 'degraded', nodesUp: 3, nodesTotal: 5 })
  t.match(health.verdict, /n2, n3 cannot be reached, writes go to others in their place/)
})

const well: Condition = {
  self: n1,
  freeBytes: 1e12,
  hints: { total: 0, bytes: 0, oldestMs: 0, targets: [] },
  repairs: { unhealed: 0, lost: 0, oldestUnverified: 0 } as unknown as Condition['repairs'],
  budget: { paused: false } as Condition['budget'],
  refusal: undefined,
  disputes: [],
}

t.test('each trouble of a node is one line that ends with what to do', async (t) => {
  const { hints, repairs, budget } = well
  const owed = { node: n2, count: 7, bytes: 900, oldestMs: 180_000, dirtyPartitions: 0 }
  const troubles: [Partial<Condition>, RegExp][] = [
    [{}, /^$/],
    [{ freeBytes: limits.storeFreeBytesMin - 1 }, /^the disk of n1 is full.*: free some space$/],
    [{ hints: { ...hints, targets: [owed] } }, /^n1 owes n2 7 writes for 3 min: shoal hints/],
    [{ hints: { ...hints, targets: [{ ...owed, oldestMs: 900 }] } }, /^$/],
    [
      { hints: { ...hints, targets: [{ ...owed, count: 0, dirtyPartitions: 2 }] } },
      /^n1 kept no more hints for 2 partitions of n2: .*shoal repair/,
    ],
    [
      { repairs: { ...repairs, lost: 1 } },
      /^n1 lost data or has .* 1 partition do not count to strict reads yet: the others/,
    ],
    [
      { repairs: { ...repairs, unhealed: 3 } },
      /^n1 has 3 damaged rows, and no other .*: shoal doctor/,
    ],
    [{ repairs: { ...repairs, oldestUnverified: 1.3e6 as never } }, /not compared for 22 min: /],
    [{ budget: { ...budget, paused: true } }, /^background work of n1 is paused: /],
    [{ refusal: new ShoalError('SHOAL_OVERLOADED', 'late') }, /^n1 refuses requests: send/],
    [{ disputes: [n3] }, /^n3 and n1 have different rings of one epoch: shoal ring/],
  ]
  for (const [trouble, line] of troubles) {
    t.match(problemsOf({ ...well, ...trouble }).join('\n'), line)
  }
})

t.test('a silent node is told of at once and not waited for', async (t) => {
  const asked: NodeId[] = []
  const view = createClusterView({
    self: n1,
    version: '1',
    ring: () => ringOf(3),
    peers: {
      isUp: () => true,
      ask: ({ to, tag }, sink) => {
        asked.push(to)
        sink.failed(tag, 'SHOAL_PEER_TIMEOUT')
      },
    },
    membership: {
      isUsable: (node) => node === n3,
      state: (node) => (node === n2 ? 'suspect' : 'alive'),
    },
    watch: { problems: ['n3 is ill: cure it'], note: () => {} },
    status: () => ({
      ...{ version: '1', uptimeMs: 1, load: 0, draining: false, epoch: 1 },
      ...{ diskBytes: 0, freeBytes: 0, memoryBytes: 0, problems: [] },
    }),
    isServing: () => true,
  })
  const states = (await view.nodes()).map(({ state }) => state)
  t.same(states, ['up', 'suspect', 'suspect'])
  t.same(asked, [n3], 'only who should answer is asked')
  t.match(view.health().warnings, [/^n2 does not answer/, /^n3 is ill/])
})
