import type { Page } from './results.ts'

/**
 * The keys of a bucket, page by page. Iterating gives keys; `pages()` gives pages with their
 * cursors, to go on later from where one ended.
 *
 * A listing is not a snapshot: a key written or deleted meanwhile may or may not appear.
 */
export class Listing implements AsyncIterable<string> {
  readonly #fetch: (cursor: string | undefined) => Promise<Page>
  readonly #from: string | undefined

  constructor(
    fetch: (cursor: string | undefined) => Promise<Page>,
    { from }: { from: string | undefined },
  ) {
    this.#fetch = fetch
    this.#from = from
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<string, void, undefined> {
    for await (const { keys } of this.pages()) yield* keys
  }

  /** A page may be empty and not the last: its `cursor` tells. */
  async *pages(): AsyncGenerator<Page, void, undefined> {
    let cursor = this.#from
    do {
      const page = await this.#fetch(cursor)
      yield page
      cursor = page.cursor
    } while (cursor !== undefined)
  }

  /** All keys at once. Holds them all in memory. */
  async toArray(): Promise<string[]> {
    const keys: string[] = []
    for await (const key of this) keys.push(key)
    return keys
  }
}
