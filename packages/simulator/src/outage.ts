import type { Checks } from './check/checks.ts'
import type { SimCluster } from './cluster/sim-cluster.ts'
import type { Plan } from './plan/plan.ts'
import { lastWrites } from './workload/last-writes.ts'
import type { Workload } from './workload/workload.ts'

export interface OutageParts {
  readonly cluster: SimCluster
  readonly plan: Plan
  readonly workload: Workload
  readonly checks: Checks | undefined
  readonly runFor: (millis: number) => Promise<void>
  readonly fail: (rule: string, message: string) => void
}

/** Whoever is gone for so long, and nothing else is wrong, is taken for dead by all others. */
const GIVEN_UP = 40_000
const BACK_AFTER = 45_000
const SECOND_AT = 30_000
const SECOND_FOR = 30_000
/** With so many nodes a second one may go, and every write still finds somebody. */
const NODES_FOR_TWO = 5

/**
 * What a plan meets by chance happens once in every run, when all is well again: a node is gone
 * until everybody has given it up (G3), others take its writes, it comes back and is told of them.
 * Meanwhile a second one leaves, which is owed little: who waits for hints waits for those, too
 * (H4).
 */
export async function runOutage(parts: OutageParts): Promise<void> {
  const { cluster, plan, workload, checks, runFor } = parts
  const { nodes } = plan.cluster
  const first = plan.seed % nodes
  const second = (first + 1 + (plan.seed % (nodes - 1))) % nodes
  const crash = { kind: 'crash', at: 0, unsynced: 'random' } as const
  cluster.applyFault({ ...crash, id: 'outage', node: first, downFor: BACK_AFTER })
  workload.schedule(lastWrites(plan, { count: 24, pace: 500, label: 'out-' }))
  await runFor(SECOND_AT)
  if (nodes >= NODES_FOR_TWO) {
    cluster.applyFault({ ...crash, id: 'outage-2', node: second, downFor: SECOND_FOR })
    workload.schedule(lastWrites(plan, { count: 2, pace: 1_000, label: 'two-' }))
  }
  await runFor(GIVEN_UP - SECOND_AT)
  checks?.givenUp(first)
  await runFor(BACK_AFTER - GIVEN_UP - 1)
  waitForHints(parts)
  await runFor(SECOND_AT + SECOND_FOR - BACK_AFTER + 1)
}

/** Nothing is written any more: a wait that begins now ends with the last hint (H4). */
function waitForHints({ cluster, fail }: OutageParts): void {
  for (const node of cluster.nodes) {
    const { handoff } = node
    void handoff?.sync().ended.then((end) => {
      if (end !== 'done' || node.handoff !== handoff) return
      const { total } = handoff.figures()
      if (total > 0)
        fail('H4', `node ${node.index} owes ${total} rows, and a wait for them is over`)
    })
  }
}
