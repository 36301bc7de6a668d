/**
 * Figures of single nodes, from `/metrics`, and their clocks.
 */
import { ask } from './ask.ts'
import type { Credentials } from './credentials.ts'

export interface NodeFigures {
  /** Undefined where the node does not tell. */
  readonly freeBytes: number | undefined
  readonly diskBytes: number | undefined
}

/** Undefined when the node does not answer from here, whatever the cluster thinks of it. */
export async function readFigures(
  url: string,
  settings: Credentials & { readonly timeoutMs: number },
): Promise<NodeFigures | undefined> {
  const told = await ask(`${url}/metrics`, settings)
  if (told?.status !== 200) return undefined
  return {
    freeBytes: sampleOf(told.text, 'shoal_store_free_bytes'),
    diskBytes: sampleOf(told.text, 'shoal_store_disk_bytes'),
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
export async function readClock(
  url: string,
  settings: Credentials & { readonly timeoutMs: number },
): Promise<ClockReading | undefined> {
  const before = Date.now()
  const told = await ask(`${url}/livez`, settings)
  const after = Date.now()
  const date = Date.parse(told?.date ?? '')
  return Number.isNaN(date) ? undefined : judgeClock(date, before, after)
}

/** A server that says 10:00:00 is somewhere from there to 10:00:01. */
export function judgeClock(told: number, before: number, after: number): ClockReading {
  return {
    aheadMs: told + 500 - (before + after) / 2,
    errorMs: 500 + (after - before) / 2,
  }
}
