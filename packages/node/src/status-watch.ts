import { type Env, limits, type NodeId, type Timer } from '@shoal/kernel'
import type { StatusMessage } from '@shoal/wire'

export interface StatusWatchParts {
  readonly env: Env
  /** The others. */
  readonly members: () => readonly NodeId[]
  readonly isUsable: (node: NodeId) => boolean
  /** Undefined: no answer. */
  readonly ask: (node: NodeId) => Promise<StatusMessage | undefined>
}

/**
 * What the others said is wrong with them, so that each node can tell how the cluster is without
 * asking anybody first. A few are asked now and then, in turn; who is not heard is forgotten.
 */
export class StatusWatch {
  readonly #parts: StatusWatchParts
  readonly #problems = new Map<NodeId, readonly string[]>()
  #next = 0
  #timer: Timer | undefined

  constructor(parts: StatusWatchParts) {
    this.#parts = parts
  }

  start(): void {
    this.#timer = this.#parts.env.clock.after(limits.statusAsked, () => {
      this.#round()
      this.start()
    })
  }

  close(): void {
    this.#timer?.cancel()
  }

  /** Of those that can be turned to. Whoever cannot has a graver problem than it told of. */
  get problems(): readonly string[] {
    const { isUsable } = this.#parts
    return [...this.#problems].flatMap(([node, said]) => (isUsable(node) ? said : []))
  }

  note(node: NodeId, status: StatusMessage | undefined): void {
    this.#problems.delete(node)
    if (status === undefined || status.problems.length === 0) return
    const kept = status.problems.slice(0, limits.statusProblemsMax)
    this.#problems.set(
      node,
      kept.map((problem) => problem.slice(0, limits.statusProblemCharsMax)),
    )
  }

  #round(): void {
    const { members, isUsable, ask } = this.#parts
    const all = members()
    for (const node of this.#problems.keys()) {
      if (!all.includes(node)) this.#problems.delete(node)
    }
    for (let asked = 0; asked < Math.min(all.length, limits.statusAskedMax); asked++) {
      const node = all[this.#next++ % all.length] as NodeId
      if (!isUsable(node)) this.note(node, undefined)
      else void ask(node).then((status) => this.note(node, status))
    }
  }
}
