import type { NodeId } from '@shoal/kernel'

/** What one caller waits for: the hints that were there when it asked (H4). */
export interface SyncPoint {
  readonly id: number
  /** Hints there were. */
  readonly total: number
  /** Of these, not yet off the log. */
  readonly left: number
  /** Of these, taken off the log without being delivered: marked for anti-entropy, or moved. */
  readonly lost: number
}

interface Awaited {
  /** The last sequence that was there. */
  readonly until: number
  left: number
}

interface Waiting {
  readonly targets: ReadonlyMap<NodeId, Awaited>
  readonly total: number
  left: number
  lost: number
}

/**
 * Which callers wait for which hints. Hints carry ascending sequences, so a moment is a number and
 * to be waited for is to be counted: nothing is kept for each hint.
 */
export class SyncPoints {
  readonly #waiting = new Map<number, Waiting>()
  #next = 1

  get size(): number {
    return this.#waiting.size
  }

  /**
   * @param until    the last sequence given to any hint
   * @param targets  how many hints each target is owed at this moment
   */
  begin(until: number, targets: Iterable<{ node: NodeId; count: number }>): SyncPoint {
    const awaited = new Map<NodeId, Awaited>()
    let total = 0
    for (const { node, count } of targets) {
      if (count === 0) continue
      awaited.set(node, { until, left: count })
      total += count
    }
    const id = this.#next++
    if (total > 0) this.#waiting.set(id, { targets: awaited, total, left: total, lost: 0 })
    return { id, total, left: total, lost: 0 }
  }

  /** A hint is off the log. Returns the points that are reached by it. */
  removed(node: NodeId, sequence: number, delivered: boolean): readonly SyncPoint[] {
    let reached: SyncPoint[] | undefined
    for (const [id, waiting] of this.#waiting) {
      const target = waiting.targets.get(node)
      if (!target || target.left === 0 || sequence > target.until) continue
      target.left--
      waiting.left--
      if (!delivered) waiting.lost++
      if (waiting.left > 0) continue
      this.#waiting.delete(id)
      reached ??= []
      reached.push({ id, total: waiting.total, left: 0, lost: waiting.lost })
    }
    return reached ?? []
  }

  /** Undefined when it is reached, or was never waited for. */
  find(id: number): SyncPoint | undefined {
    const waiting = this.#waiting.get(id)
    return waiting && { id, total: waiting.total, left: waiting.left, lost: waiting.lost }
  }

  /**
   * Nobody knows any more which hints of a target were there: a record of it is damaged. Returns
   * the points that are reached by it.
   */
  forget(node: NodeId): readonly SyncPoint[] {
    const reached: SyncPoint[] = []
    for (const [id, waiting] of this.#waiting) {
      const target = waiting.targets.get(node)
      if (!target) continue
      waiting.left -= target.left
      waiting.lost += target.left
      target.left = 0
      if (waiting.left > 0) continue
      this.#waiting.delete(id)
      reached.push({ id, total: waiting.total, left: 0, lost: waiting.lost })
    }
    return reached
  }

  drop(id: number): void {
    this.#waiting.delete(id)
  }
}
