import { type Env, limits, type Millis, ShoalError } from '@shoal/kernel'
import type { SyncPoint, SyncPoints } from './core/sync-points.ts'

/** How far a wait for hints has come, as people are shown any job. */
export interface HintSyncStatus {
  /** `failed`: hints were taken off the log undelivered; what they owe is left to anti-entropy. */
  readonly state: 'running' | 'paused' | 'done' | 'failed'
  /** 0 to 1. */
  readonly progress: number
  /** Undefined while nothing has been delivered to judge by. */
  readonly etaMs: number | undefined
  readonly detail: string
}

/** A wait until all hints that existed at one moment are delivered (H4). */
export interface HintSync {
  /** Hints there were. */
  readonly total: number
  status(): HintSyncStatus
  /** Resolves when it is over, with how it ended. Never rejects; never resolves once cancelled. */
  readonly ended: Promise<'done' | 'failed'>
  /** Nobody waits any longer. */
  cancel(): void
}

/** The callers that wait, and what they are told. */
export class HintSyncs {
  readonly #env: Env
  readonly #points: SyncPoints
  readonly #isPaused: () => boolean
  readonly #jobs = new Map<number, Job>()

  constructor(env: Env, points: SyncPoints, isPaused: () => boolean) {
    this.#env = env
    this.#points = points
    this.#isPaused = isPaused
  }

  /** @throws SHOAL_OVERLOADED while too many others wait */
  assertRoom(): void {
    if (this.#jobs.size < limits.hintSyncsMax) return
    throw new ShoalError('SHOAL_OVERLOADED', 'Too many others wait for hints.', {
      wanted: limits.hintSyncsMax,
      retryAfterMs: 1_000,
    })
  }

  begin(point: SyncPoint): HintSync {
    const job = new Job(point, {
      now: () => this.#env.clock.elapsed(),
      isPaused: this.#isPaused,
      find: () => this.#points.find(point.id),
      drop: () => {
        this.#points.drop(point.id)
        this.#jobs.delete(point.id)
      },
    })
    if (point.left === 0) job.reached(point)
    else this.#jobs.set(point.id, job)
    return job
  }

  reached(points: readonly SyncPoint[]): void {
    for (const point of points) {
      this.#jobs.get(point.id)?.reached(point)
      this.#jobs.delete(point.id)
    }
  }
}

interface JobParts {
  readonly now: () => Millis
  readonly isPaused: () => boolean
  readonly find: () => SyncPoint | undefined
  readonly drop: () => void
}

class Job implements HintSync {
  readonly total: number
  readonly ended: Promise<'done' | 'failed'>
  readonly #parts: JobParts
  readonly #began: Millis
  #point: SyncPoint
  #over = false
  #resolve: (end: 'done' | 'failed') => void = () => undefined

  constructor(point: SyncPoint, parts: JobParts) {
    this.total = point.total
    this.#point = point
    this.#parts = parts
    this.#began = parts.now()
    this.ended = new Promise((resolve) => {
      this.#resolve = resolve
    })
  }

  reached(point: SyncPoint): void {
    this.#point = point
    this.#over = true
    this.#resolve(point.lost > 0 ? 'failed' : 'done')
  }

  cancel(): void {
    if (!this.#over) this.#parts.drop()
  }

  status(): HintSyncStatus {
    this.#point = this.#parts.find() ?? this.#point
    const { total, left, lost } = this.#point
    const gone = total - left
    return {
      state: this.#stateOf(lost),
      progress: total === 0 ? 1 : gone / total,
      etaMs: this.#over ? 0 : this.#eta(gone, left),
      detail:
        lost === 0
          ? `${gone} of ${total} hints delivered`
          : `${gone - lost} of ${total} hints delivered, ${lost} left to anti-entropy`,
    }
  }

  #stateOf(lost: number): HintSyncStatus['state'] {
    if (this.#over) return lost > 0 ? 'failed' : 'done'
    return this.#parts.isPaused() ? 'paused' : 'running'
  }

  #eta(gone: number, left: number): number | undefined {
    if (gone === 0) return undefined
    return Math.round(((this.#parts.now() - this.#began) / gone) * left)
  }
}
