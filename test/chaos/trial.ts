/**
 * One cluster and its clients, through as many rounds as one likes: load while something happens,
 * healing, and the judgement of everything that was ever written to it.
 */
import { performance } from 'node:perf_hooks'
import { putBuckets } from '../support/buckets.ts'
import { mountSmallDisk } from '../support/small-disk.ts'
import { until } from '../support/until.ts'
import { judgeKey, type Violation } from './checker.ts'
import { ChaosCluster } from './cluster.ts'
import type { Level } from './doors.ts'
import { type Final, History } from './history.ts'
import { NamespaceNetwork } from './namespaces.ts'
import type { Network } from './network.ts'
import type { NetworkKind } from './plan.ts'
import { ProxyNetwork } from './proxies.ts'
import { Survey } from './survey.ts'
import { Workload } from './workload.ts'

/** How long copies may take to become equal after healing. */
const EQUAL_WITHIN_MS = 120_000
const WRITES_AFTER_HEALING = 10
const BUCKET = 'chaos'

export interface TrialSettings {
  readonly seed: number
  readonly folder: string
  readonly nodes: number
  readonly network: NetworkKind
  readonly partitions: number
  readonly smallDisk: boolean
  readonly workers: number
  /** What makes copies equal: the store by itself, or reads of all replicas. */
  readonly equalBy: 'itself' | 'reads'
}

export interface RoundOrder {
  readonly name: string
  readonly writeLevels: readonly Level[]
  readonly hotKeys?: number
  readonly coldKeys?: number
  /** The load goes on until it resolves. */
  readonly happens: (cluster: ChaosCluster, workload: Workload) => Promise<void>
}

export interface RoundResult {
  readonly violations: readonly Violation[]
  /** What no plan explains: answers, ends of processes, things that took too long. */
  readonly surprises: readonly string[]
  readonly keys: number
  readonly finals: ReadonlyMap<string, Final | undefined>
  /** Keys with several values in the end. */
  readonly siblings: number
  /** Milliseconds from healing until all copies were equal. */
  readonly equalAfterMs: number
}

export class Trial {
  readonly cluster: ChaosCluster
  readonly history = new History()
  readonly #settings: TrialSettings
  readonly #survey: Survey

  private constructor(settings: TrialSettings, cluster: ChaosCluster) {
    this.#settings = settings
    this.cluster = cluster
    this.#survey = new Survey(cluster.nodes, BUCKET)
  }

  /** All nodes serve when it resolves. */
  static async open(settings: TrialSettings): Promise<Trial> {
    const { folder, partitions, smallDisk } = settings
    const network = await openNetwork(settings.network, settings.nodes)
    const disk = smallDisk ? mountSmallDisk() : undefined
    if (typeof disk === 'string') throw new Error(disk)
    const cluster = new ChaosCluster({ folder, network, partitions, disk })
    try {
      await Promise.all(cluster.places.map((place) => cluster.start(place)))
      await cluster.settled()
      await putBuckets(cluster.nodes, { [BUCKET]: { blindWrites: 'sibling' } })
    } catch (error) {
      cluster.keepLogs()
      await cluster.close()
      throw error
    }
    return new Trial(settings, cluster)
  }

  async close(): Promise<void> {
    this.#survey.close()
    await this.cluster.close()
  }

  async round(order: RoundOrder): Promise<RoundResult> {
    const { cluster } = this
    const surprises = new Set<string>()
    const workload = this.#load(order, (words) => surprises.add(words))
    try {
      await order.happens(cluster, workload)
      await cluster.heal()
      await this.#serves(workload)
    } catch (error) {
      surprises.add((error as Error).message)
    }
    await workload.stop()
    const equalAfterMs = await this.#becomeEqual((words) => surprises.add(words))
    const finals = await this.#survey.finals([...this.history.keys.keys()])
    const violations = this.#judge(finals)
    for (const words of cluster.surprises.splice(0)) surprises.add(words)
    return {
      violations,
      surprises: [...surprises],
      keys: finals.size,
      finals,
      siblings: [...finals.values()].filter((final) => (final?.shown.length ?? 0) > 1).length,
      equalAfterMs,
    }
  }

  #load(order: RoundOrder, surprise: (words: string) => void): Workload {
    const { name, writeLevels, hotKeys = 30, coldKeys = 200 } = order
    const { seed, workers } = this.#settings
    return new Workload({
      nodes: this.cluster.nodes,
      bucket: BUCKET,
      name,
      seed,
      workers,
      hotKeys,
      coldKeys,
      writeLevels,
      history: this.history,
      surprise,
    })
  }

  /** A healed cluster takes writes again. */
  async #serves(workload: Workload): Promise<void> {
    const wanted = workload.acknowledged + WRITES_AFTER_HEALING
    await until('writes after healing', () => workload.acknowledged >= wanted)
  }

  /** @returns milliseconds it took */
  async #becomeEqual(surprise: (words: string) => void): Promise<number> {
    const began = performance.now()
    const survey = this.#survey
    const drained = async (): Promise<boolean> => {
      const owed = await survey.hints()
      return owed === undefined || owed.total === 0
    }
    await until('all hints to be delivered', drained, EQUAL_WITHIN_MS).catch((error: Error) =>
      surprise(error.message),
    )
    let left: readonly string[] = [...this.history.keys.keys()]
    if (this.#settings.equalBy === 'reads') await survey.readAll(left)
    const equal = async (): Promise<boolean> => {
      left = await survey.unequal(left)
      return left.length === 0
    }
    await until('all copies to be equal', equal, EQUAL_WITHIN_MS).catch((error: Error) =>
      surprise(
        `${error.message}: ${left.length} keys differ, among them ${left.slice(0, 3).join()}`,
      ),
    )
    return performance.now() - began
  }

  /** Everything that this cluster was ever given, also in earlier rounds. */
  #judge(finals: ReadonlyMap<string, Final | undefined>): Violation[] {
    return [...this.history.keys].flatMap(([key, history]) => {
      const found = judgeKey({ key, history, final: finals.get(key) })
      // Judged once: what is left to ask of an older key is what it shows from now on.
      if (found.length === 0) history.reads.length = 0
      return found
    })
  }
}

async function openNetwork(kind: NetworkKind, nodes: number): Promise<Network> {
  if (kind === 'proxies') return ProxyNetwork.open(nodes)
  const network = NamespaceNetwork.open(nodes)
  if (typeof network === 'string') throw new Error(network)
  return network
}
