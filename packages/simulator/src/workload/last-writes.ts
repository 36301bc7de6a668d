import type { OperationPlan, Plan } from '../plan/plan.ts'
import { keysOf } from './last-reads.ts'

const CLIENT = 3_000
const TIMEOUT = 10_000
const BYTES = 24

/**
 * Writes to some keys of the plan while a node is gone. What becomes of each does not matter: a
 * bucket may refuse them.
 *
 * @param pace  milliseconds between two of them
 */
export function lastWrites(
  plan: Plan,
  { count, pace, label }: { count: number; pace: number; label: string },
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
      node: index % nodes,
      kind: 'put',
      bucket,
      key,
      bytes: BYTES,
      consistency: { level: 'quorum', strict: false },
      context: 'none',
      session: false,
      retries: nodes,
      hops: true,
      timeout: TIMEOUT,
    }))
}
