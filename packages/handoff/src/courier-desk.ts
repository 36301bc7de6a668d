import type { Env, NodeId } from '@shoal/kernel'
import type { LogEnds } from './log-ends.ts'
import type { LogReader } from './log-reading.ts'
import type { Budget, HandoffEvent, Placement, RowSource, Targets } from './ports.ts'

/** What all couriers of a node share. */
export interface CourierDesk {
  readonly env: Env
  readonly ends: LogEnds
  readonly reader: LogReader
  readonly placement: () => Placement
  readonly rows: RowSource
  readonly targets: Targets
  readonly budget: Budget
  /** Whether work for this target makes sense now. */
  isReachable(node: NodeId): boolean
  /** Owed rows that are not yet with the store go there. */
  flush(): void
  /** The courier of this target has ended a round; another may begin one. */
  released(node: NodeId): void
  /** The courier of this target wants a round. */
  ready(node: NodeId): void
  event(event: HandoffEvent): void
  failed(reason: unknown): void
  isStopped(): boolean
}
