/** What commands make of the documents that nodes answer with. */
import picocolors from 'picocolors'
import t from 'tap'
import { dues, holdingsOf, imbalanceOf } from '../src/cluster/balance.ts'
import { parseConsistency } from '../src/cluster/consistency.ts'
import { judgeClock, sampleOf } from '../src/cluster/figures.ts'
import type {
  ClusterRepairsState,
  ClusterState,
  NodeState,
  RepairsState,
  RingState,
} from '../src/cluster/state.ts'
import { reportStatus } from '../src/cluster/status-report.ts'
import { explanationLines } from '../src/commands/explain.ts'
import { hintLines } from '../src/commands/hints.ts'
import { repairLines, silentLines } from '../src/commands/repair.ts'
import { ringLines } from '../src/commands/ring.ts'
import { statusLines } from '../src/commands/status.ts'

const plain = picocolors.createColors(false)

const ring: RingState = {
  epoch: 1,
  partitions: 4,
  replicas: 2,
  members: [
    { id: 'n1', url: 'http://a:1', zone: 'east', weight: 1 },
    { id: 'n2', url: 'http://a:2', zone: 'west', weight: 1 },
    { id: 'n3', url: 'http://a:3', zone: 'west', weight: 2 },
  ],
  table: [
    ['n1', 'n3'],
    ['n2', 'n3'],
    ['n3', 'n1'],
    ['n3', 'n2'],
  ],
}

const cluster: ClusterState = {
  id: 'c0ffee',
  node: 'n1',
  version: '0.1.0',
  epoch: 1,
  partitions: 4,
  replicas: 2,
  nodes: 3,
  health: {
    status: 'healthy',
    verdict: 'healthy: can lose 1 node',
    nodesUp: 3,
    nodesTotal: 3,
    warnings: [],
  },
}

const node = (id: string, more: Partial<NodeState> = {}): NodeState => ({
  id,
  url: `http://a:${id.slice(1)}`,
  state: 'up',
  version: '0.1.0',
  uptimeMs: 65_000,
  load: 0.1,
  ...more,
})

const noDebt = {
  ageMs: 9_000,
  divergentSegments: 0,
  unverified: 0,
  hintBytes: 0,
  oldestHintMs: 0,
}

const copiesOf = (name: string): ClusterRepairsState['nodes'][number] => ({
  node: name,
  debt: noDebt,
  budget: { bytesPerSecond: 64 * 2 ** 20, paused: false, quiet: false },
  lostPartitions: 0,
  unhealed: 0,
  tombstones: 400,
})

const repairs: ClusterRepairsState = {
  debt: noDebt,
  nodes: [copiesOf('n1'), copiesOf('n2'), copiesOf('n3')],
  silent: [],
}

const GIB = 2 ** 30
const roomy = { freeBytes: 50 * GIB, diskBytes: 3 * GIB }

t.test('consistency as in the header', async (t) => {
  t.equal(parseConsistency(undefined), undefined)
  t.same(parseConsistency('one'), { level: 'one' })
  t.same(parseConsistency('quorum; r=1;w=3;durable=0 ;strict'), {
    level: 'quorum',
    r: 1,
    w: 3,
    durable: 0,
    strict: true,
  })
  for (const wrong of ['', 'Quorum', 'two', 'one;x=1', 'one;r=', 'one;r=-1', 'one;strict=1']) {
    t.throws(() => parseConsistency(wrong), { name: 'UsageError' }, wrong)
  }
})

t.test('holdings are counted and compared with weights', async (t) => {
  t.match(holdingsOf(ring), [
    { id: 'n1', first: 1, copies: 2, due: 2, zone: 'east' },
    { id: 'n2', first: 1, copies: 2, due: 2 },
    { id: 'n3', first: 2, copies: 4, due: 4 },
  ])
  t.equal(imbalanceOf(holdingsOf(ring)), 0)
})

t.test('nobody is due more than every partition once', async (t) => {
  t.same(dues([1, 1, 8], 12, 6), [3, 3, 6])
  t.same(dues([1, 2, 100], 18, 6), [6, 6, 6], 'what one cannot take goes to the others')
  t.same(dues([], 0, 6), [])
})

t.test('a healthy cluster', async (t) => {
  const nodes = [node('n1'), node('n2'), node('n3')]
  const figures = new Map(nodes.map(({ id }) => [id, roomy]))
  const report = reportStatus({ cluster, ring, nodes, repairs, figures })
  t.same(report.warnings, [])
  t.match(report, { verdict: 'healthy: can lose 1 node', imbalance: 0, askedNode: 'n1' })
  const lines = statusLines(report, plain)
  t.equal(lines[0], 'healthy: can lose 1 node', 'the verdict comes first')
  t.equal(
    lines[5],
    'n1    up     1 m 5 s  10 %  3 GiB     50 GiB      1       2  0.1.0    east  http://a:1',
  )
  t.same(lines.slice(-5), [
    'balance: the node furthest from its share is 0 % off',
    'copies: every write older than 9 s is on all its replicas',
    'background work: 64 MiB/s on n1, n2, n3',
    'deleted keys kept: about 1,200, all copies',
    'no warnings',
  ])
})

t.test(
  'how far copies are apart is told of the whole cluster, and who did not answer',
  async (t) => {
    const quiet = { bytesPerSecond: 262_144, paused: false, quiet: true }
    const told: ClusterRepairsState = {
      debt: { ...noDebt, ageMs: 65_000, unverified: 3, hintBytes: 2_048, oldestHintMs: 9_000 },
      nodes: [
        { ...copiesOf('n1'), lostPartitions: 2, budget: quiet },
        { ...copiesOf('n3'), unhealed: 1, budget: { ...quiet, paused: true } },
      ],
      silent: ['n2'],
    }
    const parts = { cluster, ring, nodes: [node('n1')], figures: new Map() }
    const lines = statusLines(reportStatus({ ...parts, repairs: told }), plain)
    t.ok(
      lines
        .join('\n')
        .includes(
          [
            'copies: not all of them were compared yet, since a node started or lost its data; ' +
              'of n2 nothing is known: no answer',
            '        3 pairs not compared yet, 2 KiB of hints, the oldest 9 s old, ' +
              '2 copies of partitions lost, 1 damaged row',
            'background work: 256 KiB/s (quiet hours) on n1; paused on n3',
            'deleted keys kept: about 800, all copies',
          ].join('\n'),
        ),
      lines.join('\n'),
    )
  },
)

t.test('every trouble has its warning, with what to do', async (t) => {
  const owing = 'n1 owes n2 7 writes for 3 min: shoal hints, and start n2'
  const nodes = [
    node('n1', { load: 0.9, problems: [owing] }),
    node('n2', { state: 'down', version: '', uptimeMs: 0, load: 0 }),
    node('n3', { state: 'draining', version: '0.2.0' }),
  ]
  const health = {
    ...cluster.health,
    status: 'degraded' as const,
    verdict: 'degraded: n2 cannot be reached, quorum works, can lose no node more',
    warnings: ['n2 cannot be reached: check it with shoal doctor on its machine', owing],
  }
  const report = reportStatus({
    cluster: { ...cluster, health },
    ring: { ...ring, table: [...ring.table.slice(0, 3), ['n3', 'n1']] },
    nodes,
    repairs,
    figures: new Map([
      ['n1', { freeBytes: 0.6 * GIB, diskBytes: undefined }],
      ['n3', undefined],
    ]),
  })
  t.same(report.warnings, [
    { message: 'n2 cannot be reached', fix: 'check it with shoal doctor on its machine' },
    { message: 'n1 owes n2 7 writes for 3 min', fix: 'shoal hints, and start n2' },
    { message: 'n1 uses 90 % of its capacity', fix: 'add nodes, or send it less' },
    {
      message: 'n1 has 614 MiB of disk left',
      fix: 'free space: below 512 MiB it refuses writes',
    },
    { message: 'n3 is draining', fix: 'nothing: it stops by itself' },
    {
      message: 'nodes run different versions: 0.1.0, 0.2.0',
      fix: 'finish the upgrade: install the newest on every node, one at a time',
    },
    { message: 'a node is 50 % from its share', fix: 'shoal ring' },
  ])
  const text = statusLines(report, plain).join('\n')
  t.match(text, '! n1 uses 90 % of its capacity\n    add nodes, or send it less')
})

t.test('what is remembered gives way to what was said just now', async (t) => {
  const lost = (id: string, count: string): string => `${id} lost ${count} partitions yet: wait`
  const nodes = [node('n1'), node('n2', { problems: [lost('n2', '94')] }), node('n3')]
  const warnings = [lost('n2', '1,860'), lost('n3', '94')]
  const parts = { cluster: { ...cluster, health: { ...cluster.health, warnings } }, ring, nodes }
  t.match(
    reportStatus({ ...parts, repairs, figures: new Map() }).warnings.map(({ message }) => message),
    ['n3 lost 94 partitions yet', 'n2 lost 94 partitions yet'],
  )
})

t.test('a node that the cluster reaches and we do not', async (t) => {
  const nodes = [node('n1'), node('n2'), node('n3')]
  const figures = new Map([
    ['n1', roomy],
    ['n2', undefined],
    ['n3', roomy],
  ] as const)
  const { warnings } = reportStatus({ cluster, ring, nodes, repairs, figures })
  t.same(warnings, [
    {
      message: 'n2 is up for the cluster and does not answer from here',
      fix: 'shoal status --url http://a:2',
    },
  ])
})

t.test('fewer nodes than copies asked for', async (t) => {
  const two = ring.members.slice(0, 2)
  const both = ring.table.map(() => ['n1', 'n2'])
  const small: RingState = { ...ring, replicas: 3, members: two, table: both }
  const nodes = [node('n1'), node('n2')]
  const parts = { cluster, ring: small, nodes, repairs, figures: new Map() }
  t.match(reportStatus(parts).warnings[0], {
    message: '2 nodes hold 2 copies of each key, not 3',
    fix: /3 members/,
  })
  const alone: RingState = { ...small, members: two.slice(0, 1), table: both.map(() => ['n1']) }
  const single = { ...parts, ring: alone, nodes: [node('n1')] }
  t.same(reportStatus(single).warnings, [], 'a cluster of one was meant to be one')
})

t.test('the ring', async (t) => {
  t.same(ringLines(ring, plain), [
    'epoch 1, 4 partitions, 2 copies of each on 3 nodes',
    '',
    'node  first  copies  of its share  weight  zone  host  url',
    'n1        1       2         100 %       1  east  -     http://a:1',
    'n2        1       2         100 %       1  west  -     http://a:2',
    'n3        2       4         100 %       2  west  -     http://a:3',
    '',
    'zones: east 1 node, 2 copies; west 2 nodes, 6 copies',
    'furthest from its share: 0 %',
  ])
})

t.test('an explanation says whether the replicas agree', async (t) => {
  const holder = (node: string, state: string, dots: string[], etag = '"e"') => ({
    node,
    role: 'primary',
    etag: dots.length === 0 ? '' : etag,
    dots,
    state,
  })
  const found = {
    token: '00ff00ff00ff00ff',
    partition: 3,
    preferenceList: ['n1', 'n2', 'n3'],
    fallbacks: [],
    holders: [holder('n1', 'value', ['aa:1']), holder('n2', 'value', ['aa:1'])],
    hintsOwed: 0,
  }
  t.equal(explanationLines(found, plain).at(-1), '2 replicas agree')
  const behind = [...found.holders, holder('n3', 'absent', [])]
  const differing = { ...found, holders: behind, hintsOwed: 2 }
  t.equal(
    explanationLines(differing, plain).at(-1),
    'replicas differ: the next read repairs them; 2 hints owed',
  )
  const silent = [...found.holders, holder('n3', 'unreachable', [])]
  const lines = explanationLines({ ...found, holders: silent }, plain)
  t.equal(lines.at(-1), '2 replicas agree, 1 did not answer')
  t.ok(lines.includes('n3    primary  unreachable  -     -'), lines.join('\n'))
})

t.test('a sample of the metrics', async (t) => {
  const text =
    '# HELP a b\n# TYPE a gauge\nshoal_store_free_bytes 1.5e+9\nother{x="1"} 3\nnan NaN\n'
  t.equal(sampleOf(text, 'shoal_store_free_bytes'), 1.5e9)
  t.equal(sampleOf(text, 'store_free_bytes'), undefined)
  t.equal(sampleOf(text, 'nan'), undefined)
})

t.test('a clock of whole seconds is known to half a second and half the way', async (t) => {
  t.same(judgeClock(10_000, 10_400, 10_600), { aheadMs: 0, errorMs: 600 })
  t.same(judgeClock(70_000, 10_400, 10_600), { aheadMs: 60_000, errorMs: 600 })
})

t.test('hints are shown by whom they are owed to', async (t) => {
  const nothing = { total: 0, bytes: 0, oldestMs: 0, targets: [], silent: [] }
  t.same(hintLines(nothing, plain), ['nothing is owed'])
  const target = { node: 'n3', count: 1_200, bytes: 2_048, oldestMs: 65_000, dirtyPartitions: 2 }
  const some = { ...nothing, total: 1_200, bytes: 2_048, oldestMs: 65_000, targets: [target] }
  t.same(hintLines({ ...some, silent: ['n2'] }, plain), [
    '1,200 hints, 2 KiB, the oldest 1 m 5 s old',
    '',
    'owed to  hints  bytes   oldest  partitions left to repair',
    'n3       1,200  2 KiB  1 m 5 s                          2',
    '',
    'did not answer: n2',
  ])
})

t.test('how copies are, node by node, and of whom nothing is known', async (t) => {
  const state: RepairsState = {
    debt: { ...noDebt, unverified: 2 },
    budget: { bytesPerSecond: 262_144, paused: false, quiet: true, quietHours: ['08:00-20:00'] },
    ...{ exchanging: 0, pulled: 1, pushed: 2, healed: 0, unhealed: 3, tombstones: 7 },
    lostPartitions: [1, 2],
    jobs: [{ id: 'a', kind: 'repair', state: 'running', progress: 0.5, detail: 'half' }],
  }
  const lines = repairLines([{ node: 'n1', state }], plain)
  t.match(lines[1], /^n1 +9 s +2 +1 +2 +0 +3 +2 +7 +256 KiB\/s \(quiet hours\) +08:00-20:00$/)
  t.match(lines.at(-1), /^n1 +running +50 % +- +half$/)
  const silent = [
    { node: 'n2', why: 'it is down' },
    { node: 'n3', why: 'no answer', error: new Error('no answer') },
  ]
  t.same(silentLines(silent, plain), ['', 'not n2: it is down', 'not n3: no answer'])
  t.same(silentLines([], plain), [])
})
