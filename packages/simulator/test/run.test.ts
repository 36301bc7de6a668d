import t from 'tap'
import type { FaultEvent, OperationPlan, Plan } from '../src/plan/plan.ts'
import { simulate } from '../src/run.ts'

const operation: OperationPlan = {
  id: 'o1',
  at: 100,
  client: 1,
  node: 0,
  kind: 'put',
  bucket: 'things',
  key: 'k',
  bytes: 40,
  context: 'none',
  session: false,
  retries: 0,
  timeout: 1_000,
}

const small: Plan = {
  format: 1,
  seed: 1,
  duration: 3_000,
  cluster: {
    nodes: 3,
    partitions: 8,
    replicas: 3,
    versionCacheBytes: 65_536,
    readLatency: 0.2,
    syncLatency: 2,
    linkDelayMin: 0.2,
    linkDelayMax: 1,
  },
  buckets: [{ name: 'things', properties: {} }],
  injections: {},
  faults: [],
  operations: [
    operation,
    { ...operation, id: 'o2', at: 200, node: 1, context: 'read' },
    { ...operation, id: 'o3', at: 300, node: 2, kind: 'get' },
    { ...operation, id: 'o4', at: 400, kind: 'delete', context: 'read' },
    { ...operation, id: 'o5', at: 500, kind: 'list', key: '', limit: 10 },
    { ...operation, id: 'o6', at: 600, node: 1, kind: 'get' },
  ],
}

t.test('a plan runs to its end: operations, healing, last reads, checks', async (t) => {
  const { failures, operations, checks, labels, virtualMillis } = await simulate(small)
  t.same(failures, [])
  // With the writes of outage, loss and mending, and the reads behind each.
  t.match(operations, { put: { ok: 5 }, delete: { ok: 1 }, list: { ok: 1 }, get: { ok: 7 } })
  t.ok(virtualMillis > small.duration)
  t.ok((checks['acknowledgements against the disks'] ?? 0) >= 3)
  t.ok(labels.includes('a read showed a deleted key with its context'))
})

t.test('equal plans end alike, to the last event; others do not', async (t) => {
  const [one, other] = [await simulate(small), await simulate(small)]
  t.same(other, one)
  t.not((await simulate({ ...small, seed: 2 })).hash, one.hash)
})

t.test('a run can be told to go on after its first failure', async (t) => {
  // The power of all is cut for good while the plan says that a majority is healthy.
  const faults = [0, 1].map(
    (node): FaultEvent => ({
      id: `f${node}`,
      at: 11_000,
      kind: 'crash',
      node,
      downFor: 30_000,
      unsynced: 'lost',
    }),
  )
  const probes = [0, 1, 2].map((index) => ({
    ...operation,
    id: `l${index}`,
    at: 20_000 + index,
    consistency: { level: 'quorum', strict: true } as const,
  }))
  const plan: Plan = {
    ...small,
    duration: 30_000,
    faults,
    operations: probes,
    liveness: { from: 10_000, broken: [2] },
  }
  const { failures } = await simulate(plan)
  t.equal(failures[0]?.rule, 'I14')
  t.equal((await simulate(plan, { goOn: true })).failures.length, 3)
})
