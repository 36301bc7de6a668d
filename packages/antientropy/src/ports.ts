import type { ErrorCode, Millis, NodeId, Partition } from '@shoal/kernel'
import type { MergeOperation, RowSink } from '@shoal/replica'

/**
 * What anti-entropy needs of the world. Other packages satisfy these by shape; `node` introduces
 * them.
 */

/** What this node holds. */
export interface LocalReplica {
  segmentDigest(partition: Partition, segment: number): bigint
  /** Neighbouring digests, big-endian, as many as `target` takes. @returns the target */
  copyDigests(partition: Partition, first: number, target: Buffer): Buffer
  digestOf(version: Buffer, rowKey: Buffer): Buffer
  read(rowKey: Buffer, sink: RowSink): void
  merge(operation: MergeOperation): void
  /**
   * Puts digests right that are not those of their rows (E4). Each is taken only while it still is
   * `kept`: a write that came between has made the finding one of the past.
   *
   * @returns how many were taken
   */
  correctDigests(partition: Partition, corrections: readonly DigestCorrection[]): Promise<number>
  /** A scrub has counted the deleted keys of a partition. */
  countedTombstones(partition: Partition, count: number): void
}

export interface DigestCorrection {
  readonly segment: number
  readonly kept: bigint
  readonly rebuilt: bigint
}

/** The other replicas, by node id. Nothing here retries (Q9). */
export interface Peers {
  ask(question: PeerQuestion, sink: PeerSink): void
  isUp(node: NodeId): boolean
}

export interface PeerQuestion {
  readonly to: NodeId
  readonly kind: number
  readonly body: Uint8Array
  readonly timeout: Millis
  readonly tag: number
}

export interface PeerSink {
  answered(tag: number, kind: number, body: Buffer, more: boolean): void
  failed(tag: number, code: ErrorCode): void
}

/** A question of another node. */
export interface ExchangeQuestion {
  readonly from: NodeId
  readonly kind: number
  readonly body: Buffer
  answer(kind: number, body: Uint8Array, more?: boolean): void
}

/** Who holds which partition. A `Ring` is one. */
export interface Placement {
  readonly self: NodeId
  readonly partitions: number
  preferenceList(partition: Partition): readonly NodeId[]
  partitionsOf(node: NodeId): readonly Partition[]
}

/** The other nodes that hold a partition. */
export function othersOf(placement: Placement, partition: Partition): NodeId[] {
  return placement.preferenceList(partition).filter((node) => node !== placement.self)
}

/** What all background work of the node draws from (E5). */
export interface Budget {
  /** Resolves when so many bytes of background work may be done now. Never rejects. */
  take(bytes: number): Promise<void>
  readonly paused: boolean
}

/** Partitions in which a target is owed rows that no hint names (H2). A `Handoff` has them. */
export interface DirtyMarks {
  /** Oldest first. */
  dirty(): readonly DirtyMark[]
  /** What this node held when the mark was read is on the target's disk. */
  clean(mark: DirtyMark): boolean
}

export interface DirtyMark {
  readonly node: NodeId
  readonly partition: Partition
  readonly since: Millis
  readonly stamp: number
}

/** What happened, for logs, metrics and `/v1/events`. */
export type AntiEntropyEvent =
  | {
      readonly kind: 'exchangeEnded'
      readonly partition: Partition
      readonly peer: NodeId
      readonly complete: boolean
      readonly code: ErrorCode | undefined
      readonly segments: number
      readonly keys: number
      readonly pulled: number
      readonly pushed: number
      readonly healed: number
      readonly unhealed: number
      readonly tookMs: number
    }
  /** Alarm: a digest was not that of its rows (E4). */
  | {
      readonly kind: 'digestWrong'
      readonly partition: Partition
      readonly segments: readonly number[]
      readonly corrected: number
    }
  /** Alarm: a row or its version record fails its checksums (V11). */
  | { readonly kind: 'rowDamaged'; readonly rowKey: Buffer; readonly what: 'row' | 'record' }
  | { readonly kind: 'rowHealed'; readonly rowKey: Buffer; readonly from: NodeId | undefined }
  /** Alarm: no replica that could be asked had an intact copy that would do. */
  | { readonly kind: 'rowUnhealed'; readonly rowKey: Buffer }
  /** Alarm: the disk cannot give the rows of these segments. */
  | {
      readonly kind: 'segmentsUnreadable'
      readonly partition: Partition
      readonly segments: readonly number[]
    }
  | { readonly kind: 'scrubEnded'; readonly partition: Partition; readonly rows: number }
  /** Data of these partitions was lost; they do not count to reads for now (Q6). */
  | {
      readonly kind: 'dataLost'
      readonly partitions: readonly Partition[]
      readonly reason: string
    }
  /** Merged from enough peers: the partition counts to reads again. */
  | {
      readonly kind: 'dataWhole'
      readonly partition: Partition
      /** Partitions that do not count yet. */
      readonly left: number
    }
