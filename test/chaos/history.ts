/**
 * What clients of one run did and saw, key by key. Every value is unique and says who it is, so it
 * names its write; a write says which values its writer had been shown.
 */

/** A value as it was shown. */
export interface Shown {
  readonly id: string
  /** Of this value alone; empty where only that of all values of the key was told. */
  readonly etag: string
}

export type Outcome = 'acknowledged' | 'unknown' | 'refused'

export interface Write {
  readonly kind: 'put' | 'delete'
  /** That of its value; a delete has one too, which is never shown. */
  readonly id: string
  /** What its context held. */
  readonly covers: readonly Shown[]
  readonly start: number
  readonly end: number
  readonly outcome: Outcome
  /**
   * It may have been sent more than once: then the store may hold it under two dots, which the docs
   * allow, and a context that holds one of them does not hold the other.
   */
  readonly mayBeTwins: boolean
  /** A majority of the key's own replicas acknowledged it, so strict reads must know it. */
  readonly isStrict: boolean
  readonly through: string
  /** What was asked and answered, for people. */
  readonly note: string
}

export interface Read {
  readonly shown: readonly Shown[]
  readonly start: number
  readonly end: number
  readonly isStrict: boolean
  readonly through: string
}

export interface KeyHistory {
  readonly writes: Write[]
  readonly reads: Read[]
}

/** What one replica holds once all is healed. */
export interface Copy {
  readonly node: string
  readonly dots: readonly string[]
  /** Read from this replica alone. */
  readonly values: readonly string[]
}

/** A key once all is healed. */
export interface Final {
  /** By a strict read. */
  readonly shown: readonly Shown[]
  readonly copies: readonly Copy[]
}

export class History {
  readonly keys = new Map<string, KeyHistory>()
  readonly counts: Record<Outcome, number> = { acknowledged: 0, unknown: 0, refused: 0 }
  reads = 0

  wrote(key: string, write: Write): void {
    this.counts[write.outcome]++
    this.of(key).writes.push(write)
  }

  read(key: string, read: Read): void {
    this.reads++
    this.of(key).reads.push(read)
  }

  of(key: string): KeyHistory {
    const known = this.keys.get(key)
    if (known !== undefined) return known
    const fresh = { writes: [], reads: [] }
    this.keys.set(key, fresh)
    return fresh
  }
}
