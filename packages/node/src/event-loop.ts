import { type EventLoopUtilization, monitorEventLoopDelay, performance } from 'node:perf_hooks'

/** How late and how busy the event loop is, since the last look. */
export class EventLoopMeter {
  readonly #delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  readonly #scraped = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  #before: EventLoopUtilization = performance.eventLoopUtilization()

  constructor() {
    this.#delay.enable()
    this.#scraped.enable()
  }

  /** Delays since the last call, in milliseconds, beyond the meter's own resolution. */
  takeDelays(): { readonly usualMs: number; readonly worstMs: number } {
    const usualMs = beyond(this.#delay.percentile(50))
    const worstMs = beyond(this.#delay.max)
    this.#delay.reset()
    return { usualMs, worstMs }
  }

  /** The 99th percentile since the last call, for whoever collects metrics. */
  takeDelayP99Ms(): number {
    const p99 = beyond(this.#scraped.percentile(99))
    this.#scraped.reset()
    return p99
  }

  /** Share of time that was spent working since the last call, 0 to 1. */
  takeUtilization(): number {
    const now = performance.eventLoopUtilization()
    const { utilization } = performance.eventLoopUtilization(now, this.#before)
    this.#before = now
    return utilization
  }

  close(): void {
    this.#delay.disable()
    this.#scraped.disable()
  }
}

const RESOLUTION_MS = 10

/** @param nanos  0 or more; anything else where nothing was measured */
function beyond(nanos: number): number {
  const ms = nanos / 1e6 - RESOLUTION_MS
  return Number.isFinite(ms) ? Math.max(0, ms) : 0
}
