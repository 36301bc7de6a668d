import { readable } from '@shoal/coordinator'
import { type NodeId, ShoalError, seconds } from '@shoal/kernel'
import type { Membership } from '@shoal/membership'
import type { Ring } from '@shoal/ring'
import type { Peers } from '@shoal/transport'
import { answerKinds, decodeStatus, questionKinds, type StatusMessage } from '@shoal/wire'
import { judgeHealth, type Standing } from './health.ts'
import type { ClusterView } from './http/ports.ts'
import type { ClusterState, HealthState, NodeState, RingState } from './http/schemas/state.ts'
import type { StatusWatch } from './status-watch.ts'

export interface ClusterViewParts {
  readonly self: NodeId
  readonly version: string
  readonly ring: () => Ring
  readonly peers: Pick<Peers, 'ask' | 'isUp'>
  /** Undefined where it is switched off: then a channel that is up is all that is known. */
  readonly membership: Pick<Membership, 'isUsable' | 'state'> | undefined
  readonly watch: Pick<StatusWatch, 'problems' | 'note'>
  /** This node, as it would answer a peer. */
  readonly status: () => StatusMessage
  readonly isServing: () => boolean
  /** Where faults can be made, for the console. */
  readonly chaos?: string | undefined
}

const ASK_TIMEOUT = seconds(1)

/** What this node knows of its cluster, for the routes that show state. */
export function createClusterView(parts: ClusterViewParts): ClusterView {
  const { self, version, ring, peers, watch, status } = parts
  const standing = (node: NodeId): Standing => standingOf(parts, node)
  const health = (): HealthState =>
    judgeHealth(ring(), standing, [...status().problems, ...watch.problems])
  return {
    cluster: (): ClusterState => {
      const { record, epoch } = ring()
      const { clusterId, partitions, replicas, members } = record
      const counts = { epoch, partitions, replicas, nodes: members.length }
      const { chaos } = parts
      const about = { id: clusterId, node: self, version, ...counts, health: health() }
      return chaos === undefined ? about : { ...about, chaos }
    },
    ring: () => describeRing(ring()),
    nodes: () =>
      Promise.all(
        ring().record.members.map(async ({ id, url }) => {
          if (id === self) return describeNode({ id, url }, 'up', status())
          // Who is silent is not waited for: a frozen node would make each look last a second.
          if (standing(id) !== 'up') return describeNode({ id, url }, standing(id), undefined)
          const told = await askStatus(peers, id)
          watch.note(id, told)
          return describeNode({ id, url }, standing(id), told)
        }),
      ),
    health,
    notReady: () =>
      parts.isServing()
        ? undefined
        : new ShoalError('SHOAL_DRAINING', 'This node does not serve.', { retryAfterMs: 1_000 }),
  }
}

function standingOf({ self, peers, membership }: ClusterViewParts, node: NodeId): Standing {
  if (node === self) return 'up'
  if (membership === undefined) return peers.isUp(node) ? 'up' : 'down'
  if (membership.isUsable(node)) return 'up'
  return membership.state(node) === 'suspect' ? 'suspect' : 'down'
}

function describeRing({ record, epoch }: Ring): RingState {
  const { partitions, replicas, members, table } = record
  return {
    epoch,
    partitions,
    replicas,
    members: members.map(({ id, url, zone, host, weight }) => ({
      id,
      url,
      ...(zone === '' ? {} : { zone }),
      ...(host === '' ? {} : { host }),
      weight,
    })),
    table: table.map((set) => set.map((index) => members[index]?.id ?? '')),
  }
}

function describeNode(
  { id, url }: { readonly id: NodeId; readonly url: string },
  standing: Standing,
  status: StatusMessage | undefined,
): NodeState {
  if (!status) {
    const state = standing === 'up' ? 'suspect' : standing
    return { id, url, state, version: '', uptimeMs: 0, load: 0, problems: [] }
  }
  return {
    id,
    url,
    state: status.draining ? 'draining' : 'up',
    version: status.version,
    uptimeMs: Math.round(status.uptimeMs),
    load: Math.round(status.load * 1e3) / 1e3,
    problems: [...status.problems],
  }
}

export function askStatus(
  peers: Pick<Peers, 'ask'>,
  to: NodeId,
): Promise<StatusMessage | undefined> {
  const question = { to, kind: questionKinds.status, body: NOTHING, timeout: ASK_TIMEOUT, tag: 0 }
  return new Promise((resolve) => {
    peers.ask(question, {
      answered: (_tag, kind, body) =>
        resolve(kind === answerKinds.status ? readable(() => decodeStatus(body)) : undefined),
      failed: () => resolve(undefined),
    })
  })
}

const NOTHING = Buffer.alloc(0)
