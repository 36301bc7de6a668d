import { availableParallelism } from 'node:os'
import t from 'tap'
import { runManySeeds } from '../src/command/many-seeds.ts'
import { readSettings } from '../src/command/settings.ts'

/**
 * What every commit has to pass. Most of what a seed goes through comes behind its workload, and
 * lasts about three virtual minutes.
 */
const seeds = Number(process.env.SHOAL_TEST_SEEDS ?? 200)
const WORKLOAD_SECONDS = '40'
const LIMIT_MS = 1_500_000

t.setTimeout(LIMIT_MS)

t.test(
  `${seeds} seeds with ${WORKLOAD_SECONDS} s of workload pass, and some of them end alike twice`,
  async (t) => {
    const jobs = `${availableParallelism()}`
    const sizes = ['--seeds', `${seeds}`, '--duration', WORKLOAD_SECONDS]
    const parameters = [...sizes, '--jobs', jobs]
    const failures: string[] = []
    const passed = await runManySeeds(readSettings(parameters), (line) => {
      t.comment(line)
      if (line.startsWith('FAIL')) failures.push(line)
    })
    t.ok(passed, 'no seed fails', { failures })
  },
)
