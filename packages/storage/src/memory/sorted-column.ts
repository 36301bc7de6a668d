/**
 * One column in memory: values by key, and the keys in byte order for scans.
 *
 * Keys are kept as Latin-1 strings, one character for each byte: JavaScript compares them byte by
 * byte and hashes them well. The order is a list of short sorted lists, so that adding a key moves
 * at most one of them and a scan starts with two binary searches.
 */
const CHUNK_KEYS_MAX = 256

export class SortedColumn {
  readonly #values = new Map<string, Buffer>()
  /** Never holds an empty chunk. */
  readonly #chunks: string[][] = []

  get size(): number {
    return this.#values.size
  }

  get(key: string): Buffer | undefined {
    return this.#values.get(key)
  }

  /** @returns what it replaced */
  set(key: string, value: Buffer): Buffer | undefined {
    const before = this.#values.get(key)
    if (before === undefined) this.#insert(key)
    this.#values.set(key, value)
    return before
  }

  /** @returns what it removed */
  delete(key: string): Buffer | undefined {
    const before = this.#values.get(key)
    if (before === undefined) return undefined
    this.#values.delete(key)
    this.#remove(key)
    return before
  }

  clear(): void {
    this.#values.clear()
    this.#chunks.length = 0
  }

  /** By key order, from 0. */
  keyAt(index: number): string | undefined {
    let left = index
    for (const chunk of this.#chunks) {
      if (left < chunk.length) return chunk[left]
      left -= chunk.length
    }
    return undefined
  }

  /** Entries from `from`, included, in key order. */
  *entriesFrom(from: string): Generator<readonly [key: string, value: Buffer]> {
    if (this.#chunks.length === 0) return
    let chunkIndex = this.#chunkOf(from)
    let index = lowerBound(this.#chunks[chunkIndex] as string[], from)
    for (; chunkIndex < this.#chunks.length; chunkIndex++, index = 0) {
      const chunk = this.#chunks[chunkIndex] as string[]
      for (; index < chunk.length; index++) {
        const key = chunk[index] as string
        yield [key, this.#values.get(key) as Buffer]
      }
    }
  }

  /** The last chunk that does not begin above `key`: where it is, or where it would go. */
  #chunkOf(key: string): number {
    let low = 0
    let high = this.#chunks.length - 1
    while (low < high) {
      const middle = (low + high + 1) >>> 1
      if (((this.#chunks[middle] as string[])[0] as string) <= key) low = middle
      else high = middle - 1
    }
    return low
  }

  #insert(key: string): void {
    if (this.#chunks.length === 0) {
      this.#chunks.push([key])
      return
    }
    const chunkIndex = this.#chunkOf(key)
    const chunk = this.#chunks[chunkIndex] as string[]
    chunk.splice(lowerBound(chunk, key), 0, key)
    if (chunk.length <= CHUNK_KEYS_MAX) return
    this.#chunks.splice(chunkIndex + 1, 0, chunk.splice(CHUNK_KEYS_MAX >>> 1))
  }

  #remove(key: string): void {
    const chunkIndex = this.#chunkOf(key)
    const chunk = this.#chunks[chunkIndex] as string[]
    chunk.splice(lowerBound(chunk, key), 1)
    if (chunk.length === 0) this.#chunks.splice(chunkIndex, 1)
  }
}

/** Index of the first key that is not below `key`. */
function lowerBound(keys: readonly string[], key: string): number {
  let low = 0
  let high = keys.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((keys[middle] as string) < key) low = middle + 1
    else high = middle
  }
  return low
}
