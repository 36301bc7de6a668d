import { execFileSync } from 'node:child_process'
import type { SimulationResult } from '../result.ts'
import type { Settings } from './settings.ts'

/** Everything needed to see a failure again. Nothing when all is well. */
export function describeFailure(result: SimulationResult, settings: Settings): string[] {
  const { seed, failures } = result
  if (failures.length === 0) return []
  const command = `npm run simulate -- ${sourceOf(seed, settings)}`
  return [
    `FAIL seed ${seed}, commit ${commit()}, Node ${process.version}, ${failures.length} failures`,
    ...failures.flatMap(({ rule, message, at }) =>
      `  ${rule} at ${(at / 1_000).toFixed(3)} s: ${message}`.split('\n'),
    ),
    `  see it again: ${command} --replay`,
    `  make it small: ${command} --shrink packages/simulator/regressions/NAME.json`,
  ]
}

function sourceOf(seed: number, { plan, duration, rate }: Settings): string {
  if (plan !== undefined) return `--plan ${plan}`
  const asked = rate === undefined ? '' : ` --rate ${rate}`
  return `--seed ${seed} --duration ${duration / 1_000}${asked}`
}

let known: string | undefined

/** Of the code that runs, with a mark when it was changed since. */
function commit(): string {
  known ??= readCommit()
  return known
}

function readCommit(): string {
  try {
    const git = (...parameters: string[]): string =>
      execFileSync('git', parameters, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
    const changed = git('status', '--porcelain', '--untracked-files=no').trim() !== ''
    return `${git('rev-parse', '--short', 'HEAD').trim()}${changed ? ' (changed since)' : ''}`
  } catch {
    return 'unknown'
  }
}
