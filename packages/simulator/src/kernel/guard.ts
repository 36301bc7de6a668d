import crypto from 'node:crypto'
import { syncBuiltinESMExports } from 'node:module'
import timers from 'node:timers'
import timersPromises from 'node:timers/promises'
import { InvariantViolation } from '@shoal/kernel'

interface Forbidden {
  readonly holder: object
  readonly of: string
  readonly names: readonly string[]
}

const TIMERS = ['setTimeout', 'setInterval', 'setImmediate']

/** What would let the real world into a simulation. */
const FORBIDDEN: readonly Forbidden[] = [
  {
    holder: globalThis,
    of: 'globalThis',
    names: [...TIMERS, 'fetch', 'WeakRef', 'FinalizationRegistry', 'WebSocket', 'Date'],
  },
  { holder: timers, of: 'timers', names: TIMERS },
  { holder: timersPromises, of: 'timers/promises', names: TIMERS },
  { holder: Math, of: 'Math', names: ['random'] },
  { holder: performance, of: 'performance', names: ['now'] },
  { holder: process, of: 'process', names: ['hrtime', 'uptime', 'cpuUsage'] },
  { holder: globalThis.crypto, of: 'crypto', names: ['getRandomValues', 'randomUUID'] },
  {
    holder: crypto,
    of: 'crypto',
    names: ['randomBytes', 'randomFill', 'randomFillSync', 'randomInt', 'randomUUID'],
  },
]

/**
 * While it is active, whoever asks the real world for time, chance or work throws: a simulation
 * that does so cannot be replayed. What throws is a bug of ours, even where somebody catches it.
 *
 * Its places are taken once and kept: taking them makes Node look through all of its own modules,
 * which costs more than a second of virtual time. While nothing is guarded everything passes.
 */
class GlobalsGuard {
  #onTrip: ((error: InvariantViolation) => void) | undefined
  #isSet = false

  /** From now on; `onTrip` is told. */
  activate(onTrip: (error: InvariantViolation) => void): void {
    if (!this.#isSet) this.#set()
    this.#onTrip = onTrip
  }

  /** The real world may come in again. */
  deactivate(): void {
    this.#onTrip = undefined
  }

  #set(): void {
    this.#isSet = true
    for (const { holder, of, names } of FORBIDDEN) {
      for (const name of names) this.#replace(holder, name, `${of}.${name}`)
    }
    syncBuiltinESMExports()
  }

  #replace(holder: object, name: string, full: string): void {
    const real = (holder as Record<string, unknown>)[name]
    if (typeof real !== 'function') return
    const value = name === 'Date' ? this.#guardDate() : this.#guardFunction(real, full)
    Object.defineProperty(holder, name, { value, configurable: true, writable: true })
  }

  #guardFunction(real: object, full: string): unknown {
    return new Proxy(real as () => unknown, {
      apply: (target, self, given) => {
        this.#check(full)
        return Reflect.apply(target, self, given)
      },
      construct: (target, given, newTarget) => {
        this.#check(full)
        return Reflect.construct(target, given, newTarget) as object
      },
    })
  }

  /** A date of a given time is a function of it and stays allowed. */
  #guardDate(): DateConstructor {
    const now = this.#guardFunction(Date.now, 'Date.now')
    return new Proxy(Date, {
      apply: (target, self, given) => {
        this.#check('Date')
        return Reflect.apply(target, self, given)
      },
      construct: (target, given, newTarget) => {
        if (given.length === 0) this.#check('Date')
        return Reflect.construct(target, given, newTarget) as object
      },
      get: (target, name) => (name === 'now' ? now : Reflect.get(target, name)),
    })
  }

  #check(name: string): void {
    if (!this.#onTrip) return
    const error = new InvariantViolation(`a simulation has no ${name}: use the Env`)
    this.#onTrip(error)
    throw error
  }
}

/** There is one world to guard. */
export const guard = new GlobalsGuard()
