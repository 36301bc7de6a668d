import type { NodeId } from '@shoal/kernel'
import type { RemovedHint } from './hint-log.ts'
import type { HandoffEvent } from './ports.ts'

/** Since the start, for metrics. */
export interface HandoffCounters {
  readonly stored: number
  /** Rows owed that were owed already. */
  readonly joined: number
  readonly delivered: number
  readonly deliveredBytes: number
  /** Hints that left the log undelivered. */
  readonly lost: number
  /** Partitions marked. */
  readonly overflowed: number
}

interface Tally {
  stored: number
  storedBytes: number
  delivered: number
  deliveredBytes: number
}

/** Counts what happens. Ten thousand hints in a second are one event, not ten thousand. */
export class Tallies {
  readonly #emit: (event: HandoffEvent) => void
  readonly #recent = new Map<NodeId, Tally>()
  #stored = 0
  #joined = 0
  #delivered = 0
  #deliveredBytes = 0
  #lost = 0
  #overflowed = 0

  constructor(emit: (event: HandoffEvent) => void) {
    this.#emit = emit
  }

  stored(node: NodeId, bytes: number): void {
    this.#stored++
    const tally = this.#of(node)
    tally.stored++
    tally.storedBytes += bytes
  }

  joined(): void {
    this.#joined++
  }

  removed(node: NodeId, { bytes, delivered }: RemovedHint): void {
    if (!delivered) {
      this.#lost++
      return
    }
    this.#delivered++
    this.#deliveredBytes += bytes
    const tally = this.#of(node)
    tally.delivered++
    tally.deliveredBytes += bytes
  }

  overflowed(event: HandoffEvent): void {
    this.#overflowed++
    this.#emit(event)
  }

  /** Tells what came together since the last time. @param left  hints that a node is still owed */
  tell(left: (node: NodeId) => number): void {
    for (const [node, { stored, storedBytes, delivered, deliveredBytes }] of this.#recent) {
      if (stored > 0) this.#emit({ kind: 'hints-stored', node, count: stored, bytes: storedBytes })
      if (delivered === 0) continue
      const bytes = deliveredBytes
      this.#emit({ kind: 'hints-delivered', node, count: delivered, bytes, left: left(node) })
    }
    this.#recent.clear()
  }

  counters(): HandoffCounters {
    return {
      stored: this.#stored,
      joined: this.#joined,
      delivered: this.#delivered,
      deliveredBytes: this.#deliveredBytes,
      lost: this.#lost,
      overflowed: this.#overflowed,
    }
  }

  #of(node: NodeId): Tally {
    let tally = this.#recent.get(node)
    if (!tally) {
      tally = { stored: 0, storedBytes: 0, delivered: 0, deliveredBytes: 0 }
      this.#recent.set(node, tally)
    }
    return tally
  }
}
