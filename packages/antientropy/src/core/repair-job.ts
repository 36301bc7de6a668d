import { type Millis, millis, type NodeId, type Partition } from '@shoal/kernel'

/**
 * A repair that somebody asked for: check every row of a range at once, then compare the range with
 * every other replica. A list of steps, so that it can be shown, paused and resumed.
 */
export type RepairStep =
  | { readonly kind: 'scrub'; readonly partition: Partition }
  | { readonly kind: 'exchange'; readonly partition: Partition; readonly peer: NodeId }

export interface RepairRange {
  /** Only this partition; absent: all that this node holds. */
  readonly partition?: Partition
  /** Only keys of this bucket are made equal; absent: all keys. */
  readonly bucket?: string
}

export interface RepairJob {
  readonly id: string
  readonly range: RepairRange
  readonly state: 'running' | 'paused' | 'done' | 'failed'
  readonly todo: readonly RepairStep[]
  readonly done: number
  /** Steps that did not come to their end, in words. */
  readonly failures: readonly string[]
  readonly startedAt: Millis
  /** Time spent running, up to `since`. */
  readonly spent: Millis
  /** Since when it has been running; undefined while paused and afterwards. */
  readonly since: Millis | undefined
  readonly moved: RepairCounts
}

/** What a job has done so far. */
export interface RepairCounts {
  readonly rows: number
  readonly pulled: number
  readonly pushed: number
  readonly healed: number
  readonly digestsCorrected: number
}

export const noCounts: RepairCounts = {
  rows: 0,
  pulled: 0,
  pushed: 0,
  healed: 0,
  digestsCorrected: 0,
}

/** As the admin API shows a job. */
export interface RepairReport {
  readonly id: string
  readonly kind: 'repair'
  readonly state: RepairJob['state']
  /** 0 to 1. */
  readonly progress: number
  /** Undefined until something is done, while paused, and afterwards. */
  readonly etaMs: number | undefined
  readonly detail: string
}

const FAILURES_KEPT = 20

/** Partition by partition: first what lies here, then what the others have. */
export function planRepair(
  range: RepairRange,
  held: readonly Partition[],
  peersOf: (partition: Partition) => readonly NodeId[],
): RepairStep[] {
  const partitions = held.filter((each) => (range.partition ?? each) === each)
  return partitions.flatMap((partition): RepairStep[] => [
    { kind: 'scrub', partition },
    ...peersOf(partition).map((peer) => ({ kind: 'exchange' as const, partition, peer })),
  ])
}

export function beginJob(
  id: string,
  range: RepairRange,
  plan: { readonly steps: readonly RepairStep[]; readonly now: Millis },
): RepairJob {
  const { steps, now } = plan
  return {
    id,
    range,
    state: steps.length === 0 ? 'done' : 'running',
    todo: steps,
    done: 0,
    failures: [],
    startedAt: now,
    spent: millis(0),
    since: steps.length === 0 ? undefined : now,
    moved: noCounts,
  }
}

/** The first step has ended. A failure does not end the job: the rest is worth doing. */
export function stepJob(
  job: RepairJob,
  ended: { readonly failure?: string; readonly moved?: Partial<RepairCounts>; now: Millis },
): RepairJob {
  if (job.todo.length === 0) return job
  const todo = job.todo.slice(1)
  const failures = ended.failure ? [...job.failures, ended.failure] : job.failures
  const next: RepairJob = {
    ...job,
    todo,
    done: job.done + 1,
    failures: failures.slice(-FAILURES_KEPT),
    moved: addCounts(job.moved, ended.moved),
  }
  if (todo.length > 0) return next
  return { ...stopClock(next, ended.now), state: failures.length > 0 ? 'failed' : 'done' }
}

export function pauseJob(job: RepairJob, now: Millis): RepairJob {
  return job.state === 'running' ? { ...stopClock(job, now), state: 'paused' } : job
}

export function resumeJob(job: RepairJob, now: Millis): RepairJob {
  return job.state === 'paused' ? { ...job, state: 'running', since: now } : job
}

export function reportJob(job: RepairJob, now: Millis): RepairReport {
  const all = job.done + job.todo.length
  const progress = all === 0 ? 1 : job.done / all
  const spent = job.spent + (job.since === undefined ? 0 : now - job.since)
  const isKnown = job.state === 'running' && job.done > 0
  return {
    id: job.id,
    kind: 'repair',
    state: job.state,
    progress,
    etaMs: isKnown ? Math.round((spent / job.done) * job.todo.length) : undefined,
    detail: detailOf(job),
  }
}

function detailOf({ range, done, todo, moved, failures }: RepairJob): string {
  const { rows, pulled, pushed, healed, digestsCorrected } = moved
  const parts = [
    `${done} of ${done + todo.length} steps`,
    `${rows} rows checked`,
    `${pulled} fetched, ${pushed} sent, ${healed} damaged ones replaced`,
  ]
  if (digestsCorrected > 0) parts.push(`${digestsCorrected} digests were wrong`)
  const last = failures.at(-1)
  if (last !== undefined) parts.push(`${failures.length} steps failed, last: ${last}`)
  return whatOf(range) + parts.join('; ')
}

/** `partition 7 of bucket carts: `; nothing for all there is. */
function whatOf({ partition, bucket }: RepairRange): string {
  const parts = [
    ...(partition === undefined ? [] : [`partition ${partition}`]),
    ...(bucket === undefined ? [] : [`bucket ${bucket}`]),
  ]
  return parts.length === 0 ? '' : `${parts.join(' of ')}: `
}

function stopClock(job: RepairJob, now: Millis): RepairJob {
  const running = job.since === undefined ? 0 : now - job.since
  return { ...job, since: undefined, spent: millis(job.spent + running) }
}

function addCounts(one: RepairCounts, other: Partial<RepairCounts> = {}): RepairCounts {
  return {
    rows: one.rows + (other.rows ?? 0),
    pulled: one.pulled + (other.pulled ?? 0),
    pushed: one.pushed + (other.pushed ?? 0),
    healed: one.healed + (other.healed ?? 0),
    digestsCorrected: one.digestsCorrected + (other.digestsCorrected ?? 0),
  }
}
