import { type Env, type Random, randomBoundMax, type Timer } from './env.ts'
import { invariant } from './invariant.ts'
import type { Millis } from './units.ts'

/** An Env whose time moves only when told, and whose chance is a function of the seed. */
export interface TestEnv extends Env {
  /**
   * Moves time forward, running every timer that comes due: the earlier first, of equal ones the
   * one set first. Turns are drained before, between and after.
   */
  advance(by: Millis): void
  /** Runs what `nextTurn` collected, until nothing is left. */
  drainTurns(): void
  /** The reason given to `halt`, if any. */
  readonly halted: Error | undefined
  /** Timers not yet due. A test that ends with some has left work behind. */
  readonly pendingTimers: number
}

export interface TestEnvOptions {
  readonly seed?: number
  readonly wall?: Millis
  /** What `inject` answers. Default: no. */
  readonly inject?: (label: string) => boolean
}

interface Waiting {
  readonly due: number
  readonly order: number
  readonly wake: () => void
}

const TURNS_PER_DRAIN_MAX = 1_000_000

export function createTestEnv(options: TestEnvOptions = {}): TestEnv {
  const seed = options.seed ?? 1
  const wallStart = options.wall ?? 1_700_000_000_000
  const timers = new Set<Waiting>()
  const streams = new Map<string, Random>()
  let turns: (() => void)[] = []
  let now = 0
  let order = 0
  let halted: Error | undefined

  const drainTurns = (): void => {
    for (let rounds = 0; turns.length > 0; rounds++) {
      invariant(rounds < TURNS_PER_DRAIN_MAX, 'turns come to rest')
      const batch = turns
      turns = []
      for (const work of batch) work()
    }
  }
  const nextDue = (until: number): Waiting | undefined => {
    let first: Waiting | undefined
    for (const timer of timers) {
      if (timer.due > until) continue
      if (
        !first ||
        timer.due < first.due ||
        (timer.due === first.due && timer.order < first.order)
      ) {
        first = timer
      }
    }
    return first
  }

  return {
    clock: {
      elapsed: () => now as Millis,
      wall: () => (wallStart + now) as Millis,
      after: (delay, wake): Timer => {
        invariant(!Number.isNaN(delay), 'a delay is a number')
        const timer = { due: now + Math.max(0, delay), order: order++, wake }
        timers.add(timer)
        return { cancel: () => void timers.delete(timer) }
      },
    },
    random: (label) => {
      let stream = streams.get(label)
      if (!stream) {
        stream = createSeededRandom(`${seed}:${label}`)
        streams.set(label, stream)
      }
      return stream
    },
    nextTurn: (work) => void turns.push(work),
    inject: options.inject ?? (() => false),
    halt: (reason) => {
      halted ??= reason
    },
    advance: (by) => {
      invariant(by >= 0, 'time does not go back', () => ({ by }))
      const until = now + by
      drainTurns()
      for (let timer = nextDue(until); timer; timer = nextDue(until)) {
        timers.delete(timer)
        now = Math.max(now, timer.due)
        timer.wake()
        drainTurns()
      }
      // What woke may itself have moved time further.
      now = Math.max(now, until)
    },
    drainTurns,
    get halted() {
      return halted
    },
    get pendingTimers() {
      return timers.size
    },
  }
}

/**
 * A reproducible stream (sfc32 seeded by FNV-1a of the label). For tests and simulation, never for
 * secrets.
 */
export function createSeededRandom(label: string): Random {
  let [a, b, c, d] = [0x9e3779b9, 0x243f6a88, fnv1a(label), 1]
  const next = (): number => {
    const sum = (((a + b) | 0) + d) | 0
    d = (d + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (c << 21) | (c >>> 11)
    c = (c + sum) | 0
    return sum >>> 0
  }
  for (let warmUp = 0; warmUp < 15; warmUp++) next()
  return {
    below: (bound) => {
      invariant(
        Number.isInteger(bound) && bound <= randomBoundMax,
        'a bound is whole, at most 2^48',
      )
      const drawn = next() * 0x1_0000 + (next() & 0xffff)
      return bound <= 1 ? 0 : Math.floor((drawn / randomBoundMax) * bound)
    },
    bytes: (count) => Uint8Array.from({ length: count }, () => next() & 0xff),
  }
}

function fnv1a(text: string): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < text.length; index++) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
  }
  return hash | 0
}
