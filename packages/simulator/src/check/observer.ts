import type { EngineEvent } from '@shoal/node/engine'
import type { Column } from '@shoal/storage'
import type { ClientEnd, ClientRequest, SimNode } from '../cluster/sim-node.ts'
import type { FaultEvent } from '../plan/plan.ts'

/**
 * What the cluster and the clients tell whoever watches. Everything is told at the moment it
 * happens, within the call that made it happen, and in that order.
 *
 * Watchers look and never act: they change nothing, draw nothing from chance and throw nothing. All
 * methods are optional, so that a watcher names what it needs.
 */
export interface Observer {
  /**
   * A process is composed: `replica`, `coordinator` and `buckets` are there and nobody has asked
   * them anything. What opening the disk wrote has been told before.
   */
  booted?(node: SimNode): void
  /** A batch has reached the first layer of a disk: every later read sees it. */
  wrote?(node: SimNode, batch: ObservedBatch): void
  /** The `batches` oldest unsynced batches are on the platter. */
  synced?(node: SimNode, batches: number): void
  /**
   * The power was cut. One entry for each batch that was unsynced, oldest first: whether it is on
   * the platter now.
   */
  crashed?(node: SimNode, survived: readonly boolean[]): void
  /** A clean stop has ended; the disk is closed. */
  stopped?(node: SimNode): void
  /** The process stopped itself (A3). `crashed` follows. */
  halted?(node: SimNode, error: Error): void

  /** What a disk holds has changed behind the back of its store. */
  damaged?(node: SimNode, damage: DiskDamage): void
  /** The disk is a new one. */
  wiped?(node: SimNode): void
  /** The disk is as it was at an earlier time, unsynced batches gone. */
  rolledBack?(node: SimNode): void

  /** A part of the node tells what happened to it. */
  happened?(node: SimNode, event: EngineEvent): void

  /** A fault takes effect. One that has no end of its own only begins. */
  faultBegan?(fault: FaultEvent): void
  faultEnded?(fault: FaultEvent): void
  /** All faults have ended; nodes that were down are booting. */
  healed?(): void

  /** A client sends one attempt of an operation. */
  invoked?(operation: InvokedOperation): void
  /** And hears of its end, once. */
  ended?(operation: InvokedOperation, end: ClientEnd): void
}

export interface ObservedBatch {
  readonly operations: readonly {
    readonly column: Column
    /** Latin-1 text of the bytes, as the memory store keeps it. */
    readonly key: string
    /** Undefined deletes. Not changed afterwards but by `damaged`. */
    readonly value: Buffer | undefined
  }[]
  /** What each operation replaced, in their order. */
  readonly replaced: readonly (Buffer | undefined)[]
}

export interface DiskDamage {
  /**
   * - `changed`: bits of the stored value were flipped, or something else was written over it.
   * - `unreadable`: reads of it fail from now on, until it is written again.
   * - `stale`: reads of it give an older value, until it is written again.
   * - `missing`: a batch that the store believes written has left this key as it was.
   */
  readonly kind: 'changed' | 'unreadable' | 'stale' | 'missing'
  readonly column: Column
  /** Latin-1 text of the bytes. */
  readonly key: string
}

/** One attempt of one client operation, as it was sent. The same object begins and ends it. */
export interface InvokedOperation {
  /** Of the operation: its attempts share it. It is the idempotency key of a write. */
  readonly id: string
  /** 0 for the first. */
  readonly attempt: number
  readonly client: number
  /** The node asked. */
  readonly node: number
  /** The very object that is handed to the cluster. */
  readonly request: ClientRequest
  /** Virtual time. */
  readonly at: number
}
