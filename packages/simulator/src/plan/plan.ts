import type { BucketProperties, Consistency } from '@shoal/coordinator'

/**
 * Everything that a simulation will do, as data. A plan is drawn from a seed before anything runs;
 * each item is drawn from a stream of its own, so that leaving one out does not change another, and
 * a failing plan can be made smaller item by item. It is plain JSON: what is kept as a regression.
 *
 * All times are whole virtual milliseconds. `at` counts from the start of the workload, when all
 * nodes are up; nodes are named by their index.
 */
export interface Plan {
  readonly format: 1
  readonly seed: number
  /** Of the workload. Healing, a quiet time and the last reads follow. */
  readonly duration: number
  readonly cluster: ClusterPlan
  readonly buckets: readonly BucketPlan[]
  /** Probability by the label of the seam. A seam that is not named here never fires. */
  readonly injections: Readonly<Record<string, number>>
  readonly faults: readonly FaultEvent[]
  readonly operations: readonly OperationPlan[]
  /** From then on only some nodes are broken, and the others must go on (I14). */
  readonly liveness?: LivenessPlan
}

export interface ClusterPlan {
  readonly nodes: number
  /** Q of the ring. */
  readonly partitions: number
  /** N of the ring. */
  readonly replicas: number
  readonly versionCacheBytes: number
  /** Average milliseconds of a read, and of a sync, of the disk. */
  readonly readLatency: number
  readonly syncLatency: number
  /** One way, between two nodes that nothing ails. */
  readonly linkDelayMin: number
  readonly linkDelayMax: number
  /** Whether missed writes are kept and delivered (H3). Default true. */
  readonly handoff?: boolean
  /** Whether reads repair whom they find behind (H3). Default true. */
  readonly readRepair?: boolean
}

export interface BucketPlan {
  readonly name: string
  readonly properties: Partial<BucketProperties>
}

/**
 * The nodes not named here are healthy from `from` until the workload ends. There are few enough
 * broken ones that each key has a majority of healthy primaries.
 */
export interface LivenessPlan {
  readonly from: number
  readonly broken: readonly number[]
}

/** A fault and, where it ends by itself, how long it lasts. */
export type FaultEvent =
  | CrashFault
  | StopFault
  | PauseFault
  | SlowFault
  | WipeFault
  | RollbackFault
  | LinkFault
  | PartitionFault
  | SeverFault
  | ClogFault
  | DiskFault
  | ClockFault

export type FaultKind = FaultEvent['kind']

interface Fault {
  /** Names the item in this plan. */
  readonly id: string
  readonly at: number
}

/** The power of one node is cut. */
export interface CrashFault extends Fault {
  readonly kind: 'crash'
  readonly node: number
  readonly downFor: number
  /** What becomes of batches that were written and not synced. */
  readonly unsynced: 'lost' | 'kept' | 'random' | 'holes'
  /** Cut again while it boots. */
  readonly during?: 'boot'
}

/** A clean stop, and a start. */
export interface StopFault extends Fault {
  readonly kind: 'stop'
  readonly node: number
  readonly downFor: number
  /** The power is cut that long after the start begins, and what was not synced is lost. */
  readonly cutAfter?: number
  /** `cutAfter` counts from the first write then: others hear of it before it is synced. */
  readonly cutFrom?: 'first-write'
}

/** The process stands still and goes on where it was. */
export interface PauseFault extends Fault {
  readonly kind: 'pause'
  readonly node: number
  readonly lasts: number
}

/** Everything a node does takes `factor` times as long. */
export interface SlowFault extends Fault {
  readonly kind: 'slow'
  readonly node: number
  readonly factor: number
  readonly lasts: number
}

/** The whole disk is lost; the node starts with an empty one. */
export interface WipeFault extends Fault {
  readonly kind: 'wipe'
  readonly node: number
  readonly downFor: number
}

/** An older copy of the disk is put back, identity and all. */
export interface RollbackFault extends Fault {
  readonly kind: 'rollback'
  readonly node: number
  readonly downFor: number
}

/** Bad lines. What is not named stays as it is. */
export interface LinkFault extends Fault {
  readonly kind: 'link'
  readonly from: number | 'all'
  readonly to: number | 'all'
  readonly lasts: number
  readonly faults: Partial<LinkFaults>
}

export interface LinkFaults {
  /** Milliseconds. */
  readonly delayMin: number
  readonly delayMax: number
  /** Probability, 0 to 1, of each message. */
  readonly loss: number
  readonly duplicateQuestions: number
  readonly duplicateAnswers: number
  readonly reorder: number
}

/** `side` and the others do not hear each other, or only one way. */
export interface PartitionFault extends Fault {
  readonly kind: 'partition'
  readonly side: readonly number[]
  /** Seen from `side`: what it sends out is lost, what comes in is lost, or both. */
  readonly direction: 'both' | 'out' | 'in'
  readonly lasts: number
  /** This node hears both sides. */
  readonly bridge?: number
  /** Healed and cut again this many times on the way. */
  readonly flaps?: number
}

/** The channel between two nodes is reset in mid-conversation. */
export interface SeverFault extends Fault {
  readonly kind: 'sever'
  readonly one: number
  readonly other: number
}

/** What is sent is held, and delivered late or lost with the channel. */
export interface ClogFault extends Fault {
  readonly kind: 'clog'
  readonly from: number
  readonly to: number
  readonly lasts: number
}

export interface DiskFault extends Fault {
  readonly kind: 'disk'
  readonly node: number
  readonly fault:
    | 'full'
    | 'write-fails'
    | 'sync-fails'
    | 'slow'
    | 'bit-rot'
    | 'read-error'
    | 'read-fails'
    | 'stale-read'
    | 'misdirected-write'
  /** Of `full`, `slow` and `read-fails`. */
  readonly lasts?: number
  /** Absent for damage: rows or versions, and sometimes both records of one key. */
  readonly column?: 'rows' | 'versions' | 'digests' | 'hints' | 'meta'
  /** Chooses the key, or how much, among what there is when it strikes. */
  readonly pick: number
}

export interface ClockFault extends Fault {
  readonly kind: 'clock'
  readonly node: number
  /**
   * `skew` and `jump`: milliseconds, either way, taken back after `lasts`. `drift`: millionths of
   * elapsed time. `freeze` has no amount.
   */
  readonly change: 'skew' | 'jump' | 'drift' | 'freeze'
  readonly amount: number
  readonly lasts: number
}

/** One thing that a client wants. Operations of a batch are several of these at one time. */
export interface OperationPlan {
  /** Names the item in this plan, and is its idempotency key. */
  readonly id: string
  readonly at: number
  /** Who asks. A client remembers contexts by key, and one session. */
  readonly client: number
  /** The node asked first. */
  readonly node: number
  readonly kind: 'get' | 'put' | 'delete' | 'list'
  readonly bucket: string
  /** Of a listing: the prefix. */
  readonly key: string
  /** Of a value; a put only. */
  readonly bytes?: number
  /** Absent: the bucket's default. */
  readonly consistency?: Consistency
  readonly context: ContextChoice
  /** A write on condition of what the key holds. */
  readonly condition?: 'absent' | 'present' | 'unchanged'
  /** Sent with the client's session, after the operation of the same client before it. */
  readonly session: boolean
  /** Seconds. */
  readonly ttl?: number
  /** Further attempts under the same idempotency key. */
  readonly retries: number
  /** Further attempts go to other nodes. */
  readonly hops?: boolean
  /** The answer to this attempt, 0 the first, never reaches the client. */
  readonly loseReply?: number
  /** Milliseconds for each attempt. */
  readonly timeout: number
  /** Of a listing. */
  readonly limit?: number
}

/**
 * What a write says it replaces. `read` reads the key first, as an honest client does; `latest` is
 * what this client saw last of the key and `stale` what it saw first; `foreign` belongs to another
 * key, `corrupt` has a bit changed.
 */
export type ContextChoice = 'none' | 'read' | 'latest' | 'stale' | 'foreign' | 'corrupt'
