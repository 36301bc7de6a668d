import { limits, type Partition } from '@shoal/kernel'
import { type RowRange, segmentRange } from '@shoal/ring'
import type { Store } from '@shoal/storage'

/** Neighbouring segments of one partition, `from` ≤ segment < `to`: one range of rows. */
export interface Run {
  readonly from: number
  readonly to: number
}

export interface StoredRow {
  readonly key: Buffer
  readonly value: Buffer
}

const PAGE_ROWS = 512

/** The segments as few runs. @param segments  ascending */
export function runsOf(segments: readonly number[]): Run[] {
  const runs: { from: number; to: number }[] = []
  for (const segment of segments) {
    const last = runs.at(-1)
    if (last?.to === segment) last.to = segment + 1
    else runs.push({ from: segment, to: segment + 1 })
  }
  return runs
}

export function segmentsOf({ from, to }: Run): number[] {
  return Array.from({ length: to - from }, (_none, index) => from + index)
}

export function rangeOf(partition: Partition, run: Run, partitions: number): RowRange {
  const { from } = segmentRange(partition, run.from, partitions)
  const { to } = segmentRange(partition, run.to - 1, partitions)
  return { from, to }
}

/** The rows of a range in pages. @throws SHOAL_ROW_DAMAGED when the disk cannot give some */
export async function* rowPages(
  store: Store,
  { from, to }: RowRange,
  after?: Buffer,
): AsyncGenerator<readonly StoredRow[]> {
  let next = after === undefined || after.compare(from) < 0 ? from : behind(after)
  for (;;) {
    if (to && next.compare(to) >= 0) return
    const page = await store.scan({
      column: 'rows',
      from: next,
      ...(to ? { to } : {}),
      limit: Math.min(PAGE_ROWS, limits.exchangeKeysMax),
    })
    yield page.rows
    const last = page.rows.at(-1)
    if (page.finished || !last) return
    next = behind(last.key)
  }
}

/** The first row key behind another. */
const behind = (key: Buffer): Buffer => Buffer.concat([key, Buffer.of(0)])
