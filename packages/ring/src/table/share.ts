/**
 * Step 2: how many partition replicas each node should hold.
 *
 * Plain proportion to weight fails as soon as a node, host or zone would get more copies of a
 * partition than it may hold: a node of weight 10 beside two of weight 1 would hold some partitions
 * three times. So the total is poured by weight, first over zones, then over the hosts of a zone,
 * then over the nodes of a host, each within its bounds; what one cannot take flows to its
 * siblings.
 *
 * Arithmetic is exact (ratios of BigInt). Floats would be reproducible too, but a share of exactly
 * 12 must never become 12.000000001 and its ceiling 13.
 */
import { invariant } from '@shoal/kernel'
import type { Bounds } from './bounds.ts'
import type { Shape } from './canonical.ts'

/** What each node should hold, by node index. */
export interface Shares {
  /** Floor and ceiling of the fair share: the only two loads allowed. */
  readonly low: Int32Array
  readonly high: Int32Array
  /** The fair share itself in 1/65,536 of a replica, at least 1; for comparing, not for bounds. */
  readonly fair: Int32Array
}

interface Ratio {
  readonly over: bigint
  readonly under: bigint
}

/** One vessel to pour into: takes by weight, at least `low`, at most `high`. */
interface Vessel {
  readonly weight: number
  readonly low: number
  readonly high: number
}

const FAIR_SCALE = 65_536n

export function sharesOf(shape: Shape, bounds: Bounds): Shares {
  const { partitions, copies, hosts, zones, weights } = shape
  const nodeVessel = (node: number): Vessel => ({
    weight: weights[node] as number,
    low: 0,
    high: partitions,
  })
  const hostVessel = (host: number): Vessel => ({
    weight: weightOf(hosts[host] as readonly number[], weights),
    low: (bounds.hostLow[host] as number) * partitions,
    high: (bounds.hostHigh[host] as number) * partitions,
  })
  const zoneVessel = (zone: number): Vessel => ({
    weight: weightOf(
      (zones[zone] as readonly number[]).flatMap((host) => hosts[host] ?? []),
      weights,
    ),
    low: (bounds.zoneLow[zone] as number) * partitions,
    high: (bounds.zoneHigh[zone] as number) * partitions,
  })

  const shares: Ratio[] = []
  const all: Ratio = { over: BigInt(partitions * copies), under: 1n }
  pour(
    all,
    zones.map((_, zone) => zoneVessel(zone)),
  ).forEach((ofZone, zone) => {
    const hostsHere = zones[zone] as readonly number[]
    pour(ofZone, hostsHere.map(hostVessel)).forEach((ofHost, at) => {
      const nodesHere = hosts[hostsHere[at] as number] as readonly number[]
      pour(ofHost, nodesHere.map(nodeVessel)).forEach((ofNode, place) => {
        shares[nodesHere[place] as number] = ofNode
      })
    })
  })
  return {
    low: Int32Array.from(shares, ({ over, under }) => Number(over / under)),
    high: Int32Array.from(shares, ({ over, under }) => Number((over + under - 1n) / under)),
    fair: Int32Array.from(shares, ({ over, under }) =>
      Math.max(1, Number((over * FAIR_SCALE) / under)),
    ),
  }
}

function weightOf(nodes: readonly number[], weights: readonly number[]): number {
  return nodes.reduce((sum, node) => sum + (weights[node] as number), 0)
}

/**
 * Divides an amount by weight within the bounds of each vessel. Each round divides what is left
 * among the vessels not yet settled, then settles those on the side (too low or too high) that is
 * further from its bounds in total: the other side may still come right. Ends when nothing is out
 * of bounds.
 *
 * Source: the rule by which CSS resolves flexible lengths, which has the same problem.
 */
function pour(amount: Ratio, vessels: readonly Vessel[]): Ratio[] {
  const result: Ratio[] = []
  let open = vessels.map((_, index) => index)
  let left = amount
  while (open.length > 0) {
    const weight = BigInt(open.reduce((sum, index) => sum + (vessels[index] as Vessel).weight, 0))
    const under = left.under * weight
    let tooLow = 0n
    let tooHigh = 0n
    const wants = open.map((index) => {
      const vessel = vessels[index] as Vessel
      const over = left.over * BigInt(vessel.weight)
      const low = BigInt(vessel.low) * under
      const high = BigInt(vessel.high) * under
      if (over < low) tooLow += low - over
      if (over > high) tooHigh += over - high
      return { index, over, settle: over < low ? 'low' : over > high ? 'high' : undefined } as const
    })
    const side = tooLow === tooHigh ? 'all' : tooLow > tooHigh ? 'low' : 'high'
    const still: number[] = []
    let settled = 0
    for (const { index, over, settle } of wants) {
      const vessel = vessels[index] as Vessel
      if (settle !== undefined && (side === 'all' || side === settle)) {
        result[index] = { over: BigInt(vessel[settle]), under: 1n }
        settled += vessel[settle]
      } else if (side === 'all') {
        result[index] = { over, under }
      } else {
        still.push(index)
      }
    }
    invariant(still.length < open.length, 'every round of pouring settles a vessel')
    open = still
    left = { over: left.over - BigInt(settled) * left.under, under: left.under }
  }
  return result
}
