import { type FieldError, ShoalError } from '@shoal/kernel'
import type { BucketProperties, Consistency, EffectiveConsistency } from '../requests.ts'

/**
 * What a request asks for, in numbers (Q1).
 *
 * @param n  effective N: the bucket's, or the number of nodes where there are fewer
 * @param durability  the node's setting, used where neither request nor bucket says anything
 * @throws SHOAL_CONSISTENCY_INVALID when r or w lie outside 1 to N, or durable above w
 */
export function resolveConsistency(
  asked: Consistency | undefined,
  bucket: BucketProperties,
  n: number,
  durability: 'fsync' | 'memory',
): EffectiveConsistency {
  const { level, strict, durable: askedDurable, r: askedR, w: askedW } = asked ?? bucket.consistency
  const replicas = level === 'one' ? 1 : level === 'all' ? n : Math.floor(n / 2) + 1
  const r = askedR ?? replicas
  const w = askedW ?? replicas
  const onDisk = (bucket.durability ?? durability) === 'fsync'
  const durable = askedDurable ?? (onDisk ? w : 0)
  checkRange('r', r, n)
  checkRange('w', w, n)
  if (durable > w) {
    throw invalid(`durable=${durable} asks for more than the w=${w} acknowledgements`, {
      field: 'Consistency',
      message: `durable lies in 0 to w, and w is ${w}`,
    })
  }
  return { level, n, r, w, durable, strict }
}

function checkRange(name: 'r' | 'w', value: number, n: number): void {
  if (value >= 1 && value <= n) return
  throw invalid(`${name}=${value} does not lie in 1 to N, and N is ${n} for this bucket`, {
    field: 'Consistency',
    message: `${name} lies in 1 to ${n}`,
  })
}

function invalid(message: string, error: FieldError): ShoalError {
  return new ShoalError('SHOAL_CONSISTENCY_INVALID', message, { errors: [error] })
}
