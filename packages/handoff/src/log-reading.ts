import { invariant, limits, type Millis, type NodeId, type Partition } from '@shoal/kernel'
import { partitionOfRowKey } from '@shoal/ring'
import type { Store } from '@shoal/storage'
import { decodeHint, decodeMark, type Hint, hintKey, hintsEnd, readPlace } from './core/records.ts'
import type { HintLog, TargetLog } from './hint-log.ts'
import type { Placement } from './ports.ts'
import { type FoundRecord, scanHints } from './scan.ts'

/**
 * Reading of the log: all of it once, at the start; then page by page.
 *
 * Each of these waits for the disk, and meanwhile rows may be owed. None may be deleted: whoever
 * reads a target's log is the only one who deletes from it.
 */

/** Finds hints and marks again. Keeps a fingerprint of each hint, nothing else. */
export async function loadHints(store: Store, log: HintLog): Promise<void> {
  let from: Buffer | undefined
  for (;;) {
    const options = { limit: limits.hintPageRecordsMax, ...(from ? { from } : {}) }
    const { records, finished } = await scanHints(store, options)
    loadRecords(log, records)
    const last = records.at(-1)
    if (finished) return
    invariant(last !== undefined, 'an unfinished page has a last record')
    from = Buffer.concat([last.key, Buffer.of(0)])
  }
}

function loadRecords(log: HintLog, records: readonly FoundRecord[]): void {
  const damaged = new Map<NodeId, number[]>()
  for (const { key, value } of records) {
    const place = readPlace(key)
    if (place?.kind === 'mark') {
      log.marks.load(place.node, place.partition, decodeMark(value ?? Buffer.alloc(0)))
    } else if (place) {
      const hint = value && decodeHint(key, value)
      if (!hint) damaged.set(place.node, [...(damaged.get(place.node) ?? []), place.sequence])
      else log.load(place.node, hint)
      log.sequence = Math.max(log.sequence, place.sequence)
    }
  }
  for (const [node, sequences] of damaged) {
    log.dropDamaged(log.target(node), { sequences, counted: false })
  }
}

export interface HintPage {
  readonly hints: readonly Hint[]
  /** Where it begins. */
  readonly from: number
  /** Sequence from which the next page begins. */
  readonly next: number
  readonly finished: boolean
}

/**
 * The next hints of a target, oldest first. Damaged records among them are dropped and marked for.
 *
 * @param range.from      the first sequence wanted; 0 for the oldest
 * @param range.bytesMax  of the rows owed; one is read however large it is
 */
export async function readHints(
  store: Store,
  log: HintLog,
  target: TargetLog,
  range: { readonly from: number; readonly limit: number; readonly bytesMax: number },
): Promise<HintPage> {
  const from = Math.max(range.from, target.lowest)
  const before = log.sequence
  const { records, finished } = await scanHints(store, {
    from: hintKey(target.node, from),
    to: hintsEnd(target.node),
    limit: range.limit,
  })
  const { hints, damaged, last } = decodePage(records)
  if (damaged.length > 0) log.dropDamaged(target, { sequences: damaged, counted: true })
  const isAll = from === target.lowest && finished && records.length === 0
  if (isAll && log.sequence === before && target.count > 0) log.foundEmpty(target)
  if (from === target.lowest) learnOldest(target, hints, finished)
  return cutPage(hints, { from, next: (last ?? from - 1) + 1, finished, bytesMax: range.bytesMax })
}

interface DecodedPage {
  readonly hints: Hint[]
  readonly damaged: number[]
  /** The last sequence, readable or not. */
  readonly last: number | undefined
}

function decodePage(records: readonly FoundRecord[]): DecodedPage {
  const hints: Hint[] = []
  const damaged: number[] = []
  let last: number | undefined
  for (const { key, value } of records) {
    const place = readPlace(key)
    invariant(place?.kind === 'hint', 'a range of hints holds hints')
    const hint = value && decodeHint(key, value)
    if (hint) hints.push(hint)
    else damaged.push(place.sequence)
    last = place.sequence
  }
  return { hints, damaged, last }
}

function learnOldest(target: TargetLog, hints: readonly Hint[], finished: boolean): void {
  const first = hints[0]
  if (first) {
    target.lowest = first.sequence
    target.oldest = first.since
  } else if (finished && target.count === 0) {
    target.oldest = undefined
  }
}

function cutPage(
  hints: readonly Hint[],
  { bytesMax, ...page }: Omit<HintPage, 'hints'> & { bytesMax: number },
): HintPage {
  let bytes = 0
  for (const [index, hint] of hints.entries()) {
    bytes += hint.bytes
    if (index === 0 || bytes <= bytesMax) continue
    return { hints: hints.slice(0, index), from: page.from, next: hint.sequence, finished: false }
  }
  return { hints, ...page }
}

export interface Sweep {
  readonly store: Store
  readonly log: HintLog
  readonly target: TargetLog
  readonly placement: () => Placement
  /** Hints from before this are given up. */
  readonly before: Millis
}

/**
 * Gives up the hints that are too old, from the oldest on (H2). Their partitions are marked; those
 * that the target no longer holds are owed to their new holders instead.
 *
 * @returns false when the disk had no room: then some are left
 */
export async function sweepHints({
  store,
  log,
  target,
  placement,
  before,
}: Sweep): Promise<boolean> {
  let from = 0
  for (;;) {
    const range = { from, limit: limits.hintPageRecordsMax, bytesMax: Number.POSITIVE_INFINITY }
    const page = await readHints(store, log, target, range)
    const { hints, next, finished } = page
    const old = hints.filter(({ since }) => since < before)
    const { held, strays } = splitStrays(placement(), target.node, old)
    if (strays.length > 0 && !log.move(target, strays)) return false
    if (held.length > 0 && !log.giveUp(target, held)) return false
    if (old.length === hints.length) log.passed(target, page)
    // Clocks jump: a younger hint may stand before an older one, but not for long.
    if (finished || old.length === 0) return true
    from = next
  }
}

/** Which of these rows the target still holds, and which it does not. */
export function splitStrays(
  ring: Placement,
  node: NodeId,
  hints: readonly Hint[],
): { held: Hint[]; strays: Hint[] } {
  const held: Hint[] = []
  const strays: Hint[] = []
  for (const hint of hints) {
    const partition: Partition = partitionOfRowKey(hint.rowKey, ring.partitions)
    const holds = ring.isReplica(partition, node)
    if (holds) held.push(hint)
    else strays.push(hint)
  }
  return { held, strays }
}
