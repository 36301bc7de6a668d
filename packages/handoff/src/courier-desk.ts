import type { Env, NodeId } from '@shoal/kernel'
import type { Courier } from './courier.ts'
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
  /** This courier has ended a round; another may begin one. */
  released(courier: Courier): void
  /** This courier wants a round. */
  ready(courier: Courier): void
  event(event: HandoffEvent): void
  failed(reason: unknown): void
  isStopped(): boolean
}
