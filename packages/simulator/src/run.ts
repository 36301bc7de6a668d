import { errorCatalogue, InvariantViolation, isErrorCode } from '@shoal/kernel'
import { Checks } from './check/checks.ts'
import type { InvokedOperation, Observer } from './check/observer.ts'
import { createSimCluster } from './cluster/create-sim-cluster.ts'
import type { ClientEnd, SimCluster, SimNode } from './cluster/sim-cluster.ts'
import type { Recorder } from './kernel/recorder.ts'
import { LabelWatcher } from './labels/watcher.ts'
import { isProbe } from './plan/generate.ts'
import type { OperationPlan, Plan } from './plan/plan.ts'
import { addCounts, type Failure, type SimulationResult } from './result.ts'
import { damageUnread, runMendingByReads } from './stages/mending.ts'
import { runOutage } from './stages/outage.ts'
import type { Stage } from './stages/stage.ts'
import { readsOfAll, readsThrough, strictReads } from './workload/last-reads.ts'
import { type Ended, Workload } from './workload/workload.ts'

export interface SimulateOptions {
  /** Go on after the first failure. Default: the first one ends the run. */
  readonly goOn?: boolean
  /** Writes down what happens, to be compared with another run. */
  readonly recorder?: Recorder
}

/** How long a stretch runs before anyone looks whether something has failed. */
const SLICE = 500
/** Without faults some operation ends in that time: the longest deadline, and retries. */
const DRAIN_MAX = 120_000
const QUIET = 10_000
/** A target that refused is tried again after half a minute at the latest, and then again. */
const DELIVERED_MAX = 120_000
/** Every pair of copies has met since the healing: the interval, and time to make them equal. */
const CONVERGED = 25_000
/** Every row of every node was read and checked. */
const SCRUBBED_MAX = 60_000
/** Repairs that follow a read are done by then. */
const REPAIRED = 5_000

/**
 * Runs a plan: workload under faults, healing, a quiet time, reads of all copies, strict reads,
 * checks of what the disks hold, a clean stop. Equal plans give equal results.
 */
export async function simulate(
  plan: Plan,
  options: SimulateOptions = {},
): Promise<SimulationResult> {
  return await new Simulation(plan, options).run()
}

class Ending extends Error {}

class Simulation {
  readonly #plan: Plan
  readonly #options: SimulateOptions
  readonly #failures: Failure[] = []
  readonly #operations: Record<string, Record<string, number>> = {}
  #cluster: SimCluster | undefined
  #labels: LabelWatcher | undefined
  #checks: Checks | undefined
  /** When the last operation ended. */
  #lastEnd = 0

  constructor(plan: Plan, options: SimulateOptions) {
    this.#plan = plan
    this.#options = options
  }

  async run(): Promise<SimulationResult> {
    try {
      await this.#phases()
    } catch (error) {
      if (!(error instanceof Ending)) this.#fail(ruleOf(error), describe(error))
    }
    return this.#result()
  }

  async #phases(): Promise<void> {
    const plan = this.#plan
    const { recorder } = this.#options
    const cluster = await createSimCluster(plan, {
      begin: (made) => this.#watch(made),
      ...(recorder ? { recorder } : {}),
    })
    const workload = new Workload({
      cluster,
      seed: plan.seed,
      observer: both(this.#checks as Checks, this.#labels as LabelWatcher),
      ended: (ended) => this.#ended(ended),
    })

    this.#scheduleFaults(cluster)
    workload.schedule(plan.operations)
    await this.#runFor(plan.duration)
    cluster.heal()
    await this.#runUntilIdle(workload)
    await this.#runFor(QUIET)
    const stage = this.#stageOf(cluster, workload)
    await runOutage(stage)
    await this.#runUntilIdle(workload)
    await this.#runUntilDelivered()
    await this.#runUntilEqual(stage)
    for (const label of ['all-', 'again-']) {
      workload.schedule(readsOfAll(plan, label))
      await this.#runUntilIdle(workload)
      await this.#runFor(REPAIRED)
    }
    workload.schedule(readsThrough(this.#checks?.damagedRows() ?? [], 'own-'))
    await this.#runUntilIdle(workload)
    await this.#runFor(REPAIRED)
    workload.schedule(strictReads(plan, 'last-'))
    await this.#runUntilIdle(workload)
    this.#checks?.final()
    this.#stopIfFailed()
    this.#labels?.end()
    await cluster.finish()
  }

  #watch(cluster: SimCluster): void {
    const fail = (rule: string, message: string): void => this.#fail(rule, message)
    this.#cluster = cluster
    this.#labels = new LabelWatcher(cluster)
    this.#checks = new Checks({ cluster, plan: this.#plan, fail })
    for (const watcher of [this.#checks, this.#labels]) cluster.observe(watcher)
  }

  #scheduleFaults(cluster: SimCluster): void {
    const { faults, liveness } = this.#plan
    for (const fault of faults) cluster.after(fault.at, () => cluster.applyFault(fault))
    // The minority breaks after that; nothing of before may linger on the others.
    if (liveness) cluster.after(liveness.from, () => cluster.heal())
  }

  async #runFor(millis: number): Promise<void> {
    const cluster = this.#cluster as SimCluster
    const until = cluster.now() + millis
    while (cluster.now() < until) {
      await cluster.run(Math.min(until, cluster.now() + SLICE))
      this.#labels?.sample()
      this.#checks?.sample()
      this.#stopIfFailed()
    }
  }

  async #runUntilIdle(workload: Workload): Promise<void> {
    const cluster = this.#cluster as SimCluster
    const began = cluster.now()
    while (!workload.isIdle) {
      // A session asks one thing after another: what it could not do in time it does now.
      if (cluster.now() > Math.max(began, this.#lastEnd) + DRAIN_MAX) {
        this.#fail('stuck', `no request has ended for ${DRAIN_MAX / 1_000} s without faults`)
        throw new Ending()
      }
      await this.#runFor(SLICE)
    }
  }

  #stageOf(cluster: SimCluster, workload: Workload): Stage {
    return {
      ...{ cluster, workload, plan: this.#plan, checks: this.#checks },
      runFor: (millis) => this.#runFor(millis),
      runUntilIdle: () => this.#runUntilIdle(workload),
      fail: (rule, message) => this.#fail(rule, message),
    }
  }

  /** Until no node owes another anything, or for as long as that may take. */
  async #runUntilDelivered(): Promise<void> {
    const cluster = this.#cluster as SimCluster
    const until = cluster.now() + DELIVERED_MAX
    const owes = ({ handoff }: SimNode): boolean => (handoff?.figures().total ?? 0) > 0
    do await this.#runFor(SLICE)
    while (cluster.now() < until && cluster.nodes.some(owes))
  }

  /** By themselves, and within the interval of exchanges; damage is looked for at once. */
  async #runUntilEqual(stage: Stage): Promise<void> {
    const { cluster } = stage
    await this.#runFor(CONVERGED)
    this.#checks?.converged()
    this.#stopIfFailed()
    await runMendingByReads(stage)
    this.#stopIfFailed()
    damageUnread(stage)
    const jobs = cluster.nodes.flatMap(({ antiEntropy }) => {
      const job = antiEntropy?.repairs.start({})
      return job ? [() => antiEntropy?.repairs.find(job.id)?.state] : []
    })
    const until = cluster.now() + SCRUBBED_MAX
    while (cluster.now() < until && jobs.some((state) => state() === 'running')) {
      await this.#runFor(SLICE)
    }
    if (jobs.some((state) => state() === 'running')) this.#fail('E4', 'a scrub does not end')
    this.#checks?.scrubbed()
    this.#stopIfFailed()
  }

  #ended({ operation, outcome, retryable }: Ended): void {
    const counts = this.#operations[operation.kind] ?? {}
    this.#operations[operation.kind] = counts
    counts[outcome] = (counts[outcome] ?? 0) + 1
    this.#lastEnd = this.#cluster?.now() ?? 0
    const { context, id, kind } = operation
    if (isInternal(outcome)) this.#fail('face', `${id}: a client was answered ${outcome}`)
    if (outcome === 'ok') {
      if (context === 'corrupt' && kind !== 'get') {
        this.#fail('V6', `${id}: a context with a changed character was taken`)
      }
      return
    }
    if (isProbe(operation) && retryable && this.#plan.liveness) {
      this.#fail('I14', `${describeOperation(operation)} failed with ${outcome} in every attempt`)
    }
    if (isLastRead(operation) && !this.#isLost(operation, outcome)) {
      this.#fail('I13', `${describeOperation(operation)} fails after healing with ${outcome}`)
    }
  }

  /** A key whose every copy is damaged says so; it is not asked to give an answer. */
  #isLost({ bucket, key }: OperationPlan, outcome: Ended['outcome']): boolean {
    const checks = this.#checks
    if (outcome === 'SHOAL_DATA_DAMAGED' && !checks?.hasSoundCopy(bucket, key)) return true
    const refused = outcome === 'SHOAL_DATA_DAMAGED' || outcome === 'SHOAL_QUORUM_UNMET'
    return refused && checks?.hasLostKnowledge(bucket, key) === true
  }

  #stopIfFailed(): void {
    if (this.#failures.length > 0 && !this.#options.goOn) throw new Ending()
  }

  #fail(rule: string, message: string): void {
    if (this.#failures.length >= FAILURES_MAX) return
    this.#failures.push({ rule, message, at: Math.round(this.#cluster?.now() ?? 0) })
  }

  #result(): SimulationResult {
    const cluster = this.#cluster
    const faults: Record<string, number> = {}
    const injected: Record<string, number> = {}
    if (cluster) {
      addCounts(faults, Object.fromEntries(cluster.figures.faults))
      addCounts(injected, Object.fromEntries(cluster.figures.injected))
    }
    return {
      seed: this.#plan.seed,
      failures: this.#failures,
      hash: cluster?.hash ?? '',
      events: cluster?.figures.events ?? 0,
      virtualMillis: Math.round(cluster?.now() ?? 0),
      operations: this.#operations,
      faults,
      injected,
      labels: this.#labels?.reached ?? [],
      checks: Object.fromEntries(this.#checks?.counts ?? []),
    }
  }
}

const FAILURES_MAX = 20

/** Codes of which no client should ever hear have no status. */
const isInternal = (outcome: Ended['outcome']): boolean =>
  isErrorCode(outcome) && errorCatalogue[outcome].status === 0

const isLastRead = ({ id }: OperationPlan): boolean => /^(all|again|last)-/.test(id)

function describeOperation({ id, kind, bucket, key, consistency }: OperationPlan): string {
  const level = consistency ? `${consistency.level}${consistency.strict ? ';strict' : ''}` : ''
  return `${kind} ${level} of ${bucket}/${key} (${id})`
}

/** Clients tell both of what they do. */
function both(one: Observer, other: Observer): Observer {
  return {
    invoked: (operation: InvokedOperation) => {
      one.invoked?.(operation)
      other.invoked?.(operation)
    },
    ended: (operation: InvokedOperation, end: ClientEnd) => {
      one.ended?.(operation, end)
      other.ended?.(operation, end)
    },
  }
}

const ruleOf = (error: unknown): string => (error instanceof InvariantViolation ? 'trip' : 'crash')

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}
