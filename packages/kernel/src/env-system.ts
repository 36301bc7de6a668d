import { randomFillSync, randomInt } from 'node:crypto'
import type { Env, Random, Timer } from './env.ts'
import type { Millis } from './units.ts'

const cryptographicRandom: Random = {
  below: (bound) => (bound <= 1 ? 0 : randomInt(bound)),
  bytes: (count) => randomFillSync(new Uint8Array(count)),
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
      after: (delay, wake): Timer => {
        const timer = setTimeout(wake, delay)
        timer.unref()
        return { cancel: () => clearTimeout(timer) }
      },
    },
    random: () => cryptographicRandom,
    nextTurn: (work) => void setImmediate(work),
    halt,
  }
}
