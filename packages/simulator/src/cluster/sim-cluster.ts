import type { Random } from '@shoal/kernel'
import type { Observer } from '../check/observer.ts'
import type { FaultEvent, Plan } from '../plan/plan.ts'
import type { ClientEnd, ClientRequest, SimNode } from './sim-node.ts'

export type { ClientEnd, ClientRequest, SimNode, SimNodeState } from './sim-node.ts'

/** What a cluster is made from: the parts of a plan that are not its events. */
export type SimClusterPlan = Pick<Plan, 'seed' | 'cluster' | 'buckets' | 'injections'>

/** Counts of what happened, for the summary of a run. Cheap to read. */
export interface SimFigures {
  /** Events of the scheduler: timers, turns and arrivals of all nodes. */
  readonly events: number
  readonly boots: number
  readonly halts: number
  /** Faults that took effect, by kind: `crash`, `disk full`, `clock jump` ... */
  readonly faults: ReadonlyMap<string, number>
  /** Injections that fired, by label. */
  readonly injected: ReadonlyMap<string, number>
}

/**
 * A cluster on virtual time: real cores and real drivers on simulated clocks, disks and links. Same
 * plan, same run, down to the last byte.
 */
export interface SimCluster {
  /** Virtual milliseconds since the beginning; the honest clock, not that of any node. */
  now(): number
  /** Calls `work` after that much virtual time. For clients and faults, which are no node. */
  after(delay: number, work: () => void): void
  random(label: string): Random
  readonly nodes: readonly SimNode[]
  /**
   * A client's request to a node. `done` is called exactly once and never from within this call. A
   * crash of the node ends it as lost, a pause delays it, a node that is not up is `unsent`. The
   * client waits a second longer than the timeout of its request, then it is lost.
   */
  call(node: number, request: ClientRequest, done: (end: ClientEnd) => void): void
  /** Takes effect at once. Faults that end do so by themselves after `lasts` or `downFor`. */
  applyFault(fault: FaultEvent): void
  /** All faults end: links whole, disks able, clocks honest, every node up or booting. */
  heal(): void
  /** Runs until that virtual time, or until a failure, which is thrown. */
  run(until: number): Promise<void>
  /** Stops every node cleanly; nothing is pending afterwards. */
  finish(): Promise<void>
  /** Of everything that happened so far: equal for equal plans. */
  readonly hash: string
  readonly figures: SimFigures
  /** Told of everything from now on. */
  observe(observer: Observer): void
}
