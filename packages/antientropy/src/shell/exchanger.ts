import type { Env, ErrorCode, NodeId } from '@shoal/kernel'
import type { ExchangeEnding } from '../core/exchange-machine.ts'
import { type ExchangeDesk, type ExchangePlan, ExchangeRun } from './exchange-run.ts'

interface Waiting {
  readonly plan: ExchangePlan
  readonly resolve: (ending: ExchangeEnding) => void
}

/** Runs exchanges, at most one with each peer; further ones wait for their turn. */
export class Exchanger {
  readonly #desk: ExchangeDesk
  readonly #running = new Map<NodeId, ExchangeRun>()
  readonly #waiting = new Map<NodeId, Waiting[]>()
  readonly #freed: () => void
  #stopped: ErrorCode | undefined
  #idle: (() => void)[] = []

  /** @param freed  told after each end, when a peer may have become free */
  constructor(desk: ExchangeDesk & { readonly env: Env }, freed: () => void) {
    this.#desk = desk
    this.#freed = freed
  }

  get running(): number {
    return this.#running.size
  }

  /** Whether an exchange with this peer would begin now. */
  isFree(peer: NodeId): boolean {
    return this.#stopped === undefined && !this.#running.has(peer) && this.#desk.peers.isUp(peer)
  }

  /** Resolves when it has ended, one way or the other. */
  run(plan: ExchangePlan): Promise<ExchangeEnding> {
    return new Promise((resolve) => {
      const waiting = { plan, resolve }
      if (!this.#running.has(plan.peer)) return this.#begin(waiting)
      const line = this.#waiting.get(plan.peer)
      if (line) line.push(waiting)
      else this.#waiting.set(plan.peer, [waiting])
    })
  }

  /** Ends what is running as soon as its rows have ended; what waits ends at once. */
  stop(code: ErrorCode): void {
    this.#stopped = code
    for (const run of [...this.#running.values()]) run.stop(code)
  }

  /** Resolves when none is running, now or after those that are have ended. */
  idle(): Promise<void> {
    if (this.#running.size === 0) return Promise.resolve()
    return new Promise((resolve) => this.#idle.push(resolve))
  }

  #begin({ plan, resolve }: Waiting): void {
    const run = new ExchangeRun(this.#desk, plan, (ending) => {
      this.#running.delete(plan.peer)
      resolve(ending)
      const next = this.#waiting.get(plan.peer)?.shift()
      if (next) this.#begin(next)
      else this.#waiting.delete(plan.peer)
      this.#freed()
      if (this.#running.size === 0) for (const tell of this.#idle.splice(0)) tell()
    })
    this.#running.set(plan.peer, run)
    if (this.#stopped !== undefined) run.stop(this.#stopped)
  }
}
