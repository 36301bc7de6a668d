import type { SimCluster } from '../cluster/sim-cluster.ts'
import type { DiskFault, Plan } from '../plan/plan.ts'
import { readsOf, readsThrough } from '../workload/last-reads.ts'
import { lastWrites } from '../workload/last-writes.ts'
import type { Stage } from './stage.ts'

/** Every copy is looked at, and the answer does not wait for what is mended. */
const ALL = { level: 'all', strict: false } as const
const DOWN_FOR = 3_000
const BACK_BY = 6_000
const REPAIRED = 5_000
const PAUSE_EVERY = 250

/**
 * What comparison of copies and hints would hide: that reads alone mend what they find behind (Q2)
 * or damaged (V11). So all background work is paused, as an operator may; a node misses some
 * writes, another loses some rows, and each of these keys is read.
 */
export async function runMendingByReads(stage: Stage): Promise<void> {
  const { cluster, plan, workload, checks } = stage
  if (plan.cluster.readRepair === false) return
  const { nodes } = plan.cluster
  const absent = (plan.seed + 1) % nodes
  const crash = { kind: 'crash', at: 0, unsynced: 'random', downFor: DOWN_FOR } as const
  const missed = lastWrites(plan, { count: 12, pace: 100, label: 'miss-' })
  pauseAll(cluster)
  cluster.applyFault({ ...crash, id: 'mending', node: absent })
  workload.schedule(missed)
  await runPaused(stage, BACK_BY)
  await stage.runUntilIdle()

  workload.schedule(readsOf(missed, plan, { label: 'mend-', consistency: ALL }))
  await stage.runUntilIdle()
  await runPaused(stage, REPAIRED)
  checks?.equal(missed)

  damageRows(cluster, plan, { node: (plan.seed + 2) % nodes, label: 'mending' })
  const damaged = checks?.damagedRows() ?? []
  workload.schedule(readsThrough(damaged, 'heal-'))
  await stage.runUntilIdle()
  await runPaused(stage, REPAIRED)
  checks?.mended(damaged)
  for (const { budget } of cluster.nodes) budget?.resume()
}

/** What nobody reads a scrub has to find: rows, versions, and both records of a key (E4). */
export function damageUnread({ cluster, plan }: Stage): void {
  damageRows(cluster, plan, { node: plan.seed % plan.cluster.nodes, label: 'unread' })
}

const FAULTS: readonly Pick<DiskFault, 'fault' | 'column'>[] = [
  { fault: 'bit-rot', column: 'rows' },
  { fault: 'bit-rot', column: 'versions' },
  { fault: 'bit-rot' },
  { fault: 'read-error', column: 'rows' },
  { fault: 'bit-rot', column: 'rows' },
  { fault: 'read-error' },
]

function damageRows(
  cluster: SimCluster,
  { seed }: Plan,
  { node, label }: { node: number; label: string },
): void {
  FAULTS.forEach((fault, index) => {
    // Six times a number and one: any key of the disk, and both of its records where none is named.
    const pick = 6 * (seed * FAULTS.length + index) * STRIDE + 1
    cluster.applyFault({ kind: 'disk', id: `${label}${index}`, at: 0, node, pick, ...fault })
  })
}

const STRIDE = 7

function pauseAll({ nodes }: SimCluster): void {
  for (const { budget } of nodes) budget?.pause()
}

/** A node that starts meanwhile does not know that it should pause. */
async function runPaused({ cluster, runFor }: Stage, millis: number): Promise<void> {
  for (let at = 0; at < millis; at += PAUSE_EVERY) {
    await runFor(PAUSE_EVERY)
    pauseAll(cluster)
  }
}
