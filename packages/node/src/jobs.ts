import { type Env, limits } from '@shoal/kernel'

/** Work that goes on after the answer to whoever asked for it. */
export interface JobStatus {
  readonly state: 'running' | 'paused' | 'done' | 'failed'
  /** 0 to 1. */
  readonly progress: number
  /** Undefined while there is nothing to judge by. */
  readonly etaMs: number | undefined
  readonly detail: string
}

export interface Job extends JobStatus {
  readonly id: string
  /** What kind of work, in a word or two. */
  readonly kind: string
}

/**
 * The jobs of one node, so that whoever began one can ask how far it is. They are gone with the
 * process; the work they stand for may go on after a restart.
 */
export class Jobs {
  readonly #env: Env
  readonly #jobs = new Map<string, { kind: string; read: () => JobStatus }>()

  constructor(env: Env) {
    this.#env = env
  }

  /** @param read  how it is now; asked for as long as the job is kept */
  add(kind: string, read: () => JobStatus): Job {
    const id = Buffer.from(this.#env.random('jobs').bytes(8)).toString('hex')
    this.#jobs.set(id, { kind, read })
    const [oldest] = this.#jobs.keys()
    if (this.#jobs.size > limits.jobsMax && oldest !== undefined) this.#jobs.delete(oldest)
    return shown(id, kind, read())
  }

  find(id: string): Job | undefined {
    const job = this.#jobs.get(id)
    return job && shown(id, job.kind, job.read())
  }

  /** Newest first. */
  all(): Job[] {
    return [...this.#jobs].map(([id, { kind, read }]) => shown(id, kind, read())).reverse()
  }
}

/** What is read may know more of itself, a name of its own too. */
const shown = (id: string, kind: string, status: JobStatus): Job => {
  const { state, progress, etaMs, detail } = status
  return { id, kind, state, progress, etaMs, detail }
}
