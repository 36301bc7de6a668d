import type { Finding, SeedRange, SeedVerdict } from './finding.ts'

/** Runs seeds of one bug and tells of each; resolves when the range is done. */
export type RunSeeds = (
  name: string,
  range: SeedRange,
  tell: (verdict: SeedVerdict) => void,
) => Promise<void>

export interface SearchOptions {
  /** The most seeds that are tried. */
  readonly seeds: number
  /** Of these, the first ones are all run, however many of them notice the bug. */
  readonly sample: number
  /** Virtual seconds of a run of the sample. */
  readonly sampleSeconds: number
  /** Virtual seconds of a run behind the sample. */
  readonly seconds: number
  readonly date: string
  readonly commit: string
}

/**
 * How often a bug is noticed: a sample of short runs, then longer runs until the first one that
 * does.
 */
export async function search(
  name: string,
  options: SearchOptions,
  runSeeds: RunSeeds,
): Promise<Finding> {
  const { seeds, sampleSeconds, seconds, date, commit } = options
  const sample = Math.min(options.sample, seeds)
  let found = 0
  let first = 0
  let by = ''
  const tell = (verdict: SeedVerdict): void => {
    if (verdict.by === undefined) return
    found++
    if (first !== 0) return
    first = verdict.seed
    by = verdict.by
  }
  await runSeeds(name, { from: 1, to: sample, seconds: sampleSeconds, stopAtFirst: false }, tell)
  const inSample = found
  if (first === 0 && seeds > sample) {
    await runSeeds(name, { from: sample + 1, to: seeds, seconds, stopAtFirst: true }, tell)
  }
  const tried = first > sample ? first : seeds
  return { name, found: inSample, sample, seconds: sampleSeconds, tried, first, by, date, commit }
}

/** Looks further where a search ended without a find. */
export async function searchOn(
  before: Finding,
  options: SearchOptions,
  runSeeds: RunSeeds,
): Promise<Finding> {
  const { seeds, seconds, date, commit } = options
  if (before.first > 0 || before.tried >= seeds) return before
  let { first, by } = before
  await runSeeds(
    before.name,
    { from: before.tried + 1, to: seeds, seconds, stopAtFirst: true },
    (verdict) => {
      if (verdict.by === undefined || first !== 0) return
      first = verdict.seed
      by = verdict.by
    },
  )
  return { ...before, tried: first > 0 ? first : seeds, first, by, date, commit }
}
