import type { Millis, NodeId } from '@shoal/kernel'
import type { MemberState } from '@shoal/wire'

/**
 * Who is thought to live, for those who choose replicas. It says where to send; it never says who
 * holds what, and being wrong costs time and never safety.
 */
export interface Liveness {
  /**
   * Whether to turn to this node first: it is alive, and this node hears it. Always true of the
   * node itself, false of one that is no member. Costs one look-up.
   */
  isUsable(node: NodeId): boolean
  /** `suspect` also where only this node does not hear it. Undefined: no member. */
  state(node: NodeId): MemberState | undefined
  view(node: NodeId): NodeView | undefined
  /** All members but this node. */
  views(): readonly NodeView[]
  /** Called on each change of `state`. Who is no member any more just is not known any more. */
  onChange(listener: (node: NodeView, before: MemberState) => void): void
}

export interface NodeView {
  readonly node: NodeId
  readonly state: MemberState
  /** Since when it is in this state, on this node's elapsed clock. */
  readonly since: Millis
  /** What the cluster says; `state` may be worse, where this node does not hear it. */
  readonly declared: MemberState
  /** Higher each time it contradicts a rumour or starts anew. 0: nobody has heard from it yet. */
  readonly incarnation: number
  /** Another number for each start of its process. 0: as above. */
  readonly run: number
  readonly channelUp: boolean
}
