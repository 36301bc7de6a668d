import { limits } from '@shoal/kernel'
import type { Courier } from './courier.ts'

/**
 * Who may begin a round. Few targets at a time, in turn, a round each: a target that is owed a
 * million rows keeps nobody waiting who is owed ten.
 */
export class Turns {
  readonly #isReady: (courier: Courier) => boolean
  /** Couriers with a round under way. */
  readonly #active = new Set<Courier>()
  /** Couriers that want one, in their order. */
  readonly #waiting = new Set<Courier>()

  constructor(isReady: (courier: Courier) => boolean) {
    this.#isReady = isReady
  }

  offer(courier: Courier): void {
    if (!this.#isReady(courier)) return
    this.#waiting.add(courier)
    this.#fill()
  }

  released(courier: Courier): void {
    this.#active.delete(courier)
    if (this.#isReady(courier)) this.#waiting.add(courier)
    this.#fill()
  }

  #fill(): void {
    for (const courier of this.#waiting) {
      if (this.#active.size >= limits.hintRoundsInFlightMax) return
      this.#waiting.delete(courier)
      if (!this.#isReady(courier)) continue
      this.#active.add(courier)
      courier.begin()
    }
  }
}
