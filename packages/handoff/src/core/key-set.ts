/**
 * A set of rows, at a few bytes each.
 *
 * A target that was away for an hour may be owed a million rows, and each further write has to know
 * whether its row is among them already. A set of strings would take 100 MB. This one keeps
 * fingerprints of 95 bits in flat tables and takes 17 to 34 bytes for each. That two rows of a
 * million share one is as likely as 1 in 10^16; then the second waits for anti-entropy.
 *
 * A flat table grows by being copied, which at a million stops everything else for 80 ms. So there
 * are many small ones, and at a million none takes more than a millisecond or two.
 */

/** 95 bits of a row key. `a` is odd, so that a place of zeros is an empty one. */
export interface Fingerprint {
  readonly a: number
  readonly b: number
  readonly c: number
}

/** By the first bits of `b`; places within a table go by its last. */
const TABLE_BITS = 6

export class KeySet {
  readonly #tables = new Map<number, KeyTable>()
  #size = 0

  get size(): number {
    return this.#size
  }

  /** Of the tables. */
  get bytes(): number {
    let bytes = 0
    for (const table of this.#tables.values()) bytes += table.bytes
    return bytes
  }

  has(key: Fingerprint): boolean {
    return this.#tables.get(tableOf(key))?.has(key) ?? false
  }

  /** False when it was there. */
  add(key: Fingerprint): boolean {
    let table = this.#tables.get(tableOf(key))
    if (!table) {
      table = new KeyTable()
      this.#tables.set(tableOf(key), table)
    }
    if (!table.add(key)) return false
    this.#size++
    return true
  }

  /** False when it was not there. */
  delete(key: Fingerprint): boolean {
    const table = this.#tables.get(tableOf(key))
    if (!table?.delete(key)) return false
    if (table.size === 0) this.#tables.delete(tableOf(key))
    this.#size--
    return true
  }

  clear(): void {
    this.#tables.clear()
    this.#size = 0
  }
}

const tableOf = ({ b }: Fingerprint): number => b >>> (32 - TABLE_BITS)

const WORDS = 3
const PLACES_MIN = 8

/** Open addressing, the next free place being taken. */
class KeyTable {
  #words = new Uint32Array(PLACES_MIN * WORDS)
  #mask = PLACES_MIN - 1
  #size = 0

  get size(): number {
    return this.#size
  }

  get bytes(): number {
    return this.#words.byteLength
  }

  has(key: Fingerprint): boolean {
    return this.#words[this.#find(key) * WORDS] !== 0
  }

  add(key: Fingerprint): boolean {
    const place = this.#find(key)
    if (this.#words[place * WORDS] !== 0) return false
    this.#put(place, key)
    this.#size++
    if (this.#size * 10 > (this.#mask + 1) * 7) this.#grow()
    return true
  }

  delete(key: Fingerprint): boolean {
    const place = this.#find(key)
    if (this.#words[place * WORDS] === 0) return false
    this.#closeGap(place)
    this.#size--
    return true
  }

  /** Where the key is, or the empty place where it would be. */
  #find({ a, b, c }: Fingerprint): number {
    const words = this.#words
    for (let place = b & this.#mask; ; place = (place + 1) & this.#mask) {
      const at = place * WORDS
      if (words[at] === 0) return place
      if (words[at] === a && words[at + 1] === b && words[at + 2] === c) return place
    }
  }

  #put(place: number, { a, b, c }: Fingerprint): void {
    this.#words[place * WORDS] = a
    this.#words[place * WORDS + 1] = b
    this.#words[place * WORDS + 2] = c
  }

  /** What was pushed on by the key that is gone moves back, so that no search ends too early. */
  #closeGap(from: number): void {
    const words = this.#words
    let gap = from
    for (let place = (gap + 1) & this.#mask; ; place = (place + 1) & this.#mask) {
      const at = place * WORDS
      if (words[at] === 0) break
      const home = (words[at + 1] as number) & this.#mask
      // How far each lies behind its home, round the end of the table.
      if (((place - home) & this.#mask) < ((place - gap) & this.#mask)) continue
      words.copyWithin(gap * WORDS, at, at + WORDS)
      gap = place
    }
    words.fill(0, gap * WORDS, gap * WORDS + WORDS)
  }

  #grow(): void {
    const old = this.#words
    this.#words = new Uint32Array(old.length * 2)
    this.#mask = this.#mask * 2 + 1
    for (let at = 0; at < old.length; at += WORDS) {
      if (old[at] === 0) continue
      const key = { a: old[at] as number, b: old[at + 1] as number, c: old[at + 2] as number }
      this.#put(this.#find(key), key)
    }
  }
}
