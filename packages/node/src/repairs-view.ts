import { combineDebts, type Debt, type Proof, type RepairRange } from '@shoal/antientropy'
import { type NodeId, ShoalError } from '@shoal/kernel'
import { makeRowKey, type Ring } from '@shoal/ring'
import type { Peers } from '@shoal/transport'
import type { RepairsMessage } from '@shoal/wire'
import { formatHours } from './config/hours.ts'
import type { ClusterRepairsState, RepairsState } from './http/schemas/repairs.ts'
import type { Job, JobStatus, Jobs } from './jobs.ts'
import { askRepairs, debtIn, debtNow, repairsMessage, type Standing } from './repairs-message.ts'

/** How equal and how whole the copies of this node are, for the routes that show it. */
export interface RepairsView {
  state(): ShownRepairs
  /** Of all nodes that answer (E6). */
  cluster(): Promise<ClusterRepairsState>
  /**
   * Checks every row of a range at once and compares it with all other replicas (E4).
   *
   * @throws SHOAL_OVERLOADED     while too many others have not ended
   * @throws SHOAL_QUERY_INVALID  for a partition that this node does not hold
   */
  start(range: RepairRange): Job
  /** All background work of this node: hints, comparisons, checks (E5). */
  pause(): ShownRepairs
  resume(): ShownRepairs
  /** Whether what these nodes hold of a key is in their trees. */
  prove(bucket: string, key: string, nodes: readonly NodeId[]): Promise<readonly Proof[]>
}

export type ShownRepairs = Omit<RepairsState, 'jobs'> & { readonly jobs: readonly Job[] }

export interface RepairsViewParts extends Standing {
  readonly ring: Ring
  readonly peers: Pick<Peers, 'ask'>
  readonly jobs: Jobs
}

export function createRepairsView(parts: RepairsViewParts): RepairsView {
  const { ring, antiEntropy, budget, jobs } = parts
  const state = (): ShownRepairs => describeRepairs(parts)
  return {
    state,
    cluster: () => describeCluster(parts),
    start: (range) => {
      const { partition } = range
      if (partition !== undefined && !ring.preferenceList(partition).includes(ring.self)) {
        const holders = ring.preferenceList(partition).join(', ')
        const text = `${ring.self} holds no copy of partition ${partition}: ask ${holders}`
        throw new ShoalError('SHOAL_QUERY_INVALID', text)
      }
      const { id } = antiEntropy.repairs.start(range)
      return jobs.add('repair', () => antiEntropy.repairs.find(id) ?? forgotten)
    },
    pause: () => {
      budget.pause()
      return state()
    },
    resume: () => {
      budget.resume()
      return state()
    },
    prove: (bucket, key, nodes) => {
      const rowKey = makeRowKey(bucket, key)
      return Promise.all(nodes.map((node) => antiEntropy.prove({ node, rowKey })))
    },
  }
}

const forgotten: JobStatus = {
  state: 'failed',
  progress: 0,
  etaMs: undefined,
  detail: 'forgotten: too many repairs were asked for since',
}

function describeRepairs(parts: Standing & Pick<RepairsViewParts, 'jobs'>): ShownRepairs {
  const { antiEntropy, budget, replica, jobs } = parts
  const { rate, paused, quiet, quietHours, waiting, etaMs } = budget.figures()
  const figures = antiEntropy.figures()
  return {
    debt: describeDebt(debtNow(parts)),
    budget: {
      bytesPerSecond: Math.round(rate),
      paused,
      quiet,
      quietHours: quietHours.map(formatHours),
      waitingBytes: waiting,
      ...(etaMs === undefined ? {} : { etaMs: Math.round(etaMs) }),
    },
    pairs: figures.pairs,
    exchanging: figures.exchanging,
    exchanges: figures.exchanges,
    pulled: figures.pulled,
    pushed: figures.pushed,
    healed: figures.healed,
    unhealed: figures.unhealed,
    lostPartitions: [...antiEntropy.lostPartitions()],
    tombstones: replica.figures().tombstones,
    jobs: jobs.all().filter(({ kind }) => kind === 'repair'),
  }
}

const describeDebt = (debt: Debt): RepairsState['debt'] => ({
  ageMs: debt.debt,
  oldestUnverifiedMs: debt.oldestUnverified,
  divergentSegments: debt.divergentSegments,
  unverified: debt.unverified,
  hintBytes: debt.hintBytes,
  oldestHintMs: debt.oldestHint,
})

async function describeCluster(parts: RepairsViewParts): Promise<ClusterRepairsState> {
  const { ring, peers } = parts
  const ids = ring.record.members.map(({ id }) => id)
  const answers = await Promise.all(
    ids.map((id) => (id === ring.self ? repairsMessage(parts) : askRepairs(peers, id))),
  )
  const told = answers.flatMap((message, index) =>
    message === undefined ? [] : [{ node: ids[index] as NodeId, message }],
  )
  return {
    debt: describeDebt(combineDebts(told.map(({ message }) => debtIn(message)))),
    nodes: told.map(({ node, message }) => describeNode(node, message)),
    silent: ids.filter((_id, index) => answers[index] === undefined),
  }
}

function describeNode(node: NodeId, told: RepairsMessage): ClusterRepairsState['nodes'][number] {
  const { bytesPerSecond, paused, quiet, waitingBytes, etaMs } = told
  const { lostPartitions, unhealed, tombstones } = told
  return {
    node,
    debt: describeDebt(debtIn(told)),
    budget: {
      ...{ bytesPerSecond, paused, quiet, waitingBytes },
      ...(etaMs === undefined ? {} : { etaMs }),
    },
    ...{ lostPartitions, unhealed, tombstones },
  }
}
