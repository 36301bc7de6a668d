/**
 * After the loads are right: let every node meet every other about equally often.
 *
 * When a node dies, those it shares sets with carry its reads and send it back its data. Filling
 * holes poorest-first leaves few choices at the end of each round, so some pairs meet twice as
 * often as others (measured: 2.0 times the mean at 50 nodes, 1,024 partitions). Exchanging two
 * members between two sets changes no load. Such exchanges are made while they flatten the pairs
 * that meet too often.
 *
 * Only exchanges that move no further data are made: at founding all, later only among what moves
 * anyway.
 */
import type { Draft } from './draft.ts'

const SWEEPS_MAX = 12
/** Searches without a find in a row, after which what is left is taken as forced by the members. */
const VAIN_MAX = 24
/** Exchanges weighed at most, so that planning time stays bounded whatever the members. */
const TRIALS_MAX = 400_000

interface Exchange {
  readonly partition: number
  readonly node: number
}

export function spreadPairs(draft: Draft): void {
  const { partitions, copies } = draft.shape
  if (copies < 2) return
  const often = meetingsExpected(draft)
  const budget = { trials: TRIALS_MAX }
  let vain = 0
  for (let sweep = 0, changed = true; changed && sweep < SWEEPS_MAX; sweep++) {
    changed = false
    for (let partition = 0; partition < partitions; partition++) {
      for (const node of draft.members(partition)) {
        if (budget.trials <= 0) return
        if (!meetsTooOften(draft, partition, node, often)) continue
        const other = bestExchange(draft, { partition, node }, often, budget)
        vain = other ? 0 : vain + 1
        if (vain > VAIN_MAX) return
        if (!other) continue
        draft.replace({ partition, from: node, to: other.node })
        draft.replace({ partition: other.partition, from: other.node, to: node })
        changed = true
      }
    }
  }
}

/**
 * For each pair, the ceiling of its meetings if every node met those it may meet in proportion to
 * their loads. A node meets its own zone less than others where a zone holds few copies of a set.
 */
function meetingsExpected(draft: Draft): Int32Array {
  const { nodes, load, shape } = draft
  const often = new Int32Array(nodes * nodes)
  const loadOf = (group: readonly number[]): number =>
    group.reduce((sum, node) => sum + (load[node] as number), 0)
  const hostLoads = shape.hosts.map(loadOf)
  const zoneLoads = shape.zones.map((hosts) =>
    hosts.reduce((sum, host) => sum + (hostLoads[host] as number), 0),
  )
  const total = zoneLoads.reduce((sum, zone) => sum + zone, 0)
  const peersInside = zoneLoads.map((zone) => peersIn(zone / shape.partitions))
  for (let a = 0; a < nodes; a++) {
    const zone = shape.zoneOf[a] as number
    const alone = (draft.bounds.hostHigh[shape.hostOf[a] as number] as number) === 1
    const own = alone ? (hostLoads[shape.hostOf[a] as number] as number) : (load[a] as number)
    const inside = peersInside[zone] as number
    const inZone = inside / Math.max(1, (zoneLoads[zone] as number) - own)
    const outside = (shape.copies - 1 - inside) / Math.max(1, total - (zoneLoads[zone] as number))
    for (let b = 0; b < nodes; b++) {
      const rate = shape.zoneOf[b] === zone ? inZone : outside
      const expected = Math.ceil((load[a] as number) * (load[b] as number) * rate)
      for (const pair of [a * nodes + b, b * nodes + a]) {
        often[pair] = Math.max(often[pair] as number, expected)
      }
    }
  }
  return often
}

/**
 * Peers of its own zone that a member has in a set, on average, when sets hold floor or ceiling of
 * `copies` there.
 */
function peersIn(copies: number): number {
  if (copies === 0) return 0
  const floor = Math.floor(copies)
  return (floor * (floor - 1) + 2 * (copies - floor) * floor) / copies
}

function meetsTooOften(draft: Draft, partition: number, node: number, often: Int32Array): boolean {
  for (let at = 0; at < draft.size(partition); at++) {
    const pair = node * draft.nodes + draft.memberAt(partition, at)
    if (
      draft.memberAt(partition, at) !== node &&
      (draft.together[pair] as number) > (often[pair] as number)
    ) {
      return true
    }
  }
  return false
}

/** The exchange that flattens most; one that changes nothing may open the way for others. */
function bestExchange(
  draft: Draft,
  one: Exchange,
  often: Int32Array,
  budget: { trials: number },
): Exchange | undefined {
  let best: Exchange | undefined
  let bestGain = -1
  for (let partition = 0; partition < draft.shape.partitions; partition++) {
    if (draft.has(partition, one.node)) continue
    for (let at = 0; at < draft.size(partition); at++) {
      const node = draft.memberAt(partition, at)
      if (!draft.mayReplace(one.partition, one.node, node)) continue
      if (!draft.mayReplace(partition, node, one.node)) continue
      budget.trials--
      if (draft.costOf(one.partition, one.node, node) > 0) continue
      if (draft.costOf(partition, node, one.node) > 0) continue
      const gain = -flattening(draft, one, { partition, node }, often)
      if (gain > bestGain) {
        best = { partition, node }
        bestGain = gain
      }
    }
  }
  return best
}

/** Change in what all pairs weigh together, if the two nodes changed places. */
function flattening(draft: Draft, one: Exchange, two: Exchange, often: Int32Array): number {
  return leaving(draft, one, two, often) + leaving(draft, two, one, often)
}

/**
 * The part of `one.partition`: its members lose `one.node` and meet `two.node`. Members of both
 * sets see no change.
 */
function leaving(draft: Draft, one: Exchange, two: Exchange, often: Int32Array): number {
  const { nodes, together } = draft
  let change = 0
  for (let at = 0; at < draft.size(one.partition); at++) {
    const member = draft.memberAt(one.partition, at)
    if (member === one.node || draft.has(two.partition, member)) continue
    const lost = one.node * nodes + member
    const won = two.node * nodes + member
    change += step(together[won] as number, often[won] as number)
    change -= step((together[lost] as number) - 1, often[lost] as number)
  }
  return change
}

/**
 * What one more meeting adds. A pair weighs meetings², and again what goes beyond its due, squared.
 */
function step(meetings: number, often: number): number {
  const beyond = Math.max(0, 2 * (meetings + 1 - often) - 1)
  return 2 * meetings + 1 + beyond
}
