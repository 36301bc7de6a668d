import type { ErrorCode } from '@shoal/kernel'
import type { Batch } from '@shoal/storage'

/** A client write that this node coordinates: it mints the dot (V3, V4). */
export interface PutOperation {
  readonly kind: 'put'
  readonly rowKey: Buffer
  readonly tombstone: boolean
  readonly body: Buffer
  readonly contentType: string
  readonly contentEncoding: string
  /** The clock of the client's context; undefined for a blind write (V7). */
  readonly context: Buffer | undefined
  /** What the client's session has seen of this key; a blind overwrite contains it too (S1). */
  readonly seen: Buffer | undefined
  /**
   * The clock of the state that a precondition was checked against. A value that this replica has
   * got since then refuses the write with SHOAL_PRECONDITION_FAILED.
   */
  readonly checked: Buffer | undefined
  /** What a blind write does: replace what this replica knows, or add a sibling. */
  readonly blind: 'overwrite' | 'sibling'
  /** Unix time in ms, 0 for never (D2). */
  readonly expiry: number
  /** 8-byte hash of request id and key, or undefined when the client named none (V10). */
  readonly request: Buffer | undefined
  /** More live values than this are refused (V8). */
  readonly siblingsMax: number
  readonly durable: boolean
  /** As in a merge: who coordinates in place of primaries owes them the write (V4). */
  readonly owedTo?: number
  readonly sink: PutSink
}

/** Another node's state of a key, to be merged into ours (V2). */
export interface MergeOperation {
  readonly kind: 'merge'
  readonly rowKey: Buffer
  readonly row: Buffer
  /** Check the local copy against its checksum and replace it when damaged (V11). */
  readonly heal: boolean
  readonly durable: boolean
  /**
   * Primaries that this node stands in for, by their places in the preference list, as a set: owed
   * the row by the same batch (H1). Only with `durable`.
   */
  readonly owedTo?: number
  readonly sink: MergeSink
}

/** Keeps what this node owes to the primaries of a row that it stands in for. */
export interface OwedRows {
  /** Adds to the batch of the row what has to be on disk with it. */
  add(batch: Batch, owed: OwedRow): void
  /** The batch is with the store. */
  written(): void
  /** The batch was refused: nothing is owed. */
  discarded(): void
}

export interface OwedRow {
  readonly rowKey: Buffer
  /** A set of places in the preference list. */
  readonly primaries: number
  /** Of the row. */
  readonly bytes: number
}

export type Operation = PutOperation | MergeOperation

/** What a coordinated write left behind. */
export interface Written {
  readonly version: Buffer
  /** A whole merge message, ready for the other replicas; the row is a view of its end. */
  readonly message: Buffer
  /** The clock to return to the client: its context and the new dot, nothing more (V5). */
  readonly context: Buffer
  /** The dot of the write. */
  readonly actor: Buffer
  readonly counter: number
  /** Live values, tombstones included, that this write replaced. */
  readonly dropped: number
  /** The request id was known: this is the dot of its first try. */
  readonly repeated: boolean
}

export interface PutSink {
  /** With the operating system; its sync is running. Peers may be told (V3). */
  written(result: Written): void
  /** On disk. Called after `written`, or never when `durable` was not asked for. */
  durable(): void
  /** Nothing was applied. `context` is the clock that would let the write in (V8). */
  refused(code: ErrorCode, context?: Buffer): void
}

export interface MergeSink {
  /** `version` is what this replica holds now. */
  merged(version: Buffer): void
  durable(): void
  refused(code: ErrorCode): void
}
