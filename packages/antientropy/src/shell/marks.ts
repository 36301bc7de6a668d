import { type Env, limits, millis, type NodeId, type Partition, type Timer } from '@shoal/kernel'
import { isDamage, type Store } from '@shoal/storage'
import type { ExchangeEnding } from '../core/exchange-machine.ts'
import type { RowOutcome } from '../core/row-repair.ts'
import { type DirtyMark, type DirtyMarks, othersOf, type Placement } from '../ports.ts'
import type { ExchangePlan } from './exchange-run.ts'
import { rangeOf, rowPages } from './row-pages.ts'
import { type RowDesk, RowRun } from './row-run.ts'

export interface MarksParts extends RowDesk {
  readonly env: Env
  readonly store: Store
  readonly placement: () => Placement
  readonly marks: DirtyMarks
  readonly exchange: (plan: ExchangePlan) => Promise<ExchangeEnding>
}

const RETRY = millis(2_000)
const WHOLE = { from: 0, to: limits.digestSegments }

/**
 * Brings to their target what hints did not name (H2): partitions marked by handoff, oldest first.
 * Where both hold the partition they compare it. A fallback holds copies of partitions that are not
 * its own and that nobody compares with it: it shows the target each of its rows.
 */
export class Marks {
  readonly #parts: MarksParts
  #working: Promise<void> | undefined
  #timer: Timer | undefined
  #isRunning = false
  #isStopped = false

  constructor(parts: MarksParts) {
    this.#parts = parts
  }

  start(): void {
    this.#isRunning = true
    this.wake()
  }

  stop(): void {
    this.#isStopped = true
    this.#timer?.cancel()
  }

  async idle(): Promise<void> {
    await this.#working
  }

  /** There may be a new mark, or a target that is back. */
  wake(): void {
    if (!this.#isRunning || this.#isStopped || this.#working !== undefined) return
    this.#timer?.cancel()
    this.#timer = undefined
    if (this.#parts.marks.dirty().length === 0) return
    this.#working = this.#workAll()
      .catch((error: unknown) => {
        if (this.#isStopped) return
        // The halt takes its time; until then nothing here begins again.
        this.stop()
        this.#parts.env.halt(error as Error)
      })
      .finally(() => {
        this.#working = undefined
        this.#arrange()
      })
  }

  /** What could not be done now is tried again: by time, and when a peer is back. */
  #arrange(): void {
    if (this.#isStopped || this.#parts.marks.dirty().length === 0) return
    this.#timer = this.#parts.env.clock.after(RETRY, () => this.wake())
  }

  async #workAll(): Promise<void> {
    const { marks, peers, budget } = this.#parts
    for (const mark of marks.dirty()) {
      if (this.#isStopped || budget.paused) return
      if (peers.isUp(mark.node) && (await this.#bring(mark))) marks.clean(mark)
    }
  }

  #bring({ node, partition }: DirtyMark): Promise<boolean> {
    const { placement, exchange } = this.#parts
    const ring = placement()
    const isPair =
      ring.preferenceList(partition).includes(ring.self) && othersOf(ring, partition).includes(node)
    if (!isPair) return this.#showAll(partition, node)
    return exchange({ partition, peer: node }).then(({ complete }) => complete)
  }

  /** Resolves to whether the target has on its disk whatever this node holds of the partition. */
  async #showAll(partition: Partition, node: NodeId): Promise<boolean> {
    const { store, placement } = this.#parts
    let isDone = true
    try {
      for await (const page of rowPages(store, rangeOf(partition, WHOLE, placement().partitions))) {
        for (let from = 0; from < page.length; from += limits.exchangeRowsInFlightMax) {
          if (this.#isStopped || !this.#parts.peers.isUp(node)) return false
          const some = page.slice(from, from + limits.exchangeRowsInFlightMax)
          const outcomes = await Promise.all(some.map(({ key }) => this.#show(key, node)))
          isDone &&= outcomes.every(({ result }) => result === 'equal')
        }
      }
    } catch (error) {
      if (!isDamage(error)) throw error
      return false
    }
    return isDone
  }

  /** Sent, not compared: a copy that is equal may not be on the target's disk yet. */
  #show(rowKey: Buffer, peer: NodeId): Promise<RowOutcome> {
    return new Promise((resolve) => {
      const difference = { rowKey, own: 'held', theirs: 'unknown' } as const
      new RowRun(this.#parts, { peer, difference, done: resolve })
    })
  }
}
