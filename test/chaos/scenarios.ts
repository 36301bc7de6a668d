/** Two runs with a plan of their own, for the record. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { until } from '../support/until.ts'
import type { ChaosCluster } from './cluster.ts'
import { type Draw, drawFrom } from './draw.ts'
import { isBad, keepEvidence } from './evidence.ts'
import { pause } from './pause.ts'
import type { Link } from './plan.ts'
import type { ChaosReport } from './report.ts'
import { type RoundOrder, type RoundResult, Trial, type TrialSettings } from './trial.ts'
import { onDisk, type Workload } from './workload.ts'

export interface ScenarioSettings
  extends Omit<TrialSettings, 'folder' | 'smallDisk' | 'partitions'> {
  readonly signal: AbortSignal
  tell(line: string): void
}

/** After so many kills everything is judged. */
const CYCLES_IN_ROUND = 50
const LONGEST_BETWEEN_KILLS_MS = 350
/** Shares of kills: of all nodes at once, and of a node that is still starting. */
const ALL_SHARE = 0.1
const STARTING_SHARE = 0.2
const LONGEST_START_MS = 600

/** SIGKILL and a new start, so many times, under writes that are acknowledged from disk. */
export async function killCycles(settings: ScenarioSettings, cycles: number): Promise<ChaosReport> {
  const { seed, signal, tell } = settings
  const rounds = Math.ceil(cycles / CYCLES_IN_ROUND)
  let done = 0
  return inRounds(settings, rounds, (round) => ({
    name: `k${round}`,
    writeLevels: onDisk,
    coldKeys: 100,
    happens: async (cluster, workload) => {
      const draw = drawFrom(seed, 'kills', round)
      const due = Math.min(cycles, (round + 1) * CYCLES_IN_ROUND)
      const began = performance.now()
      const from = done
      while (done < due && !signal.aborted) done += await killOnce(cluster, workload, draw)
      const each = ((performance.now() - began) / Math.max(1, done - from)).toFixed(0)
      tell(`${done} kills, ${each} ms each; ${workload.acknowledged} writes acknowledged`)
    },
  })).then((report) => ({ ...report, faults: { kill: done } }))
}

/** @returns processes killed and started again */
async function killOnce(cluster: ChaosCluster, workload: Workload, draw: Draw): Promise<number> {
  const { acknowledged } = workload
  await pause(draw.between(0, LONGEST_BETWEEN_KILLS_MS))
  const victims = draw.chance(ALL_SHARE) ? cluster.places : [draw.pick(cluster.places)]
  await Promise.all(victims.map((place) => cluster.kill(place)))
  const again = draw.chance(STARTING_SHARE) ? draw.between(0, LONGEST_START_MS) : undefined
  await Promise.all(
    victims.map(async (place) => {
      if (again !== undefined) {
        cluster.launch(place)
        await pause(again)
        await cluster.kill(place)
      }
      await cluster.start(place)
    }),
  )
  // A cycle in which nothing was acknowledged would prove nothing.
  await until('a write after a kill', () => workload.acknowledged > acknowledged)
  return victims.length * (again === undefined ? 1 : 2)
}

/** A majority and a minority that cannot hear each other, with writers on both sides. */
export async function splitBrain(
  settings: ScenarioSettings,
  splitSeconds: number,
): Promise<ChaosReport> {
  const { signal, tell, nodes } = settings
  return inRounds(settings, 1, () => ({
    name: 'split',
    writeLevels: onDisk.filter(({ w }) => w !== 1),
    hotKeys: 40,
    coldKeys: 400,
    happens: async (cluster) => {
      await pause(3_000, signal)
      const minority = cluster.places.slice(0, Math.floor(nodes / 2))
      const majority = cluster.places.slice(minority.length)
      const links = minority.flatMap((one) =>
        majority.flatMap((other): Link[] => [
          [one, other],
          [other, one],
        ]),
      )
      const through = countThrough(cluster, minority)
      cluster.network.cut(links)
      tell(`n1 to n${minority.length} of ${nodes} are cut off for ${splitSeconds} s`)
      await pause(splitSeconds * 1_000, signal)
      cluster.network.mend(links)
      tell(through())
      await pause(2_000, signal)
    },
  })).then((report) => ({ ...report, faults: { partition: 1 } }))

  /** @returns what to tell of the writes acknowledged since, by side */
  function countThrough(cluster: ChaosCluster, minority: readonly number[]): () => string {
    const from = performance.now()
    const names = new Set(
      minority.flatMap((place) => [cluster.node(place).id, cluster.node(place).url]),
    )
    return () => {
      const counts = { minority: 0, majority: 0 }
      for (const { writes } of trialOf.get(cluster)?.history.keys.values() ?? []) {
        for (const { outcome, start, through } of writes) {
          if (outcome !== 'acknowledged' || start < from) continue
          counts[names.has(through) ? 'minority' : 'majority']++
        }
      }
      return (
        `acknowledged meanwhile: ${counts.majority} writes by the majority, ` +
        `${counts.minority} by the minority`
      )
    }
  }
}

const trialOf = new WeakMap<ChaosCluster, Trial>()

/** Rounds on one cluster until one of them finds something. */
async function inRounds(
  settings: ScenarioSettings,
  count: number,
  orderOf: (round: number) => RoundOrder,
): Promise<ChaosReport> {
  const began = performance.now()
  const folder = mkdtempSync(join(tmpdir(), 'shoal-chaos-'))
  const trial = await Trial.open({ ...settings, folder, smallDisk: false, partitions: 64 })
  trialOf.set(trial.cluster, trial)
  const results: RoundResult[] = []
  try {
    while (results.length < count && !settings.signal.aborted && !results.some(isBad)) {
      results.push(await trial.round(orderOf(results.length)))
      const result = results.at(-1) as RoundResult
      const plan = { seed: settings.seed, round: results.length - 1 }
      if (isBad(result)) keepEvidence(folder, { trial, plan, result })
    }
  } finally {
    await trial.close()
    if (!results.some(isBad)) rmSync(folder, { recursive: true, force: true })
  }
  const sum = (of: (result: RoundResult) => number): number =>
    results.reduce((total, result) => total + of(result), 0)
  return {
    rounds: results.length,
    seconds: (performance.now() - began) / 1_000,
    counts: trial.history.counts,
    reads: trial.history.reads,
    keys: sum(({ keys }) => keys),
    siblings: sum(({ siblings }) => siblings),
    faults: {},
    equalAfterMs: results.map(({ equalAfterMs }) => equalAfterMs),
    violations: results.flatMap(({ violations }) => violations),
    surprises: results.flatMap(({ surprises }) => surprises),
    folder: results.some(isBad) ? folder : undefined,
  }
}
