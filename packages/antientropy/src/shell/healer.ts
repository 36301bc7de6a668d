import { type Env, limits, millis, type NodeId, type Timer } from '@shoal/kernel'
import { partitionOfRowKey } from '@shoal/ring'
import { isDamage, type Store, verifyRow } from '@shoal/storage'
import type { RowOutcome } from '../core/row-repair.ts'
import { type AntiEntropyEvent, othersOf, type Placement } from '../ports.ts'
import { type RowDesk, RowRun } from './row-run.ts'

/** How long a key waits that no peer could give. */
const RETRY = millis(60_000)

export interface HealerParts extends RowDesk {
  readonly env: Env
  readonly store: Store
  readonly placement: () => Placement
  readonly tell: (event: AntiEntropyEvent) => void
}

/**
 * Replaces damaged rows by the copies of other replicas (V11). What nobody can give now is
 * remembered and asked for again: when a peer comes back, and every minute.
 */
export class Healer {
  readonly #parts: HealerParts
  /** Keys that are damaged here, by their bytes as text. */
  readonly #unhealed = new Map<string, Damaged>()
  #retrying: Promise<void> | undefined
  #timer: Timer | undefined
  #isStopped = false

  constructor(parts: HealerParts) {
    this.#parts = parts
  }

  /** Keys known to be damaged here and not yet replaced. */
  get unhealed(): number {
    return this.#unhealed.size
  }

  stop(): void {
    this.#isStopped = true
    this.#timer?.cancel()
  }

  /** Resolves when the round under way, if there is one, has ended. */
  async idle(): Promise<void> {
    await this.#retrying
  }

  /** Asks each other replica in turn. Resolves to whether the copy here is whole again. */
  async heal(rowKey: Buffer, kind: 'row' | 'record'): Promise<boolean> {
    const { placement, peers, tell } = this.#parts
    if (kind === 'record' && (await this.#mergeIntoItself(rowKey))) {
      this.#healed(rowKey, undefined)
      return true
    }
    const partition = partitionOfRowKey(rowKey, placement().partitions)
    for (const peer of othersOf(placement(), partition)) {
      if (this.#isStopped) return false
      if (!peers.isUp(peer)) continue
      const outcome = await this.#fetch(rowKey, peer)
      if (!outcome.pulled) continue
      this.#healed(rowKey, peer)
      return true
    }
    if (!this.#unhealed.get(textOf(rowKey))?.told) tell({ kind: 'rowUnhealed', rowKey })
    this.#remember({ rowKey, told: true })
    this.#arrange()
    return false
  }

  /**
   * Somebody found a copy here damaged: healed soon, one after the other.
   *
   * @returns whether that was news
   */
  report(rowKey: Buffer): boolean {
    if (this.#unhealed.has(textOf(rowKey))) return false
    this.#remember({ rowKey, told: false })
    this.retry()
    return true
  }

  /** A peer is back, or time has passed: what it may have is asked for. */
  retry(): void {
    if (this.#retrying || this.#isStopped || this.#unhealed.size === 0) return
    this.#retrying = this.#retryAll()
      .catch((error: unknown) => {
        if (this.#isStopped) return
        // The halt takes its time; until then nothing here begins again.
        this.stop()
        this.#parts.env.halt(error as Error)
      })
      .finally(() => {
        this.#retrying = undefined
        this.#arrange()
      })
  }

  async #retryAll(): Promise<void> {
    for (const { rowKey } of [...this.#unhealed.values()]) {
      if (this.#isStopped) return
      await this.heal(rowKey, 'row')
    }
  }

  /**
   * A sound row repairs the record of its version: the replica reads both to merge (V11). The row
   * comes from the disk itself; read through the replica, its version would be in memory, and the
   * merge would not look at the record.
   */
  async #mergeIntoItself(rowKey: Buffer): Promise<boolean> {
    const { replica, store } = this.#parts
    const row = await this.#rowOf(store, rowKey)
    if (!row || verifyRow(row, rowKey.readBigUInt64BE(0)) !== 'ok') return false
    return new Promise((resolve) => {
      const sink = {
        merged: () => undefined,
        durable: () => resolve(true),
        refused: () => resolve(false),
      }
      replica.merge({ kind: 'merge', rowKey, row, heal: true, durable: true, sink })
    })
  }

  async #rowOf(store: Store, rowKey: Buffer): Promise<Buffer | undefined> {
    try {
      return (await store.getMany('rows', [rowKey]))[0]
    } catch (error) {
      if (isDamage(error)) return undefined
      throw error
    }
  }

  #fetch(rowKey: Buffer, peer: NodeId): Promise<RowOutcome> {
    return new Promise((resolve) => {
      const difference = { rowKey, own: 'damaged', theirs: 'held' } as const
      new RowRun(this.#parts, { peer, difference, done: resolve })
    })
  }

  #healed(rowKey: Buffer, from: NodeId | undefined): void {
    this.#unhealed.delete(textOf(rowKey))
    this.#parts.tell({ kind: 'rowHealed', rowKey, from })
  }

  #remember(damaged: Damaged): void {
    const isFull = this.#unhealed.size >= limits.damagedKeysMax
    if (!isFull && !this.#isStopped) this.#unhealed.set(textOf(damaged.rowKey), damaged)
  }

  #arrange(): void {
    if (this.#timer || this.#isStopped || this.#unhealed.size === 0) return
    this.#timer = this.#parts.env.clock.after(RETRY, () => {
      this.#timer = undefined
      this.retry()
    })
  }
}

interface Damaged {
  readonly rowKey: Buffer
  /** That nobody could give it has been said. */
  readonly told: boolean
}

const textOf = (rowKey: Buffer): string => rowKey.toString('latin1')
