import type { AntiEntropyEvent } from '@shoal/antientropy'
import type { HandoffEvent } from '@shoal/handoff'
import type { MembershipEvent } from '@shoal/membership'

/** What happens in a node that is nobody's request: for logs, metrics and `/v1/events`. */
export type EngineEvent =
  | { readonly source: 'membership'; readonly event: MembershipEvent }
  | { readonly source: 'handoff'; readonly event: HandoffEvent }
  | { readonly source: 'antientropy'; readonly event: AntiEntropyEvent }
