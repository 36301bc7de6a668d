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

  /** The longest delay since the last call, in milliseconds, beyond the meter's own resolution. */
  takeDelayMs(): number {
    const worst = this.#delay.max / 1e6
    this.#delay.reset()
    return Number.isFinite(worst) ? Math.max(0, worst - RESOLUTION_MS) : 0
  }

  /** The 99th percentile since the last call, for whoever collects metrics. */
  takeDelayP99Ms(): number {
    const p99 = this.#scraped.percentile(99) / 1e6
    this.#scraped.reset()
    return Number.isFinite(p99) ? Math.max(0, p99 - RESOLUTION_MS) : 0
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
