/** @shoal/simulator: the whole cluster on virtual time. */
export { HistoryRecorder } from './check/edn.ts'
export {
  checkLinearizable,
  type Linearizability,
  type Model,
  type RegisterInput,
  register,
  type TimedOperation,
} from './check/linearizable.ts'
export { type GenerateOptions, generatePlan } from './plan/generate.ts'
export type { FaultEvent, OperationPlan, Plan } from './plan/plan.ts'
export type { Failure, SimulationResult } from './result.ts'
export { type SimulateOptions, simulate } from './run.ts'
