import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { SimulationResult } from '../result.ts'
import type { Job, JobResult } from './worker.ts'

const WORKER = fileURLToPath(new URL('./worker.js', import.meta.url))
/**
 * A run that takes so much longer than it should has come to a loop that no event ends. On a busy
 * machine a sound one may take minutes, too.
 */
const STUCK_MIN_MS = 600_000
const KEPT_OF_STDERR = 4_000

/**
 * Runs jobs in processes, one at a time in each.
 *
 * @param next  the next job, undefined when there are no more
 */
export async function runJobs(
  count: number,
  next: () => Job | undefined,
  tell: (job: Job, result: JobResult) => void,
): Promise<void> {
  const work = async (): Promise<void> => {
    let worker: Worker | undefined
    for (let job = next(); job; job = next()) {
      worker ??= new Worker()
      const result = await worker.run(job)
      tell(job, result)
      if (worker.isGone) worker = undefined
    }
    worker?.end()
  }
  await Promise.all(Array.from({ length: count }, work))
}

class Worker {
  readonly #child: ChildProcess
  #errors = ''
  isGone = false

  constructor() {
    this.#child = fork(WORKER, { stdio: ['ignore', 'inherit', 'pipe', 'ipc'] })
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#errors = (this.#errors + text).slice(-KEPT_OF_STDERR)
    })
  }

  run(job: Job): Promise<JobResult> {
    return new Promise((resolve) => {
      const child = this.#child
      const over = (result: JobResult): void => {
        clearTimeout(watch)
        child.off('message', over)
        child.off('close', lost)
        resolve(result)
      }
      const lost = (): void => {
        this.isGone = true
        over(lostRun(job, stuck ? 'stuck' : 'crash', this.#errors))
      }
      let stuck = false
      const watch = setTimeout(() => {
        stuck = true
        child.kill('SIGKILL')
      }, STUCK_MIN_MS + job.duration)
      child.on('message', over)
      child.on('close', lost)
      child.send(job)
    })
  }

  end(): void {
    this.#child.disconnect()
  }
}

/** What is said of a run whose process did not live to say it. */
function lostRun({ seed }: Job, rule: 'stuck' | 'crash', errors: string): JobResult {
  const message = rule === 'stuck' ? 'the run does not end' : `its process ended: ${errors.trim()}`
  const result: SimulationResult = {
    seed,
    failures: [{ rule, message, at: 0 }],
    hash: '',
    events: 0,
    virtualMillis: 0,
    operations: {},
    faults: {},
    injected: {},
    labels: [],
    checks: {},
  }
  return { result, cpuMillis: 0 }
}
