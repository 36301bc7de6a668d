/**
 * Whether a store that keeps its promises could have shown a key like that. A pure function over
 * the key's history and what was found after healing.
 *
 *   lost        an acknowledged value that is neither live nor covered by a write that was done
 *   resurrected a value that is live although an acknowledged write or delete covered it
 *   invented    a value shown that nobody had begun to write, or whose write was refused
 *   unequal     replicas of the key hold different dots, or show different values
 *   backwards   a strict read that misses what an earlier strict read showed, or what a majority of
 *               the replicas had acknowledged, or that shows what such a write had covered
 *
 * A write may cover a value and be of unknown outcome. Then the value may be gone only if that
 * write can be seen to have been done: it is live, or covered in turn, or it is a delete.
 *
 * A read that is not strict may be old in a store that accepts writes beside the key's own
 * replicas, so of those only the values are judged.
 */
import type { Final, KeyHistory, Read, Shown, Write } from './history.ts'

export type Rule = 'lost' | 'resurrected' | 'invented' | 'unequal' | 'backwards' | 'unread'

export interface Violation {
  readonly rule: Rule
  readonly key: string
  readonly words: string
}

export interface Judged {
  readonly key: string
  readonly history: KeyHistory
  /** Absent: the key could not be read. */
  readonly final: Final | undefined
}

export function judgeKey({ key, history, final }: Judged): Violation[] {
  const about = new Writes(history.writes)
  const found: Violation[] = []
  const tell = (rule: Rule, words: string): void => {
    found.push({ rule, key, words })
  }
  for (const read of history.reads) judgeValues(about, read.shown, read.end, tell)
  judgeStrictReads(about, history, tell)
  if (final === undefined) tell('unread', 'could not be read after healing')
  else judgeFinal(about, final, tell)
  return found
}

type Tell = (rule: Rule, words: string) => void

/** The writes of a key, by what they wrote and what they covered. */
class Writes {
  readonly all: readonly Write[]
  readonly #byId: ReadonlyMap<string, Write>
  readonly #covering = new Map<string, Write[]>()

  constructor(writes: readonly Write[]) {
    this.all = writes
    this.#byId = new Map(writes.map((write) => [write.id, write]))
    for (const write of writes) {
      if (write.outcome === 'refused') continue
      for (const { id } of write.covers) this.#covering.set(id, [...this.covering(id), write])
    }
  }

  get(id: string): Write | undefined {
    return this.#byId.get(id)
  }

  /** Not those that were refused. */
  covering(id: string): readonly Write[] {
    return this.#covering.get(id) ?? []
  }

  /** Whether a value may be gone from a state that shows `shown` and was read until `end`. */
  mayBeGone(
    id: string,
    shown: ReadonlySet<string>,
    end: number,
    seen = new Set<string>(),
  ): boolean {
    if (seen.has(id)) return false
    seen.add(id)
    return this.covering(id).some(
      (write) =>
        write.start < end &&
        (write.kind === 'delete' ||
          shown.has(write.id) ||
          this.mayBeGone(write.id, shown, end, seen)),
    )
  }

  /** Whether the context of `write` held this very value, and not a twin of it. */
  covers(write: Write, value: Shown): boolean {
    const twins = this.get(value.id)?.mayBeTwins ?? false
    return write.covers.some(
      ({ id, etag }) => id === value.id && (!twins || (etag !== '' && etag === value.etag)),
    )
  }
}

function judgeValues(about: Writes, shown: readonly Shown[], end: number, tell: Tell): void {
  for (const { id } of shown) {
    const write = about.get(id)
    if (write === undefined || write.kind === 'delete') tell('invented', `nobody wrote ${id}`)
    else if (write.outcome === 'refused') tell('invented', `${id} was refused: ${write.note}`)
    else if (write.start > end) tell('invented', `${id} was shown before it was written`)
  }
}

function judgeFinal(about: Writes, { shown, copies }: Final, tell: Tell): void {
  const end = Number.POSITIVE_INFINITY
  judgeValues(about, shown, end, tell)
  const ids = new Set(shown.map(({ id }) => id))
  for (const { kind, id, outcome, note } of about.all) {
    if (kind === 'delete' || outcome !== 'acknowledged' || ids.has(id)) continue
    if (!about.mayBeGone(id, ids, end)) tell('lost', `${id} is missing: ${note}`)
  }
  for (const value of shown) {
    const over = about
      .covering(value.id)
      .find((write) => isDone(write, ids) && about.covers(write, value))
    if (over !== undefined) tell('resurrected', `${value.id} is back, ${over.id} had covered it`)
  }
  judgeCopies(copies, [...ids], tell)
}

const isDone = ({ outcome, id }: Write, shown: ReadonlySet<string>): boolean =>
  outcome === 'acknowledged' || shown.has(id)

function judgeCopies(copies: Final['copies'], ids: readonly string[], tell: Tell): void {
  // Twins are one value under two dots.
  const text = (items: readonly string[]): string => [...new Set(items)].sort().join(' ')
  const describe = (): string =>
    copies.map(({ node, dots, values }) => `${node}: ${text(dots)} (${text(values)})`).join('; ')
  const differ =
    new Set(copies.map(({ dots }) => text(dots))).size > 1 ||
    copies.some(({ values }) => text(values) !== text(ids))
  if (differ) tell('unequal', `a strict read shows ${text(ids)}; ${describe()}`)
}

/** What every strict read after `end` must know of. */
interface Fact {
  readonly id: string
  readonly end: number
  readonly words: string
}

function judgeStrictReads(about: Writes, { reads, writes }: KeyHistory, tell: Tell): void {
  const strictReads = reads.filter(({ isStrict }) => isStrict)
  if (strictReads.length === 0) return
  const strictWrites = writes.filter(
    ({ isStrict, outcome }) => isStrict && outcome === 'acknowledged',
  )
  const facts = [
    ...strictReads.flatMap(({ shown, end, through }): Fact[] =>
      shown.map(({ id }) => ({ id, end, words: `which a strict read through ${through} showed` })),
    ),
    ...strictWrites
      .filter(({ kind }) => kind === 'put')
      .map(({ id, end }): Fact => ({ id, end, words: 'which a majority had acknowledged' })),
  ]
  for (const read of strictReads) {
    const ids = new Set(read.shown.map(({ id }) => id))
    for (const { id, end, words } of facts) {
      if (end >= read.start || ids.has(id) || about.mayBeGone(id, ids, read.end)) continue
      tell('backwards', `${placeOf(read)} misses ${id}, ${words}`)
    }
    for (const value of read.shown) {
      const over = strictWrites.find(
        (write) => write.end < read.start && about.covers(write, value),
      )
      if (over !== undefined) {
        tell('backwards', `${placeOf(read)} shows ${value.id}, which ${over.id} had covered`)
      }
    }
  }
}

const placeOf = ({ start, through }: Read): string =>
  `a strict read through ${through} at ${Math.round(start)} ms`
