import { type ErrorCode, type Millis, type NodeId, type Partition, ShoalError } from '@shoal/kernel'
import type { Follower } from './requests.ts'

/**
 * What a coordinator needs of the world. Other packages satisfy these by shape; `node` introduces
 * them.
 */

/** The other replicas, by node id. Nothing here retries (Q9). */
export interface Replicas {
  ask(question: PeerQuestion, sink: PeerSink): void
  /** Whether a question would leave now. A peer that is down is skipped, not waited for. */
  isUp(node: NodeId): boolean
}

/**
 * Who is thought to live. Being wrong costs time and never an answer: whom this doubts is turned to
 * last, and still turned to.
 */
export interface Liveness {
  /** Whether to turn to this node first: it would most probably answer in time. */
  isUsable(node: NodeId): boolean
  /** A question to this node ended without an answer. */
  noteFailure(node: NodeId, code: ErrorCode): void
}

/** What this node has lost and not got back yet (Q6). */
export interface LostData {
  /** Whether what this node says of a partition counts to R. */
  countsToReads(partition: Partition): boolean
}

export interface PeerQuestion {
  readonly to: NodeId
  readonly kind: number
  readonly body: Uint8Array
  readonly timeout: Millis
  readonly tag: number
  /** Goes with it, unread. */
  readonly trace?: Uint8Array | undefined
}

export interface PeerSink {
  answered(tag: number, kind: number, body: Buffer, more: boolean): void
  failed(tag: number, code: ErrorCode): void
}

/** A question of another coordinator. */
export interface CoordinatorQuestion {
  readonly from: NodeId
  readonly kind: number
  readonly body: Buffer
  /** Of the asker's request, where that is followed. */
  readonly follower?: Follower | undefined
  answer(kind: number, body: Uint8Array, more?: boolean): void
}

/** Where writes are kept for a replica that missed them (H1). */
export interface Hints {
  /** @param message  a whole merge message */
  owe(to: NodeId, message: Buffer): void
  /** Hints owed for one key, for people. */
  owed(rowKey: Buffer): number
}

/** What a peer answered, or undefined when it cannot be read: a malformed answer is no answer. */
export function readable<T>(decode: () => T): T | undefined {
  try {
    return decode()
  } catch (error) {
    if (error instanceof ShoalError) return undefined
    throw error
  }
}
