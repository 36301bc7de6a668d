import { type Env, limits, type Millis, millis, type Timer } from '@shoal/kernel'
import { BudgetCore, type BudgetSettings, budgetDefaults, type QuietHours } from '../core/budget.ts'
import type { Budget } from '../ports.ts'

export interface BudgetFigures {
  /** Bytes a second now; 0 while paused. */
  readonly rate: number
  readonly paused: boolean
  /** Quiet hours: the rate is the least there is. */
  readonly quiet: boolean
  readonly quietHours: readonly QuietHours[]
  readonly granted: number
  /** Work that waits for tokens, in bytes. */
  readonly waiting: number
  /** Until what waits now is let in; undefined while paused. */
  readonly etaMs: number | undefined
}

interface Waiter {
  readonly bytes: number
  readonly resolve: () => void
}

/** The one budget of a node's background work: whoever comes first is let in first (E5). */
export class BackgroundBudget implements Budget {
  readonly #env: Env
  readonly #core: BudgetCore
  readonly #quietHours: readonly QuietHours[]
  readonly #p99: () => Millis | undefined
  #waiters: Waiter[] = []
  #sampling: Timer | undefined
  #waking: Timer | undefined
  #isClosed = false

  /** @param parts.p99  of requests of the last second; undefined when there were none */
  constructor(parts: {
    readonly env: Env
    readonly p99: () => Millis | undefined
    readonly settings?: Partial<BudgetSettings>
  }) {
    this.#env = parts.env
    this.#p99 = parts.p99
    const settings = { ...budgetDefaults, ...parts.settings }
    this.#quietHours = settings.quietHours
    this.#core = new BudgetCore(settings, parts.env.clock.elapsed())
    this.#sample()
  }

  get paused(): boolean {
    return this.#core.paused
  }

  take(bytes: number): Promise<void> {
    if (this.#isClosed) return Promise.resolve()
    if (this.#waiters.length === 0 && this.#core.tryTake(bytes, this.#now())) {
      return Promise.resolve()
    }
    return new Promise((resolve) => {
      this.#waiters.push({ bytes, resolve })
      this.#arrange()
    })
  }

  pause(): void {
    this.#core.pause(this.#now())
  }

  resume(): void {
    this.#core.resume(this.#now())
    this.#arrange()
  }

  figures(): BudgetFigures {
    const waiting = this.#waiters.reduce((bytes, waiter) => bytes + waiter.bytes, 0)
    const { rate, paused, quiet, granted } = this.#core
    const wait = this.#core.waitFor(this.#now())
    const etaMs = wait === undefined ? undefined : wait + (waiting / rate) * 1_000
    return { rate, paused, quiet, quietHours: this.#quietHours, granted, waiting, etaMs }
  }

  /** Lets everyone in: the node stops, and whoever waits has to find out. */
  close(): void {
    this.#isClosed = true
    this.#sampling?.cancel()
    this.#waking?.cancel()
    const waiters = this.#waiters
    this.#waiters = []
    for (const { resolve } of waiters) resolve()
  }

  #sample(): void {
    this.#sampling = this.#env.clock.after(limits.backgroundSample, () => {
      this.#core.observe(this.#p99(), this.#now(), this.#env.clock.wall())
      this.#arrange()
      this.#sample()
    })
  }

  #arrange(): void {
    this.#waking?.cancel()
    this.#waking = undefined
    while (this.#waiters[0] && this.#core.tryTake(this.#waiters[0].bytes, this.#now())) {
      this.#waiters.shift()?.resolve()
    }
    if (this.#waiters.length === 0) return
    const wait = this.#core.waitFor(this.#now())
    // Paused: `resume` arranges again.
    if (wait === undefined) return
    this.#waking = this.#env.clock.after(millis(Math.max(1, wait)), () => this.#arrange())
  }

  #now(): Millis {
    return this.#env.clock.elapsed()
  }
}
