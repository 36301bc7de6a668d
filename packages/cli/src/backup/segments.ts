/** Neighbouring segments: `from` ≤ segment < `to`. */
export interface SegmentRun {
  readonly from: number
  readonly to: number
}

const DIGEST_BYTES = 8
/** Asking for a few segments more costs less than asking once more. */
const GAP = 8

/** Where two states of a partition differ, as few runs. */
export function changedSegments(before: Buffer, now: Buffer): SegmentRun[] {
  const runs: { from: number; to: number }[] = []
  for (let segment = 0; segment * DIGEST_BYTES < now.length; segment++) {
    const at = segment * DIGEST_BYTES
    const end = at + DIGEST_BYTES
    if (now.subarray(at, end).equals(before.subarray(at, end))) continue
    const last = runs.at(-1)
    if (last && segment - last.to <= GAP) last.to = segment + 1
    else runs.push({ from: segment, to: segment + 1 })
  }
  return runs
}
