import { readable } from '@shoal/coordinator'
import { type NodeId, ShoalError, seconds } from '@shoal/kernel'
import type { Ring } from '@shoal/ring'
import type { Peers } from '@shoal/transport'
import { answerKinds, decodeStatus, questionKinds, type StatusMessage } from '@shoal/wire'
import { judgeHealth } from './health.ts'
import type { ClusterView } from './http/ports.ts'
import type { ClusterState, HealthState, NodeState, RingState } from './http/schemas/state.ts'

export interface ClusterViewParts {
  readonly self: NodeId
  readonly version: string
  readonly ring: () => Ring
  readonly peers: Pick<Peers, 'ask' | 'isUp'>
  /** This node, as it would answer a peer. */
  readonly status: () => StatusMessage
  readonly isServing: () => boolean
  /** Where faults can be made, for the console. */
  readonly chaos?: string | undefined
}

const ASK_TIMEOUT = seconds(1)

/** What this node knows of its cluster, for the routes that show state. */
export function createClusterView(parts: ClusterViewParts): ClusterView {
  const { self, version, ring, peers, status } = parts
  const isUp = (node: NodeId): boolean => node === self || peers.isUp(node)
  const health = (): HealthState => judgeHealth(ring(), isUp, status().problems)
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
          if (id === self) return describeNode(id, url, status())
          if (!peers.isUp(id)) return describeNode(id, url, undefined)
          return describeNode(id, url, await askStatus(peers, id))
        }),
      ),
    health,
    notReady: () =>
      parts.isServing()
        ? undefined
        : new ShoalError('SHOAL_DRAINING', 'This node does not serve.', { retryAfterMs: 1_000 }),
  }
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

function describeNode(id: NodeId, url: string, status: StatusMessage | undefined): NodeState {
  if (!status) return { id, url, state: 'down', version: '', uptimeMs: 0, load: 0 }
  const state = status.draining ? 'draining' : 'up'
  const uptimeMs = Math.round(status.uptimeMs)
  return {
    id,
    url,
    state,
    version: status.version,
    uptimeMs,
    load: Math.round(status.load * 1e3) / 1e3,
  }
}

function askStatus(peers: Pick<Peers, 'ask'>, to: NodeId): Promise<StatusMessage | undefined> {
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
