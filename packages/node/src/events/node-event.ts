import type { NodeId } from '@shoal/kernel'

/** What events are about. A client of `/v1/events` chooses among these. */
export const topics = ['membership', 'hints', 'repairs', 'overload', 'lost-writes'] as const
export type Topic = (typeof topics)[number]

type Detail = string | number | boolean | null | readonly number[]

/** Something that happened on a node and is nobody's request, told for people and programs. */
export interface EventText {
  readonly topic: Topic
  /** Which of the things that happen to its topic. */
  readonly kind: string
  /** `warn`: somebody should know of it. */
  readonly level: 'info' | 'warn'
  /** One sentence. */
  readonly message: string
  readonly details: Readonly<Record<string, Detail>>
}

export interface NodeEvent extends EventText {
  /** Of this node: `run-number`, where each start of the process has a run of its own. */
  readonly id: string
  /** By the clock of the node. */
  readonly time: string
  readonly node: NodeId
}
