import { appendFileSync } from 'node:fs'
import type { SimulationResult } from '../result.ts'
import { describeFailure } from './failure.ts'
import type { Settings } from './settings.ts'
import { Summary } from './summary.ts'
import type { Job, JobResult } from './worker.ts'
import { runJobs } from './workers.ts'

const PROGRESS_EVERY_MS = 15_000

/** Prints a line; nothing else of the command knows the terminal. */
export type Say = (line: string) => void

/**
 * Many seeds, some of them twice.
 *
 * @returns whether all is well
 */
export async function runManySeeds(settings: Settings, say: Say): Promise<boolean> {
  const started = performance.now()
  const elapsed = (): number => performance.now() - started
  const summary = new Summary()
  let differing = 0
  const tell = (job: Job, done: JobResult): void => {
    summary.add(done)
    if (settings.out) appendFileSync(settings.out, `${JSON.stringify(kept(done))}\n`)
    for (const line of describeFailure(done.result, settings)) say(line)
    if (done.secondHash === undefined || done.secondHash === done.result.hash) return
    differing++
    say(`NOT DETERMINISTIC: seed ${job.seed} ended with ${done.result.hash} and ${done.secondHash}`)
    say(`  ${done.difference}`)
  }
  const progress = setInterval(() => say(`  ${summary.progress(elapsed())}`), PROGRESS_EVERY_MS)
  await runJobs(settings.jobs, jobsOf(settings, elapsed), tell)
  clearInterval(progress)
  for (const line of summary.lines(elapsed())) say(line)
  return summary.failed === 0 && differing === 0
}

/** The next job each time it is called; undefined when there are no more. */
function jobsOf(settings: Settings, elapsed: () => number): () => Job | undefined {
  const { from, seeds, hours, duration, rate, verify } = settings
  const every = hours === undefined ? Math.max(1, Math.floor(seeds / Math.max(1, verify))) : 100
  let index = 0
  return () => {
    const over = hours === undefined ? index >= seeds : elapsed() > hours * 3_600_000
    if (over) return undefined
    const twice = verify > 0 && index % every === 0
    return { seed: from + index++, duration, rate, twice }
  }
}

const kept = ({ result, cpuMillis }: JobResult): SimulationResult & { cpuMillis: number } => ({
  ...result,
  cpuMillis,
})
