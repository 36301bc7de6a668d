/**
 * What is kept of a failure: logs, the plan, and the history of each key that is not as it should
 * be.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { RoundResult, Trial } from './trial.ts'

export const isBad = ({ violations, surprises }: RoundResult): boolean =>
  violations.length + surprises.length > 0

export function keepEvidence(
  folder: string,
  { trial, plan, result }: { trial: Trial; plan: object; result: RoundResult },
): void {
  mkdirSync(folder, { recursive: true })
  const write = (name: string, content: unknown): void =>
    writeFileSync(join(folder, name), `${JSON.stringify(content, undefined, 2)}\n`)
  const { violations, surprises } = result
  trial.cluster.keepLogs()
  write('plan.json', plan)
  write('found.json', { violations, surprises })
  for (const key of new Set(violations.map((violation) => violation.key))) {
    write(`${key}.json`, { ...trial.history.of(key), final: result.finals.get(key) })
  }
}
