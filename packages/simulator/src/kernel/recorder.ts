import type { EventRecord } from './scheduler.ts'

export interface RecorderOptions {
  /** Notes the hash after each so many events. */
  readonly every: number
  /** Writes down each event of this stretch. */
  readonly from?: number
  readonly to?: number
}

/** What two runs are compared by. */
export class Recorder {
  readonly hashes: string[] = []
  readonly events: (EventRecord & { readonly hash: string })[] = []
  readonly #options: RecorderOptions

  constructor(options: RecorderOptions) {
    this.#options = options
  }

  get every(): number {
    return this.#options.every
  }

  add(event: EventRecord, hash: string): void {
    const { every, from = Number.POSITIVE_INFINITY, to = Number.POSITIVE_INFINITY } = this.#options
    if (event.number % every === 0) this.hashes.push(hash)
    if (event.number >= from && event.number < to) this.events.push({ ...event, hash })
  }
}

/** The first event that is not the same in two runs; undefined on a side that ended before. */
export interface Difference {
  readonly one: EventRecord | undefined
  readonly other: EventRecord | undefined
}

/**
 * Runs the same thing twice and compares; where the hashes part it runs both again and finds the
 * event. Undefined when they are equal, or when they differ only now and then and not this time.
 */
export async function findFirstDifference(
  run: (recorder: Recorder) => Promise<void>,
  every = 1_000,
): Promise<Difference | undefined> {
  const [one, other] = [new Recorder({ every }), new Recorder({ every })]
  for (const recorder of [one, other]) await run(recorder)
  const most = Math.max(one.hashes.length, other.hashes.length)
  let part = 0
  while (part < most && one.hashes[part] === other.hashes[part]) part++
  const from = Math.max(0, part - 1) * every
  const [near, far] = [from, from].map(
    (start) => new Recorder({ every, from: start, to: start + 2 * every }),
  ) as [Recorder, Recorder]
  for (const recorder of [near, far]) await run(recorder)
  const index = near.events.findIndex(({ hash }, at) => hash !== far.events[at]?.hash)
  const length = near.events.length
  if (index < 0 && length === far.events.length) return undefined
  const at = index < 0 ? length : index
  return { one: near.events[at], other: far.events[at] }
}
