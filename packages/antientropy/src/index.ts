/** @shoal/antientropy: makes copies equal, and keeps them whole. */
export {
  AntiEntropy,
  type AntiEntropyFigures,
  type AntiEntropyParts,
  type AntiEntropySettings,
  type HintFigures,
} from './anti-entropy.ts'
export { type BudgetSettings, budgetDefaults, type QuietHours } from './core/budget.ts'
export { combineDebts, type Debt, debtOf, noDebt } from './core/debt.ts'
export type { RepairRange, RepairReport } from './core/repair-job.ts'
export type {
  AntiEntropyEvent,
  Budget,
  DigestCorrection,
  DirtyMark,
  DirtyMarks,
  ExchangeQuestion,
  LocalReplica,
  PeerQuestion,
  PeerSink,
  Peers,
  Placement,
} from './ports.ts'
export { BackgroundBudget, type BudgetFigures } from './shell/background-budget.ts'
export type { Proof, ProofRequest } from './shell/proofs.ts'
export type { ProofVerdict } from './trees/proof.ts'
// Withheld: trees, the machines of exchanges and rows, schedules, how rows are read.
