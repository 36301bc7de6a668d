import type { BucketProperties, Consistency, EffectiveConsistency } from '@shoal/coordinator'
import type { SimNode } from '../cluster/sim-cluster.ts'

/**
 * Q1: what a request asked for, in numbers, worked out a second time. Durability where nothing is
 * said is that of the node, which the checks take from the answer.
 *
 * @returns says what is wrong with the answer's own account, or undefined. A bucket's properties
 *          may change while a request is under way
 */
export function expectLevel(
  { buckets }: SimNode,
  { bucket, consistency }: { readonly bucket: string; readonly consistency?: Consistency },
): (answered: EffectiveConsistency) => string | undefined {
  const before = buckets?.of(bucket)
  return (answered) => {
    const wrong = wrongLevel(consistency, before, answered)
    const after = buckets?.of(bucket)
    return wrong && after !== before ? wrongLevel(consistency, after, answered) : wrong
  }
}

function wrongLevel(
  asked: Consistency | undefined,
  bucket: BucketProperties | undefined,
  answered: EffectiveConsistency,
): string | undefined {
  if (!bucket) return undefined
  const { level, r, w, strict, durable } = asked ?? bucket.consistency
  const { n } = answered
  const copies = { one: 1, quorum: majority(n), all: n }[level]
  const wanted = { level, r: r ?? copies, w: w ?? copies, strict }
  const isSame =
    level === answered.level &&
    wanted.r === answered.r &&
    wanted.w === answered.w &&
    strict === answered.strict
  if (!isSame) {
    const got = JSON.stringify(answered)
    return `${JSON.stringify(wanted)} of ${n} copies was answered as ${got}`
  }
  const { durability } = bucket
  const onDisk = durable ?? (durability && (durability === 'fsync' ? wanted.w : 0))
  if (onDisk === undefined || onDisk === answered.durable) return undefined
  return `durable=${onDisk} was answered as durable=${answered.durable}`
}

/** More than half, whatever the half is. */
function majority(n: number): number {
  let count = 0
  while (2 * count <= n) count++
  return count
}

/** Whether a write needs more nodes than the one that takes it. */
export function needsOthers(
  { buckets }: SimNode,
  { bucket, consistency }: { readonly bucket: string; readonly consistency?: Consistency },
): boolean {
  const properties = buckets?.of(bucket)
  const asked = consistency ?? properties?.consistency
  if (!asked || !properties || properties.n < 2) return false
  return (asked.w ?? (asked.level === 'one' ? 1 : 2)) > 1
}
