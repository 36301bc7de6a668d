import { type Env, millis, ShoalError, type Timer } from '@shoal/kernel'
import type { Admission } from './http/ports.ts'

/** What a node knows of its own load (O3). */
export interface LoadSignals {
  /** The longest a turn of the event loop was late in the last interval. */
  readonly loopDelayMs: number
  /** Operations waiting for a group or a read. */
  readonly queued: number
  readonly writesStopped: boolean
}

/** What is too much. Chosen so that a node sheds well before its peers take it for dead. */
const LOOP_DELAY_MAX_MS = 250
const QUEUED_MAX = 8_192
const CHECK_EVERY = millis(100)

/** Why a node in this state takes no more requests, or undefined. */
export function judgeLoad(signals: LoadSignals): ShoalError | undefined {
  if (signals.loopDelayMs > LOOP_DELAY_MAX_MS) {
    return overloaded('The event loop is late.', LOOP_DELAY_MAX_MS, Math.round(signals.loopDelayMs))
  }
  if (signals.queued > QUEUED_MAX) {
    return overloaded('Too many operations wait for the disk.', QUEUED_MAX, signals.queued)
  }
  if (signals.writesStopped) return overloaded('The store has stopped writes to compact.', 0, 1)
  return undefined
}

function overloaded(message: string, wanted: number, got: number): ShoalError {
  return new ShoalError('SHOAL_OVERLOADED', message, { wanted, got, retryAfterMs: 1_000 })
}

/**
 * Judged by a timer, so that it also clears when no request comes (O3); a request only looks at the
 * last judgement.
 */
export class LoadAdmission implements Admission {
  readonly #env: Env
  readonly #read: () => LoadSignals
  readonly #onChange: (refusal: ShoalError | undefined) => void
  #refusal: ShoalError | undefined
  #timer: Timer | undefined
  #last: LoadSignals | undefined
  #shed = 0

  /** @param onChange  told when refusing begins, changes its reason, or ends */
  constructor(
    env: Env,
    read: () => LoadSignals,
    onChange: (refusal: ShoalError | undefined) => void = () => {},
  ) {
    this.#env = env
    this.#read = read
    this.#onChange = onChange
    this.#schedule()
  }

  get shed(): number {
    return this.#shed
  }

  get last(): LoadSignals | undefined {
    return this.#last
  }

  /** Undefined: requests are taken. */
  get refusal(): ShoalError | undefined {
    return this.#refusal
  }

  admit(): ShoalError | undefined {
    if (this.#refusal) this.#shed++
    return this.#refusal
  }

  close(): void {
    this.#timer?.cancel()
  }

  #schedule(): void {
    this.#timer = this.#env.clock.after(CHECK_EVERY, () => {
      this.#last = this.#read()
      const before = this.#refusal
      this.#refusal = judgeLoad(this.#last)
      if (before?.message !== this.#refusal?.message) this.#onChange(this.#refusal)
      this.#schedule()
    })
  }
}
