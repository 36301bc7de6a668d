/** How often a planted bug was noticed. */
export interface Finding {
  readonly name: string
  /** Seeds of the sample in which it was noticed. */
  readonly found: number
  readonly sample: number
  /** Virtual seconds of workload of each run of the sample. */
  readonly seconds: number
  /** Seeds that were tried until one noticed it. */
  readonly tried: number
  /** The first seed that noticed it, 0 for none. */
  readonly first: number
  /** What noticed it there: an invariant by its number, a trip, or that it did not end. */
  readonly by: string
  readonly date: string
  readonly commit: string
}

/** What a worker says of one seed, one line of JSON each. */
export interface SeedVerdict {
  readonly seed: number
  /** What noticed the bug; absent when nothing did. */
  readonly by?: string
}

/** Seeds to run of one bug, and for how long each. */
export interface SeedRange {
  readonly from: number
  readonly to: number
  /** Virtual seconds of workload. */
  readonly seconds: number
  /** Ends with the first seed that notices. */
  readonly stopAtFirst: boolean
}
