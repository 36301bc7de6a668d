import type { BucketProperties, Consistency } from '../requests.ts'

/**
 * Bucket properties as the text stored under the bucket's name. A member that a newer node wrote
 * and we do not know is ignored; one that we cannot read falls back to the cluster's default.
 */
export function formatProperties(properties: BucketProperties): string {
  return JSON.stringify(properties)
}

export function parseProperties(
  text: string,
  defaults: BucketProperties,
): BucketProperties | undefined {
  let stored: unknown
  try {
    stored = JSON.parse(text)
  } catch {
    return undefined
  }
  if (typeof stored !== 'object' || stored === null) return undefined
  const given = stored as Partial<Record<keyof BucketProperties, unknown>>
  const durability = oneOf(given.durability, ['fsync', 'memory'] as const, undefined)
  return {
    n: whole(given.n, defaults.n),
    consistency: consistencyOf(given.consistency) ?? defaults.consistency,
    conflicts: oneOf(given.conflicts, ['siblings', 'lww'] as const, defaults.conflicts),
    blindWrites: oneOf(
      given.blindWrites,
      ['overwrite', 'sibling', 'reject'] as const,
      defaults.blindWrites,
    ),
    ttl: whole(given.ttl, defaults.ttl),
    maxSiblings: whole(given.maxSiblings, defaults.maxSiblings),
    ...(durability ? { durability } : {}),
    mode: 'leaderless',
  }
}

function consistencyOf(value: unknown): Consistency | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { level, r, w, durable, strict } = value as Record<string, unknown>
  const known = oneOf(level, ['one', 'quorum', 'all'] as const, undefined)
  if (!known) return undefined
  return {
    level: known,
    strict: strict === true,
    ...(typeof r === 'number' ? { r } : {}),
    ...(typeof w === 'number' ? { w } : {}),
    ...(typeof durable === 'number' ? { durable } : {}),
  }
}

function oneOf<const T extends string, F>(
  value: unknown,
  allowed: readonly T[],
  fallback: F,
): T | F {
  return allowed.find((each) => each === value) ?? fallback
}

function whole(value: unknown, fallback: number): number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : fallback
}
