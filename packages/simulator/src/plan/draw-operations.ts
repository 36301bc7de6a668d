import type { Consistency } from '@shoal/coordinator'
import { limits } from '@shoal/kernel'
import { type Draw, drawFor } from './draw.ts'
import type { ContextChoice, OperationPlan } from './plan.ts'
import type { BucketProfile, Habit, Profile, WorkloadProfile } from './profile.ts'

/** What the operations of one slot have in common, and the chance to draw the rest from. */
interface Slot {
  readonly draw: Draw
  readonly profile: Profile
  readonly id: string
  readonly at: number
  readonly client: number
  readonly session: boolean
  readonly bucket: BucketProfile
  readonly key: string
}

type Mutable<T> = { -readonly [Name in keyof T]: T[Name] }
type Operation = Mutable<OperationPlan>

/**
 * The workload: slots spread evenly over the run, each one habit of one client.
 *
 * @param rate  operations for each virtual second, on average
 */
export function drawOperations(
  seed: number,
  profile: Profile,
  { duration, rate }: { duration: number; rate: number },
): OperationPlan[] {
  const { habits } = profile.workload
  const perSlot =
    habits.reduce((sum, [habit, weight]) => sum + weight * operationsOf[habit], 0) /
    habits.reduce((sum, [, weight]) => sum + weight, 0)
  const slots = Math.max(1, Math.round(((duration / 1_000) * rate) / perSlot))
  const operations: OperationPlan[] = []
  for (let index = 0; index < slots; index++) {
    const draw = drawFor(seed, 'operation', index)
    const slot = drawSlot(seed, profile, draw, {
      index,
      at: ((index + draw.fraction()) * duration) / slots,
    })
    operations.push(...draws[draw.weighted(habits)](slot))
  }
  return operations.sort((one, other) => one.at - other.at)
}

function drawSlot(
  seed: number,
  profile: Profile,
  draw: Draw,
  { index, at }: { index: number; at: number },
): Slot {
  const { buckets, workload } = profile
  const client = draw.between(0, workload.clients - 1)
  const bucket = draw.pick(buckets)
  const step = Math.max(1, workload.burst)
  return {
    draw,
    profile,
    id: `o${index}`,
    at: Math.floor(at / step) * step,
    client,
    session: drawFor(seed, 'session', client).chance(workload.sessions),
    bucket,
    key: drawKey(draw, bucket),
  }
}

function drawKey(draw: Draw, { keys, skew }: BucketProfile): string {
  return nameOfKey(Math.floor(keys * draw.fraction() ** skew))
}

/** Some keys are spelt unlike the others, so that order and encoding are met as well. */
export function nameOfKey(index: number): string {
  if (index % 17 === 3) return `kü/${index}\u{1f41f}`
  if (index % 29 === 5) return `k${index}`.padEnd(limits.keyBytesMax, '.')
  return `k${index}`
}

/** How many operations a slot of this habit is, on average. */
const operationsOf: Readonly<Record<Habit, number>> = {
  get: 1,
  'blind-put': 1,
  update: 2,
  'put-as-seen': 1,
  'put-stale': 1,
  'put-foreign': 1,
  'put-corrupt': 1,
  'put-conditionally': 1,
  delete: 1,
  list: 1,
  batch: 7,
  recreate: 9,
  newcomer: 3.5,
  together: 4,
  repeat: 1,
  large: 1,
}

const draws: Readonly<Record<Habit, (slot: Slot) => OperationPlan[]>> = {
  get: (slot) => [get(slot)],
  'blind-put': (slot) => [put(slot, 'none')],
  update: (slot) => [put(slot, 'read')],
  'put-as-seen': (slot) => [put(slot, 'latest')],
  'put-stale': (slot) => [put(slot, 'stale')],
  'put-foreign': (slot) => [put(slot, 'foreign')],
  'put-corrupt': (slot) => [put(slot, 'corrupt')],
  'put-conditionally': (slot) => {
    const condition = slot.draw.pick(['absent', 'present', 'unchanged'] as const)
    return [{ ...put(slot, slot.draw.pick(['none', 'latest'])), condition }]
  },
  delete: (slot) => [remove(slot, slot.draw.pick(['none', 'read', 'read', 'latest', 'stale']))],
  list: (slot) => [list(slot)],
  batch,
  recreate,
  newcomer,
  together,
  repeat: (slot) => [repeat(slot)],
  large: (slot) => [{ ...put(slot, 'read'), bytes: slot.draw.spread(1_000, 60_000) }],
}

function get(slot: Slot): Operation {
  return { ...base(slot), kind: 'get', context: 'none' }
}

function put(slot: Slot, context: ContextChoice): Operation {
  const { draw, profile } = slot
  const operation: Operation = {
    ...base(slot),
    kind: 'put',
    bytes: draw.spread(24, 300),
    context,
  }
  if (draw.chance(profile.workload.ttl)) operation.ttl = draw.between(1, 20)
  return operation
}

function remove(slot: Slot, context: ContextChoice): Operation {
  return { ...base(slot), kind: 'delete', context }
}

function list(slot: Slot): Operation {
  const { draw } = slot
  return {
    ...base(slot),
    kind: 'list',
    key: draw.pick(['', '', 'k', 'k1', 'kü']),
    context: 'none',
    session: false,
    limit: draw.spread(1, 100),
  }
}

/** As the HTTP layer runs one: all at once, each by itself. Some meet on one key. */
function batch(slot: Slot): OperationPlan[] {
  const { draw, bucket } = slot
  const count = draw.between(2, 12)
  const sameKey = draw.chance(0.3)
  return Array.from({ length: count }, (_none, index) => {
    const key = sameKey ? slot.key : drawKey(draw, bucket)
    const item = { ...slot, id: `${slot.id}.${index}`, key, session: false }
    if (draw.chance(0.4)) return get(item)
    return draw.chance(0.15) ? remove(item, 'latest') : put(item, draw.pick(['none', 'latest']))
  })
}

/** Deletes and writes one key over and over, through any node, with a look in between. */
function recreate(slot: Slot): OperationPlan[] {
  const { draw } = slot
  const rounds = draw.between(2, 5)
  const pace = draw.spread(1, 400)
  const bound = draw.chance(0.5) ? 'read' : 'latest'
  return Array.from({ length: 3 * rounds }, (_none, index) => {
    const item = { ...slot, id: `${slot.id}.${index}`, at: slot.at + index * pace }
    if (index % 3 === 0) return put(item, draw.pick(['none', bound]))
    return index % 3 === 1 ? remove(item, bound) : get(item)
  })
}

/** Writes a key that never was, and looks for it at once through other nodes of its choice. */
function newcomer(slot: Slot): OperationPlan[] {
  const { draw, profile } = slot
  const consistency: Consistency = { level: 'one', strict: false }
  return Array.from({ length: 1 + draw.between(2, 3) }, (_none, index) => {
    const item = { ...slot, id: `${slot.id}.${index}`, key: `n${slot.id}`, session: true }
    const operation = index === 0 ? put(item, 'none') : get(item)
    return { ...operation, node: draw.between(0, profile.cluster.nodes - 1), consistency }
  })
}

/** Several clients write one key at one moment through several nodes: siblings. */
function together(slot: Slot): OperationPlan[] {
  const { draw, profile } = slot
  return Array.from({ length: draw.between(2, 6) }, (_none, index) => ({
    ...put({ ...slot, id: `${slot.id}.${index}` }, draw.pick(['none', 'latest', 'stale'])),
    client: draw.between(0, profile.workload.clients - 1),
    node: draw.between(0, profile.cluster.nodes - 1),
    session: false,
  }))
}

/** A write whose first answer is lost, so that the same request comes twice. */
function repeat(slot: Slot): OperationPlan {
  const { draw } = slot
  const operation = put(slot, draw.pick(['none', 'read', 'latest']))
  operation.loseReply = 0
  operation.retries = Math.max(operation.retries, 1)
  if (draw.chance(0.4)) operation.hops = true
  return operation
}

function base(slot: Slot): Omit<Operation, 'kind' | 'context'> {
  const { draw, profile, client, bucket } = slot
  const { workload, cluster } = profile
  const operation: Omit<Operation, 'kind' | 'context'> = {
    id: slot.id,
    at: Math.floor(slot.at),
    client,
    node: draw.chance(workload.roaming)
      ? draw.between(0, cluster.nodes - 1)
      : client % cluster.nodes,
    bucket: bucket.name,
    key: slot.key,
    session: slot.session,
    retries: draw.chance(workload.retries) ? draw.between(1, 3) : 0,
    timeout: drawTimeout(draw, workload),
  }
  const consistency = drawConsistency(draw, slot)
  if (consistency) operation.consistency = consistency
  if (operation.retries > 0 && draw.chance(0.5)) operation.hops = true
  if (draw.chance(workload.lostReplies)) operation.loseReply = draw.between(0, operation.retries)
  return operation
}

function drawTimeout(draw: Draw, { hurried }: WorkloadProfile): number {
  if (draw.chance(hurried)) return draw.spread(1, 300)
  return draw.weighted([
    [2_000, 4],
    [5_000, 4],
    [10_000, 1],
  ])
}

function drawConsistency(draw: Draw, { profile, bucket }: Slot): Consistency | undefined {
  const { workload, cluster } = profile
  const strict = draw.chance(workload.strict)
  if (!draw.chance(workload.levels)) return strict ? { level: 'quorum', strict } : undefined
  const level = draw.weighted([
    ['quorum', 5],
    ['one', 4],
    ['all', 1],
  ] as const)
  const n = Math.min(bucket.properties.n ?? cluster.replicas, cluster.nodes)
  // Now and then one too many, which is refused.
  const most = draw.chance(0.02) ? n + 1 : n
  return {
    level,
    strict,
    ...(draw.chance(workload.numbers) ? { r: draw.between(1, most) } : {}),
    ...(draw.chance(workload.numbers) ? { w: draw.between(1, most) } : {}),
    ...(draw.chance(workload.undurable) ? { durable: draw.pick([0, 0, 1]) } : {}),
  }
}
