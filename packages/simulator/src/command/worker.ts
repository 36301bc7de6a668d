/**
 * Runs seeds for the command that started this process: a job comes in as a message, its result
 * goes back as one. A process of its own for each core, and one that is lost takes no other run
 * with it.
 */
import { generatePlan } from '../plan/generate.ts'
import type { SimulationResult } from '../result.ts'
import { simulate } from '../run.ts'
import { describeDifference } from './compare.ts'

export interface Job {
  readonly seed: number
  readonly duration: number
  readonly rate: number | undefined
  /** Run it again and compare. */
  readonly twice: boolean
}

export interface JobResult {
  readonly result: SimulationResult
  /** Processor time of the one run, in milliseconds. */
  readonly cpuMillis: number
  /** Of the second run, where there was one. */
  readonly secondHash?: string
  /** Where the two runs part, when they do. */
  readonly difference?: string
}

async function run({ seed, duration, rate, twice }: Job): Promise<JobResult> {
  const plan = generatePlan(seed, { duration, ...(rate === undefined ? {} : { rate }) })
  const before = process.cpuUsage()
  const result = await simulate(plan)
  const { user, system } = process.cpuUsage(before)
  const cpuMillis = (user + system) / 1_000
  if (!twice) return { result, cpuMillis }
  const { hash } = await simulate(plan)
  if (hash === result.hash) return { result, cpuMillis, secondHash: hash }
  return { result, cpuMillis, secondHash: hash, difference: await describeDifference(plan) }
}

process.on('message', (job: Job) => {
  run(job).then(
    (result) => process.send?.(result),
    (error: unknown) => {
      process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`)
      process.exit(1)
    },
  )
})
process.on('disconnect', () => process.exit())
