import { type Bits, noBits, union } from './bits.ts'
import { contextClock, sessionEntries } from './decode.ts'
import type { Meaning } from './history.ts'
import type { Key } from './world.ts'

/** A context that a node gave to a client. */
export interface Issued {
  readonly key: Key
  /** All that whoever holds it has seen. */
  readonly history: Bits
  /** What its clock names: less than that where the answer to a repeated write knew no better. */
  readonly named: Bits
}

/** What sessions say, by the 8-byte token of a key as latin-1 text. */
export type SessionView = ReadonlyMap<string, Buffer>

const SESSIONS_KEPT = 256

/** The tokens that clients hold, and what their holders have truly seen. */
export class Tokens {
  readonly #issued = new Map<string, Issued>()
  readonly #read = new Map<string, { readonly key: Key; readonly meaning: Meaning }>()
  /** Sessions taken apart lately: what one answer gave, the next request brings. */
  readonly #sessions = new Map<string, SessionView | undefined>()

  issue(token: string, issued: Issued): void {
    this.#issued.set(token, issued)
  }

  issued(token: string): Issued | undefined {
    return this.#issued.get(token)
  }

  /** What a context token of this key names, by its clock alone. */
  read(key: Key, token: string): Meaning | undefined {
    const known = this.#read.get(token)
    if (known?.key === key) return known.meaning
    const clock = contextClock(token)
    const meaning = clock && key.history.meaning(clock)
    if (meaning && !meaning.fault?.unknown) this.#read.set(token, { key, meaning })
    return meaning
  }

  /** What a `Shoal-Session` header names of a key. */
  seenBySession(header: string, key: Key): Bits {
    const text = tokenText(key)
    let seen = noBits
    for (const item of header === '' ? [] : header.split(',')) {
      const token = item.trim()
      const clock = token.startsWith('c1.') ? contextClock(token) : this.session(token)?.get(text)
      if (clock) seen = union(seen, key.history.meaning(clock).events)
    }
    return seen
  }

  /** One session token, by key. Undefined for `new` and for what is none. */
  session(token: string): SessionView | undefined {
    if (this.#sessions.has(token)) return this.#sessions.get(token)
    const entries = sessionEntries(token)
    const view = entries && new Map(entries.map((entry) => [entry.token, entry.clock]))
    if (this.#sessions.size >= SESSIONS_KEPT) {
      for (const oldest of this.#sessions.keys()) {
        this.#sessions.delete(oldest)
        break
      }
    }
    this.#sessions.set(token, view)
    return view
  }
}

export const tokenText = ({ rowKey }: Key): string => rowKey.toString('latin1', 0, 8)
