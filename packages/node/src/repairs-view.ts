import type { AntiEntropy, BackgroundBudget, Proof, RepairRange } from '@shoal/antientropy'
import type { Handoff } from '@shoal/handoff'
import { millis, type NodeId, ShoalError } from '@shoal/kernel'
import type { Replica } from '@shoal/replica'
import { makeRowKey, type Ring } from '@shoal/ring'
import { hintsOf } from './hints-view.ts'
import type { RepairsState } from './http/schemas/repairs.ts'
import type { Job, JobStatus, Jobs } from './jobs.ts'

/** How equal and how whole the copies of this node are, for the routes that show it. */
export interface RepairsView {
  state(): ShownRepairs
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

export interface RepairsViewParts {
  readonly ring: Ring
  readonly antiEntropy: AntiEntropy
  readonly budget: BackgroundBudget
  readonly handoff: Handoff | undefined
  readonly replica: Pick<Replica, 'figures'>
  readonly jobs: Jobs
}

export function createRepairsView(parts: RepairsViewParts): RepairsView {
  const { ring, antiEntropy, budget, jobs } = parts
  const state = (): ShownRepairs => describeRepairs(parts)
  return {
    state,
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

function describeRepairs(parts: RepairsViewParts): ShownRepairs {
  const { antiEntropy, budget, handoff, replica, jobs } = parts
  const { bytes, oldestMs } = hintsOf(handoff)
  const { rate, paused, quiet, waiting, etaMs } = budget.figures()
  const figures = antiEntropy.figures()
  const debt = antiEntropy.debt({ bytes, oldest: millis(oldestMs) })
  return {
    debt: {
      ageMs: debt.debt,
      oldestUnverifiedMs: debt.oldestUnverified,
      divergentSegments: debt.divergentSegments,
      unverified: debt.unverified,
      hintBytes: debt.hintBytes,
      oldestHintMs: debt.oldestHint,
    },
    budget: {
      bytesPerSecond: Math.round(rate),
      paused,
      quiet,
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
