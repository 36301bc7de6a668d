/**
 * What this client thinks of one node: how fast it answers, and whether asking it now is of use.
 *
 * Only an opinion: it orders candidates and never decides where data belongs. Waiting for a timeout
 * to find out that a node is dead costs a timeout on every call that meets it, and a plain failure
 * counter leaves a node blamed for ever. So: a failed connection marks a node down at once,
 * breaking connections mark it down when they come in a row, silence marks it down only after a
 * probe has stayed unanswered too (a slow answer is not a dead node), and probes, not calls of the
 * user, find out when it is back.
 */
import { type Millis, millis } from '@shoal/kernel'

export type NodeTrouble =
  /** No connection could be made. */
  | 'unreachable'
  /** A connection broke while an answer was owed. */
  | 'broken'
  /** It owed answers and did not answer a probe either. */
  | 'frozen'

const LOSSES_TO_DOWN = 3
const PROBE_FIRST = millis(250)
const PROBE_MAX = millis(5_000)
const COOL_MAX = millis(5_000)
const LATENCY_KEPT = millis(5_000)
const ANSWERS_MIN = 8
const EWMA_WEIGHT = 0.1

/**
 * Opinion on one node. Pure but for its own fields: time is handed in, nothing is awaited. A
 * mutable object, because it changes with every answer.
 */
export class NodeHealth {
  #latency = 0
  #answers = 0
  #answeredAt = 0
  #losses = 0
  #down = false
  #probes = 0
  #coolUntil = 0

  /**
   * Exponentially weighted mean of the answers' latency, undefined before there are enough of them:
   * the first ones pay for connections. Forgotten after a while without answers: a node passed over
   * for being slow would otherwise stay slow for ever.
   */
  latency(now: Millis): Millis | undefined {
    if (this.#answers < ANSWERS_MIN || now - this.#answeredAt > LATENCY_KEPT) return undefined
    return millis(this.#latency)
  }

  get down(): boolean {
    return this.#down
  }

  usable(now: Millis): boolean {
    return !this.#down && now >= this.#coolUntil
  }

  /** Any answer, an error too: somebody is there. */
  answered(now: Millis, latency: Millis): void {
    if (now - this.#answeredAt > LATENCY_KEPT) this.#answers = 0
    this.#answers++
    // The plain mean of the first answers, then an exponential one.
    const weight = Math.max(EWMA_WEIGHT, 1 / this.#answers)
    this.#latency += weight * (latency - this.#latency)
    this.#answeredAt = now
    this.#losses = 0
    this.revived()
  }

  /** A probe came back. */
  revived(): void {
    this.#down = false
    this.#probes = 0
  }

  failed(trouble: NodeTrouble): void {
    if (this.#down) return
    if (trouble === 'broken' && ++this.#losses < LOSSES_TO_DOWN) return
    this.#down = true
    this.#losses = 0
    this.#probes = 0
  }

  /** The node asked to be left alone: sheds, drains, is full. Others are asked first until then. */
  cool(now: Millis, span: Millis): void {
    this.#coolUntil = Math.max(this.#coolUntil, now + Math.min(span, COOL_MAX))
  }

  /**
   * The pause before the next probe of a node that is down: doubling, with jitter of a quarter.
   *
   * @param chance  uniform, 0 ≤ chance < 1
   */
  nextProbe(chance: number): Millis {
    const pause = Math.min(PROBE_MAX, PROBE_FIRST * 2 ** this.#probes)
    this.#probes = Math.min(this.#probes + 1, 16)
    return millis(pause * (1 - chance / 4))
  }
}
