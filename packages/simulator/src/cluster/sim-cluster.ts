import type {
  BucketRegistry,
  Coordinator,
  ListAnswer,
  ListRequest,
  ReadAnswer,
  ReadRequest,
  WriteAnswer,
  WriteRequest,
} from '@shoal/coordinator'
import type { NodeId, Random, ShoalError } from '@shoal/kernel'
import type { Replica } from '@shoal/replica'
import type { Ring } from '@shoal/ring'
import type { MemoryDisk } from '@shoal/storage'
import type { Observer } from '../check/observer.ts'
import type { FaultEvent, Plan } from '../plan/plan.ts'

/** What a client may ask of a node, as it comes out of the HTTP edge. */
export type ClientRequest =
  | { readonly kind: 'read'; readonly request: ReadRequest }
  | { readonly kind: 'write'; readonly request: WriteRequest }
  | { readonly kind: 'list'; readonly request: ListRequest }

/** How a client's request ended, as the client sees it. */
export type ClientEnd =
  | { readonly kind: 'answer'; readonly answer: ReadAnswer | WriteAnswer | ListAnswer }
  | { readonly kind: 'refused'; readonly error: ShoalError }
  /** It left and no answer came: it may have been done. */
  | { readonly kind: 'lost' }
  /** The node could not be reached: it was not done. */
  | { readonly kind: 'unsent' }

export type SimNodeState = 'down' | 'booting' | 'up' | 'stopping'

/** One node of the simulated cluster: a disk that stays, and processes that come and go on it. */
export interface SimNode {
  readonly index: number
  readonly id: NodeId
  readonly state: SimNodeState
  /** Its process neither runs nor hears anything for a while. */
  readonly paused: boolean
  /** Counts processes: the first is 1. */
  readonly life: number
  readonly disk: MemoryDisk
  readonly ring: Ring
  /** The process of now; undefined while there is none, or it is still opening. */
  readonly replica: Replica | undefined
  readonly coordinator: Coordinator | undefined
  readonly buckets: BucketRegistry | undefined
}

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
