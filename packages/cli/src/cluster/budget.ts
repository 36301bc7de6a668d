import { formatBytes } from '../format/quantities.ts'
import type { BudgetState } from './state.ts'

/** What background work of a node may take now: `64 MiB/s`, `256 KiB/s (quiet hours)`, `paused`. */
export function describeBudget({ bytesPerSecond, paused, quiet }: BudgetState): string {
  if (paused) return 'paused'
  return `${formatBytes(bytesPerSecond)}/s${quiet ? ' (quiet hours)' : ''}`
}
