import type {
  BucketRegistry,
  Coordinator,
  ListAnswer,
  ListRequest,
  ReadAnswer,
  ReadRequest,
  WriteAnswer,
  WriteRequest,
} from '@shoal/coordinator'
import type { Handoff } from '@shoal/handoff'
import type { NodeId, ShoalError } from '@shoal/kernel'
import type { Membership } from '@shoal/membership'
import type { Engine } from '@shoal/node/engine'
import type { Replica } from '@shoal/replica'
import type { Ring } from '@shoal/ring'
import type { MemoryDisk } from '@shoal/storage'

/** What a client may ask of a node, as it comes out of the HTTP edge. */
export type ClientRequest =
  | { readonly kind: 'read'; readonly request: ReadRequest }
  | { readonly kind: 'write'; readonly request: WriteRequest }
  | { readonly kind: 'list'; readonly request: ListRequest }

/** How a client's request ended, as the client sees it. */
export type ClientEnd =
  | { readonly kind: 'answer'; readonly answer: ReadAnswer | WriteAnswer | ListAnswer }
  | { readonly kind: 'refused'; readonly error: ShoalError }
  /**
   * It left and no answer came: it may have been done. `because`: the node died, or the client has
   * waited a second longer than its request may take.
   */
  | { readonly kind: 'lost'; readonly because?: 'death' | 'silence' }
  /** The node could not be reached: it was not done. */
  | { readonly kind: 'unsent' }

export type SimNodeState = 'down' | 'booting' | 'up' | 'stopping'

/** One node of the simulated cluster: a disk that stays, and processes that come and go on it. */
export interface SimNode {
  readonly index: number
  readonly id: NodeId
  readonly state: SimNodeState
  /** Its process neither runs nor hears anything for a while. */
  readonly paused: boolean
  /** Counts processes: the first is 1. */
  readonly life: number
  readonly disk: MemoryDisk
  readonly ring: Ring
  /** Whether its channel to another is open. */
  isConnectedTo(other: NodeId): boolean
  /** The process of now; undefined while there is none, or it is still opening. */
  readonly replica: Replica | undefined
  readonly coordinator: Coordinator | undefined
  readonly buckets: BucketRegistry | undefined
  /** Whom the process of now takes to be alive. */
  readonly membership: Membership | undefined
  /** Undefined also where the plan does without. */
  readonly handoff: Handoff | undefined
  readonly antiEntropy: Engine['antiEntropy'] | undefined
  /** Lets background work in, and holds it while paused. */
  readonly budget: Engine['budget'] | undefined
}
