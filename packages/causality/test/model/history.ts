/**
 * What truly happened, told without clocks, dots or actors: only which writes their authors had
 * seen.
 *
 * The history of a place is the set of writes it has heard of. Each write carries the set its
 * author had seen. What must be live is what nobody in the history has seen: its maximal elements.
 * Sets are bits of a number, one for each write of a key, so that thousands of runs cost seconds.
 */
export type History = number

/** Bits that a number holds without its sign, with one to spare. */
export const EVENTS_MAX = 30

export interface Event {
  /** Only for asking a clock about this write; the model itself never looks at it. */
  readonly dot: Buffer
  readonly past: History
  readonly tombstone: boolean
  /** The coordinator had it on disk and could tell the client so. */
  acknowledged: boolean
}

export const has = (history: History, index: number): boolean => (history & (1 << index)) !== 0

export const unionOf = (events: readonly Event[], pick: (event: Event, index: number) => History) =>
  events.reduce((union, event, index) => union | pick(event, index), 0)

/** Writes of a history that no other write of it has seen. */
export function maximal(history: History, events: readonly Event[]): History {
  return history & ~pastOf(history, events)
}

/** Everything that some write of a history has seen. */
export const pastOf = (history: History, events: readonly Event[]): History =>
  unionOf(events, ({ past }, index) => (has(history, index) ? past : 0))

/** The writes that left a value, as a client sees it. */
export const valuesAmong = (events: readonly Event[]): History =>
  unionOf(events, ({ tombstone }, index) => (tombstone ? 0 : 1 << index))

export const show = (history: History): string =>
  `{${[...Array(EVENTS_MAX).keys()].filter((index) => has(history, index))}}`

export interface Finding {
  readonly seed: string
  readonly kind: 'lost write' | 'false sibling' | 'wrong clock' | 'not converged' | 'refused'
  readonly step: number
  readonly detail: string
}

export class Found extends Error {
  readonly kind: Finding['kind']
  constructor(kind: Finding['kind'], detail: string) {
    super(detail)
    this.kind = kind
  }
}
