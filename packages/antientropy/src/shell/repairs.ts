import { type Env, limits, type Millis, type Partition, ShoalError } from '@shoal/kernel'
import type { ExchangeEnding } from '../core/exchange-machine.ts'
import {
  beginJob,
  pauseJob,
  planRepair,
  type RepairCounts,
  type RepairJob,
  type RepairRange,
  type RepairReport,
  type RepairStep,
  reportJob,
  resumeJob,
  stepJob,
} from '../core/repair-job.ts'
import { othersOf, type Peers, type Placement } from '../ports.ts'
import type { ExchangePlan } from './exchange-run.ts'
import type { ScrubReport } from './scrubber.ts'

export interface RepairsParts {
  readonly env: Env
  readonly placement: () => Placement
  readonly peers: Peers
  readonly scrub: (partition: Partition) => Promise<ScrubReport>
  readonly exchange: (plan: ExchangePlan) => Promise<ExchangeEnding>
}

interface StepEnd {
  readonly failure?: string
  readonly moved?: Partial<RepairCounts>
}

/** Repairs that people asked for: one runs, the others wait behind it. */
export class Repairs {
  readonly #parts: RepairsParts
  /** Oldest first. */
  readonly #jobs = new Map<string, RepairJob>()
  readonly #watchers = new Map<string, (() => void)[]>()
  #working = false
  #isStopped = false

  constructor(parts: RepairsParts) {
    this.#parts = parts
  }

  /** @throws SHOAL_OVERLOADED when too many have not ended */
  start(range: RepairRange): RepairReport {
    const { env, placement } = this.#parts
    this.#makeRoom()
    const ring = placement()
    const held = ring.partitionsOf(ring.self)
    const steps = planRepair(range, held, (partition) => othersOf(ring, partition))
    const id = `repair-${Buffer.from(env.random('repair ids').bytes(6)).toString('hex')}`
    const job = beginJob(id, range, { steps, now: this.#now() })
    this.#jobs.set(id, job)
    this.#work()
    return reportJob(job, this.#now())
  }

  /** Newest first. */
  list(): RepairReport[] {
    return [...this.#jobs.values()].reverse().map((job) => reportJob(job, this.#now()))
  }

  find(id: string): RepairReport | undefined {
    const job = this.#jobs.get(id)
    return job && reportJob(job, this.#now())
  }

  /** The step under way ends first. */
  pause(id: string): RepairReport | undefined {
    return this.#change(id, (job) => pauseJob(job, this.#now()))
  }

  resume(id: string): RepairReport | undefined {
    return this.#change(id, (job) => resumeJob(job, this.#now()))
  }

  /** Resolves when the job has ended, or is not known. */
  whenEnded(id: string): Promise<void> {
    const job = this.#jobs.get(id)
    if (!job || hasEnded(job)) return Promise.resolve()
    return new Promise((resolve) => {
      const watchers = this.#watchers.get(id)
      if (watchers) watchers.push(resolve)
      else this.#watchers.set(id, [resolve])
    })
  }

  stop(): void {
    this.#isStopped = true
    for (const id of [...this.#watchers.keys()]) this.#tellWatchers(id)
  }

  #change(id: string, change: (job: RepairJob) => RepairJob): RepairReport | undefined {
    const job = this.#jobs.get(id)
    if (!job) return undefined
    const next = change(job)
    this.#jobs.set(id, next)
    this.#work()
    return reportJob(next, this.#now())
  }

  #work(): void {
    if (this.#working || this.#isStopped) return
    this.#working = true
    this.#workAll()
      .catch((error: unknown) => {
        if (this.#isStopped) return
        // The halt takes its time; until then nothing here begins again.
        this.stop()
        this.#parts.env.halt(error as Error)
      })
      .finally(() => {
        this.#working = false
        // Resumed while the last step was ending.
        if (this.#first()) this.#work()
      })
  }

  async #workAll(): Promise<void> {
    for (let job = this.#first(); job && !this.#isStopped; job = this.#first()) {
      const [step] = job.todo
      if (!step) return
      const ended = await this.#perform(step, job.range)
      const now = this.#now()
      const after = stepJob(this.#jobs.get(job.id) ?? job, { ...ended, now })
      this.#jobs.set(job.id, after)
      if (hasEnded(after)) this.#tellWatchers(job.id)
    }
  }

  #first(): RepairJob | undefined {
    for (const job of this.#jobs.values()) if (job.state === 'running') return job
    return undefined
  }

  async #perform(step: RepairStep, range: RepairRange): Promise<StepEnd> {
    const { partition } = step
    if (step.kind === 'scrub') return endOfScrub(partition, await this.#parts.scrub(partition))
    const { peer } = step
    if (!this.#parts.peers.isUp(peer)) return { failure: `${peer} is down` }
    const { bucket } = range
    const plan = { partition, peer, ...(bucket === undefined ? {} : { bucket }) }
    const { complete, code, tally } = await this.#parts.exchange(plan)
    const { pulled, pushed, healed } = tally
    const moved = { pulled, pushed, healed }
    if (complete) return { moved }
    return { moved, failure: `partition ${partition} with ${peer}: ${reasonOf(code, tally)}` }
  }

  #makeRoom(): void {
    if (this.#jobs.size < limits.repairJobsMax) return
    const ended = [...this.#jobs.values()].find(hasEnded)
    if (ended) this.#jobs.delete(ended.id)
    else throw new ShoalError('SHOAL_OVERLOADED', 'too many repairs have not ended')
  }

  #tellWatchers(id: string): void {
    const watchers = this.#watchers.get(id) ?? []
    this.#watchers.delete(id)
    for (const watch of watchers) watch()
  }

  #now(): Millis {
    return this.#parts.env.clock.elapsed()
  }
}

const hasEnded = ({ state }: RepairJob): boolean => state === 'done' || state === 'failed'

function endOfScrub(partition: Partition, report: ScrubReport): StepEnd {
  const { rows, corrected, damaged, healed, unreadable } = report
  const moved = { rows, healed, digestsCorrected: corrected }
  if (unreadable > 0) {
    return { moved, failure: `partition ${partition}: the disk cannot give ${unreadable} segments` }
  }
  const left = damaged - healed
  if (left <= 0) return { moved }
  return { moved, failure: `partition ${partition}: nobody could give ${left} damaged rows` }
}

function reasonOf(code: ExchangeEnding['code'], tally: ExchangeEnding['tally']): string {
  if (code !== undefined) return code
  const { failed, unhealed, unreadOwn, unreadTheirs } = tally
  if (unhealed > 0) return `${unhealed} keys have no intact copy on either side`
  if (unreadOwn + unreadTheirs > 0) return `${unreadOwn + unreadTheirs} segments cannot be read`
  return `${failed} keys could not be moved`
}
