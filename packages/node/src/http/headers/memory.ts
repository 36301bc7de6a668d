import { limits } from '@shoal/kernel'

/**
 * Remembers what header texts mean. Clients send the same few texts over and over, so parsing is
 * rare and may be thorough. A client that sends ever new ones only empties the memory: it stays
 * bounded.
 *
 * Cost: one Map look-up for a known text.
 */
export class HeaderMemory<T> {
  readonly #known = new Map<string, T>()
  readonly #parse: (text: string) => T

  /** @param parse  pure; what it throws is not remembered */
  constructor(parse: (text: string) => T) {
    this.#parse = parse
  }

  read(text: string): T {
    const known = this.#known.get(text)
    if (known !== undefined) return known
    const parsed = this.#parse(text)
    if (this.#known.size >= limits.headerMemoryEntries) this.#known.clear()
    this.#known.set(text, parsed)
    return parsed
  }

  get size(): number {
    return this.#known.size
  }
}
