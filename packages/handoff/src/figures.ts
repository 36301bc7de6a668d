import type { Millis, NodeId } from '@shoal/kernel'
import type { HintLog } from './hint-log.ts'

/** What one node owes, in the members of `/v1/hints`. */
export interface HintFigures {
  readonly total: number
  /** Of the rows owed. */
  readonly bytes: number
  /** Age of the oldest hint; 0 when there is none. */
  readonly oldestMs: number
  readonly targets: readonly HintTargetFigures[]
}

export interface HintTargetFigures {
  readonly node: NodeId
  readonly count: number
  readonly bytes: number
  readonly oldestMs: number
  /** Partitions that anti-entropy has to repair, because hints were too many or too old (H2). */
  readonly dirtyPartitions: number
}

/** @param now  by the wall clock */
export function figuresOf(log: HintLog, now: Millis): HintFigures {
  const nodes = new Set([...log.targets.keys(), ...log.marks.nodes()])
  const targets = [...nodes]
    .map((node) => figuresOfTarget(log, node, now))
    .filter(({ count, dirtyPartitions }) => count > 0 || dirtyPartitions > 0)
  return {
    total: log.count,
    bytes: targets.reduce((sum, { bytes }) => sum + bytes, 0),
    oldestMs: targets.reduce((oldest, { oldestMs }) => Math.max(oldest, oldestMs), 0),
    targets,
  }
}

function figuresOfTarget(log: HintLog, node: NodeId, now: Millis): HintTargetFigures {
  const { count = 0, bytes = 0, oldest = now } = log.targets.get(node) ?? {}
  return {
    node,
    count,
    bytes,
    oldestMs: Math.max(0, Math.round(now - oldest)),
    dirtyPartitions: log.marks.count(node),
  }
}
