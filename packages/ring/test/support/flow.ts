/**
 * A plain minimum-cost flow with lower bounds: successive shortest paths, nothing clever. It shares
 * no code and no idea with the planner, so it can judge it.
 */
interface Arc {
  readonly to: number
  room: number
  readonly cost: number
  /** Index of the arc back, in the list of `to`. */
  readonly back: number
}

/** Large enough that no saving elsewhere is worth leaving a lower bound unmet. */
const MUST = 1_000_000

export class Network {
  readonly #arcs: Arc[][] = []
  #owed = 0

  vertex(): number {
    return this.#arcs.push([]) - 1
  }

  /** Between `low` and `high` units may pass, each at `cost`. */
  connect(from: number, to: number, { low = 0, high = 1, cost = 0 }): void {
    if (low > 0) this.#arc(from, to, low, cost - MUST)
    if (high > low) this.#arc(from, to, high - low, cost)
    this.#owed += low
  }

  #arc(from: number, to: number, room: number, cost: number): void {
    const there = this.#arcs[from]!
    const back = this.#arcs[to]!
    there.push({ to, room, cost, back: back.length })
    back.push({ to: from, room: 0, cost: -cost, back: there.length - 1 })
  }

  /**
   * Sends `amount` units as cheaply as possible.
   *
   * @returns the cost, or undefined when the amount or a lower bound cannot be met
   */
  send(from: number, to: number, amount: number): number | undefined {
    let cost = 0
    for (let sent = 0; sent < amount; sent++) {
      const step = this.#augment(from, to)
      if (step === undefined) return undefined
      cost += step
    }
    const real = cost + this.#owed * MUST
    return real < MUST ? real : undefined
  }

  #augment(from: number, to: number): number | undefined {
    const distance = new Float64Array(this.#arcs.length).fill(Number.POSITIVE_INFINITY)
    const via: (Arc | undefined)[] = []
    const queued = new Uint8Array(this.#arcs.length)
    const queue = [from]
    distance[from] = 0
    for (let head = 0; head < queue.length; head++) {
      const vertex = queue[head]!
      queued[vertex] = 0
      for (const arc of this.#arcs[vertex]!) {
        const length = distance[vertex]! + arc.cost
        if (arc.room === 0 || length >= distance[arc.to]!) continue
        distance[arc.to] = length
        via[arc.to] = arc
        if (queued[arc.to] === 0) queue.push(arc.to)
        queued[arc.to] = 1
      }
    }
    if (distance[to] === Number.POSITIVE_INFINITY) return undefined
    for (let vertex = to; vertex !== from; ) {
      const arc = via[vertex]!
      const back = this.#arcs[vertex]![arc.back]!
      arc.room--
      back.room++
      vertex = back.to
    }
    return distance[to]
  }
}
