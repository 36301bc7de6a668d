import type { HandoffEvent } from '@shoal/handoff'

/** What the parts of a node tell of themselves, for logs and people. */
export type EngineEvent = { readonly source: 'handoff'; readonly event: HandoffEvent }
