import type { FaultEvent, OperationPlan, Plan } from './plan.ts'

/**
 * One way to make a plan simpler, at its `index`th place: the simpler plan, `same` when there is
 * nothing to simplify at this place, `done` when there is no such place.
 */
export type Simplify = (plan: Plan, index: number) => Plan | 'same' | 'done'

/** Cheap and large ones first. None of them applies for ever. */
export const simplifications: readonly Simplify[] = [
  withoutLiveness,
  withoutIdleTime,
  withoutWait,
  withFewerNodes,
  withoutBucket,
  withoutBucketProperty,
  withPlainCluster,
  everyOperation(({ consistency, ...rest }) => (consistency ? rest : undefined)),
  everyOperation((operation) => change(operation, 'retries', 0)),
  everyOperation((operation) => change(operation, 'session', false)),
  everyOperation(({ hops, ...rest }) => (hops === undefined ? undefined : rest)),
  everyOperation(({ loseReply, ...rest }) => (loseReply === undefined ? undefined : rest)),
  everyOperation(({ condition, ...rest }) => (condition === undefined ? undefined : rest)),
  everyOperation(({ ttl, ...rest }) => (ttl === undefined ? undefined : rest)),
  everyOperation((operation) => change(operation, 'context', 'none')),
  everyOperation((operation) =>
    operation.bytes === undefined ? undefined : change(operation, 'bytes', 24),
  ),
  everyFault(shorter),
]

function withoutLiveness(plan: Plan, index: number): Plan | 'same' | 'done' {
  const { liveness, ...rest } = plan
  if (index > 0 || liveness === undefined) return 'done'
  return rest
}

/** Shortens the run behind the last item. */
function withoutIdleTime(plan: Plan, index: number): Plan | 'same' | 'done' {
  if (index > 0) return 'done'
  const ends = [...plan.operations, ...plan.faults].map(({ at }) => at)
  const duration = Math.max(1, ...ends) + 1
  return duration < plan.duration ? { ...plan, duration } : 'done'
}

/** Begins with the first item. */
function withoutWait(plan: Plan, index: number): Plan | 'same' | 'done' {
  const wait = Math.min(...[...plan.operations, ...plan.faults].map(({ at }) => at))
  if (index > 0 || wait === 0 || !Number.isFinite(wait)) return 'done'
  const earlier = <T extends { at: number }>(each: T): T => ({ ...each, at: each.at - wait })
  return {
    ...plan,
    duration: plan.duration - wait,
    operations: plan.operations.map(earlier),
    faults: plan.faults.map(earlier),
  }
}

const NODES_MIN = 1

/** Takes the last node away, with everything that names it. */
function withFewerNodes(plan: Plan, index: number): Plan | 'same' | 'done' {
  const nodes = plan.cluster.nodes - 1
  if (index > 0 || nodes < NODES_MIN) return 'done'
  const replicas = Math.min(plan.cluster.replicas, nodes)
  return {
    ...plan,
    cluster: { ...plan.cluster, nodes, replicas },
    operations: plan.operations.map((each) => ({ ...each, node: Math.min(each.node, nodes - 1) })),
    faults: plan.faults.filter((fault) => nodesOf(fault).every((node) => node < nodes)),
  }
}

/** The nodes that a fault names. */
export function nodesOf(fault: FaultEvent): number[] {
  switch (fault.kind) {
    case 'link':
    case 'clog':
      return [fault.from, fault.to].filter((node) => node !== 'all')
    case 'sever':
      return [fault.one, fault.other]
    case 'partition':
      return [...fault.side, ...(fault.bridge === undefined ? [] : [fault.bridge])]
    default:
      return [fault.node]
  }
}

function withoutBucket(plan: Plan, index: number): Plan | 'same' | 'done' {
  const bucket = plan.buckets[index]
  if (!bucket) return 'done'
  if (plan.operations.some((operation) => operation.bucket === bucket.name)) return 'same'
  return { ...plan, buckets: plan.buckets.filter((each) => each !== bucket) }
}

function withoutBucketProperty(plan: Plan, index: number): Plan | 'same' | 'done' {
  const places = plan.buckets.flatMap(({ name, properties }) =>
    Object.keys(properties).map((property) => ({ name, property })),
  )
  const place = places[index]
  if (!place) return 'done'
  const buckets = plan.buckets.map((bucket) => {
    if (bucket.name !== place.name) return bucket
    const left = Object.entries(bucket.properties).filter(([name]) => name !== place.property)
    return { ...bucket, properties: Object.fromEntries(left) }
  })
  return { ...plan, buckets }
}

const PLAIN = {
  versionCacheBytes: 1_048_576,
  readLatency: 0,
  syncLatency: 2,
  linkDelayMin: 1,
  linkDelayMax: 2,
  partitions: 8,
} as const

function withPlainCluster(plan: Plan, index: number): Plan | 'same' | 'done' {
  const name = (Object.keys(PLAIN) as (keyof typeof PLAIN)[])[index]
  if (!name) return 'done'
  if (plan.cluster[name] === PLAIN[name]) return 'same'
  return { ...plan, cluster: { ...plan.cluster, [name]: PLAIN[name] } }
}

function change<Name extends keyof OperationPlan>(
  operation: OperationPlan,
  name: Name,
  value: OperationPlan[Name],
): OperationPlan | undefined {
  return operation[name] === value ? undefined : { ...operation, [name]: value }
}

/** In all operations at once, then in one after the other. */
function everyOperation(simpler: (each: OperationPlan) => OperationPlan | undefined): Simplify {
  return (plan, index) => {
    const change = (each: OperationPlan): OperationPlan => simpler(each) ?? each
    if (index > plan.operations.length) return 'done'
    const operations = plan.operations.map((each, at) =>
      index === 0 || at === index - 1 ? change(each) : each,
    )
    const changed = operations.some((each, at) => each !== plan.operations[at])
    return changed ? { ...plan, operations } : 'same'
  }
}

function everyFault(simpler: (each: FaultEvent) => FaultEvent | undefined): Simplify {
  return (plan, index) => {
    const fault = plan.faults[index]
    if (!fault) return 'done'
    const changed = simpler(fault)
    if (!changed) return 'same'
    return { ...plan, faults: plan.faults.map((each) => (each === fault ? changed : each)) }
  }
}

const SHORT_ENOUGH = 100

/** Half as long, in round numbers. */
function shorter(fault: FaultEvent): FaultEvent | undefined {
  const half = (millis: number): number => Math.max(SHORT_ENOUGH, Math.floor(millis / 2))
  if ('downFor' in fault && fault.downFor > SHORT_ENOUGH) {
    return { ...fault, downFor: half(fault.downFor) }
  }
  if ('lasts' in fault && fault.lasts !== undefined && fault.lasts > SHORT_ENOUGH) {
    return { ...fault, lasts: half(fault.lasts) }
  }
  return undefined
}
