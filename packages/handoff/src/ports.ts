import type { ErrorCode, Millis, NodeId } from '@shoal/kernel'
import type { RowSink } from '@shoal/replica'
import type { Ring } from '@shoal/ring'

/**
 * What handoff needs of the world. Other packages satisfy these by shape; `node` introduces them.
 */

/** Questions to other nodes. Nothing here retries (Q9). */
export interface Targets {
  ask(question: TargetQuestion, sink: TargetSink): void
}

export interface TargetQuestion {
  readonly to: NodeId
  readonly kind: number
  readonly body: Uint8Array
  readonly timeout: Millis
  readonly tag: number
}

export interface TargetSink {
  answered(tag: number, kind: number, body: Buffer, more: boolean): void
  failed(tag: number, code: ErrorCode): void
}

/** Who can be reached. The peer channel knows, and so does the membership. */
export interface Liveness {
  isUp(node: NodeId): boolean
  /** Called on each change of `isUp`. */
  onChange(listener: (node: NodeId, up: boolean) => void): void
}

/** The rows of this node, verified. A replica is one. */
export interface RowSource {
  read(rowKey: Buffer, sink: RowSink): void
}

/** One for all background work (E5). */
export interface Budget {
  /** Resolves when so many bytes of background work may be done now. */
  take(bytes: number): Promise<void>
  readonly paused: boolean
}

/** Who holds what, of the ring of this moment. A `Ring` is one. */
export type Placement = Pick<
  Ring,
  'partitions' | 'preferenceList' | 'isReplica' | 'partitionsOf' | 'member'
>

/** Why a hint was not kept, and its partition marked instead (H2). */
export type OverflowReason = 'bytes' | 'count' | 'age' | 'disk full' | 'damaged' | 'row missing'

export type HandoffEvent =
  /** Hints were stored; told once a second at most. `bytes` are those of the rows they owe. */
  | { readonly kind: 'hints-stored'; readonly node: NodeId; readonly count: number; bytes: number }
  | {
      readonly kind: 'hints-delivered'
      readonly node: NodeId
      readonly count: number
      readonly bytes: number
      /** Hints still owed. */
      readonly left: number
    }
  /** A round in which the target, or this disk, refused hints. They are tried again. */
  | {
      readonly kind: 'hints-refused'
      readonly node: NodeId
      readonly count: number
      readonly code: ErrorCode
    }
  /** A partition was marked for anti-entropy; told once for each mark. */
  | {
      readonly kind: 'hints-overflowed'
      readonly node: NodeId
      readonly partition: number
      readonly reason: OverflowReason
    }
  /** Hints for a node that no longer holds their rows are owed to those who do. */
  | { readonly kind: 'hints-moved'; readonly node: NodeId; readonly count: number }
