import { type Env, seconds } from '@shoal/kernel'
import type { Log } from '../http/ports.ts'
import type { EventText } from './node-event.ts'

/** Of one kind, in each period; more are counted and told with the next. */
const LINES_MAX = 20
const PERIOD = seconds(10)

interface Kind {
  begun: number
  lines: number
  swallowed: number
}

/** Events as lines of the log: what happens a thousand times a second is not written as often. */
export class EventLog {
  readonly #env: Env
  readonly #log: Log
  readonly #kinds = new Map<string, Kind>()

  constructor(env: Env, log: Log) {
    this.#env = env
    this.#log = log
  }

  note({ topic, kind, level, message, details }: EventText): void {
    const now = this.#env.clock.elapsed()
    const known = this.#kinds.get(kind) ?? { begun: now, lines: 0, swallowed: 0 }
    this.#kinds.set(kind, known)
    if (now - known.begun >= PERIOD) Object.assign(known, { begun: now, lines: 0 })
    if (known.lines >= LINES_MAX) {
      known.swallowed++
      return
    }
    known.lines++
    const more = known.swallowed > 0 ? { notShown: known.swallowed } : {}
    known.swallowed = 0
    this.#log[level]({ event: kind, ...details, ...more }, `${topic}: ${message}`)
  }
}
