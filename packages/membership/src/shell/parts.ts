import type { Env, NodeId } from '@shoal/kernel'
import type { RingRecord } from '@shoal/ring'
import type { Peers } from '@shoal/transport'
import type { MemberState, RingStamp } from '@shoal/wire'
import type { SwimMember } from '../core/events.ts'
import type { SwimSettings } from '../core/settings.ts'

export interface MembershipParts {
  readonly env: Env
  readonly self: NodeId
  /** Random for each start of the process: at least 4 bytes. */
  readonly runId: Uint8Array
  readonly peers: Pick<Peers, 'ask' | 'isUp' | 'onChange'>
  readonly rings: Rings
  /** Default: those of the specification. */
  readonly settings?: SwimSettings
  /** For logs and people. */
  onEvent?(event: MembershipEvent): void
}

/** The ring that this node goes by, and where a newer one is brought. */
export interface Rings {
  readonly clusterId: string
  readonly stamp: RingStamp
  readonly members: readonly SwimMember[]
  /** The record, encoded. */
  record(): Buffer
  /**
   * A record with a higher epoch than ours, whole, of this cluster, with the digest that was
   * announced. Whether it may succeed ours is for the receiver to check; who takes it says so with
   * `Membership.ringChanged`. Offered again after a while as long as it is not taken.
   */
  offer(record: RingRecord, from: NodeId): void
}

export type MembershipEvent =
  | {
      readonly kind: 'member'
      readonly node: NodeId
      readonly state: MemberState
      readonly before: MemberState
    }
  /** Others thought this node suspect, dead or still its last run. */
  | { readonly kind: 'refuted'; readonly said: MemberState; readonly incarnation: number }
  /** Two rings of one epoch: an operator has to look (I9). */
  | { readonly kind: 'ring-disputed'; readonly by: NodeId; readonly theirs: RingStamp }
  /** What a peer sent for its ring is not what it had announced, or not newer than ours. */
  | { readonly kind: 'ring-refused'; readonly from: NodeId; readonly reason: string }
