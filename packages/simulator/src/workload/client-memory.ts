import type { ListAnswer, ReadAnswer, WriteAnswer } from '@shoal/coordinator'

/** What a client keeps of one key: tokens as it was given them. */
interface KeyMemory {
  readonly first: string
  latest: string
  etag: string
}

/**
 * What one client remembers, as a program of a user would: the contexts of keys it has seen and one
 * session.
 */
export class ClientMemory {
  readonly #keys = new Map<string, KeyMemory>()
  /** The token to send next: `new` before the first answer. */
  session = 'new'

  learn(place: string, answer: ReadAnswer | WriteAnswer): void {
    const { context, etag, session } = answer
    if (session !== '') this.session = session
    const known = this.#keys.get(place)
    if (!known) {
      this.#keys.set(place, { first: context, latest: context, etag })
      return
    }
    known.latest = context
    known.etag = etag
  }

  latest(place: string): string {
    return this.#keys.get(place)?.latest ?? ''
  }

  first(place: string): string {
    return this.#keys.get(place)?.first ?? ''
  }

  /** Empty where the client has seen no value. */
  etag(place: string): string {
    return this.#keys.get(place)?.etag ?? ''
  }

  /** A context of a key other than this one; empty where the client knows no other. */
  foreign(place: string): string {
    for (const [other, { latest }] of this.#keys) if (other !== place) return latest
    return ''
  }
}

export const isListing = (answer: ReadAnswer | WriteAnswer | ListAnswer): answer is ListAnswer =>
  'keys' in answer
