/** @shoal/handoff: writes that a replica missed, kept on disk and delivered when it is back. */
export type { DirtyMark } from './dirty-marks.ts'
export type { HintFigures, HintTargetFigures } from './figures.ts'
export { Handoff, type HandoffOptions } from './handoff.ts'
export type { LogSettings, Owed } from './hint-log.ts'
export type { OwedGroup } from './owing.ts'
export type {
  Budget,
  HandoffEvent,
  Liveness,
  OverflowReason,
  Placement,
  RowSource,
  TargetQuestion,
  TargetSink,
  Targets,
} from './ports.ts'
export type { HintSync, HintSyncStatus } from './sync-job.ts'
export type { HandoffCounters } from './tallies.ts'
// Withheld: the log and its records, the delivery machine, how couriers take turns.
