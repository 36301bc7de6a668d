import {
  type Clock,
  createSeededRandom,
  type Env,
  type Millis,
  type Random,
  type Timer,
} from '@shoal/kernel'
import type { SimEvent } from './event-queue.ts'
import { type MachineClock, roundUp } from './machine-clock.ts'
import { eventKinds, type Owner, type Scheduler } from './scheduler.ts'

/** The machine that a process runs on. */
export interface Host {
  readonly index: number
  readonly clock: MachineClock
  readonly slowness: number
}

export interface ProcessParts {
  readonly scheduler: Scheduler
  readonly host: Host
  /** Begins the labels of its streams of chance: no two processes share one. */
  readonly name: string
  readonly dice: Dice
  readonly seams: Seams
  readonly onHalt: (reason: Error) => void
}

/** At which seams of the code the rarer way is taken. */
export interface Seams {
  /** 0 for never. */
  probability(label: string): number
  /** It was taken. */
  fired(label: string): void
}

/** Where chance comes from, counted. */
export class Dice {
  readonly #seed: number
  draws = 0

  constructor(seed: number) {
    this.#seed = seed
  }

  stream(label: string): Random {
    const inner = createSeededRandom(`${this.#seed}:${label}`)
    return {
      below: (bound) => {
        this.draws++
        return inner.below(bound)
      },
      bytes: (count) => {
        this.draws++
        return inner.bytes(count)
      },
    }
  }
}

/** A turn of the event loop takes up to this long: what comes meanwhile is done together. */
const TURN_MAX = 0.1
const NO_TIMER: Timer = { cancel: () => {} }

/**
 * The Env of one process of one node. When the process dies its timers and turns die with it; while
 * it is paused they wait; they are never those of the next process on the same machine.
 */
export class SimProcess implements Env, Owner {
  readonly clock: Clock
  /** Honest delays, for what comes to this process from outside: messages, clients. */
  readonly wire: Clock
  readonly index: number
  alive = true
  paused = false
  busyUntil = 0
  readonly #parts: ProcessParts
  /** What the machine's clock said when the process began. */
  readonly #began: number
  readonly #streams = new Map<string, Random>()
  readonly #seamStreams = new Map<string, Random>()
  readonly #turnRandom: Random
  #held: SimEvent<Owner>[] = []
  #turn: (() => void)[] = []

  constructor(parts: ProcessParts) {
    const { host, scheduler, dice, name } = parts
    this.#parts = parts
    this.index = host.index
    this.#turnRandom = dice.stream(`${name}:turns`)
    this.#began = roundUp(host.clock.elapsed()) - (1 + this.#turnRandom.below(1_024))
    this.clock = {
      elapsed: () => this.#elapsed() as Millis,
      wall: () => host.clock.wall() as Millis,
      after: (delay, wake) => this.#after(delay, wake),
    }
    this.wire = {
      elapsed: () => scheduler.now as Millis,
      wall: () => host.clock.wall() as Millis,
      after: (delay, wake) =>
        this.alive ? scheduler.add(delay, eventKinds.wire, this, wake) : NO_TIMER,
    }
  }

  get slowness(): number {
    return this.#parts.host.slowness
  }

  random(label: string): Random {
    let stream = this.#streams.get(label)
    if (!stream) {
      stream = this.#parts.dice.stream(`${this.#parts.name}:${label}`)
      this.#streams.set(label, stream)
    }
    return stream
  }

  nextTurn(work: () => void): void {
    if (!this.alive) return
    this.#turn.push(work)
    if (this.#turn.length > 1) return
    const delay = (this.#turnRandom.below(1_024) / 1_024) * TURN_MAX
    this.#parts.scheduler.add(delay, eventKinds.turn, this, this.#runTurn)
  }

  inject(label: string): boolean {
    const { seams, dice, name } = this.#parts
    const probability = seams.probability(label)
    if (probability === 0) return false
    let stream = this.#seamStreams.get(label)
    if (!stream) {
      stream = dice.stream(`${name}:inject ${label}`)
      this.#seamStreams.set(label, stream)
    }
    if (stream.below(1_000_000) >= probability * 1_000_000) return false
    seams.fired(label)
    return true
  }

  halt(reason: Error): void {
    if (this.alive) this.#parts.onHalt(reason)
  }

  /** Nothing of this process happens any more. */
  kill(): void {
    this.alive = false
    this.#held = []
    this.#turn = []
  }

  pause(): void {
    this.paused = true
  }

  /** What came meanwhile happens now. */
  resume(): void {
    this.paused = false
    const held = this.#held
    this.#held = []
    for (const event of held) if (!event.ended) this.#parts.scheduler.release(event)
  }

  held(event: SimEvent<Owner>): void {
    // It has not ended: whoever set it may still cancel it.
    event.ended = false
    this.#held.push(event)
  }

  timeUntil(target: number): number {
    const left = target - this.#elapsed()
    return left > CLOCK_GRAIN ? this.#parts.host.clock.honestDelay(left) : 0
  }

  readonly #runTurn = (): void => {
    const works = this.#turn
    this.#turn = []
    // Whatever it sets off itself belongs to the next turn.
    if (works.length > 1) this.#parts.scheduler.burst(this, works, 1)
    works[0]?.()
  }

  #elapsed(): number {
    return this.#parts.host.clock.elapsed() - this.#began
  }

  #after(delay: Millis, wake: () => void): Timer {
    if (!this.alive) return NO_TIMER
    const wait = Math.max(0, delay)
    const { scheduler, host } = this.#parts
    const target = this.#elapsed() + wait
    const honest = host.clock.honestDelay(wait)
    return scheduler.add(honest, eventKinds.timer, this, wake, target)
  }
}

/** A clock that does not run true is computed with rounding errors below this. */
const CLOCK_GRAIN = 1e-6
