import { type Draw, drawFor } from './draw.ts'
import type { BucketPlan, ClusterPlan, FaultKind } from './plan.ts'

/**
 * What a seed is about. Where everything happens all the time nothing happens for long: a run that
 * draws which faults and which habits of clients exist in it at all reaches states that an even
 * mixture never does (swarm testing).
 */
export interface Profile {
  readonly cluster: ClusterPlan
  readonly buckets: readonly BucketProfile[]
  /** Per 300 s. A kind that is absent does not happen. */
  readonly faults: Readonly<Partial<Record<FaultKind, number>>>
  readonly workload: WorkloadProfile
}

export interface BucketProfile extends BucketPlan {
  readonly keys: number
  /** 1: every key is as likely; more: the first keys are the hot ones. */
  readonly skew: number
}

/** A habit of clients: what one slot of the workload is. */
export type Habit =
  | 'get'
  | 'blind-put'
  | 'update'
  | 'put-as-seen'
  | 'put-stale'
  | 'put-foreign'
  | 'put-corrupt'
  | 'put-conditionally'
  | 'delete'
  | 'list'
  | 'batch'
  | 'recreate'
  | 'newcomer'
  | 'together'
  | 'repeat'
  | 'large'

export interface WorkloadProfile {
  readonly clients: number
  /** Share of clients that carry a session. */
  readonly sessions: number
  /** Share of operations that go to another node than the client's own. */
  readonly roaming: number
  readonly strict: number
  /** Share of operations that name levels, and share of those that name numbers. */
  readonly levels: number
  readonly numbers: number
  readonly undurable: number
  readonly retries: number
  /** Share of attempts whose answer is lost. */
  readonly lostReplies: number
  readonly ttl: number
  readonly hurried: number
  /** All requests of so many milliseconds come at once. */
  readonly burst: number
  readonly habits: readonly (readonly [Habit, number])[]
}

export function drawProfile(seed: number): Profile {
  const cluster = drawCluster(drawFor(seed, 'cluster'))
  const count = drawFor(seed, 'buckets').weighted([
    [1, 3],
    [2, 4],
    [3, 2],
    [4, 1],
  ])
  return {
    cluster,
    buckets: Array.from({ length: count }, (_none, index) =>
      drawBucket(drawFor(seed, 'bucket', index), index, cluster.replicas),
    ),
    faults: drawFaultRates(drawFor(seed, 'fault rates')),
    workload: drawWorkload(drawFor(seed, 'workload')),
  }
}

function drawCluster(draw: Draw): ClusterPlan {
  const nodes = draw.weighted([
    [3, 3],
    [4, 2],
    [5, 5],
    [6, 1],
    [7, 1],
  ])
  const replicas = draw.weighted([
    [3, 7],
    [5, 2],
    [2, 1],
    [4, 1],
    [1, 0.3],
    [7, 0.5],
  ])
  const linkDelayMin = draw.pick([0.1, 0.3, 1, 5])
  return {
    nodes,
    partitions: draw.pick([8, 8, 16, 32, 64]),
    replicas: Math.min(replicas, nodes),
    versionCacheBytes: draw.pick([4_096, 65_536, 1_048_576]),
    readLatency: draw.pick([0, 0.2, 1, 4]),
    syncLatency: draw.pick([0.5, 2, 8, 20]),
    linkDelayMin,
    linkDelayMax: linkDelayMin * draw.pick([2, 5, 20]),
    ...(draw.chance(HANDOFF_SHARE) ? {} : { handoff: false }),
    ...(draw.chance(READ_REPAIR_SHARE) ? {} : { readRepair: false }),
  }
}

/** Hints are an optimisation: all must hold without them (H3). */
const HANDOFF_SHARE = 0.8
/** And so is read repair: anti-entropy alone makes copies equal. */
const READ_REPAIR_SHARE = 0.8

function drawBucket(draw: Draw, index: number, replicas: number): BucketProfile {
  const properties: Mutable<BucketPlan['properties']> = {}
  if (draw.chance(0.2)) properties.n = draw.between(1, replicas)
  if (draw.chance(0.3)) properties.conflicts = 'lww'
  properties.blindWrites = draw.weighted([
    ['overwrite', 5],
    ['sibling', 3],
    ['reject', 1],
  ])
  if (draw.chance(0.2)) properties.ttl = draw.between(1, 30)
  if (draw.chance(0.3)) properties.maxSiblings = draw.between(2, 6)
  if (draw.chance(0.3)) properties.durability = draw.pick(['memory', 'memory', 'fsync'])
  if (draw.chance(0.3)) {
    const level = draw.pick(['one', 'quorum', 'all'] as const)
    properties.consistency = { level, strict: draw.chance(0.3) }
  }
  return {
    name: index === 0 ? 'things' : `things-${index}`,
    properties,
    keys: draw.spread(1, 150),
    skew: draw.pick([1, 2, 4]),
  }
}

type Mutable<T> = { -readonly [Name in keyof T]: T[Name] }

/** Least and most per 300 s, and in which share of the seeds it happens at all. */
const FAULT_RANGES: readonly (readonly [FaultKind, number, number, number])[] = [
  ['crash', 10, 40, 0.85],
  ['stop', 3, 12, 0.5],
  ['pause', 4, 20, 0.6],
  ['slow', 3, 12, 0.5],
  ['wipe', 2, 6, 0.15],
  ['rollback', 2, 6, 0.15],
  ['link', 4, 20, 0.6],
  ['partition', 6, 20, 0.75],
  ['sever', 10, 60, 0.6],
  ['clog', 22, 60, 0.8],
  ['disk', 4, 60, 0.75],
  ['clock', 6, 20, 0.8],
]

/** Where nothing goes wrong, everything must go well: such runs have the strictest checks. */
const CALM_SHARE = 0.05

function drawFaultRates(draw: Draw): Partial<Record<FaultKind, number>> {
  const rates: Partial<Record<FaultKind, number>> = {}
  const calm = draw.chance(CALM_SHARE)
  for (const [kind, least, most, share] of FAULT_RANGES) {
    const rate = draw.spread(least, most)
    if (draw.chance(share) && !calm) rates[kind] = rate
  }
  return rates
}

function drawWorkload(draw: Draw): WorkloadProfile {
  const share = (probability: number, most: number): number => {
    const drawn = draw.fraction() * most
    return draw.chance(probability) ? drawn : 0
  }
  return {
    clients: draw.between(2, 16),
    sessions: share(0.6, 0.8),
    roaming: share(0.8, 1),
    strict: share(0.7, 0.8),
    levels: share(0.7, 0.8),
    numbers: share(0.5, 0.5),
    undurable: share(0.3, 0.4),
    retries: share(0.8, 0.6),
    lostReplies: share(0.5, 0.2),
    ttl: share(0.3, 0.2),
    hurried: share(0.3, 0.1),
    burst: draw.chance(0.3) ? draw.pick([20, 100, 500]) : 0,
    habits: drawHabits(draw),
  }
}

/** Usual weight and in which share of the seeds the habit exists. */
const HABIT_WEIGHTS: readonly (readonly [Habit, number, number])[] = [
  ['blind-put', 20, 0.8],
  ['update', 20, 0.8],
  ['put-as-seen', 15, 0.7],
  ['put-stale', 4, 0.6],
  ['put-foreign', 1, 0.5],
  ['put-corrupt', 1, 0.5],
  ['put-conditionally', 4, 0.5],
  ['delete', 8, 0.7],
  ['list', 1.5, 0.5],
  ['batch', 3, 0.5],
  ['recreate', 5, 0.5],
  ['newcomer', 1, 0.5],
  ['together', 3, 0.5],
  ['repeat', 5, 0.6],
  ['large', 0.5, 0.4],
]

function drawHabits(draw: Draw): [Habit, number][] {
  const habits: [Habit, number][] = [['get', draw.pick([10, 30, 60])]]
  for (const [habit, weight, share] of HABIT_WEIGHTS) {
    const drawn = weight * draw.pick([0.5, 1, 2])
    if (draw.chance(share)) habits.push([habit, drawn])
  }
  // A run in which nothing is ever written shows nothing.
  if (!habits.some(([habit]) => habit === 'blind-put' || habit === 'update')) {
    habits.push(['update', 20])
  }
  return habits
}
