import { type Env, limits, type Millis, millis, ShoalError, type Timer } from '@shoal/kernel'
import { beginLoad, type LoadState, stepLoad } from './admission-core.ts'
import type { Admission } from './http/ports.ts'

/** What a node knows of its own load (O3). */
export interface LoadSignals {
  /** The usual delay of the event loop since the last look. */
  readonly loopDelayMs: number
  /** The longest. */
  readonly loopDelayMaxMs: number
  /** The quickest request that was met since the last look. */
  readonly quickestMs: number | undefined
  /** Requests met since the last look. */
  readonly met: number
  /** Operations waiting for a group or a read. */
  readonly queued: number
  readonly writesStopped: boolean
}

export interface LoadParts {
  readonly env: Env
  /** Called ten times a second. */
  readonly read: () => LoadSignals
  /** Requests of clients under way; called for each request. */
  readonly inFlight: () => number
  /** Told when refusing begins and when it has ended. */
  readonly onChange?: (refusal: ShoalError | undefined) => void
}

/** Why a request was refused: a label of metrics. */
export const sheddingReasons = ['in-flight', 'queue', 'store'] as const
export type SheddingReason = (typeof sheddingReasons)[number]

const QUEUED_MAX = 8_192
const CHECK_EVERY = millis(100)
/** Refusing has ended when nobody was refused for so long. */
const CALM = millis(1_000)

/**
 * Sheds load before a request costs anything (O1, O3).
 *
 * Judged by a timer, so that it also clears when no request comes; a request only compares two
 * numbers. A process that was stopped and goes on is not taken for a busy one.
 */
export class LoadAdmission implements Admission {
  readonly #parts: LoadParts
  readonly #shed: Record<SheddingReason, number> = { 'in-flight': 0, queue: 0, store: 0 }
  #load: LoadState = beginLoad(limits.operationsInFlightMax)
  /** What no bound on requests can mend, by the last look. */
  #queueFull: ShoalError | undefined
  #writesStopped: ShoalError | undefined
  #timer: Timer | undefined
  #last: LoadSignals | undefined
  /** The most since the last look. */
  #inFlight = 0
  #lookedAt: Millis
  /** What was last said to those over the bound. */
  #overBound: ShoalError | undefined
  #refusal: ShoalError | undefined
  #refusedAt: Millis = millis(0)

  constructor(parts: LoadParts) {
    this.#parts = parts
    this.#lookedAt = parts.env.clock.elapsed()
    this.#schedule()
  }

  shed(reason: SheddingReason): number {
    return this.#shed[reason]
  }

  get last(): LoadSignals | undefined {
    return this.#last
  }

  /** Requests that may be under way now. */
  get bound(): number {
    return this.#load.bound
  }

  /** Undefined: nobody was refused lately. */
  get refusal(): ShoalError | undefined {
    return this.#refusal
  }

  admit(operation: 'read' | 'write'): ShoalError | undefined {
    const inFlight = this.#parts.inFlight()
    if (inFlight > this.#inFlight) this.#inFlight = inFlight
    if (inFlight >= this.#load.bound) return this.#refuse('in-flight', this.#tooMany(inFlight))
    if (this.#queueFull !== undefined) return this.#refuse('queue', this.#queueFull)
    if (operation === 'write' && this.#writesStopped !== undefined) {
      return this.#refuse('store', this.#writesStopped)
    }
    return undefined
  }

  close(): void {
    this.#timer?.cancel()
  }

  #refuse(reason: SheddingReason, refusal: ShoalError): ShoalError {
    this.#shed[reason]++
    this.#refusedAt = this.#parts.env.clock.elapsed()
    if (this.#refusal === undefined) {
      this.#refusal = refusal
      this.#parts.onChange?.(refusal)
    }
    return refusal
  }

  /** Made once for all that are refused at this bound. */
  #tooMany(got: number): ShoalError {
    const { bound } = this.#load
    if (this.#overBound?.details.wanted === bound) return this.#overBound
    const message = 'More requests are under way than this node can answer in time.'
    const refusal = overloaded(message, bound, got)
    this.#overBound = refusal
    return refusal
  }

  #schedule(): void {
    this.#timer = this.#parts.env.clock.after(CHECK_EVERY, () => {
      this.#look()
      this.#schedule()
    })
  }

  #look(): void {
    const { env, read, inFlight, onChange } = this.#parts
    const signals = read()
    const now = env.clock.elapsed()
    this.#last = signals
    const look = {
      // The more there is to do, the later the timer.
      overMs: now - this.#lookedAt,
      met: signals.met,
      loopDelayMs: signals.loopDelayMs,
      quickestMs: signals.quickestMs,
      inFlight: Math.max(this.#inFlight, inFlight()),
    }
    this.#load = stepLoad(this.#load, look, limits.operationsInFlightMax)
    this.#inFlight = inFlight()
    this.#lookedAt = now
    const { queued, writesStopped } = signals
    this.#queueFull =
      queued > QUEUED_MAX
        ? overloaded('Too many operations wait for the disk.', QUEUED_MAX, queued)
        : undefined
    this.#writesStopped = writesStopped
      ? overloaded('The store has stopped writes to compact.', 0, 1)
      : undefined
    if (this.#refusal === undefined || now - this.#refusedAt < CALM) return
    this.#refusal = undefined
    onChange?.(undefined)
  }
}

function overloaded(message: string, wanted: number, got: number): ShoalError {
  return new ShoalError('SHOAL_OVERLOADED', message, { wanted, got, retryAfterMs: 1_000 })
}
