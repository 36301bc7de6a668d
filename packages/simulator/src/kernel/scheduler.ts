import { InvariantViolation, invariant } from '@shoal/kernel'
import { EventQueue, type SimEvent } from './event-queue.ts'
import { guard } from './guard.ts'
import type { HashChain } from './hash-chain.ts'
import { roundUp } from './machine-clock.ts'

/** Who an event happens to, as far as the scheduler must know. */
export interface Owner {
  /** Goes into the hash. */
  readonly index: number
  /** What was to happen to the dead does not happen. */
  readonly alive: boolean
  /** While set, what would happen is handed to `held` instead. */
  readonly paused: boolean
  held(event: SimEvent<Owner>): void
  /** This many times slower than usual. */
  readonly slowness: number
  /** Of a slow one: it is at work until then. */
  busyUntil: number
  /** Honest time until its own clock shows `target`; 0 when it does already. */
  timeUntil(target: number): number
}

export interface SchedulerParts {
  readonly seed: number
  readonly chain: HashChain
  /** Something was thrown that nobody caught. The run ends with it. */
  readonly onError: (error: unknown, owner: Owner | undefined) => void
  /** Whether a promise that nobody caught may be one of the dead, which concerns nobody. */
  readonly isOfTheDead: (reason: unknown) => boolean
  /** Draws so far: goes into the hash. */
  readonly draws: () => number
  readonly onEvent?: ((described: EventRecord) => void) | undefined
}

/** One event as it goes into the hash. */
export interface EventRecord {
  readonly number: number
  readonly time: number
  readonly sequence: number
  readonly kind: number
  readonly node: number
  readonly draws: number
}

export const eventKinds = { outside: 0, timer: 1, turn: 2, wire: 3 } as const
export type EventKind = (typeof eventKinds)[keyof typeof eventKinds]

/** Milliseconds that a node takes for one event when it is `slowness` 1 times slow. */
const HANDLING = 0.05
/** Now and then the real event loop gets its turn: signals, and promises nobody caught. */
const EVENTS_PER_HOP = 4_096
/** Of a stack: enough to see where a rule broke. */
const FRAMES = 4

// Taken before the guard puts its own in their places.
const { nextTick } = process
const hop = setImmediate
const settled = Promise.resolve()

/**
 * Virtual time. The earliest event happens; everything it promised happens; then the next.
 *
 * Letting promises run dry after each event would cost more than many events do if it were done
 * with `setImmediate`: 1 µs. Here a microtask behind those of the event asks for the next tick, and
 * Node runs all microtasks, and what they promise, before it: 0.14 µs.
 */
export class Scheduler {
  readonly #parts: SchedulerParts
  readonly #queue: EventQueue<Owner | undefined>
  #now = 0
  #events = 0
  #failed = false
  /** Works of one turn that is not over. */
  #burst: { readonly owner: Owner; readonly works: readonly (() => void)[]; at: number } | undefined
  #until = 0
  #stopWhen: (() => boolean) | undefined
  #leave: (() => void) | undefined
  #sinceHop = 0

  constructor(parts: SchedulerParts) {
    this.#parts = parts
    this.#queue = new EventQueue(parts.seed)
  }

  get now(): number {
    return this.#now
  }

  get events(): number {
    return this.#events
  }

  get isRunning(): boolean {
    return this.#leave !== undefined
  }

  /** Events that will still happen. */
  get pending(): number {
    return this.#queue.size
  }

  waiting(): Iterable<SimEvent<Owner | undefined>> {
    return this.#queue.waiting()
  }

  /** `target`: see `SimEvent`. */
  add(
    delay: number,
    kind: EventKind,
    owner: Owner | undefined,
    work: () => void,
    target = -1,
  ): SimEvent<Owner | undefined> {
    const due = roundUp(this.#now + Math.max(0, delay))
    return this.#queue.add({ due, kind, owner, work, target })
  }

  /** An event that was held happens now. */
  release(event: SimEvent<Owner>): void {
    this.#queue.putBack(event as SimEvent<Owner | undefined>, Math.max(event.due, this.#now))
  }

  /** The rest of a turn: one after the other, with nothing in between but what each promised. */
  burst(owner: Owner, works: readonly (() => void)[], at: number): void {
    this.#burst = { owner, works, at }
  }

  fail(error: unknown, owner: Owner | undefined): void {
    this.#failed = true
    this.#parts.onError(error, owner)
  }

  /**
   * Lets happen what happens until that time, or until `stopWhen` says so, or until something
   * failed. Time then stands at `until`, or where it was stopped.
   */
  run(until: number, stopWhen?: () => boolean): Promise<void> {
    invariant(this.#leave === undefined, 'a simulation runs once at a time')
    this.#until = until
    this.#stopWhen = stopWhen
    this.#failed = false
    // Expected errors are made by the thousand, and looking at the stack is most of their cost.
    const frames = Error.stackTraceLimit
    Error.stackTraceLimit = FRAMES
    const onRejection = (reason: unknown): void => {
      if (!this.#parts.isOfTheDead(reason)) this.fail(reason, undefined)
    }
    return new Promise<void>((resolve) => {
      this.#leave = resolve
      process.on('unhandledRejection', onRejection)
      this.#hop()
    }).finally(() => {
      Error.stackTraceLimit = frames
      process.off('unhandledRejection', onRejection)
    })
  }

  readonly #step = (): void => {
    if (this.#failed || this.#stopWhen?.()) return this.#stop()
    const { owner, work } = this.#nextWork()
    if (work === undefined) {
      this.#now = Math.max(this.#now, this.#until)
      return this.#stop()
    }
    this.#events++
    try {
      work()
    } catch (error) {
      // What the dead throw on their way out concerns nobody, but for bugs.
      if (owner?.alive !== false || error instanceof InvariantViolation) this.fail(error, owner)
    }
    if (++this.#sinceHop >= EVENTS_PER_HOP) return this.#hop()
    void settled.then(this.#tick)
  }

  readonly #onTrip = (error: InvariantViolation): void => this.fail(error, undefined)

  readonly #tick = (): void => nextTick(this.#step)

  #hop(): void {
    this.#sinceHop = 0
    guard.deactivate()
    hop(() => {
      guard.activate(this.#onTrip)
      this.#step()
    })
  }

  #stop(): void {
    const leave = this.#leave
    guard.deactivate()
    // The last promises that nobody caught are heard of before.
    hop(() => {
      this.#leave = undefined
      leave?.()
    })
  }

  #nextWork(): { owner: Owner | undefined; work: (() => void) | undefined } {
    const burst = this.#burst
    if (burst) {
      const { owner, works, at } = burst
      if (at + 1 >= works.length || !owner.alive) this.#burst = undefined
      else burst.at++
      if (owner.alive) return { owner, work: works[at] }
    }
    return this.#nextEvent()
  }

  #nextEvent(): { owner: Owner | undefined; work: (() => void) | undefined } {
    for (;;) {
      if (this.#queue.nextDue > this.#until) return NOTHING
      const event = this.#queue.take()
      if (event === undefined) return NOTHING
      if (event.owner !== undefined && !this.#isReady(event, event.owner)) continue
      this.#now = event.due
      this.#record(event)
      return event
    }
  }

  /** False when the event does not happen now. It happens later, or not at all. */
  #isReady(event: SimEvent<Owner | undefined>, owner: Owner): boolean {
    if (!owner.alive) return false
    if (owner.paused) {
      owner.held(event as SimEvent<Owner>)
      return false
    }
    if (event.target >= 0) {
      this.#now = Math.max(this.#now, event.due)
      const left = owner.timeUntil(event.target)
      if (left > 0) {
        this.#queue.putBack(event, roundUp(event.due + left))
        return false
      }
    }
    if (owner.slowness > 1) {
      if (owner.busyUntil > event.due) {
        this.#queue.putBack(event, owner.busyUntil)
        return false
      }
      owner.busyUntil = roundUp(event.due + HANDLING * owner.slowness)
    }
    return true
  }

  #record({ due, sequence, kind, owner }: SimEvent<Owner | undefined>): void {
    const { chain, draws, onEvent } = this.#parts
    const node = owner ? owner.index : -1
    const drawn = draws()
    chain.mixTime(due)
    chain.mix(sequence)
    chain.mix(kind)
    chain.mix(node)
    chain.mix(drawn)
    onEvent?.({ number: this.#events, time: due, sequence, kind, node, draws: drawn })
  }
}

const NOTHING = { owner: undefined, work: undefined }
