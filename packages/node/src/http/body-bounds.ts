/**
 * Bounds on request bodies: how many bytes of them are held at a time, and how long one may take.
 */
import { type Env, invariant, millis, ShoalError, type Timer } from '@shoal/kernel'

/**
 * Bytes of bodies in memory over all connections. Counted as they arrive, not as they are promised.
 */
export class BodyBudget {
  readonly #max: number
  #held = 0

  constructor(max: number) {
    this.#max = max
  }

  get held(): number {
    return this.#held
  }

  /** Whether these bytes fit; if so they are held until given back. */
  take(bytes: number): boolean {
    if (this.#held + bytes > this.#max) return false
    this.#held += bytes
    return true
  }

  give(bytes: number): void {
    this.#held -= bytes
    invariant(this.#held >= 0, 'no more body bytes are given back than were taken')
  }

  overload(): ShoalError {
    const detail = 'too many bytes of request bodies are in memory'
    return new ShoalError('SHOAL_OVERLOADED', detail, { wanted: this.#max, retryAfterMs: 1_000 })
  }
}

/** A body that has not arrived with its headers. */
export interface AwaitedBody {
  /** Called once when the time is over. */
  fail(error: ShoalError): void
}

interface Entry {
  readonly body: AwaitedBody
  readonly due: number
}

const SWEEP_MS = 250

/**
 * Watches the bodies that are on their way. All have the same time, so the oldest is always first
 * and one timer does for all: a body that came with its headers, which nearly all do, never gets
 * here.
 */
export class SlowBodies {
  readonly #env: Env
  readonly #timeoutMs: number
  readonly #entries = new Map<AwaitedBody, Entry>()
  #timer: Timer | undefined

  constructor(env: Env, timeoutMs: number) {
    this.#env = env
    this.#timeoutMs = timeoutMs
  }

  /** Starts the time of a body, or starts it anew. */
  watch(body: AwaitedBody): void {
    this.#entries.delete(body)
    this.#entries.set(body, { body, due: this.#env.clock.elapsed() + this.#timeoutMs })
    this.#timer ??= this.#env.clock.after(millis(SWEEP_MS), () => this.#sweep())
  }

  forget(body: AwaitedBody): void {
    this.#entries.delete(body)
  }

  get size(): number {
    return this.#entries.size
  }

  #sweep(): void {
    this.#timer = undefined
    const now = this.#env.clock.elapsed()
    for (const { body, due } of this.#entries.values()) {
      if (due > now) break
      this.#entries.delete(body)
      body.fail(this.#tooSlow())
    }
    if (this.#entries.size > 0) {
      this.#timer = this.#env.clock.after(millis(SWEEP_MS), () => this.#sweep())
    }
  }

  #tooSlow(): ShoalError {
    const detail = `the body did not arrive within ${this.#timeoutMs} ms`
    return new ShoalError('SHOAL_BODY_TIMEOUT', detail, { wanted: this.#timeoutMs })
  }
}
