import type { Millis } from './units.ts'

/**
 * The one seam to time, chance and the process. Nothing outside `node` and the adapters reads a
 * clock, sets a timer or draws a random number in any other way, so that a whole cluster can run in
 * one process on virtual time and a seed replays every run.
 */
export interface Env {
  readonly clock: Clock
  /**
   * A stream of chance of its own for each label, so that a new draw in one place does not shift
   * the draws of another.
   */
  random(label: string): Random
  /**
   * Runs `work` after the I/O that is ready now: what one turn of the event loop collected is done
   * together. Order is kept among calls of one turn.
   */
  nextTurn(work: () => void): void
  /**
   * Whether to take the rarer of two courses that are both right at this seam: a cache that misses,
   * a queue that is full, a group of one. Never true in production; a simulation says yes now and
   * then, so that what seldom happens happens often. Ask once for each group or request, not for
   * each row.
   *
   * @param label  names the seam: `package: what happens`
   */
  inject(label: string): boolean
  /**
   * Stops this process because its state can no longer be trusted. Called for an InvariantViolation
   * or failed disk.
   */
  halt(reason: Error): void
}

export interface Clock {
  /** For measuring elapsed time. Never goes back; means nothing on another machine. */
  elapsed(): Millis
  /** Unix time for showing to people, for stamps and expiry. May jump either way. */
  wall(): Millis
  /**
   * Calls `wake` once, not before `delay` has passed on this clock, and never within this call.
   * Does not keep the process alive.
   */
  after(delay: Millis, wake: () => void): Timer
}

export interface Timer {
  cancel(): void
}

/** The largest bound of `Random.below`: beyond it neither form has enough bits to be uniform. */
export const randomBoundMax = 2 ** 48

export interface Random {
  /**
   * A uniform whole number, 0 ≤ result < bound. A bound of 1 or less leaves no choice and gives 0.
   *
   * @param bound  whole, at most 2^48
   */
  below(bound: number): number
  /** Uniform bytes. Unpredictable in production, a function of the seed in a simulation. */
  bytes(count: number): Uint8Array
}
