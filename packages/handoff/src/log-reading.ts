import { invariant, limits, type Millis, type NodeId } from '@shoal/kernel'
import { partitionOfRowKey } from '@shoal/ring'
import { decodeHint, decodeMark, type Hint, hintKey, hintsEnd, readPlace } from './core/records.ts'
import type { HintLog, LogParts, TargetLog } from './hint-log.ts'
import type { LogEnds } from './log-ends.ts'
import type { Placement } from './ports.ts'
import { type FoundRecord, scanHints } from './scan.ts'

export interface HintPage {
  readonly hints: readonly Hint[]
  /** Where it begins. */
  readonly from: number
  /** Sequence from which the next page begins. */
  readonly next: number
  readonly finished: boolean
}

/**
 * Reading of the log: all of it once, at the start; then page by page.
 *
 * Each of these waits for the disk, and meanwhile rows may be owed. None may leave: whoever reads a
 * target's hints is the only one who takes them off the log.
 */
export class LogReader {
  readonly #parts: LogParts
  readonly #log: HintLog
  readonly #ends: LogEnds

  constructor(parts: LogParts, log: HintLog, ends: LogEnds) {
    this.#parts = parts
    this.#log = log
    this.#ends = ends
  }

  /** Finds hints and marks again. Keeps a fingerprint of each hint, nothing else. */
  async load(): Promise<void> {
    let from: Buffer | undefined
    for (;;) {
      const options = { limit: limits.hintPageRecordsMax, ...(from ? { from } : {}) }
      const { records, finished } = await scanHints(this.#parts.store, options)
      this.#loadRecords(records)
      const last = records.at(-1)
      if (finished) return
      invariant(last !== undefined, 'an unfinished page has a last record')
      from = Buffer.concat([last.key, Buffer.of(0)])
    }
  }

  #loadRecords(records: readonly FoundRecord[]): void {
    const log = this.#log
    const damaged = new Map<NodeId, number[]>()
    for (const { key, value } of records) {
      const place = readPlace(key)
      if (place?.kind === 'mark') {
        log.marks.load(place.node, place.partition, decodeMark(value))
      } else if (place) {
        const hint = value && decodeHint(key, value)
        if (hint) log.load(place.node, hint)
        else damaged.set(place.node, (damaged.get(place.node) ?? []).concat(place.sequence))
        log.sequence = Math.max(log.sequence, place.sequence)
      }
    }
    for (const [node, sequences] of damaged) {
      this.#ends.dropDamaged(log.target(node), { sequences, counted: false })
    }
  }

  /**
   * The next hints of a target, oldest first. Damaged records among them are dropped and marked
   * for.
   *
   * @param range.from      the first sequence wanted; 0 for the oldest
   * @param range.bytesMax  of the rows owed; one is read however large it is
   */
  async page(
    target: TargetLog,
    range: { readonly from: number; readonly limit: number; readonly bytesMax: number },
  ): Promise<HintPage> {
    const from = Math.max(range.from, target.lowest)
    const isOldest = from === target.lowest
    const before = this.#log.sequence
    const { records, finished } = await scanHints(this.#parts.store, {
      from: hintKey(target.node, from),
      to: hintsEnd(target.node),
      limit: range.limit,
    })
    const { hints, damaged, last } = decodePage(records)
    if (damaged.length > 0) this.#ends.dropDamaged(target, { sequences: damaged, counted: true })
    if (isOldest && finished && records.length === 0 && this.#log.sequence === before) {
      this.#ends.foundEmpty(target)
    }
    const first = hints[0]
    if (isOldest && first) {
      target.lowest = first.sequence
      target.oldest = first.since
    }
    return cutPage(hints, { from, next: (last ?? from - 1) + 1, finished }, range.bytesMax)
  }

  /**
   * Gives up the hints that are too old, from the oldest on (H2). Their partitions are marked;
   * those that the target no longer holds are owed to their new holders instead.
   *
   * @param before  hints from before this are too old
   * @returns false when the disk had no room: then some are left
   */
  async sweep(target: TargetLog, before: Millis): Promise<boolean> {
    let from = 0
    for (;;) {
      const limit = limits.hintPageRecordsMax
      const page = await this.page(target, { from, limit, bytesMax: Number.POSITIVE_INFINITY })
      const old = page.hints.filter(({ since }) => since < before)
      const { held, strays } = splitStrays(this.#parts.placement(), target.node, old)
      if (strays.length > 0 && !this.#ends.move(target, strays)) return false
      if (held.length > 0 && !this.#ends.giveUp(target, held)) return false
      if (old.length === page.hints.length) this.#ends.passed(target, page)
      // Clocks jump: a younger hint may stand before an older one, but not for long.
      if (page.finished || old.length === 0) return true
      from = page.next
    }
  }
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

function cutPage(
  hints: readonly Hint[],
  page: Omit<HintPage, 'hints'>,
  bytesMax: number,
): HintPage {
  let bytes = 0
  for (const [index, hint] of hints.entries()) {
    bytes += hint.bytes
    if (index === 0 || bytes <= bytesMax) continue
    return { hints: hints.slice(0, index), from: page.from, next: hint.sequence, finished: false }
  }
  return { hints, ...page }
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
    const holds = ring.isReplica(partitionOfRowKey(hint.rowKey, ring.partitions), node)
    if (holds) held.push(hint)
    else strays.push(hint)
  }
  return { held, strays }
}
