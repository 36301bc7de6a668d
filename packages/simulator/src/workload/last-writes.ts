import type { OperationPlan, Plan } from '../plan/plan.ts'
import { keysOf } from './last-reads.ts'

const CLIENT = 3_000
const TIMEOUT = 10_000
const BYTES = 24

export interface LastWrites {
  readonly count: number
  /** Milliseconds between two of them. */
  readonly pace: number
  readonly label: string
  /** The only node that is asked. Absent: one after the other, and others if that fails. */
  readonly through?: number
}

/**
 * Writes to some keys of the plan while a node is gone. What becomes of each does not matter: a
 * bucket may refuse them.
 */
export function lastWrites(
  plan: Plan,
  { count, pace, label, through }: LastWrites,
): OperationPlan[] {
  const { nodes } = plan.cluster
  const keys = keysOf(plan)
  const stride = Math.max(1, Math.floor(keys.length / count))
  return keys
    .filter((_key, index) => index % stride === 0)
    .slice(0, count)
    .map(({ bucket, key }, index) => ({
      id: `${label}${index}`,
      at: index * pace,
      client: CLIENT + index,
      node: through ?? index % nodes,
      kind: 'put',
      bucket,
      key,
      bytes: BYTES,
      consistency: { level: 'quorum', strict: false },
      context: 'none',
      session: false,
      ...(through === undefined ? { retries: nodes, hops: true } : { retries: 0 }),
      timeout: TIMEOUT,
    }))
}
