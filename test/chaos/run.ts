/** Rounds of chaos until the time is over or something is found. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { mountSmallDisk } from '../support/small-disk.ts'
import type { Violation } from './checker.ts'
import { drawFrom } from './draw.ts'
import { isBad, keepEvidence } from './evidence.ts'
import { runFaults } from './faults.ts'
import { NamespaceNetwork } from './namespaces.ts'
import { pause } from './pause.ts'
import { describeFault, drawRound, type FaultKind, type PlanSettings, type Round } from './plan.ts'
import type { ChaosReport } from './report.ts'
import { type RoundResult, Trial, type TrialSettings } from './trial.ts'
import { inMemory, onTwoDisks } from './workload.ts'

export interface ChaosSettings extends PlanSettings {
  readonly minutes: number
  /** The first round. */
  readonly from: number
  /** Rounds at most. */
  readonly rounds: number
  readonly workers: number
  readonly equalBy: TrialSettings['equalBy']
  /** Ends the run after the round that is under way, without its faults. */
  readonly signal: AbortSignal
  tell(line: string): void
}

const PROGRESS_EVERY_MS = 5_000
/** Healing and judging a round, at most, as a share of its load; for knowing when to end. */
const REST_OF_ROUND = 1.2

/** What this machine does not allow, in words, and the settings without it. */
export function fitToMachine<S extends PlanSettings>(settings: S): { fit: S; leftOut: string[] } {
  const leftOut: string[] = []
  let { networks, faults } = settings
  if (networks.includes('namespaces')) {
    const network = NamespaceNetwork.open(1)
    if (typeof network === 'string') {
      leftOut.push(network)
      networks = ['proxies']
    } else network.close()
  }
  if (faults.includes('disk-full')) {
    const disk = mountSmallDisk()
    if (typeof disk === 'string') {
      leftOut.push(disk)
      faults = faults.filter((kind) => kind !== 'disk-full')
    } else disk.remove()
  }
  return { fit: { ...settings, networks, faults }, leftOut }
}

export async function runChaos(settings: ChaosSettings): Promise<ChaosReport> {
  const run = new Run(settings)
  try {
    return await run.toTheEnd()
  } finally {
    await run.close()
  }
}

class Run {
  readonly #settings: ChaosSettings
  readonly #folder = mkdtempSync(join(tmpdir(), 'shoal-chaos-'))
  readonly #began = performance.now()
  readonly #faults: Partial<Record<FaultKind, number>> = {}
  readonly #sums = { acknowledged: 0, unknown: 0, refused: 0, reads: 0, keys: 0, siblings: 0 }
  readonly #equalAfterMs: number[] = []
  #trial: Trial | undefined
  #rounds = 0
  #failed = false

  constructor(settings: ChaosSettings) {
    this.#settings = settings
  }

  async toTheEnd(): Promise<ChaosReport> {
    const { from, rounds, signal, roundMs } = this.#settings
    const due = this.#settings.minutes * 60_000
    const longest = roundMs * 1.25 * (1 + REST_OF_ROUND)
    for (let index = from; index < from + rounds && !signal.aborted; index++) {
      if (index > from && performance.now() - this.#began + longest > due) break
      const result = await this.#round(drawRound(this.#settings, index))
      if (isBad(result)) return this.#report(result.violations, result.surprises)
    }
    return this.#report([], [])
  }

  async close(): Promise<void> {
    await this.#endTrial()
    if (!this.#failed) rmSync(this.#folder, { recursive: true, force: true })
  }

  async #round(round: Round): Promise<RoundResult> {
    const { signal, tell } = this.#settings
    const place = `${round.nodes} nodes, ${round.network}`
    tell(`round ${round.index}: ${place}, ${(round.lasts / 1_000).toFixed(0)} s of load`)
    const trial = await this.#trialFor(round)
    const progress = setInterval(() => this.#tellProgress(round), PROGRESS_EVERY_MS)
    try {
      const result = await trial.round({
        name: `r${round.index}`,
        writeLevels: round.loser === undefined ? inMemory : onTwoDisks,
        happens: async (cluster) => {
          const ends = pause(round.lasts, signal)
          await runFaults(cluster, round, { signal, told: (fault) => this.#note(fault) })
          await ends
        },
      })
      this.#rounds++
      this.#sums.keys += result.keys
      this.#sums.siblings += result.siblings
      this.#equalAfterMs.push(result.equalAfterMs)
      if (isBad(result)) {
        this.#failed = true
        keepEvidence(this.#folder, { trial, plan: { seed: this.#settings.seed, ...round }, result })
      }
      return result
    } finally {
      clearInterval(progress)
    }
  }

  #note(fault: Round['faults'][number]): void {
    this.#faults[fault.kind] = (this.#faults[fault.kind] ?? 0) + 1
    this.#settings.tell(`  ${describeFault(fault)}`)
  }

  async #trialFor(round: Round): Promise<Trial> {
    if (this.#trial !== undefined && !round.isFirst) return this.#trial
    await this.#endTrial()
    const { seed, workers, equalBy, faults, roundsPerCluster } = this.#settings
    const cluster = Math.floor(round.index / roundsPerCluster)
    this.#trial = await Trial.open({
      seed,
      folder: join(this.#folder, `cluster-${cluster}`),
      nodes: round.nodes,
      network: round.network,
      partitions: drawFrom(seed, 'partitions', cluster).pick([8, 64]),
      smallDisk: faults.includes('disk-full'),
      workers,
      equalBy,
    })
    return this.#trial
  }

  async #endTrial(): Promise<void> {
    const trial = this.#trial
    this.#trial = undefined
    if (trial === undefined) return
    const { counts, reads } = trial.history
    for (const outcome of ['acknowledged', 'unknown', 'refused'] as const) {
      this.#sums[outcome] += counts[outcome]
    }
    this.#sums.reads += reads
    await trial.close()
    if (!this.#failed) rmSync(this.#folder, { recursive: true, force: true })
  }

  #tellProgress(round: Round): void {
    const { counts, reads } = this.#trial?.history ?? { counts: undefined, reads: 0 }
    const seconds = ((performance.now() - this.#began) / 1_000).toFixed(0)
    const serving = this.#trial?.cluster.serving.length ?? 0
    this.#settings.tell(
      `  ${seconds} s: round ${round.index}, ${serving} of ${round.nodes} nodes serve, ` +
        `${counts?.acknowledged} acknowledged, ${counts?.unknown} unknown, ` +
        `${counts?.refused} refused, ${reads} reads`,
    )
  }

  async #report(
    violations: readonly Violation[],
    surprises: readonly string[],
  ): Promise<ChaosReport> {
    await this.#endTrial()
    const { acknowledged, unknown, refused, ...sums } = this.#sums
    return {
      rounds: this.#rounds,
      seconds: (performance.now() - this.#began) / 1_000,
      counts: { acknowledged, unknown, refused },
      ...sums,
      faults: this.#faults,
      equalAfterMs: this.#equalAfterMs,
      violations,
      surprises,
      folder: this.#failed ? this.#folder : undefined,
    }
  }
}
