/**
 * Judges tables from the rules alone, in other ways than the planner makes them: bounds as "no copy
 * could move to a less crowded host or zone", shares by bisection on floats, feasibility and fewest
 * moves by a flow through every partition, zone and host.
 */
import type { PlacementTable, PreviousTable, TableMember } from '../../src/table/canonical.ts'
import { Network } from './flow.ts'

export interface Placement {
  readonly partitions: number
  readonly replicas: number
  /** In any order; judged in order of id. */
  readonly members: readonly TableMember[]
  readonly table: PlacementTable
}

export const sorted = (members: readonly TableMember[]): TableMember[] =>
  [...members].sort((a, b) => (a.id < b.id ? -1 : 1))

export const hostOf = (member: TableMember): string =>
  member.host === '' ? `only ${member.id}` : `${member.zone} ${member.host}`

/** Group name → indices of members. */
function groups(members: readonly TableMember[], by: (member: TableMember) => string) {
  const result = new Map<string, number[]>()
  members.forEach((member, index) => {
    result.set(by(member), [...(result.get(by(member)) ?? []), index])
  })
  return result
}

const range = (count: number): number[] => Array.from({ length: count }, (_, index) => index)
const sum = (numbers: Iterable<number>): number => [...numbers].reduce((a, b) => a + b, 0)

/**
 * What is wrong with the sets, in words; empty when every set is as spread as its members allow.
 */
export function faultsOfSets({ partitions, replicas, members, table }: Placement): string[] {
  const nodes = sorted(members)
  const copies = Math.min(replicas, nodes.length)
  const hosts = [...groups(nodes, hostOf).values()]
  const zones = [...groups(nodes, (member) => member.zone).values()]
  const hostIndex = nodes.map((_, node) => hosts.findIndex((host) => host.includes(node)))
  const zoneIndex = nodes.map((_, node) => zones.findIndex((zone) => zone.includes(node)))
  const zoneOfHost = hosts.map((host) => zoneIndex[host[0]!]!)
  const faults: string[] = []
  if (table.length !== partitions) faults.push(`${table.length} sets for ${partitions} partitions`)
  table.forEach((set, partition) => {
    const fault = (what: string): number => faults.push(`partition ${partition} (${set}): ${what}`)
    if (set.length !== copies || new Set(set).size !== copies) fault(`not ${copies} distinct nodes`)
    if (set.some((node) => nodes[node] === undefined)) {
      fault('a stranger')
      return
    }
    const onHost = hosts.map(() => 0)
    const inZone = zones.map(() => 0)
    for (const node of set) {
      onHost[hostIndex[node]!]!++
      inZone[zoneIndex[node]!]!++
    }
    const level = (from: number, to: number): boolean => onHost[to]! + 1 <= onHost[from]!
    const mayMove = (from: number, to: number): boolean =>
      from !== to && onHost[from]! > 0 && onHost[to]! < hosts[to]!.length
    for (const from of hosts.keys()) {
      if (onHost[from] === 0) continue
      for (const to of hosts.keys()) {
        if (!mayMove(from, to)) continue
        if (onHost[from]! - onHost[to]! > 1) fault('a host is crowded while another has room')
        const crowded = inZone[zoneOfHost[from]!]! - inZone[zoneOfHost[to]!]! > 1
        if (crowded && level(from, to)) fault('a zone is crowded while another has room')
      }
    }
  })
  return faults
}

export interface Limits {
  readonly low: number
  readonly high: number
}

interface Judged {
  readonly nodes: readonly TableMember[]
  readonly copies: number
  readonly zones: { readonly nodes: readonly number[]; readonly bounds: Limits; hosts: number[] }[]
  readonly hosts: { readonly nodes: readonly number[]; readonly bounds: Limits }[]
  readonly loads: readonly Limits[]
}

/** Bounds of each host and zone, and the allowed loads of each node, worked out afresh. */
export function judgeMembers(placement: Omit<Placement, 'table'>): Judged {
  const { partitions, replicas } = placement
  const nodes = sorted(placement.members)
  const copies = Math.min(replicas, nodes.length)
  const level = (least: number[], most: number[]): Limits[] => {
    const at = (height: number) => most.map((cap, i) => Math.min(cap, Math.max(height, least[i]!)))
    const height = range(copies + 1).find((height) => sum(at(height)) >= copies)!
    const low = at(height - 1)
    return at(height).map((high, i) => ({ low: low[i]!, high }))
  }
  const hostNodes = [...groups(nodes, hostOf).values()]
  const hostBounds = level(
    hostNodes.map(() => 0),
    hostNodes.map((host) => host.length),
  )
  const hosts = hostNodes.map((host, i) => ({ nodes: host, bounds: hostBounds[i]! }))
  const zoneNodes = [...groups(nodes, (member) => member.zone).values()]
  const zoneHosts = zoneNodes.map((zone) =>
    range(hosts.length).filter((host) => zone.includes(hosts[host]!.nodes[0]!)),
  )
  const total = (list: number[], part: 'low' | 'high') =>
    sum(list.map((h) => hosts[h]!.bounds[part]))
  const zoneBounds = level(
    zoneHosts.map((list) => total(list, 'low')),
    zoneHosts.map((list) => total(list, 'high')),
  )
  const zones = zoneNodes.map((zone, i) => ({
    nodes: zone,
    bounds: zoneBounds[i]!,
    hosts: zoneHosts[i]!,
  }))
  const weight = (list: readonly number[]) => sum(list.map((node) => nodes[node]!.weight))
  const shares: number[] = []
  const zoneShares = pour(
    partitions * copies,
    zones.map((zone) => scaled(weight(zone.nodes), zone.bounds, partitions)),
  )
  zones.forEach((zone, z) => {
    const hostShares = pour(
      zoneShares[z]!,
      zone.hosts.map((h) => scaled(weight(hosts[h]!.nodes), hosts[h]!.bounds, partitions)),
    )
    zone.hosts.forEach((h, i) => {
      const list = hosts[h]!.nodes
      const nodeShares = pour(
        hostShares[i]!,
        list.map((node) => scaled(weight([node]), { low: 0, high: 1 }, partitions)),
      )
      list.forEach((node, j) => {
        shares[node] = nodeShares[j]!
      })
    })
  })
  const loads = shares.map((share) => ({
    low: Math.floor(share + 1e-6),
    high: Math.ceil(share - 1e-6),
  }))
  return { nodes, copies, zones, hosts, loads }
}

const scaled = (weight: number, { low, high }: Limits, partitions: number) => ({
  weight,
  low: low * partitions,
  high: high * partitions,
})

/** Finds by bisection the height at which the vessels together hold the amount. */
function pour(amount: number, vessels: { weight: number; low: number; high: number }[]): number[] {
  const at = (height: number): number[] =>
    vessels.map(({ weight, low, high }) => Math.min(high, Math.max(low, height * weight)))
  let below = 0
  let above = 1
  while (sum(at(above)) < amount - 1e-9 && above < 1e12) above *= 2
  for (let round = 0; round < 200; round++) {
    const middle = (below + above) / 2
    if (sum(at(middle)) < amount) below = middle
    else above = middle
  }
  return at(above)
}

/** Nodes whose load is not floor or ceiling of their share, in words. */
export function faultsOfLoads(placement: Placement): string[] {
  const { loads, nodes } = judgeMembers(placement)
  const load = loadsOf(placement)
  return loads.flatMap(({ low, high }, node) =>
    load[node]! < low || load[node]! > high
      ? [`${nodes[node]!.id} holds ${load[node]}, not ${low} to ${high}`]
      : [],
  )
}

export function loadsOf({ members, table }: Placement): number[] {
  const load = members.map(() => 0)
  for (const set of table) for (const node of set) load[node]!++
  return load
}

/** Nodes that lead not floor or ceiling of their replicas / copies, in words. */
export function faultsOfPrimaries(placement: Placement): string[] {
  const load = loadsOf(placement)
  const leads = placement.members.map(() => 0)
  for (const set of placement.table) leads[set[0]!]!++
  const copies = Math.min(placement.replicas, placement.members.length)
  return leads.flatMap((count, node) =>
    count < Math.floor(load[node]! / copies) || count > Math.ceil(load[node]! / copies)
      ? [`node ${node} leads ${count} of ${load[node]}`]
      : [],
  )
}

/**
 * The fewest placements outside `previous` (all of them, where there is none) of any table that
 * keeps every bound and load; undefined when no table does.
 */
export function fewestNew(
  placement: Omit<Placement, 'table'>,
  previous?: PreviousTable,
): number | undefined {
  const { nodes, copies, zones, hosts, loads } = judgeMembers(placement)
  const network = new Network()
  const source = network.vertex()
  const sink = network.vertex()
  const nodeVertices = nodes.map((_, node) => {
    const vertex = network.vertex()
    network.connect(vertex, sink, loads[node]!)
    return vertex
  })
  for (const partition of range(placement.partitions)) {
    const before = new Set(idsBefore(partition, previous))
    const root = network.vertex()
    network.connect(source, root, { low: copies, high: copies })
    for (const zone of zones) {
      const inZone = network.vertex()
      network.connect(root, inZone, zone.bounds)
      for (const host of zone.hosts) {
        const onHost = network.vertex()
        network.connect(inZone, onHost, hosts[host]!.bounds)
        for (const node of hosts[host]!.nodes) {
          const cost = before.has(nodes[node]!.id) ? 0 : 1
          network.connect(onHost, nodeVertices[node]!, { high: 1, cost })
        }
      }
    }
  }
  return network.send(source, sink, placement.partitions * copies)
}

function idsBefore(partition: number, previous?: PreviousTable): (string | undefined)[] {
  return previous?.table[partition]?.map((member) => previous.ids[member]) ?? []
}

/** Placements that the previous table does not have. */
export function countNew({ members, table }: Placement, previous: PreviousTable): number {
  const nodes = sorted(members)
  return sum(
    table.map((set, partition) => {
      const before = new Set(idsBefore(partition, previous))
      return set.filter((node) => !before.has(nodes[node]!.id)).length
    }),
  )
}

/** How unevenly nodes meet. */
export interface Spread {
  /** Meetings of the most met peer over the mean over all n − 1 peers; worst node. */
  readonly worst: number
  /**
   * Meetings of any pair beyond the ceiling of what each has with that zone on average: 0 is the
   * best that whole numbers and zones of these sizes allow.
   */
  readonly beyondCeiling: number
  /** Mean meetings of a pair. */
  readonly mean: number
}

export function spreadOf(placement: Placement): Spread {
  const nodes = sorted(placement.members)
  const count = nodes.length
  const copies = Math.min(placement.replicas, count)
  const meetings = range(count).map(() => new Int32Array(count))
  for (const set of placement.table) {
    for (const one of set) for (const other of set) if (one !== other) meetings[one]![other]!++
  }
  const zones = [...groups(nodes, (member) => member.zone).values()]
  const zoneOf = nodes.map((_, node) => zones.findIndex((zone) => zone.includes(node)))
  const meanWith = range(count).map((one) =>
    zones.map((zone) => {
      const others = zone.filter((other) => other !== one)
      return sum(others.map((other) => meetings[one]![other]!)) / Math.max(1, others.length)
    }),
  )
  let worst = 0
  let beyondCeiling = 0
  meetings.forEach((row, one) => {
    const mean = sum(row) / (count - 1)
    row.forEach((times, other) => {
      if (one === other) return
      worst = Math.max(worst, times / mean)
      const due = Math.max(meanWith[one]![zoneOf[other]!]!, meanWith[other]![zoneOf[one]!]!)
      beyondCeiling = Math.max(beyondCeiling, times - Math.ceil(due))
    })
  })
  const mean = (placement.partitions * copies * (copies - 1)) / count / (count - 1)
  return { worst, beyondCeiling, mean }
}
