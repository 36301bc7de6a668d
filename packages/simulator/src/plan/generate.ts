import type { Consistency } from '@shoal/coordinator'
import { drawFor } from './draw.ts'
import { drawFaultsOf } from './draw-faults.ts'
import { drawOperations, nameOfKey } from './draw-operations.ts'
import { SEAMS } from './injections.ts'
import type { FaultEvent, FaultKind, LivenessPlan, OperationPlan, Plan } from './plan.ts'
import { drawProfile, type Profile } from './profile.ts'

export interface GenerateOptions {
  /** Virtual milliseconds of workload. */
  readonly duration: number
  /** Operations for each virtual second. Absent: the seed decides, about 100 on average. */
  readonly rate?: number
}

/** The plan of a seed: the same on every machine and in every run. */
export function generatePlan(seed: number, options: GenerateOptions): Plan {
  const profile = drawProfile(seed)
  const duration = Math.round(options.duration)
  const rate = options.rate ?? drawFor(seed, 'rate').pick([40, 80, 100, 150])
  const liveness = drawLiveness(seed, profile, duration)
  const operations = drawOperations(seed, profile, { duration, rate })
  if (liveness) operations.push(...drawProbes(seed, profile, { liveness, duration }))
  return {
    format: 1,
    seed,
    duration,
    cluster: profile.cluster,
    buckets: profile.buckets.map(({ name, properties }) => ({ name, properties })),
    injections: drawInjections(seed, liveness !== undefined),
    faults: drawFaults(seed, profile, { liveness, duration }),
    operations: operations.sort((one, other) => one.at - other.at),
    ...(liveness ? { liveness } : {}),
  }
}

const LIVENESS_SHARE = 0.3
/** After that long all nodes have noticed who is there and who is not. */
export const LIVENESS_SETTLE = 15_000

function drawLiveness(seed: number, profile: Profile, duration: number): LivenessPlan | undefined {
  const draw = drawFor(seed, 'liveness')
  const { nodes, replicas } = profile.cluster
  const n = Math.min(replicas, ...profile.buckets.map(({ properties }) => properties.n ?? replicas))
  const most = n - (Math.floor(n / 2) + 1)
  const from = Math.floor(duration * (0.4 + 0.2 * draw.fraction()))
  if (most < 1 || duration - from < 2 * LIVENESS_SETTLE || !draw.chance(LIVENESS_SHARE)) {
    return undefined
  }
  const broken = Array.from({ length: nodes }, (_none, node) => node)
  const count = draw.between(1, most)
  while (broken.length > count) broken.splice(draw.between(0, broken.length - 1), 1)
  return { from, broken }
}

/** In a run that must stay able nothing may refuse at random, and no copy may be damaged. */
function drawFaults(
  seed: number,
  profile: Profile,
  { liveness, duration }: { liveness: LivenessPlan | undefined; duration: number },
): FaultEvent[] {
  const { nodes } = profile.cluster
  const everyone = Array.from({ length: nodes }, (_none, node) => node)
  const kinds = Object.entries(profile.faults) as [FaultKind, number][]
  const damage = liveness === undefined
  const early = { nodes, from: 0, until: liveness?.from ?? duration, victims: everyone, damage }
  const faults = kinds.flatMap(([kind, rate]) =>
    drawFaultsOf(seed, kind, { rate, label: 'f', room: early }),
  )
  if (liveness) {
    const victims = liveness.broken
    const late = { nodes, from: liveness.from + 1, until: duration, victims, damage }
    for (const [kind, rate] of kinds) {
      faults.push(...drawFaultsOf(seed, kind, { rate: 3 * rate, label: 'l', room: late }))
    }
  }
  return faults.sort((one, other) => one.at - other.at)
}

/** Ordinary requests to healthy nodes, by clients that try as often as there are nodes. */
function drawProbes(
  seed: number,
  { cluster, buckets }: Profile,
  { liveness, duration }: { liveness: LivenessPlan; duration: number },
): OperationPlan[] {
  const probes: OperationPlan[] = []
  const begin = liveness.from + LIVENESS_SETTLE
  for (let index = 0, at = begin; at < duration; index++, at += PROBE_EVERY) {
    const draw = drawFor(seed, 'probe', index)
    const bucket = draw.pick(buckets)
    const consistency: Consistency = { level: 'quorum', strict: draw.chance(0.7) }
    probes.push({
      id: `l${index}`,
      at,
      client: 1_000 + (index % 4),
      node: draw.between(0, cluster.nodes - 1),
      bucket: bucket.name,
      key: nameOfKey(draw.between(0, bucket.keys - 1)),
      ...(draw.chance(0.5)
        ? { kind: 'get', context: 'none' }
        : { kind: 'put', context: 'read', bytes: 32 }),
      consistency,
      session: draw.chance(0.3),
      retries: cluster.nodes + 3,
      hops: true,
      timeout: 2_000,
    })
  }
  return probes
}

const PROBE_EVERY = 500

/** Whether this operation must succeed where the plan has a healthy majority (I14). */
export const isProbe = ({ id }: OperationPlan): boolean => id.startsWith('l')

const INJECTION_SHARE = 0.25

/** A quarter of the seams, each at its own rate. */
function drawInjections(seed: number, mustLive: boolean): Record<string, number> {
  const injections: Record<string, number> = {}
  SEAMS.forEach(({ label, refuses, most }, index) => {
    const draw = drawFor(seed, 'injection', index)
    const rate = Math.min(most ?? 1, draw.between(1, 25) / 100)
    if (draw.chance(INJECTION_SHARE) && !(refuses && mustLive)) injections[label] = rate
  })
  return injections
}
