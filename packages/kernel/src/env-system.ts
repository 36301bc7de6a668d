import { randomFillSync, randomInt } from 'node:crypto'
import { type Env, type Random, randomBoundMax, type Timer } from './env.ts'
import { invariant } from './invariant.ts'
import type { Millis } from './units.ts'

const cryptographicRandom: Random = {
  below: (bound) => {
    invariant(Number.isInteger(bound) && bound <= randomBoundMax, 'a bound is whole, at most 2^48')
    if (bound <= 1) return 0
    return bound === randomBoundMax ? fortyEightBits() : randomInt(bound)
  },
  bytes: (count) => randomFillSync(new Uint8Array(count)),
}

/** `randomInt` stops one short of the whole range. */
const fortyEightBits = (): number => randomFillSync(Buffer.alloc(6)).readUIntBE(0, 6)

/** What `setTimeout` takes; a longer delay would fire at once. */
const TIMER_MILLIS_MAX = 2 ** 31 - 1

/**
 * `setTimeout` counts whole milliseconds of a clock of its own: it may fire up to one early, and
 * whoever woke for a deadline would find it not yet there. So the clock is looked at, and the rest
 * waited for.
 */
class SystemTimer implements Timer {
  readonly #due: number
  readonly #wake: () => void
  #timeout: NodeJS.Timeout

  constructor(delay: Millis, wake: () => void) {
    invariant(!Number.isNaN(delay), 'a delay is a number')
    this.#due = performance.now() + delay
    this.#wake = wake
    this.#timeout = this.#wait(delay)
  }

  cancel(): void {
    clearTimeout(this.#timeout)
  }

  #wait(delay: number): NodeJS.Timeout {
    const whole = Math.min(Math.ceil(delay), TIMER_MILLIS_MAX)
    return setTimeout(SystemTimer.#fire, whole, this).unref()
  }

  static #fire(this: void, timer: SystemTimer): void {
    const left = timer.#due - performance.now()
    if (left <= 0) timer.#wake()
    else timer.#timeout = timer.#wait(left)
  }
}

/**
 * The production form: the machine's clocks, timers and cryptographic randomness.
 *
 * @param halt how this process stops when its state can no longer be trusted; must not return
 *              control to the work that failed
 */
export function createSystemEnv(halt: (reason: Error) => void): Env {
  return {
    clock: {
      elapsed: () => performance.now() as Millis,
      wall: () => Date.now() as Millis,
      after: (delay, wake) => new SystemTimer(delay, wake),
    },
    random: () => cryptographicRandom,
    nextTurn: (work) => void setImmediate(work),
    inject: () => false,
    halt,
  }
}
