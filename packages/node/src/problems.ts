import type { AntiEntropyFigures, BudgetFigures } from '@shoal/antientropy'
import type { HintFigures } from '@shoal/handoff'
import { limits, type NodeId, type ShoalError } from '@shoal/kernel'

/** What a node looks at to say what is wrong with it. */
export interface Condition {
  readonly self: NodeId
  readonly freeBytes: number
  readonly hints: HintFigures
  readonly repairs: AntiEntropyFigures
  readonly budget: BudgetFigures
  /** Why requests are refused now. */
  readonly refusal: ShoalError | undefined
  /** Members that go by another ring of the same epoch. */
  readonly disputes: readonly NodeId[]
}

/** A hint older than this is not just on its way. */
const HINT_AGE_MS = 60_000
/** Twice the time in which every pair of copies is compared (E3). */
const UNVERIFIED_MS = 2 * limits.exchangeInterval

/**
 * What is wrong with this node, one line for each thing: what it is, a colon, what to do. Others
 * hear it with its status, and `shoal status` shows it. Those that lose data come first.
 */
export function problemsOf(condition: Condition): string[] {
  const { self, freeBytes, repairs, budget, refusal, disputes } = condition
  const problems: string[] = []
  const add = (holds: boolean, what: string, fix: string): void => {
    if (holds) problems.push(`${what}: ${fix}`)
  }
  add(
    repairs.unhealed > 0,
    `${self} has ${count(repairs.unhealed, 'damaged row')}, and no other node a sound copy so far`,
    'shoal doctor on its machine, then shoal repair --wait; what stays is only in a backup',
  )
  add(
    repairs.lost > 0,
    `${self} lost data or has a new disk, its copies of ${count(repairs.lost, 'partition')} ` +
      'do not count to strict reads yet',
    'the others fill it by themselves; shoal repair --status tells how far it is',
  )
  add(
    freeBytes < limits.storeFreeBytesMin,
    `the disk of ${self} is full, it takes no writes`,
    'free some space',
  )
  add(
    disputes.length > 0,
    `${disputes.join(', ')} and ${self} have different rings of one epoch`,
    'shoal ring --url of each, then start those that are wrong anew',
  )
  add(refusal !== undefined, `${self} refuses requests`, 'send it less, or add nodes')
  problems.push(...hintProblems(condition))
  add(
    repairs.oldestUnverified > UNVERIFIED_MS && !budget.paused,
    `copies on ${self} were not compared for ${minutes(repairs.oldestUnverified)}`,
    'shoal repair --wait',
  )
  add(budget.paused, `background work of ${self} is paused`, 'shoal repair --resume')
  return problems
}

function hintProblems({ self, hints }: Condition): string[] {
  return hints.targets.flatMap(({ node, count: writes, oldestMs, dirtyPartitions: dirty }) => {
    const problems: string[] = []
    if (writes > 0 && oldestMs > HINT_AGE_MS) {
      const owed = `${self} owes ${node} ${count(writes, 'write')} for ${minutes(oldestMs)}`
      problems.push(`${owed}: shoal hints, and start ${node}`)
    }
    if (dirty > 0) {
      const left = `${self} kept no more hints for ${count(dirty, 'partition')} of ${node}`
      problems.push(`${left}: start ${node}, then shoal repair --wait`)
    }
    return problems
  })
}

const count = (number: number, what: string): string =>
  `${number.toLocaleString('en')} ${what}${number === 1 ? '' : 's'}`

const minutes = (ms: number): string => {
  const whole = Math.round(ms / 60_000)
  return whole < 120 ? `${whole} min` : `${Math.round(whole / 60)} h`
}
