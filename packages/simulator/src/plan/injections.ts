/** A seam at which a plan may make the code take the rarer of two ways that are both right. */
export interface Seam {
  readonly label: string
  /** Requests fail by it: not where they must succeed. */
  readonly refuses?: true
  /** The highest probability, where a quarter of the times would drown everything else. */
  readonly most?: number
}

export const SEAMS: readonly Seam[] = [
  { label: 'replica: digests in doubt' },
  { label: 'replica: memory forgets' },
  { label: 'replica: a version is not in memory' },
  { label: 'replica: the whole row for a digest' },
  { label: 'replica: one more sync' },
  { label: 'replica: a short page' },
  { label: 'replica: one row at a time' },
  { label: 'replica: the queue is full', refuses: true },
  { label: 'replica: a group begins late' },
  // Each widens the clocks of all keys written afterwards, and those of real nodes stay narrow.
  { label: 'replica: a new actor', most: 0.005 },
  { label: 'replica: a group of one' },
  { label: 'replica: a checkpoint now' },
  { label: 'coordinator: a late write-back' },
  { label: 'coordinator: too many requests', refuses: true, most: 0.05 },
  { label: 'coordinator: a hedge at once' },
  { label: 'coordinator: peers are told late' },
  { label: 'coordinator: the slowest first' },
  { label: 'coordinator: too many repairs' },
  { label: 'coordinator: a false suspicion' },
  { label: 'handoff: the log is full' },
  { label: 'handoff: a round of one' },
  { label: 'handoff: a delivered hint stays' },
  { label: 'antientropy: a short page' },
  { label: 'antientropy: too many listings' },
  { label: 'transport: too many questions', refuses: true },
  { label: 'transport: no room for a question', refuses: true },
]
