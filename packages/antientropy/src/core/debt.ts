import { type Millis, millis } from '@shoal/kernel'

/**
 * How far copies may be apart (E6), as one number: every write older than this is known to be on
 * all replicas it belongs to.
 *
 * Counts of keys, segments or bytes do not add up to anything one can act on: a thousand keys that
 * differ since a second are a busy moment, one that differs since yesterday is a fault. Time does.
 */
export interface Debt {
  readonly debt: Millis
  readonly oldestUnverified: Millis
  readonly divergentSegments: number
  readonly hintBytes: number
  readonly oldestHint: Millis
  /** Pairs never compared to the end since a node of theirs started. */
  readonly unverified: number
}

export type DebtParts = Omit<Debt, 'debt'>

export const noDebt: Debt = {
  debt: millis(0),
  oldestUnverified: millis(0),
  divergentSegments: 0,
  hintBytes: 0,
  oldestHint: millis(0),
  unverified: 0,
}

export function debtOf(parts: DebtParts): Debt {
  return { ...parts, debt: millis(Math.max(parts.oldestUnverified, parts.oldestHint)) }
}

/** Of a cluster: the worst of its nodes, and the sum of what adds up. */
export function combineDebts(nodes: readonly Debt[]): Debt {
  return nodes.reduce(
    (all, node) =>
      debtOf({
        oldestUnverified: millis(Math.max(all.oldestUnverified, node.oldestUnverified)),
        divergentSegments: all.divergentSegments + node.divergentSegments,
        hintBytes: all.hintBytes + node.hintBytes,
        oldestHint: millis(Math.max(all.oldestHint, node.oldestHint)),
        unverified: all.unverified + node.unverified,
      }),
    noDebt,
  )
}
