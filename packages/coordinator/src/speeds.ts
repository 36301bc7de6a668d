import type { Millis, NodeId } from '@shoal/kernel'

/** How fast replicas answer reads: orders whom to ask and says when an answer is late (Q2). */
export class Speeds {
  readonly #byNode = new Map<NodeId, number>()
  #p95 = START_MS
  #reads = 0
  #hedges = 0

  /** An exponentially weighted mean; a node never asked comes first, so that it gets a chance. */
  of(node: NodeId): number {
    return this.#byNode.get(node) ?? 0
  }

  answered(node: NodeId, took: Millis): void {
    const before = this.#byNode.get(node) ?? took
    this.#byNode.set(node, before + (took - before) * WEIGHT)
    // A stochastic quantile: at the p95, 19 steps down balance one step up.
    const step = Math.max(this.#p95, MIN_MS) * STEP
    this.#p95 = Math.max(MIN_MS, took > this.#p95 ? this.#p95 + step * 19 : this.#p95 - step)
  }

  /**
   * It failed, or owes an answer for longer than most take: others are asked first for a while. A
   * frozen peer says nothing for seconds, and every read would wait for it that ranks it by what it
   * answered before.
   */
  failed(node: NodeId): void {
    this.#byNode.set(node, Math.min(SLOWEST_MS, Math.max(this.of(node), MIN_MS) * 2))
  }

  /** How long to wait for an answer before another replica is asked. */
  get hedgeAfter(): Millis {
    return this.#p95 as Millis
  }

  began(): void {
    this.#reads++
    if (this.#reads % FORGIVE_EVERY === 0) this.#forgive()
  }

  /** Who is asked last is not asked, so its mean would stay what it was when it was slow. */
  #forgive(): void {
    for (const [node, mean] of this.#byNode) this.#byNode.set(node, mean * FORGIVEN)
  }

  /** Whether one more hedge stays within 5 % of the reads (O4). */
  mayHedge(): boolean {
    if (this.#hedges + 1 > this.#reads * HEDGE_SHARE) return false
    this.#hedges++
    return true
  }

  get hedges(): number {
    return this.#hedges
  }
}

const START_MS = 20
const MIN_MS = 1
const WEIGHT = 0.1
const STEP = 0.002
const HEDGE_SHARE = 0.05
const SLOWEST_MS = 1_000
/** From the slowest to a usual mean in about 4,000 reads. */
const FORGIVE_EVERY = 64
const FORGIVEN = 0.9
