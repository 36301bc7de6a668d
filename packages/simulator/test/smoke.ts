import type { Consistency } from '@shoal/coordinator'
import { millis } from '@shoal/kernel'
import { createSimCluster } from '../src/cluster/create-sim-cluster.ts'
import type { ClientEnd, SimCluster, SimClusterPlan } from '../src/cluster/sim-cluster.ts'
import type { Recorder } from '../src/kernel/recorder.ts'
import type { FaultEvent } from '../src/plan/plan.ts'

export const BUCKET = 'things'

export function smallPlan(seed: number, plan: Partial<SimClusterPlan> = {}): SimClusterPlan {
  return {
    seed,
    cluster: {
      nodes: 5,
      partitions: 16,
      replicas: 3,
      versionCacheBytes: 16_384,
      readLatency: 0.3,
      syncLatency: 2,
      linkDelayMin: 0.1,
      linkDelayMax: 2,
    },
    buckets: [{ name: BUCKET, properties: { blindWrites: 'sibling' } }],
    injections: {},
    ...plan,
  }
}

const STRICT: Consistency = { level: 'quorum', strict: true }

export const read = (key: string, strict = false) =>
  ({
    kind: 'read',
    request: {
      bucket: BUCKET,
      key,
      session: '',
      timeout: millis(2_000),
      explain: false,
      ...(strict ? { consistency: STRICT } : {}),
    },
  }) as const

export const put = (key: string, body: string, id = body) =>
  ({
    kind: 'write',
    request: {
      operation: 'put',
      bucket: BUCKET,
      key,
      session: '',
      timeout: millis(2_000),
      explain: false,
      context: '',
      idempotencyKey: id,
      body: Buffer.from(body),
      contentType: 'text/plain',
      contentEncoding: '',
      ttl: 0,
    },
  }) as const

/** Runs the cluster until that request has ended. */
export async function ask(
  cluster: SimCluster,
  node: number,
  request: Parameters<SimCluster['call']>[1],
): Promise<ClientEnd> {
  let ended: ClientEnd | undefined
  cluster.call(node, request, (end) => {
    ended = end
  })
  while (ended === undefined) await cluster.run(cluster.now() + 10)
  return ended
}

export const bodiesOf = (end: ClientEnd): string[] =>
  end.kind === 'answer' && 'values' in end.answer
    ? end.answer.values.map(({ body }) => body.toString()).sort()
    : [end.kind]

/** A client that reads and writes a few keys at any node, about a hundred times a second. */
export function load(cluster: SimCluster, duration: number): Map<string, number> {
  const random = cluster.random('load')
  const ends = new Map<string, number>()
  const until = cluster.now() + duration
  let count = 0
  const count1 = (end: ClientEnd): void => {
    ends.set(end.kind, (ends.get(end.kind) ?? 0) + 1)
  }
  const next = (): void => {
    if (cluster.now() > until) return
    const key = `k${random.below(40)}`
    const node = random.below(cluster.nodes.length)
    const request = random.below(2) === 0 ? read(key) : put(key, `value ${count++}`)
    cluster.call(node, request, count1)
    cluster.after(random.below(20_000) / 1_000, next)
  }
  next()
  return ends
}

/** One fault of each kind, one after the other. */
export const everyFault: readonly FaultEvent[] = [
  { id: '1', at: 500, kind: 'crash', node: 0, downFor: 900, unsynced: 'random', during: 'boot' },
  { id: '2', at: 2_500, kind: 'crash', node: 1, downFor: 300, unsynced: 'kept' },
  { id: '3', at: 3_000, kind: 'crash', node: 2, downFor: 300, unsynced: 'holes' },
  { id: '4', at: 4_500, kind: 'stop', node: 3, downFor: 400 },
  { id: '5', at: 6_000, kind: 'pause', node: 4, lasts: 6_000 },
  { id: '6', at: 7_000, kind: 'slow', node: 0, factor: 60, lasts: 2_000 },
  { id: '7', at: 12_000, kind: 'wipe', node: 1, downFor: 50 },
  { id: '8', at: 13_000, kind: 'rollback', node: 2, downFor: 50 },
  {
    id: '9',
    at: 14_000,
    kind: 'link',
    from: 'all',
    to: 'all',
    lasts: 2_000,
    faults: { loss: 0.2, duplicateQuestions: 0.4, duplicateAnswers: 0.4, reorder: 0.5 },
  },
  { id: '10', at: 16_500, kind: 'partition', side: [0, 1], direction: 'out', lasts: 6_000 },
  {
    id: '11',
    at: 23_000,
    kind: 'partition',
    side: [0, 1],
    direction: 'both',
    lasts: 4_000,
    bridge: 2,
    flaps: 2,
  },
  { id: '12', at: 27_500, kind: 'sever', one: 1, other: 3 },
  { id: '13', at: 28_000, kind: 'clog', from: 2, to: 4, lasts: 9_000 },
  { id: '14', at: 28_500, kind: 'disk', node: 0, fault: 'full', lasts: 1_000, pick: 0 },
  { id: '15', at: 30_000, kind: 'disk', node: 1, fault: 'write-fails', pick: 0 },
  { id: '16', at: 33_000, kind: 'disk', node: 2, fault: 'sync-fails', pick: 0 },
  { id: '17', at: 34_000, kind: 'disk', node: 3, fault: 'slow', lasts: 1_000, pick: 30 },
  { id: '18', at: 36_000, kind: 'disk', node: 4, fault: 'bit-rot', pick: 7 },
  { id: '19', at: 36_500, kind: 'disk', node: 0, fault: 'read-error', pick: 3 },
  { id: '20', at: 37_000, kind: 'disk', node: 1, fault: 'stale-read', pick: 11 },
  { id: '21', at: 37_500, kind: 'disk', node: 2, fault: 'misdirected-write', pick: 1 },
  { id: '22', at: 38_000, kind: 'clock', node: 0, change: 'skew', amount: 3_600_000, lasts: 500 },
  { id: '23', at: 38_500, kind: 'clock', node: 1, change: 'jump', amount: -90_000, lasts: 500 },
  { id: '24', at: 39_000, kind: 'clock', node: 2, change: 'drift', amount: 40_000, lasts: 500 },
  { id: '25', at: 39_500, kind: 'clock', node: 3, change: 'freeze', amount: 0, lasts: 500 },
]

const INJECTIONS = {
  'replica: a group of one': 0.2,
  'replica: memory forgets': 0.1,
  'replica: a checkpoint now': 0.1,
  'coordinator: a hedge at once': 0.2,
  'coordinator: peers are told late': 0.2,
}

/** Forty seconds of load under every kind of fault, then peace. @returns the hash of it all */
export async function everything(seed: number, recorder?: Recorder): Promise<SimCluster> {
  const plan = smallPlan(seed, { injections: INJECTIONS })
  const cluster = await createSimCluster(plan, recorder ? { recorder } : {})
  for (const fault of everyFault) cluster.after(fault.at, () => cluster.applyFault(fault))
  load(cluster, 40_000)
  await cluster.run(cluster.now() + 42_000)
  cluster.heal()
  await cluster.run(cluster.now() + 20_000)
  await cluster.finish()
  return cluster
}
