/**
 * Figures of single nodes, from `/metrics`, and their clocks. Over node's own fetch: no retries.
 */

export interface NodeFigures {
  /** Undefined where the node does not tell. */
  readonly freeBytes: number | undefined
  readonly diskBytes: number | undefined
}

/** Undefined when the node does not answer from here, whatever the cluster thinks of it. */
export async function readFigures(
  url: string,
  timeoutMs: number,
): Promise<NodeFigures | undefined> {
  try {
    const response = await fetch(`${url}/metrics`, { signal: AbortSignal.timeout(timeoutMs) })
    const text = await response.text()
    if (!response.ok) return undefined
    return {
      freeBytes: sampleOf(text, 'shoal_store_free_bytes'),
      diskBytes: sampleOf(text, 'shoal_store_disk_bytes'),
    }
  } catch {
    return undefined
  }
}

/** The value of a metric without labels in Prometheus' text format. */
export function sampleOf(text: string, name: string): number | undefined {
  const value = new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1]
  return value === undefined || !Number.isFinite(Number(value)) ? undefined : Number(value)
}

export interface ClockReading {
  /** How far the node's clock is ahead of ours, in milliseconds, negative when behind. */
  readonly aheadMs: number
  /** The truth lies within this much on either side. */
  readonly errorMs: number
}

/** From the `Date` header, which has whole seconds, and the time the answer took. */
export async function readClock(url: string, timeoutMs: number): Promise<ClockReading | undefined> {
  try {
    const before = Date.now()
    const response = await fetch(`${url}/livez`, { signal: AbortSignal.timeout(timeoutMs) })
    await response.arrayBuffer()
    const after = Date.now()
    const told = Date.parse(response.headers.get('date') ?? '')
    return Number.isNaN(told) ? undefined : judgeClock(told, before, after)
  } catch {
    return undefined
  }
}

/** A server that says 10:00:00 is somewhere from there to 10:00:01. */
export function judgeClock(told: number, before: number, after: number): ClockReading {
  return {
    aheadMs: told + 500 - (before + after) / 2,
    errorMs: 500 + (after - before) / 2,
  }
}
