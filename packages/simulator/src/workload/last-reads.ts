import type { Consistency } from '@shoal/coordinator'
import type { OperationPlan, Plan } from '../plan/plan.ts'

export type KeyOfPlan = Pick<OperationPlan, 'bucket' | 'key'>

const CLIENT = 2_000
const ALL_TIMEOUT = 10_000
/** Of a read that only one node is asked for. */
const ALONE_TIMEOUT = 1_000

/** Every key that an operation names, once, in the order of their first use. */
export function keysOf(plan: Plan): KeyOfPlan[] {
  const keys = new Map<string, KeyOfPlan>()
  for (const { kind, bucket, key } of plan.operations) {
    if (kind !== 'list') keys.set(`${bucket}\0${key}`, { bucket, key })
  }
  return [...keys.values()]
}

/**
 * Reads that look at every copy of every key, which also repairs what is behind. Whatever a fault
 * left must have ended by now, so each of them has to succeed in a few attempts.
 */
export function readsOfAll(plan: Plan, label: string): OperationPlan[] {
  return readsOf(keysOf(plan), plan, { label, consistency: { level: 'all', strict: true } })
}

/** What a careful client would see of every key. */
export function strictReads(plan: Plan, label: string): OperationPlan[] {
  return readsOf(keysOf(plan), plan, { label, consistency: { level: 'quorum', strict: true } })
}

export interface ReadsOf {
  readonly label: string
  readonly consistency: Consistency
  /** Milliseconds between two of them. */
  readonly pace?: number
  /** The only node that is asked. Absent: one after the other, and others if that fails. */
  readonly through?: number
}

/** One read of each of these keys. */
export function readsOf(
  keys: readonly KeyOfPlan[],
  { cluster: { nodes } }: Plan,
  { label, consistency, pace = PACE, through }: ReadsOf,
): OperationPlan[] {
  return keys.map(({ bucket, key }, index) => ({
    id: `${label}${index}`,
    at: index * pace,
    client: CLIENT + (index % 8),
    node: through ?? index % nodes,
    kind: 'get',
    bucket,
    key,
    consistency,
    context: 'none',
    session: false,
    ...(through === undefined
      ? { retries: 2 * nodes, hops: true, timeout: ALL_TIMEOUT }
      : { retries: 0, timeout: ALONE_TIMEOUT }),
  }))
}

/** Reads of keys through the nodes whose own rows are damaged, which finds and heals them. */
export function readsThrough(
  places: readonly { readonly bucket: string; readonly key: string; readonly node: number }[],
  label: string,
): OperationPlan[] {
  return places.map(({ bucket, key, node }, index) => ({
    id: `${label}${index}`,
    at: index * PACE,
    client: CLIENT + (index % 8),
    node,
    kind: 'get',
    bucket,
    key,
    consistency: { level: 'quorum', strict: false },
    context: 'none',
    session: false,
    retries: 2,
    timeout: ALL_TIMEOUT,
  }))
}

/** Milliseconds between two of them. */
const PACE = 10
