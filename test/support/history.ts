/**
 * What clients did and saw, and whether a store that keeps its promises could have shown it.
 *
 * Every value is unique, so a value names its write. A write covers what its writer had been
 * shown: the context it carried. From that alone follows what must not be lost and what must not
 * come back, whatever the store did meanwhile:
 *
 *   lost        an acknowledged value that is not live, and that no write ever covered
 *   stale       a read that misses what was acknowledged before it began
 *   resurrected a value shown after a write that covered it was acknowledged
 *   invented    a value shown that nobody wrote, or whose write was refused as not applied
 *   reused      one ETag for two values, or one value under two (a value's ETag is its dot)
 */
export interface Write {
  readonly key: string
  /** The value, unique over the whole history; a delete has one too, which is never shown. */
  readonly id: string
  readonly covers: ReadonlySet<string>
  readonly start: number
  readonly end: number
  readonly outcome: 'acknowledged' | 'unknown' | 'refused'
}

export interface Read {
  readonly key: string
  /** The values shown. */
  readonly live: readonly string[]
  readonly start: number
  readonly end: number
}

export class History {
  readonly writes: Write[] = []
  readonly reads: Read[] = []
  readonly #valueOfEtag = new Map<string, string>()
  readonly #etagOfValue = new Map<string, string>()
  readonly #reused: string[] = []

  wrote(write: Write): void {
    this.writes.push(write)
  }

  read(read: Read): void {
    this.reads.push(read)
  }

  /** A value was seen under this ETag of its own. */
  named(value: string, etag: string): void {
    const other = this.#valueOfEtag.get(etag)
    if (other !== undefined && other !== value) {
      this.#reused.push(`reused: ETag ${etag} names ${other} and ${value}`)
    }
    const before = this.#etagOfValue.get(value)
    if (before !== undefined && before !== etag) {
      this.#reused.push(`reused: ${value} is named by ${before} and ${etag}`)
    }
    this.#valueOfEtag.set(etag, value)
    this.#etagOfValue.set(value, etag)
  }

  get acknowledged(): number {
    return this.writes.filter(({ outcome }) => outcome === 'acknowledged').length
  }

  /**
   * Everything that cannot be, in words.
   *
   * @param final  what each key shows once all nodes are back, read from all replicas
   */
  faults(final: ReadonlyMap<string, readonly string[]>): string[] {
    const byKey = new Map<string, Write[]>()
    for (const write of this.writes) {
      const writes = byKey.get(write.key) ?? []
      writes.push(write)
      byKey.set(write.key, writes)
    }
    const last: Read[] = [...final].map(([key, live]) => ({
      key,
      live,
      start: Number.POSITIVE_INFINITY,
      end: Number.POSITIVE_INFINITY,
    }))
    const unread = [...byKey.keys()].filter((key) => !final.has(key))
    return [
      ...this.#reused,
      ...unread.map((key) => `${key} was written and not read at the end`),
      ...[...this.reads, ...last].flatMap((read) => faultsOf(read, byKey.get(read.key) ?? [])),
    ]
  }
}

function faultsOf(read: Read, writes: readonly Write[]): string[] {
  const faults: string[] = []
  const shown = new Set(read.live)
  const isFinal = read.start === Number.POSITIVE_INFINITY
  const coveredBefore = new Set<string>()
  const coveredEver = new Set<string>()
  for (const { covers, outcome, start, end } of writes) {
    if (outcome === 'refused' || start > read.end) continue
    for (const id of covers) {
      coveredEver.add(id)
      if (outcome === 'acknowledged' && end < read.start) coveredBefore.add(id)
    }
  }
  const place = `${read.key}, ${isFinal ? 'in the end' : `read at ${Math.round(read.start)} ms`}`
  for (const { id, outcome, end } of writes) {
    const due = outcome === 'acknowledged' && end < read.start && !isDelete(id)
    if (due && !shown.has(id) && !coveredEver.has(id)) {
      faults.push(`${isFinal ? 'lost' : 'stale'}: ${place}: ${id} is missing`)
    }
  }
  const known = new Map(writes.map((write) => [write.id, write]))
  for (const id of shown) {
    const write = known.get(id)
    if (write === undefined || write.start > read.end) {
      faults.push(`invented: ${place}: nobody wrote ${id}`)
    } else if (write.outcome === 'refused') {
      faults.push(`invented: ${place}: ${id} was refused as not applied`)
    }
    if (coveredBefore.has(id)) faults.push(`resurrected: ${place}: ${id} is back`)
  }
  return faults
}

const DELETE = 'delete '
export const deleteId = (id: string): string => DELETE + id
const isDelete = (id: string): boolean => id.startsWith(DELETE)
