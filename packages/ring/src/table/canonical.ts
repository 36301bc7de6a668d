/**
 * Step 0: one form for every node's view of the same members.
 *
 * The table must come out the same on every machine, whatever order the members were configured in.
 * So members are sorted by id, zones and hosts are numbered by first appearance in that order,
 * weights become whole thousandths, and every tie is broken by an integer mix of partition and node
 * id.
 */
import { invariant, type NodeId } from '@shoal/kernel'
import { hash64 } from '../hash.ts'

/** What the planner needs to know about a member. */
export interface TableMember {
  readonly id: NodeId
  /** '' = no label. Members without a label count as one zone together. */
  readonly zone: string
  /** '' = a host of its own. */
  readonly host: string
  /** Relative capacity; kept to thousandths. */
  readonly weight: number
}

/**
 * Who holds what: for each partition the indices of its members in the list sorted by id, primary
 * first.
 */
export type PlacementTable = readonly (readonly number[])[]

/** A table and the ids its indices mean. */
export interface PreviousTable {
  readonly ids: readonly NodeId[]
  readonly table: PlacementTable
}

export interface TableInput {
  readonly partitions: number
  /** Copies wanted; fewer are placed when there are fewer members. */
  readonly replicas: number
  /** In any order. */
  readonly members: readonly TableMember[]
  /** The table to change as little as possible. Left out when a cluster is founded. */
  readonly previous?: PreviousTable
}

/** The members in canonical form, as arrays by node, host and zone index. */
export interface Shape {
  readonly partitions: number
  /** Copies of each partition: the smaller of replicas and members. */
  readonly copies: number
  readonly ids: readonly NodeId[]
  /** 32-bit hash of each id, for ties. */
  readonly idHashes: Uint32Array
  /** Thousandths. */
  readonly weights: readonly number[]
  readonly zoneOf: Uint16Array
  readonly hostOf: Uint16Array
  /** Nodes of each host. */
  readonly hosts: readonly (readonly number[])[]
  /** Hosts of each zone. */
  readonly zones: readonly (readonly number[])[]
}

/** Weights are compared as whole thousandths, so that no rounding can differ between machines. */
export const weightInThousandths = (weight: number): number => Math.round(weight * 1_000)

/** Order of ids: by UTF-16 code unit, never by locale. */
export const byId = (a: { readonly id: NodeId }, b: { readonly id: NodeId }): number =>
  a.id < b.id ? -1 : a.id > b.id ? 1 : 0

export function canonicalShape(input: TableInput): Shape {
  const members = [...input.members].sort(byId)
  invariant(members.length > 0, 'a table has members')
  invariant(
    members.every((member, index) => index === 0 || member.id !== members[index - 1]?.id),
    'member ids are distinct',
  )
  const zones: number[][] = []
  const hosts: number[][] = []
  const zoneNames = new Map<string, number>()
  const hostNames = new Map<string, number>()
  const zoneOf = new Uint16Array(members.length)
  const hostOf = new Uint16Array(members.length)
  members.forEach((member, node) => {
    const zone = numberOf(zoneNames, member.zone)
    const host = numberOf(hostNames, hostName(member))
    if (zone === zones.length) zones.push([])
    if (host === hosts.length) {
      hosts.push([])
      zones[zone]?.push(host)
    }
    hosts[host]?.push(node)
    zoneOf[node] = zone
    hostOf[node] = host
  })
  return {
    partitions: input.partitions,
    copies: Math.min(input.replicas, members.length),
    ids: members.map((member) => member.id),
    idHashes: Uint32Array.from(members, (member) => hashOfId(member.id)),
    weights: members.map((member) => weightInThousandths(member.weight)),
    zoneOf,
    hostOf,
    hosts,
    zones,
  }
}

/** Zone and label together, so that hosts nest in zones whatever the labels say. */
function hostName(member: TableMember): string {
  return member.host === '' ? `node\0${member.id}` : `host\0${member.zone}\0${member.host}`
}

function numberOf(names: Map<string, number>, name: string): number {
  const known = names.get(name)
  if (known !== undefined) return known
  names.set(name, names.size)
  return names.size - 1
}

/** The 32-bit hash of a node id that `mix` takes. */
export function hashOfId(id: NodeId): number {
  return Number(hash64(Buffer.from(id)) & 0xffff_ffffn)
}

/**
 * A number for (partition, node): the rendezvous score that breaks every tie. For one partition it
 * is a bijection of the id hash, so two nodes only tie when their hashes do.
 *
 * @returns 0 to 2^32 − 1
 * Source: the finaliser of MurmurHash3, over a golden-ratio multiple of the partition.
 */
export function mix(partition: number, idHash: number): number {
  let bits = Math.imul(partition + 1, 0x9e37_79b1) ^ idHash
  bits = Math.imul(bits ^ (bits >>> 16), 0x85eb_ca6b)
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2_ae35)
  return (bits ^ (bits >>> 16)) >>> 0
}
