/**
 * What goes wrong, drawn from the seed before anything runs. A run is a row of rounds; each has a
 * plan of its own, so a failed round can be run again without those before it. Pure.
 *
 * Every candidate for a fault has a stream of its own and is taken unless it stands in the way of
 * one taken before: at most one thing happens to a process at a time, and to the network.
 *
 * At most one node of a round loses what was on its disk, since no store can lose more copies of a
 * key than it waits for; whoever runs the plan lets all copies become equal between rounds. Damage
 * may lie unseen for longer than a round. So a cluster has either one bad disk, always the same, or
 * disks that are lost as a whole.
 */
import { type Draw, drawFrom } from './draw.ts'

export const faultKinds = [
  'kill',
  'pause',
  'roll',
  'partition',
  'slow',
  'reset',
  'disk-full',
  'flip',
  'wipe',
] as const
export type FaultKind = (typeof faultKinds)[number]

export const networkKinds = ['proxies', 'namespaces'] as const
export type NetworkKind = (typeof networkKinds)[number]

/** From one node to another, by their places. The way back is a link of its own. */
export type Link = readonly [from: number, to: number]

export interface Fault {
  readonly kind: FaultKind
  /** Milliseconds after the load began. */
  readonly at: number
  /** Milliseconds until it is over. A node is started again, a cable mended then. */
  readonly lasts: number
  /** Places of the nodes it happens to; empty for what happens to links. */
  readonly nodes: readonly number[]
  readonly links: readonly Link[]
  /** For people: the shape of a partition, how a node ended before its files were changed. */
  readonly manner: string
}

export interface Round {
  readonly index: number
  readonly nodes: number
  readonly network: NetworkKind
  /** The first round of a cluster: the one before is taken down. */
  readonly isFirst: boolean
  readonly lasts: number
  readonly faults: readonly Fault[]
  /** Place of the node that loses data, if one does. */
  readonly loser: number | undefined
}

export interface PlanSettings {
  readonly seed: number
  readonly faults: readonly FaultKind[]
  /** Sizes of clusters, taken in turn. */
  readonly nodes: readonly number[]
  /** Networks, taken in turn. */
  readonly networks: readonly NetworkKind[]
  /** Mean milliseconds under load. */
  readonly roundMs: number
  readonly roundsPerCluster: number
}

/** What happens to processes and their disks; the rest happens to links. */
const ofNodes: ReadonlySet<FaultKind> = new Set([
  'kill',
  'pause',
  'roll',
  'disk-full',
  'flip',
  'wipe',
])
/** What may cost a node what it has acknowledged. */
const losing: ReadonlySet<FaultKind> = new Set(['disk-full', 'flip', 'wipe'])
/** A cable shared by all traffic between two processes can be slow; a namespace cannot be. */
const impossibleIn: Readonly<Record<NetworkKind, ReadonlySet<FaultKind>>> = {
  proxies: new Set(),
  namespaces: new Set(['slow', 'reset']),
}

/** Milliseconds between candidates, on average. */
const CANDIDATE_EVERY = 1_500
const LONGEST = 9_000
/** How long one node takes to stop and start in a rolling restart, roughly. */
const ROLL_STEP = 2_500

export function drawRound(settings: PlanSettings, index: number): Round {
  const { seed, roundMs, roundsPerCluster } = settings
  const cluster = Math.floor(index / roundsPerCluster)
  const nodes = settings.nodes[cluster % settings.nodes.length] ?? 3
  const network = settings.networks[cluster % settings.networks.length] ?? 'proxies'
  const draw = drawFrom(seed, 'round', index)
  const lasts = Math.round(roundMs * draw.between(0.75, 1.25))
  const kinds = kindsIn(settings, cluster, network)
  const faults: Fault[] = []
  const candidates = kinds.length === 0 ? 0 : Math.ceil(lasts / CANDIDATE_EVERY)
  for (let candidate = 0; candidate < candidates; candidate++) {
    const own = drawFrom(seed, 'fault', index, candidate)
    const fault = drawFault(own, own.pick(kinds), { nodes, lasts })
    if (faults.every((taken) => goesWith(taken, fault))) faults.push(fault)
  }
  faults.sort((one, other) => one.at - other.at)
  return {
    index,
    nodes,
    network,
    isFirst: index % roundsPerCluster === 0,
    lasts,
    faults,
    loser: faults.find(({ kind }) => losing.has(kind))?.nodes[0],
  }
}

function kindsIn(
  { seed, faults }: PlanSettings,
  cluster: number,
  network: NetworkKind,
): readonly FaultKind[] {
  const possible = faults.filter((kind) => !impossibleIn[network].has(kind))
  const hasBadDisk = !possible.includes('wipe') || drawFrom(seed, 'disks', cluster).chance(0.5)
  return possible.filter((kind) => kind !== (hasBadDisk ? 'wipe' : 'flip'))
}

/** Whether both can be in one round. */
function goesWith(taken: Fault, fault: Fault): boolean {
  const together = taken.at < fault.at + fault.lasts && fault.at < taken.at + taken.lasts
  const share = taken.nodes.some((node) => fault.nodes.includes(node))
  const bothOfLinks = taken.links.length > 0 && fault.links.length > 0
  if (together && (share || bothOfLinks)) return false
  // Who has lost data is left alone, so that its start tells what became of it.
  if (losing.has(taken.kind) || losing.has(fault.kind)) {
    return !share && !(losing.has(taken.kind) && losing.has(fault.kind))
  }
  return true
}

type Shape = Pick<Fault, 'nodes' | 'links' | 'manner'>

function drawFault(
  draw: Draw,
  kind: FaultKind,
  { nodes, lasts: roundLasts }: { nodes: number; lasts: number },
): Fault {
  const all = Array.from({ length: nodes }, (_, node) => node)
  const longest = Math.min(LONGEST, roundLasts * 0.6)
  const lasts = kind === 'roll' ? nodes * ROLL_STEP : draw.between(200, longest)
  const at = draw.between(0, Math.max(1, roundLasts - lasts))
  const shape = ofNodes.has(kind) ? shapeOfNodes(draw, kind, all) : shapeOfLinks(draw, kind, all)
  return { kind, at: Math.round(at), lasts: Math.round(lasts), ...shape }
}

function shapeOfNodes(draw: Draw, kind: FaultKind, all: readonly number[]): Shape {
  const links: Link[] = []
  switch (kind) {
    case 'roll':
      return { nodes: draw.shuffled(all), links, manner: 'one after the other' }
    case 'kill': {
      if (draw.chance(0.15)) return { nodes: all, links, manner: 'all at once' }
      const most = Math.max(1, Math.floor((all.length - 1) / 2))
      return { nodes: draw.shuffled(all).slice(0, 1 + draw.below(most)), links, manner: 'killed' }
    }
    // The last node has the small disk, and the bad one.
    case 'disk-full':
      return { nodes: all.slice(-1), links, manner: 'not a byte left' }
    case 'flip':
      return { nodes: all.slice(-1), links, manner: draw.pick(['killed', 'stopped']) }
    case 'wipe':
      return { nodes: [draw.pick(all)], links, manner: draw.pick(['killed', 'stopped']) }
    default:
      return { nodes: [draw.pick(all)], links, manner: 'as it is' }
  }
}

function shapeOfLinks(draw: Draw, kind: FaultKind, all: readonly number[]): Shape {
  const order = draw.shuffled(all)
  const [first = 0, second = 1] = order
  const minority = order.slice(0, Math.floor(all.length / 2))
  const majority = order.slice(minority.length)
  const shapes: Record<string, readonly Link[]> = {
    'majority and minority': bothWays(minority, majority),
    'one node isolated': bothWays([first], order.slice(1)),
    'one link': bothWays([first], [second]),
    'one way': oneWay([first], order.slice(1)),
    'one link, one way': oneWay([first], [second]),
    // Both sides hear the first, and not each other.
    bridge: bothWays(order.slice(1, 1 + minority.length), order.slice(1 + minority.length)),
  }
  const manner = draw.pick(Object.keys(shapes))
  const links = shapes[manner] ?? []
  if (kind !== 'slow') return { nodes: [], links, manner }
  return { nodes: [], links, manner: `${manner}, ${Math.round(draw.between(50, 600))} ms` }
}

const oneWay = (from: readonly number[], to: readonly number[]): Link[] =>
  from.flatMap((one) => to.map((other): Link => [one, other]))

const bothWays = (one: readonly number[], other: readonly number[]): Link[] => [
  ...oneWay(one, other),
  ...oneWay(other, one),
]

/** `12.3 s kill n2, 2.1 s`: a fault as the report shows it. */
export function describeFault({ kind, at, lasts, nodes, links, manner }: Fault): string {
  const names = nodes.map((node) => `n${node + 1}`)
  const arrows = links.map(([from, to]) => `n${from + 1}>n${to + 1}`)
  const whom = [...names, ...arrows].join(' ')
  return `${seconds(at)} ${kind} ${whom} (${manner}), for ${seconds(lasts)}`
}

const seconds = (millis: number): string => `${(millis / 1_000).toFixed(1)} s`
