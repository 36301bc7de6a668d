import type { Env, NodeId, ShoalError } from '@shoal/kernel'
import type { Ring } from '@shoal/ring'
import type { Store } from '@shoal/storage'
import type { StatusMessage } from '@shoal/wire'
import type { Engine } from './engine.ts'
import { hintsOf } from './hints-view.ts'
import { problemsOf } from './problems.ts'
import { version } from './version.ts'

/** What changes while a node lives, for those who show it. */
export interface NodeState {
  serving: boolean
  load: number
  diskBytes: number
}

export interface SelfStatusParts {
  readonly env: Env
  readonly store: Store
  readonly state: NodeState
  /** Why requests are refused now. */
  readonly refusal: () => ShoalError | undefined
  readonly disputes: () => readonly NodeId[]
}

type Condition = Pick<Engine, 'handoff' | 'antiEntropy' | 'budget'>

/** How this node is, in what it tells peers and people. */
export class SelfStatus {
  readonly #parts: SelfStatusParts
  #engine: Condition | undefined

  constructor(parts: SelfStatusParts) {
    this.#parts = parts
  }

  /** Once it is open: before that nobody asks. */
  set engine(engine: Condition) {
    this.#engine = engine
  }

  describe(ring: Ring): StatusMessage {
    const { env, store, state } = this.#parts
    const { freeBytes } = store.pressure()
    return {
      version,
      uptimeMs: env.clock.elapsed(),
      load: state.load,
      draining: !state.serving,
      epoch: ring.epoch,
      diskBytes: state.diskBytes,
      freeBytes: Number.isFinite(freeBytes) ? freeBytes : -1,
      memoryBytes: process.memoryUsage.rss(),
      problems: this.#problems(ring.self, freeBytes),
    }
  }

  #problems(self: NodeId, freeBytes: number): string[] {
    const { refusal, disputes } = this.#parts
    const engine = this.#engine
    if (engine === undefined) return []
    const { handoff, antiEntropy, budget } = engine
    return problemsOf({
      self,
      freeBytes,
      hints: hintsOf(handoff),
      repairs: antiEntropy.figures(),
      budget: budget.figures(),
      refusal: refusal(),
      disputes: disputes(),
    })
  }
}
