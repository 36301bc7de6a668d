import { availableParallelism } from 'node:os'
import t from 'tap'
import { runManySeeds } from '../src/command/many-seeds.ts'
import { readSettings } from '../src/command/settings.ts'

/**
 * What every commit has to pass. Since nodes probe each other and compare their copies, a seed
 * costs about three times what it did; 200 of them would take ten minutes.
 */
const seeds = Number(process.env.SHOAL_TEST_SEEDS ?? 60)
const LIMIT_MS = 1_500_000

t.setTimeout(LIMIT_MS)

t.test(
  `${seeds} seeds of 120 virtual seconds pass, and some of them end alike twice`,
  async (t) => {
    const parameters = ['--seeds', `${seeds}`, '--jobs', `${availableParallelism()}`]
    const failures: string[] = []
    const passed = await runManySeeds(readSettings(parameters), (line) => {
      t.comment(line)
      if (line.startsWith('FAIL')) failures.push(line)
    })
    t.ok(passed, 'no seed fails', { failures })
  },
)
