import { parseArgs } from 'node:util'
import { ShoalError } from '@shoal/kernel'

/** What `npm run simulate` was asked to do. */
export interface Settings {
  /** First seed, and how many. */
  readonly from: number
  readonly seeds: number
  /** One seed only. */
  readonly seed: number | undefined
  /** Real hours: seeds without end until then. */
  readonly hours: number | undefined
  /** Virtual milliseconds of workload of each run. */
  readonly duration: number
  readonly rate: number | undefined
  readonly jobs: number
  /** So many of the seeds run twice and must end alike. */
  readonly verify: number
  /** A plan to run instead of a seed's. */
  readonly plan: string | undefined
  /** Where to put the smaller plan. */
  readonly shrink: string | undefined
  /** The most runs that shrinking may take. */
  readonly runs: number
  readonly replay: boolean
  /** Run one seed twice, and name the first event in which the runs differ. */
  readonly compare: boolean
  /** Where to append one line of JSON for each seed. */
  readonly out: string | undefined
}

export const USAGE = `npm run simulate -- [--seeds 200] [--from 1] [--duration 120] [--jobs 2]
                        [--verify 20]
npm run simulate -- --hours 8 [--from 1]             seeds without end
npm run simulate -- --seed X [--duration 120] --replay   one seed, told in full
npm run simulate -- --seed X --shrink FILE           its plan made smaller, while it fails alike
npm run simulate -- --seed X --compare               the first event in which two runs of it differ
npm run simulate -- --plan FILE [--shrink FILE]      a plan that was kept

--duration is virtual seconds of workload, --rate operations for each of them (default: the seed
decides), --runs the most runs that shrinking takes, --out a file for one line of JSON each seed.`

/** @throws TypeError or SHOAL_CONFIG_INVALID, with a message for people */
export function readSettings(parameters: readonly string[]): Settings {
  const { values } = parseArgs({
    args: [...parameters],
    options: {
      from: { type: 'string' },
      seeds: { type: 'string' },
      seed: { type: 'string' },
      hours: { type: 'string' },
      duration: { type: 'string' },
      rate: { type: 'string' },
      jobs: { type: 'string' },
      verify: { type: 'string' },
      plan: { type: 'string' },
      shrink: { type: 'string' },
      runs: { type: 'string' },
      replay: { type: 'boolean' },
      compare: { type: 'boolean' },
      out: { type: 'string' },
    },
  })
  const number = (name: keyof typeof values, least: number): number | undefined => {
    const text = values[name]
    if (text === undefined) return undefined
    const value = Number(text)
    if (Number.isFinite(value) && value >= least) return value
    const wanted = `--${name} takes a number from ${least} up`
    throw new ShoalError('SHOAL_CONFIG_INVALID', `${wanted}, not "${text}"`)
  }
  return {
    from: number('from', 0) ?? 1,
    seeds: number('seeds', 1) ?? 200,
    seed: number('seed', 0),
    hours: number('hours', 0),
    duration: 1_000 * (number('duration', 0.001) ?? 120),
    rate: number('rate', 0.001),
    jobs: Math.max(1, number('jobs', 1) ?? 2),
    verify: number('verify', 0) ?? 20,
    plan: values.plan,
    shrink: values.shrink,
    runs: number('runs', 1) ?? 400,
    replay: values.replay ?? false,
    compare: values.compare ?? false,
    out: values.out,
  }
}
