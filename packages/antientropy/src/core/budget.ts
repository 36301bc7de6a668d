import { invariant, limits, type Millis, millis } from '@shoal/kernel'

/**
 * What all background work together may move (E5): bytes a second.
 *
 * A fixed rate is too much for a busy hour or too little for an idle night. So the rate follows the
 * foreground: it halves while requests are slower than they should be, and grows by a tenth with
 * each look that finds them well. It never falls to nothing: copies that differ have to become
 * equal in busy weeks too.
 *
 * Tokens may go below zero: work of any size is let in when there are some, and pays afterwards.
 */
export interface BudgetSettings {
  readonly bytesMin: number
  readonly bytesMax: number
  /** Slower requests than this shrink the rate. */
  readonly p99Target: Millis
  /** Hours in which the machine belongs to the foreground: the rate is the least there is. */
  readonly quietHours: readonly QuietHours[]
}

/** Of the day, in UTC. Around midnight where `toMinute` is the smaller one. */
export interface QuietHours {
  readonly fromMinute: number
  readonly toMinute: number
}

export const budgetDefaults: BudgetSettings = {
  bytesMin: limits.backgroundBytesMin,
  bytesMax: limits.backgroundBytesMax,
  p99Target: millis(25),
  quietHours: [],
}

const SHRINK = 0.5
const GROW = 1.1
/** Nearer to the target than this the rate stays. */
const WELL = 0.8
/** Unused tokens are kept for this long. */
const BURST_SECONDS = 0.25

export class BudgetCore {
  readonly #settings: BudgetSettings
  #rate: number
  #tokens = 0
  #at: Millis
  #paused = false
  #quiet = false
  #granted = 0

  constructor(settings: BudgetSettings, now: Millis) {
    const { bytesMin, bytesMax } = settings
    invariant(bytesMin > 0 && bytesMin <= bytesMax, 'a budget has bounds in their order')
    this.#settings = settings
    this.#rate = Math.max(bytesMin, bytesMax / 8)
    this.#at = now
  }

  get paused(): boolean {
    return this.#paused
  }

  get quiet(): boolean {
    return this.#quiet
  }

  /** Bytes a second now. 0 while paused. */
  get rate(): number {
    if (this.#paused) return 0
    return this.#quiet ? this.#settings.bytesMin : this.#rate
  }

  /** Bytes let in so far. */
  get granted(): number {
    return this.#granted
  }

  pause(now: Millis): void {
    this.#refill(now)
    this.#paused = true
  }

  resume(now: Millis): void {
    this.#refill(now)
    this.#paused = false
  }

  /**
   * Looks at the foreground, once every `limits.backgroundSample`.
   *
   * @param p99  of requests since the last look; undefined when there were none
   * @param wall  Unix time: decides whether the hour is quiet
   */
  observe(p99: Millis | undefined, now: Millis, wall: Millis): void {
    this.#refill(now)
    const { bytesMin, bytesMax, p99Target, quietHours } = this.#settings
    this.#quiet = quietHours.some((hours) => isWithin(hours, wall))
    if (p99 !== undefined && p99 > p99Target) {
      this.#rate = Math.max(bytesMin, this.#rate * SHRINK)
    } else if (p99 === undefined || p99 < p99Target * WELL) {
      this.#rate = Math.min(bytesMax, this.#rate * GROW)
    }
  }

  /** Lets work in if there are tokens. */
  tryTake(bytes: number, now: Millis): boolean {
    this.#refill(now)
    if (this.#paused || this.#tokens <= 0) return false
    this.#tokens -= bytes
    this.#granted += bytes
    return true
  }

  /** How long until there are tokens again; undefined while paused. */
  waitFor(now: Millis): Millis | undefined {
    this.#refill(now)
    if (this.#paused) return undefined
    return millis(this.#tokens > 0 ? 0 : (1 - this.#tokens) / (this.rate / 1_000))
  }

  #refill(now: Millis): void {
    const passed = Math.max(0, now - this.#at)
    this.#at = now
    const most = Math.max(1, this.rate * BURST_SECONDS)
    this.#tokens = Math.min(most, this.#tokens + (this.rate * passed) / 1_000)
  }
}

const MINUTE = 60_000
const MINUTES_A_DAY = 1_440

function isWithin({ fromMinute, toMinute }: QuietHours, wall: Millis): boolean {
  const minute = Math.floor(wall / MINUTE) % MINUTES_A_DAY
  return fromMinute <= toMinute
    ? minute >= fromMinute && minute < toMinute
    : minute >= fromMinute || minute < toMinute
}
