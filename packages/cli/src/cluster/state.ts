/** What the routes that show state answer with, as far as commands read it. */
import type { Client } from '@shoal/client'
import { ShoalError } from '@shoal/kernel'

export interface Member {
  readonly id: string
  readonly url: string
  readonly zone?: string
  readonly host?: string
  readonly weight: number
}

export interface RingState {
  readonly epoch: number
  readonly partitions: number
  readonly replicas: number
  readonly members: readonly Member[]
  /** For each partition the ids of the nodes that hold it, the first primary first. */
  readonly table: readonly (readonly string[])[]
}

export interface HealthState {
  readonly status: 'healthy' | 'degraded' | 'unavailable'
  /** One sentence that begins with the status. */
  readonly verdict: string
  readonly nodesUp: number
  readonly nodesTotal: number
  readonly warnings: readonly string[]
}

export interface ClusterState {
  readonly id: string
  /** The node that answered. */
  readonly node: string
  readonly version: string
  readonly epoch: number
  readonly partitions: number
  readonly replicas: number
  readonly nodes: number
  readonly health: HealthState
}

export interface NodeState {
  readonly id: string
  readonly url: string
  /** `up`, `suspect`, `down` or `draining`, as the node asked sees it. */
  readonly state: string
  readonly version: string
  readonly uptimeMs: number
  /** Share of the capacity in use. */
  readonly load: number
  /** What it says is wrong with it, each with what to do after a colon. */
  readonly problems?: readonly string[]
}

export interface Holder {
  readonly node: string
  readonly role: string
  readonly etag: string
  readonly dots: readonly string[]
  readonly state: string
}

export interface Explanation {
  readonly token: string
  readonly partition: number
  readonly preferenceList: readonly string[]
  readonly fallbacks: readonly string[]
  readonly holders: readonly Holder[]
  readonly hintsOwed: number
  readonly proofs?: readonly {
    readonly node: string
    readonly verdict: string
    readonly digest?: string
    readonly root?: string
  }[]
}

export interface Trace {
  readonly id: string
  /** The coordinator. */
  readonly node: string
  readonly operation: string
  readonly events: readonly {
    /** Milliseconds since the request came in. */
    readonly at: number
    readonly node: string
    readonly event: string
    readonly detail: string
  }[]
}

export interface HintsState {
  readonly total: number
  readonly bytes: number
  readonly oldestMs: number
  readonly targets: readonly {
    readonly node: string
    readonly count: number
    readonly bytes: number
    readonly oldestMs: number
    /** Left to anti-entropy. */
    readonly dirtyPartitions: number
  }[]
  /** Nodes that did not answer. */
  readonly silent: readonly string[]
}

export interface JobState {
  readonly id: string
  readonly kind: string
  readonly state: 'running' | 'paused' | 'done' | 'failed'
  /** 0 to 1. */
  readonly progress: number
  readonly etaMs?: number
  readonly detail: string
}

/** How far copies may be apart. */
export interface DebtState {
  /** Every write older than this is on all its replicas. */
  readonly ageMs: number
  readonly divergentSegments: number
  /** Pairs not compared to the end since a node of theirs started. */
  readonly unverified: number
  readonly hintBytes: number
  readonly oldestHintMs: number
}

export interface BudgetState {
  readonly bytesPerSecond: number
  readonly paused: boolean
  readonly quiet: boolean
}

export interface ClusterRepairsState {
  readonly debt: DebtState
  /** Those that answered. */
  readonly nodes: readonly {
    readonly node: string
    readonly debt: DebtState
    readonly budget: BudgetState
    readonly lostPartitions: number
    readonly unhealed: number
    readonly tombstones: number
  }[]
  readonly silent: readonly string[]
}

export interface RepairsState {
  readonly debt: DebtState
  readonly budget: BudgetState & { readonly quietHours: readonly string[] }
  readonly exchanging: number
  readonly pulled: number
  readonly pushed: number
  readonly healed: number
  /** Damaged keys that no replica could give. */
  readonly unhealed: number
  readonly lostPartitions: readonly number[]
  readonly tombstones: number
  readonly jobs: readonly JobState[]
}

export const readRepairs = (client: Client): Promise<RepairsState> =>
  read(client, '/v1/repairs', repairMembers)

export const readClusterRepairs = (client: Client): Promise<ClusterRepairsState> =>
  read(client, '/v1/repairs?scope=cluster', ['debt', 'nodes', 'silent'])

export const changeBudget = (client: Client, to: 'pause' | 'resume'): Promise<RepairsState> =>
  read(client, `/v1/repairs/${to}`, repairMembers, 'POST')

export const beginRepair = (
  client: Client,
  { bucket, partition }: { readonly bucket?: string; readonly partition?: number },
): Promise<JobState> => {
  const query = new URLSearchParams()
  if (bucket !== undefined) query.set('bucket', bucket)
  if (partition !== undefined) query.set('partition', `${partition}`)
  return read(client, `/v1/repairs?${query}`, jobMembers, 'POST')
}

const repairMembers = ['debt', 'budget', 'lostPartitions'] as const

export const readHints = (client: Client): Promise<HintsState> =>
  read(client, '/v1/hints?scope=cluster', ['total', 'targets', 'silent'])

export const readJob = (client: Client, id: string): Promise<JobState> =>
  read(client, `/v1/jobs/${segment(id)}`, jobMembers)

export const beginHintSync = (client: Client): Promise<JobState> =>
  read(client, '/v1/hints/sync', jobMembers, 'POST')

const jobMembers = ['id', 'state', 'detail'] as const

export const readTrace = (client: Client, id: string): Promise<Trace> =>
  read(client, `/v1/traces/${segment(id)}`, ['id', 'node', 'events'])

export const readCluster = (client: Client): Promise<ClusterState> =>
  read(client, '/v1/cluster', ['id', 'node', 'health'])

export const readRing = (client: Client): Promise<RingState> =>
  read(client, '/v1/ring', ['epoch', 'members', 'table'])

export const readNodes = (client: Client): Promise<readonly NodeState[]> =>
  read(client, '/v1/nodes', ['length'])

export const readExplanation = (
  client: Client,
  bucket: string,
  key: string,
  proof = false,
): Promise<Explanation> =>
  read(client, `/v1/explain/${segment(bucket)}/${segment(key)}${proof ? '?proof=1' : ''}`, [
    'token',
    'holders',
  ])

/**
 * One percent-encoded part of a path; dots too, so that nothing on the way takes it for a folder.
 */
const segment = (part: string): string => encodeURIComponent(part).replaceAll('.', '%2E')

/** @param members  without which the answer is not the one expected */
async function read<T>(
  client: Client,
  path: string,
  members: readonly string[],
  method: 'GET' | 'POST' = 'GET',
): Promise<T> {
  const { body } = await client.api(method, path)
  if (typeof body === 'object' && body !== null && members.every((name) => name in body)) {
    return body as T
  }
  throw new ShoalError(
    'SHOAL_CLIENT_RESPONSE_INVALID',
    `the answer to ${path} is not one of Shoal`,
    {
      outcome: 'not-applied',
    },
  )
}
