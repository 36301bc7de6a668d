import { type Env, invariant, type Millis, millis, type Timer } from '@shoal/kernel'

/**
 * Deadlines of thousands of requests on one timer. A timer of its own for each request costs more
 * than the rest of its bookkeeping; here an entry is linked into the list of its tick and out again
 * when the request ends, so that nothing ended is kept alive until its time would have come.
 */
export interface DeadlineEntry {
  /** Called once the deadline has passed, unless `remove` came first. */
  onDeadline(): void
  /** Owned by `Deadlines`. */
  deadlineTick: number
  deadlineBefore: DeadlineEntry | undefined
  deadlineAfter: DeadlineEntry | undefined
}

const NOT_LISTED = -1
export const unlisted = { deadlineTick: NOT_LISTED } as const

export class Deadlines {
  readonly #env: Env
  readonly #tickMs: number
  readonly #heads = new Map<number, DeadlineEntry>()
  #timer: Timer | undefined
  #nextTick = 0

  /** @param tick  how late a deadline may be noticed */
  constructor(env: Env, tick: Millis) {
    this.#env = env
    this.#tickMs = tick
  }

  /** @param at  on the elapsed clock */
  add(entry: DeadlineEntry, at: Millis): void {
    invariant(entry.deadlineTick === NOT_LISTED, 'an entry has one deadline at a time')
    const now = this.#env.clock.elapsed()
    if (this.#timer === undefined) this.#nextTick = Math.floor(now / this.#tickMs)
    const tick = Math.max(Math.ceil(at / this.#tickMs), this.#nextTick)
    const head = this.#heads.get(tick)
    entry.deadlineTick = tick
    entry.deadlineBefore = undefined
    entry.deadlineAfter = head
    if (head) head.deadlineBefore = entry
    this.#heads.set(tick, entry)
    this.#arm()
  }

  remove(entry: DeadlineEntry): void {
    if (entry.deadlineTick === NOT_LISTED) return
    const { deadlineBefore: before, deadlineAfter: after } = entry
    if (after) after.deadlineBefore = before
    if (before) before.deadlineAfter = after
    else if (after) this.#heads.set(entry.deadlineTick, after)
    else this.#heads.delete(entry.deadlineTick)
    unlink(entry)
  }

  /** Stops the timer; what is listed is never called. */
  stop(): void {
    this.#timer?.cancel()
    this.#timer = undefined
  }

  #arm(): void {
    this.#timer ??= this.#env.clock.after(millis(this.#tickMs), this.#tick)
  }

  readonly #tick = (): void => {
    this.#timer = undefined
    const until = Math.floor(this.#env.clock.elapsed() / this.#tickMs)
    for (; this.#nextTick <= until; this.#nextTick++) this.#expire(this.#nextTick)
    if (this.#heads.size > 0) this.#arm()
  }

  #expire(tick: number): void {
    // Taken one at a time from the head: an entry's own call may remove others.
    for (;;) {
      const entry = this.#heads.get(tick)
      if (!entry) return
      this.remove(entry)
      entry.onDeadline()
    }
  }
}

function unlink(entry: DeadlineEntry): void {
  entry.deadlineTick = NOT_LISTED
  entry.deadlineBefore = undefined
  entry.deadlineAfter = undefined
}
