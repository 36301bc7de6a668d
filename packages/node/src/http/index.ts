/** The HTTP face of a node. */
export { createHttpApp } from './app.ts'
export type {
  Admission,
  ClusterView,
  DrainStage,
  HttpApp,
  HttpAppOptions,
  HttpLimits,
  Listening,
  Log,
  UpgradeListener,
} from './ports.ts'
export type { ClusterState, HealthState, NodeState, RingState } from './schemas/state.ts'
