import { limits, type Millis } from '@shoal/kernel'
import type { Trace } from '../requests.ts'

/** Traces of requests that asked for one, for a few minutes, oldest out first. */
export class Traces {
  readonly #byId = new Map<string, { trace: Trace; at: Millis }>()

  keep(trace: Trace, now: Millis): void {
    this.#byId.set(trace.id, { trace, at: now })
    for (const [id, { at }] of this.#byId) {
      if (this.#byId.size <= limits.tracesMax && now - at <= limits.traceAge) break
      this.#byId.delete(id)
    }
  }

  find(id: string, now: Millis): Trace | undefined {
    const kept = this.#byId.get(id)
    return kept && now - kept.at <= limits.traceAge ? kept.trace : undefined
  }
}
