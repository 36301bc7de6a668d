/**
 * How many requests a node works on at a time (O3).
 *
 * The obvious rule, refuse everything while the event loop is late, swings: all come in until it is
 * late, none until it is not, and half of the capacity is lost between the two. Here the number
 * under way is bounded, and the bound follows what waiting costs: while nothing is quick any more,
 * it is as many as are met in a fraction of a second (Little's law: so long each of them waits),
 * and it grows while it is all that keeps requests out.
 *
 * One late turn is no overload: a collection of garbage, a stopped process that goes on. What
 * counts is the least delay in several looks (the idea of CoDel, RFC 8289): a queue that never
 * empties.
 */
export interface LoadLook {
  /** The usual delay of the event loop since the last look. */
  readonly loopDelayMs: number
  /** The quickest request that ended since the last look; undefined when none did. */
  readonly quickestMs: number | undefined
  /** Requests under way, the most since the last look. */
  readonly inFlight: number
  /** Requests met since the last look, and how long that was. */
  readonly met: number
  readonly overMs: number
}

export interface LoadState {
  /** Requests that may be under way. */
  readonly bound: number
  /** The last looks, oldest first. */
  readonly looks: readonly LoadLook[]
}

/** Few enough to be no load, enough for the connections of a usual client. */
export const BOUND_MIN = 64
/** Waiting for its turn is a tenth of what a request may take then. */
export const LOOP_DELAY_MAX_MS = 50
/** Even the quickest waits for something: the disk, or the others. */
export const QUICKEST_MAX_MS = 250
/** So many looks in a row say the same before anything is concluded. */
const LOOKS = 3
/** What each request may wait once too many came: well below what calls for it. */
const WAIT_MS = 150
/** At least, where few are under way and yet nothing is quick. */
const SHRINK = 0.9
const GROW = 1.05
/** The bound is what keeps requests out. */
const USED = 0.8

export const beginLoad = (boundMax: number): LoadState => ({ bound: boundMax, looks: [] })

export function stepLoad(state: LoadState, look: LoadLook, boundMax: number): LoadState {
  const looks = [...state.looks, look].slice(-LOOKS)
  const excess = Math.min(...looks.map(excessOf))
  if (looks.length === LOOKS && excess > 1) {
    // From what is there, not from a bound that nobody has come near.
    const from = Math.min(state.bound, Math.max(...looks.map(({ inFlight }) => inFlight)))
    const bound = Math.max(BOUND_MIN, Math.floor(Math.min(from * SHRINK, metIn(WAIT_MS, looks))))
    // The next conclusion is drawn from what the new bound has led to.
    return bound < state.bound ? { bound, looks: [] } : { ...state, looks }
  }
  const isUsed = look.inFlight >= state.bound * USED || look.inFlight < BOUND_MIN
  if (excessOf(look) > 1 || !isUsed) return { ...state, looks }
  return { bound: Math.min(boundMax, Math.ceil(state.bound * GROW)), looks }
}

function metIn(ms: number, looks: readonly LoadLook[]): number {
  const met = looks.reduce((sum, look) => sum + look.met, 0)
  const overMs = looks.reduce((sum, look) => sum + look.overMs, 0)
  return (met * ms) / overMs
}

/** How many times what is bearable. Nothing has ended and some wait: they did so all the time. */
function excessOf({ loopDelayMs, quickestMs, inFlight }: LoadLook): number {
  const quickest = quickestMs ?? (inFlight > 0 ? QUICKEST_MAX_MS + 1 : 0)
  return Math.max(loopDelayMs / LOOP_DELAY_MAX_MS, quickest / QUICKEST_MAX_MS)
}
