import { invariant } from '@shoal/kernel'
import type { SegmentKey } from '@shoal/wire'

/**
 * What two replicas hold in some segments, laid side by side.
 *
 * Both lists are in the order of row keys, and either may break off. Then only what both have
 * reached is compared, and the comparison goes on from there: a key must never be taken for missing
 * because a page was full.
 */
export interface KeyList {
  /** Ascending by row key. */
  readonly entries: readonly SegmentKey[]
  /** False: there are more keys after the last entry. */
  readonly finished: boolean
  /** Segments whose rows the disk cannot give; their keys are not in `entries`. */
  readonly unreadable: readonly number[]
}

/** What is known of one key on both sides before it is repaired. */
export interface Difference {
  readonly rowKey: Buffer
  readonly own: Holding
  readonly theirs: Holding
}

/** `unknown`: its segment cannot be read; there may be a damaged row. */
export type Holding = 'held' | 'absent' | 'damaged' | 'unknown'

export interface Comparison {
  readonly differences: readonly Difference[]
  /** Go on behind this row key; undefined when everything was compared. */
  readonly next: Buffer | undefined
  /** Keys looked at, on both sides together. */
  readonly keys: number
}

export function compareLists(
  own: KeyList,
  theirs: KeyList,
  segmentOf: (rowKey: Buffer) => number,
): Comparison {
  const next = lastReached(own, theirs)
  const ownLost = new Set(own.unreadable)
  const theirsLost = new Set(theirs.unreadable)
  const differences: Difference[] = []
  let keys = 0
  for (const { rowKey, mine, other } of sideBySide(own.entries, theirs.entries)) {
    if (next !== undefined && rowKey.compare(next) > 0) break
    keys += mine && other ? 2 : 1
    if (isEqual(mine, other)) continue
    const segment = segmentOf(rowKey)
    differences.push({
      rowKey,
      own: holdingOf(mine, ownLost.has(segment)),
      theirs: holdingOf(other, theirsLost.has(segment)),
    })
  }
  return { differences, next, keys }
}

/** The last key that both lists reach, when one of them breaks off. */
function lastReached(own: KeyList, theirs: KeyList): Buffer | undefined {
  const ends = [own, theirs].filter(({ finished }) => !finished).map(lastOf)
  return ends.reduce<Buffer | undefined>(
    (least, end) => (least === undefined || end.compare(least) < 0 ? end : least),
    undefined,
  )
}

function lastOf({ entries }: KeyList): Buffer {
  const last = entries.at(-1)
  invariant(last !== undefined, 'a list that breaks off has a last entry')
  return last.rowKey
}

function* sideBySide(
  own: readonly SegmentKey[],
  theirs: readonly SegmentKey[],
): Generator<{ rowKey: Buffer; mine: SegmentKey | undefined; other: SegmentKey | undefined }> {
  let at = 0
  let otherAt = 0
  for (;;) {
    const mine = own[at]
    const other = theirs[otherAt]
    const first = mine ?? other
    if (first === undefined) return
    const order = mine && other ? mine.rowKey.compare(other.rowKey) : mine ? -1 : 1
    if (order <= 0) at++
    if (order >= 0) otherAt++
    const rowKey = order > 0 ? (other as SegmentKey).rowKey : (mine as SegmentKey).rowKey
    yield { rowKey, mine: order <= 0 ? mine : undefined, other: order >= 0 ? other : undefined }
  }
}

function holdingOf(entry: SegmentKey | undefined, unreadable: boolean): Holding {
  if (entry === undefined) return unreadable ? 'unknown' : 'absent'
  return entry.damaged ? 'damaged' : 'held'
}

/** Two damaged copies differ: neither is known to be what it should be. */
function isEqual(mine: SegmentKey | undefined, other: SegmentKey | undefined): boolean {
  if (!mine || !other || mine.damaged || other.damaged) return false
  return mine.digest.equals(other.digest)
}
