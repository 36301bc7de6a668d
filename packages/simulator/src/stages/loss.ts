import type { DiskFault, OperationPlan } from '../plan/plan.ts'
import { readsOf } from '../workload/last-reads.ts'
import { lastWrites } from '../workload/last-writes.ts'
import type { Stage } from './stage.ts'

const ALONE_FOR = 8_000
const EMPTY_AFTER = 100
const READS_AT = 1_500
const WRITES_AT = 4_000

/**
 * A node comes back and has missed writes, and in that moment another one loses what it had: its
 * disk, or both records of some keys. All others stand still, so these two have only each other.
 * What they make of that shows in reads, and in new writes through the one with the loss (Q6, A2).
 *
 * @param nodes.back  has missed writes
 * @param nodes.away  is down
 * @param missed      writes to keys that are read, and written once more
 */
export async function runLoss(
  { cluster, plan, workload, runFor }: Stage,
  nodes: { readonly back: number; readonly away: number | undefined },
  missed: readonly OperationPlan[],
): Promise<void> {
  const others = cluster.nodes.map(({ index }) => index).filter((node) => node !== nodes.back)
  const candidates = others.filter((node) => node !== nodes.away)
  const loser = candidates[(plan.seed >>> 1) % candidates.length] as number
  const losesDisk = plan.seed % 2 === 0
  const pause = { kind: 'pause', at: 0, lasts: ALONE_FOR } as const
  for (const node of others) {
    if (node !== loser) cluster.applyFault({ ...pause, id: `alone-${node}`, node })
  }
  if (losesDisk) {
    cluster.applyFault({ kind: 'wipe', id: 'loss', at: 0, node: loser, downFor: EMPTY_AFTER })
  } else {
    for (const fault of damageOf(loser)) cluster.applyFault(fault)
  }
  // A strict read must not believe a new disk; one of one copy brings back to it what it finds.
  const reads = losesDisk
    ? { through: nodes.back, consistency: STRICT }
    : { through: loser, consistency: LOOSE }
  const pace = 30
  cluster.after(READS_AT, () =>
    workload.schedule(readsOf(missed, plan, { ...reads, pace, label: 'solo-' })),
  )
  cluster.after(WRITES_AT, () =>
    workload.schedule(
      lastWrites(plan, { through: loser, count: missed.length, pace, label: 'alone-' }),
    ),
  )
  await runFor(ALONE_FOR)
}

const STRICT = { level: 'quorum', strict: true } as const
const LOOSE = { level: 'one', strict: false } as const

/** Both records of keys that were written a moment ago: see `strikeDisk`. */
function damageOf(node: number): DiskFault[] {
  return Array.from({ length: 16 }, (_none, index) => ({
    kind: 'disk',
    fault: 'bit-rot',
    id: `loss-${index}`,
    at: 0,
    node,
    pick: 6 * index + 4,
  }))
}
