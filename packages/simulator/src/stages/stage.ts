import type { Checks } from '../check/checks.ts'
import type { SimCluster } from '../cluster/sim-cluster.ts'
import type { Plan } from '../plan/plan.ts'
import type { Workload } from '../workload/workload.ts'

/** What happens in every run once its workload is over and all is healed has this to work with. */
export interface Stage {
  readonly cluster: SimCluster
  readonly plan: Plan
  readonly workload: Workload
  readonly checks: Checks | undefined
  readonly runFor: (millis: number) => Promise<void>
  readonly runUntilIdle: () => Promise<void>
  readonly fail: (rule: string, message: string) => void
}
