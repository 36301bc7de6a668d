import crypto from 'node:crypto'
import { syncBuiltinESMExports } from 'node:module'
import timers from 'node:timers'
import timersPromises from 'node:timers/promises'
import { InvariantViolation } from '@shoal/kernel'

type Holder = Record<string, unknown>

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

interface Replaced {
  readonly holder: object
  readonly name: string
  /** Undefined: it was inherited. */
  readonly was: PropertyDescriptor | undefined
}

/**
 * While it is active, whoever asks the real world for time, chance or work throws: a simulation
 * that does so cannot be replayed. What throws is a bug of ours, even where somebody catches it.
 */
export class GlobalsGuard {
  /** Off while the real event loop has its turn. */
  isActive = false
  readonly #onTrip: (error: InvariantViolation) => void
  #replaced: Replaced[] = []

  constructor(onTrip: (error: InvariantViolation) => void) {
    this.#onTrip = onTrip
  }

  /** Takes its places. Not active yet. */
  set(): void {
    for (const { holder, of, names } of FORBIDDEN) {
      for (const name of names) this.#replace(holder, name, `${of}.${name}`)
    }
    syncBuiltinESMExports()
  }

  /** Everything is as it was. */
  lift(): void {
    this.isActive = false
    for (const { holder, name, was } of this.#replaced) {
      if (was) Object.defineProperty(holder, name, was)
      else delete (holder as Holder)[name]
    }
    this.#replaced = []
    syncBuiltinESMExports()
  }

  #replace(holder: object, name: string, full: string): void {
    const real = (holder as Holder)[name]
    if (typeof real !== 'function') return
    const was = Object.getOwnPropertyDescriptor(holder, name)
    const value = name === 'Date' ? this.#guardDate() : this.#guardFunction(real, full)
    Object.defineProperty(holder, name, { value, configurable: true, writable: true })
    this.#replaced.push({ holder, name, was })
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
    if (!this.isActive) return
    const error = new InvariantViolation(`a simulation has no ${name}: use the Env`)
    this.#onTrip(error)
    throw error
  }
}
