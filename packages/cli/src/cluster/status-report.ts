/** The state of a cluster as one document, and what in it deserves a warning. */
import { limits } from '@shoal/kernel'
import { formatBytes, formatPercent } from '../format/quantities.ts'
import { type Holding, holdingsOf, imbalanceOf } from './balance.ts'
import type { NodeFigures } from './figures.ts'
import type {
  ClusterRepairsState,
  ClusterState,
  HealthState,
  NodeState,
  RingState,
} from './state.ts'

export interface NodeReport extends NodeState {
  readonly zone: string
  readonly first: number
  readonly copies: number
  /** `null` where the node did not tell. */
  readonly freeBytes: number | null
  readonly diskBytes: number | null
}

export interface Warning {
  readonly message: string
  /** The command that mends it, or the one that tells more; empty where there is none. */
  readonly fix: string
}

export interface StatusReport {
  readonly status: HealthState['status']
  readonly verdict: string
  readonly cluster: string
  /** The node that was asked: everything is as it sees it. */
  readonly askedNode: string
  readonly version: string
  readonly epoch: number
  readonly partitions: number
  readonly replicas: number
  /** The largest distance of a node from its share of copies, as a fraction of that share. */
  readonly imbalance: number
  readonly nodes: readonly NodeReport[]
  /** How equal and whole the copies are, of all nodes that answered. */
  readonly repairs: ClusterRepairsState
  readonly warnings: readonly Warning[]
}

export interface StatusParts {
  readonly cluster: ClusterState
  readonly ring: RingState
  readonly nodes: readonly NodeState[]
  readonly repairs: ClusterRepairsState
  readonly figures: ReadonlyMap<string, NodeFigures | undefined>
}

export function reportStatus(parts: StatusParts): StatusReport {
  const { cluster, ring, nodes, repairs, figures } = parts
  const { health, id, node, version, epoch, partitions, replicas } = cluster
  const holdings = new Map(holdingsOf(ring).map((each) => [each.id, each]))
  const reports = nodes.map((each) => nodeReport(each, holdings.get(each.id), figures.get(each.id)))
  const imbalance = imbalanceOf([...holdings.values()])
  return {
    status: health.status,
    verdict: health.verdict,
    cluster: id,
    askedNode: node,
    version,
    epoch,
    partitions,
    replicas,
    imbalance,
    nodes: reports,
    repairs,
    warnings: [
      ...toldBy(health, nodes).map(splitWarning),
      ...spareWarnings(ring),
      ...reports.flatMap((each) => nodeWarnings(each, figures.has(each.id))),
      ...versionWarnings(reports),
      ...balanceWarnings(imbalance),
    ],
  }
}

const nodeReport = (
  node: NodeState,
  holding: Holding | undefined,
  figures: NodeFigures | undefined,
): NodeReport => ({
  ...node,
  zone: holding?.zone ?? '',
  first: holding?.first ?? 0,
  copies: holding?.copies ?? 0,
  freeBytes: figures?.freeBytes ?? null,
  diskBytes: figures?.diskBytes ?? null,
})

/**
 * What nodes said just now, and what the one that was asked remembers. Of the same trouble only the
 * former: numbers change between two looks.
 */
function toldBy(health: HealthState, nodes: readonly NodeState[]): string[] {
  const now = [...new Set(nodes.flatMap(({ problems = [] }) => problems))]
  const troubles = new Set(now.map(withoutNumbers))
  return [...health.warnings.filter((each) => !troubles.has(withoutNumbers(each))), ...now]
}

/** Ids have digits as well, and are no numbers among words. */
const withoutNumbers = (text: string): string => text.replaceAll(/(?<= )[\d,]+(?= )/g, '#')

/** The server says what is wrong and, after a colon, what to do. */
export function splitWarning(text: string): Warning {
  const at = text.indexOf(': ')
  return at < 0
    ? { message: text, fix: '' }
    : { message: text.slice(0, at), fix: text.slice(at + 2) }
}

function spareWarnings({ members, replicas }: RingState): Warning[] {
  if (members.length === 1 || members.length >= replicas) return []
  const held = members.length
  const message = `${held} nodes hold ${held} copies of each key, not ${replicas}`
  return [{ message, fix: `configure ${replicas} members or more, on every node alike` }]
}

const LOAD_WARN = 0.85

/** @param looked  whether the node was asked directly */
function nodeWarnings({ id, url, state, load, freeBytes }: NodeReport, looked: boolean): Warning[] {
  const warnings: Warning[] = []
  const warn = (message: string, fix: string): void => void warnings.push({ message, fix })
  if (state === 'draining') warn(`${id} is draining`, 'nothing: it stops by itself')
  if (state === 'up' && looked && freeBytes === null) {
    warn(`${id} is up for the cluster and does not answer from here`, `shoal status --url ${url}`)
  }
  if (load > LOAD_WARN) {
    warn(`${id} uses ${formatPercent(load)} of its capacity`, 'add nodes, or send it less')
  }
  // Twice what makes the store refuse writes: time to act.
  if (freeBytes !== null && freeBytes < 2 * limits.storeFreeBytesMin) {
    warn(
      `${id} has ${formatBytes(freeBytes)} of disk left`,
      `free space: below ${formatBytes(limits.storeFreeBytesMin)} it refuses writes`,
    )
  }
  return warnings
}

function versionWarnings(nodes: readonly NodeReport[]): Warning[] {
  const versions = [...new Set(nodes.map(({ version }) => version).filter((each) => each !== ''))]
  if (versions.length <= 1) return []
  const message = `nodes run different versions: ${versions.sort().join(', ')}`
  return [{ message, fix: 'finish the upgrade: install the newest on every node, one at a time' }]
}

const IMBALANCE_WARN = 0.2

const balanceWarnings = (imbalance: number): Warning[] =>
  imbalance > IMBALANCE_WARN
    ? [{ message: `a node is ${formatPercent(imbalance)} from its share`, fix: 'shoal ring' }]
    : []
