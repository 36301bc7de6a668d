import { type Millis, millis } from '@shoal/kernel'

/**
 * How long requests take, for those who must not make them slower (E5). Counts by steps of a sixth
 * or so, kept until somebody looks; one addition for each request.
 */
export class Latencies {
  readonly #counts = new Uint32Array(STEPS)
  #total = 0
  #met = 0
  #quickestRead: number | undefined
  #quickestWrite: number | undefined

  add(took: number, isRead: boolean): void {
    this.#met++
    if (isRead) this.#quickestRead = Math.min(took, this.#quickestRead ?? took)
    else this.#quickestWrite = Math.min(took, this.#quickestWrite ?? took)
    const step = Math.floor(STEPS_A_DOUBLING * Math.log2(1 + Math.max(0, took) / FIRST_MS))
    const at = Math.min(STEPS - 1, step)
    this.#counts[at] = (this.#counts[at] as number) + 1
    this.#total++
  }

  /** How many there were since the last look. */
  takeMet(): number {
    const met = this.#met
    this.#met = 0
    return met
  }

  /**
   * What the quickest took since the last look, of reads or of writes, whichever is worse: when
   * even that is much, something is in the way of all. Undefined when there were none.
   */
  takeQuickest(): Millis | undefined {
    const [read, write] = [this.#quickestRead, this.#quickestWrite]
    this.#quickestRead = undefined
    this.#quickestWrite = undefined
    if (read === undefined && write === undefined) return undefined
    return millis(Math.max(read ?? 0, write ?? 0))
  }

  /**
   * What 99 of 100 requests did not pass since the last look, rounded up to a step; undefined when
   * there were none.
   */
  takeP99(): Millis | undefined {
    if (this.#total === 0) return undefined
    let left = Math.floor(this.#total / 100)
    let step = STEPS - 1
    for (; step > 0; step--) {
      left -= this.#counts[step] as number
      if (left < 0) break
    }
    this.#counts.fill(0)
    this.#total = 0
    return millis(FIRST_MS * (2 ** ((step + 1) / STEPS_A_DOUBLING) - 1))
  }
}

const FIRST_MS = 0.25
const STEPS_A_DOUBLING = 5
/** Up to a quarter of an hour. */
const STEPS = 110
