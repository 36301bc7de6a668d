import { invariant, limits, unreachable } from '@shoal/kernel'
import type { Outcome } from './outcome.ts'

/**
 * The delivery of hints to one target.
 *
 * The failed obvious answer takes the oldest hint, tries until it is delivered, and goes on to the
 * next: one row that the target refuses holds up a million behind it. Sending everything at once is
 * no better, because a node that has just come back drowns in it.
 *
 * Here hints go in rounds, oldest first. A round is read, waits for the background budget, is sent
 * with few rows on the way at a time, and what was acknowledged is deleted in one batch. What was
 * not stays where it is, and the next round goes on behind it. At the end of the log the pass
 * begins anew, after a rest if anything was left. Rounds begin small and grow while all goes well.
 */
export interface Course {
  /** Sequence from which the next round reads; 0 for the oldest hint there is. */
  readonly cursor: number
  /** Rounds, or whole passes, in a row that came to nothing. */
  readonly failures: number
  /** Hints in the next round, at most. */
  readonly size: number
  /** Whether this pass has left any hint behind. */
  readonly left: boolean
  /** Whether this pass has delivered any. */
  readonly moved: boolean
}

export interface Page {
  /** Hints to be sent; those the target no longer holds are not among them. */
  readonly hints: number
  /** Whether hints that are not to be sent are still in the log all the same. */
  readonly strays: boolean
  /** What their rows took when they were owed. */
  readonly bytes: number
  readonly from: number
  /** Sequence from which the page behind this one begins. */
  readonly next: number
  readonly finished: boolean
}

export interface Round {
  readonly page: Page
  /** Hints whose row was asked of the disk. */
  readonly fetched: number
  /** Rows asked for and not here yet. */
  readonly reading: number
  /** Messages without an answer, and their bytes. */
  readonly flying: number
  readonly bytes: number
  /** Hints that came to each end. */
  readonly ends: Readonly<Record<Outcome, number>>
}

export type DeliveryState =
  | { readonly kind: 'idle'; readonly course: Course }
  | { readonly kind: 'reading'; readonly course: Course }
  | { readonly kind: 'asking'; readonly course: Course; readonly page: Page }
  | { readonly kind: 'sending'; readonly course: Course; readonly round: Round }
  | { readonly kind: 'settling'; readonly course: Course; readonly round: Round }
  | { readonly kind: 'resting'; readonly course: Course }
  /** Hints too old are being given up (H2). */
  | { readonly kind: 'sweeping'; readonly course: Course }

export type DeliveryEvent =
  /** There are hints, their target is up, and it is its turn. */
  | { readonly kind: 'begun' }
  | { readonly kind: 'paged'; readonly page: Page }
  | { readonly kind: 'granted'; readonly reachable: boolean }
  /** A row was read and sent. */
  | { readonly kind: 'sent'; readonly bytes: number }
  /** @property bytes  of the message; undefined when it was never sent */
  | { readonly kind: 'ended'; readonly outcome: Outcome; readonly bytes: number | undefined }
  /** No answer is waited for any longer. */
  | { readonly kind: 'overdue' }
  /** @property stayed  delivered hints that were owed anew meanwhile */
  | { readonly kind: 'settled'; readonly written: boolean; readonly stayed: number }
  | { readonly kind: 'rested' }
  /** The target was down and is up. */
  | { readonly kind: 'returned' }
  | { readonly kind: 'sweepBegun' }
  | { readonly kind: 'swept' }

export type DeliveryEffect =
  | { readonly kind: 'read'; readonly from: number; readonly limit: number }
  | { readonly kind: 'take'; readonly bytes: number }
  /** Read the row of this hint of the round and send it. */
  | { readonly kind: 'fetch'; readonly index: number }
  /** Delete what was delivered, mark what is missing. */
  | { readonly kind: 'settle' }
  /** Wake me after a while. */
  | { readonly kind: 'rest'; readonly failures: number }
  /** Another target may have its turn. */
  | { readonly kind: 'release' }
  /** A turn is wanted. */
  | { readonly kind: 'ready' }

export interface DeliveryStep {
  readonly state: DeliveryState
  readonly effects: readonly DeliveryEffect[]
}

/** Rows read from the disk at a time. The smallest round is read at once. */
const READS_MAX = 16
const ROUND_MIN = 16
/** So often in a row a target may refuse all work before the next round passes by these hints. */
const HALTS_MAX = 5

const NONE: readonly DeliveryEffect[] = []
const NO_ENDS: Round['ends'] = { delivered: 0, missing: 0, kept: 0, silent: 0, halted: 0 }
const freshCourse: Course = { cursor: 0, failures: 0, size: ROUND_MIN, left: false, moved: false }

export const beginDelivery = (): DeliveryState => ({ kind: 'idle', course: freshCourse })

export function stepDelivery(state: DeliveryState, event: DeliveryEvent): DeliveryStep {
  switch (event.kind) {
    case 'begun':
      return begin(state)
    case 'paged':
      return takePage(state, event.page)
    case 'granted':
      return goOn(state, event.reachable)
    case 'sent':
      return count(state, (round) => ({
        ...round,
        reading: round.reading - 1,
        flying: round.flying + 1,
        bytes: round.bytes + event.bytes,
      }))
    case 'ended':
      return count(state, (round) => end(round, event.outcome, event.bytes))
    case 'overdue':
      return giveUpWaiting(state)
    case 'settled':
      return settle(state, event)
    case 'rested':
      return state.kind === 'resting' ? ready(state.course) : { state, effects: NONE }
    case 'returned':
      return comeBack(state)
    case 'sweepBegun':
      invariant(canSweep(state), 'a log is swept while nothing is on the way', () => state.kind)
      return { state: { kind: 'sweeping', course: state.course }, effects: NONE }
    case 'swept':
      invariant(state.kind === 'sweeping', 'a sweep ends once', () => state.kind)
      return ready(state.course)
    default:
      return unreachable(event)
  }
}

export const canSweep = (state: DeliveryState): boolean =>
  state.kind === 'idle' || state.kind === 'resting'

const ready = (course: Course): DeliveryStep => ({
  state: { kind: 'idle', course },
  effects: [{ kind: 'ready' }],
})

function begin(state: DeliveryState): DeliveryStep {
  invariant(state.kind === 'idle', 'a round begins when nothing is under way', () => state.kind)
  const { course } = state
  return {
    state: { kind: 'reading', course },
    effects: [{ kind: 'read', from: course.cursor, limit: course.size }],
  }
}

function takePage(state: DeliveryState, page: Page): DeliveryStep {
  invariant(state.kind === 'reading', 'a page was asked for', () => state.kind)
  const { course } = state
  if (page.hints === 0 && page.finished && course.cursor === 0) {
    // Nothing to send in the whole log. To look again at once would be to look without end.
    return pause({ ...freshCourse, failures: course.failures + 1 })
  }
  if (page.hints === 0) return advance(course, { page, rest: false, left: page.strays })
  return { state: { kind: 'asking', course, page }, effects: [{ kind: 'take', bytes: page.bytes }] }
}

function goOn(state: DeliveryState, reachable: boolean): DeliveryStep {
  invariant(state.kind === 'asking', 'a budget was asked for', () => state.kind)
  const { course, page } = state
  // Its return begins a round of its own.
  if (!reachable) return { state: { kind: 'idle', course }, effects: [{ kind: 'release' }] }
  const round = { page, fetched: 0, reading: 0, flying: 0, bytes: 0, ends: NO_ENDS }
  return fill(course, round)
}

/** Asks for as many rows as may be on the way; settles when none is left to wait for. */
function fill(course: Course, round: Round): DeliveryStep {
  let { fetched, reading } = round
  const effects: DeliveryEffect[] = []
  const halted = round.ends.halted > 0
  while (
    !halted &&
    fetched < round.page.hints &&
    reading < READS_MAX &&
    round.bytes < limits.hintBytesInFlightMax
  ) {
    effects.push({ kind: 'fetch', index: fetched })
    fetched++
    reading++
  }
  if (reading === 0 && round.flying === 0) {
    return { state: { kind: 'settling', course, round }, effects: [{ kind: 'settle' }] }
  }
  return { state: { kind: 'sending', course, round: { ...round, fetched, reading } }, effects }
}

function count(state: DeliveryState, change: (round: Round) => Round): DeliveryStep {
  invariant(state.kind === 'sending', 'a round that ends a hint is under way', () => state.kind)
  const round = change(state.round)
  const sound = round.reading >= 0 && round.flying >= 0 && round.bytes >= 0
  invariant(sound, 'a hint ends once', () => round)
  return fill(state.course, round)
}

function end(round: Round, outcome: Outcome, bytes: number | undefined): Round {
  const ends = { ...round.ends, [outcome]: round.ends[outcome] + 1 }
  return bytes === undefined
    ? { ...round, ends, reading: round.reading - 1 }
    : { ...round, ends, flying: round.flying - 1, bytes: round.bytes - bytes }
}

function giveUpWaiting(state: DeliveryState): DeliveryStep {
  if (state.kind !== 'sending') return { state, effects: NONE }
  const { course, round } = state
  const silent = round.ends.silent + round.reading + round.flying
  const ended = { ...round, reading: 0, flying: 0, bytes: 0, ends: { ...round.ends, silent } }
  return { state: { kind: 'settling', course, round: ended }, effects: [{ kind: 'settle' }] }
}

function settle(
  state: DeliveryState,
  { written, stayed }: { readonly written: boolean; readonly stayed: number },
): DeliveryStep {
  invariant(state.kind === 'settling', 'a round is settled once', () => state.kind)
  const { page, ends } = state.round
  const { course } = state
  const halted = ends.halted > 0 || !written
  const rest = halted || ends.silent > 0
  const moved = written && ends.delivered > 0
  const failures = rest ? (moved ? 1 : course.failures + 1) : moved ? 0 : course.failures
  const size = rest ? ROUND_MIN : Math.min(course.size * 2, limits.hintRoundHintsMax)
  const next = { ...course, failures, size, moved: course.moved || moved }
  if (halted && failures <= HALTS_MAX) {
    return pause({ ...next, cursor: page.from, left: true })
  }
  const left = rest || page.strays || ends.kept > 0 || stayed > 0
  return advance(next, { page, rest, left })
}

/** On to what lies behind the page, or to the next pass. */
function advance(
  course: Course,
  { page, rest, left }: { readonly page: Page; readonly rest: boolean; readonly left: boolean },
): DeliveryStep {
  const behind = course.left || left
  if (!page.finished) {
    const next = { ...course, cursor: page.next, left: behind }
    return rest ? pause(next) : { state: { kind: 'idle', course: next }, effects: RELEASE }
  }
  const over = { ...course, cursor: 0, left: false, moved: false }
  if (!behind) return { state: { kind: 'idle', course: over }, effects: RELEASE }
  if (rest) return pause(over)
  // Only rows that the target refuses, one by one, are left: they may wait longer each time.
  return pause({ ...over, failures: course.moved ? 1 : course.failures + 1 })
}

const RELEASE: readonly DeliveryEffect[] = [{ kind: 'release' }]

const pause = (course: Course): DeliveryStep => ({
  state: { kind: 'resting', course },
  effects: [{ kind: 'rest', failures: course.failures }, { kind: 'release' }],
})

/** What failed before says nothing any more, and the oldest hints come first again. */
function comeBack(state: DeliveryState): DeliveryStep {
  if (state.kind === 'idle' || state.kind === 'resting') return ready(freshCourse)
  return { state: { ...state, course: { ...state.course, failures: 0 } }, effects: NONE }
}
