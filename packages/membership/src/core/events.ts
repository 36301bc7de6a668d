import type { NodeId } from '@shoal/kernel'
import type { MemberState, MembershipHeader, MemberUpdate, RingStamp } from '@shoal/wire'

/** A member of the ring, as the detector sees it. */
export interface SwimMember {
  readonly id: NodeId
  readonly zone: string
  readonly host: string
}

interface Heard {
  readonly from: NodeId
  readonly header: MembershipHeader
  readonly updates: readonly MemberUpdate[]
}

/** A question of another node. `question` comes back in the effect that answers it. */
interface Asked extends Heard {
  readonly question: number
}

export type SwimEvent =
  /** The time has come that `wakeAfter` named. */
  | { readonly kind: 'woke' }
  /** The channel to a peer is up, or gone. */
  | { readonly kind: 'channelChanged'; readonly peer: NodeId; readonly up: boolean }
  /** A request on the data channel was refused, lost or not answered in time. */
  | { readonly kind: 'requestFailed'; readonly peer: NodeId }
  | ({ readonly kind: 'pinged' } & Asked)
  | ({
      readonly kind: 'relayAsked'
      readonly target: NodeId
      readonly timeout: number
    } & Asked)
  | ({ readonly kind: 'gossiped'; readonly missing: boolean } & Asked)
  | ({ readonly kind: 'compareAsked'; readonly digest: string } & Asked)
  | ({ readonly kind: 'ponged'; readonly sequence: number; readonly reached: boolean } & Heard)
  /** Somebody answered a probe with something else: it lives, and says nothing. */
  | { readonly kind: 'answeredBadly'; readonly from: NodeId; readonly sequence: number }
  /** A ping or ping request was refused, lost or not answered in time. */
  | { readonly kind: 'unanswered'; readonly from: NodeId; readonly sequence: number }
  /** A gossip of ours arrived. */
  | ({ readonly kind: 'noted' } & Heard)
  | ({ readonly kind: 'compared'; readonly same: boolean; readonly last: boolean } & Heard)
  | { readonly kind: 'compareFailed'; readonly from: NodeId }
  /** The record that `fetchRing` asked for has come, or will not. */
  | { readonly kind: 'ringFetched'; readonly from: NodeId }
  /** This node has another ring. */
  | {
      readonly kind: 'ringChanged'
      readonly ring: RingStamp
      readonly members: readonly SwimMember[]
    }
  /** This node is about to stop. */
  | { readonly kind: 'leaving' }

export type SwimEffect =
  | {
      readonly kind: 'ping'
      readonly to: NodeId
      readonly sequence: number
      readonly timeout: number
      readonly updates: readonly MemberUpdate[]
    }
  | {
      readonly kind: 'askRelay'
      readonly to: NodeId
      readonly target: NodeId
      readonly sequence: number
      readonly timeout: number
      readonly updates: readonly MemberUpdate[]
    }
  | {
      readonly kind: 'gossip'
      readonly to: NodeId
      readonly updates: readonly MemberUpdate[]
      /** What the other turned out not to know in a comparison. */
      readonly missing: boolean
    }
  | {
      readonly kind: 'compare'
      readonly to: NodeId
      readonly digest: string
      readonly timeout: number
    }
  | {
      readonly kind: 'answerPong'
      readonly question: number
      readonly reached: boolean
      readonly updates: readonly MemberUpdate[]
    }
  | {
      readonly kind: 'answerNoted'
      readonly question: number
      readonly updates: readonly MemberUpdate[]
    }
  | { readonly kind: 'answerSame'; readonly question: number }
  /** Never empty. Each part is a message of its own. */
  | {
      readonly kind: 'answerParts'
      readonly question: number
      readonly parts: readonly (readonly MemberUpdate[])[]
    }
  /** What routing is to think of this member. */
  | { readonly kind: 'changed'; readonly node: NodeId; readonly before: MemberState }
  | { readonly kind: 'fetchRing'; readonly from: NodeId; readonly ring: RingStamp }
  /** A peer has another ring of the same epoch: one of the two must never have been (I9). */
  | { readonly kind: 'ringDisputed'; readonly by: NodeId; readonly theirs: RingStamp }
  /** Others thought of this node what it had to contradict. */
  | { readonly kind: 'refuted'; readonly said: MemberState; readonly incarnation: number }
