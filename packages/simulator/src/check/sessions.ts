import { limits } from '@shoal/kernel'
import { type Bits, isEmpty, union, without } from './bits.ts'
import { type SessionView, type Tokens, tokenText } from './tokens.ts'
import type { Key } from './world.ts'

type Fail = (invariant: string, text: string) => void

/** Per entry: the key's token and a length, before the clock. */
const ENTRY_HEAD_BYTES = 10

/** What session tokens carry from answer to request (S1). */
export class Sessions {
  readonly #tokens: Tokens

  constructor(tokens: Tokens) {
    this.#tokens = tokens
  }

  /**
   * A request that brought a session gets one back that knows what this answer said, and all that
   * it brought; the oldest keys may be missing where they would not have fitted.
   */
  answered(
    key: Key,
    brought: string,
    given: string,
    { history, fail }: { history: Bits; fail: Fail },
  ): void {
    if (brought === '') {
      if (given !== '') fail('S1', 'it answers a session nobody sent')
      return
    }
    const view = this.#tokens.session(given)
    if (!view) return fail('S1', 'it takes a session and answers none')
    this.#checkKept(key, brought, view, fail)
    if (!view.has(tokenText(key))) return
    const known = this.#tokens.seenBySession(given, key)
    const seen = union(history, this.#tokens.seenBySession(brought, key))
    const missing = without(seen, known)
    if (!isEmpty(missing)) fail('S1', `its session forgets ${key.history.names(missing)}`)
    const invented = without(known, seen)
    if (!isEmpty(invented)) fail('S1', `its session claims ${key.history.names(invented)}`)
  }

  /** The keys of a session in the order in which it heard of them; the oldest leave first. */
  #checkKept(key: Key, brought: string, view: SessionView, fail: Fail): void {
    const heard = new Map<string, number>()
    const hear = (token: string, bytes: number): void => {
      heard.delete(token)
      heard.set(token, view.get(token)?.length ?? bytes)
    }
    for (const item of brought.split(',')) {
      const parts = this.#tokens.session(item.trim()) ?? []
      for (const [token, clock] of parts) hear(token, clock.length)
      if (item.trim().startsWith('c1.')) hear(tokenText(key), 0)
    }
    hear(tokenText(key), 0)
    const kept = newestThatFit(heard)
    for (const token of kept) {
      if (view.has(token)) continue
      // How wide the clock of its own key was is not known when it was left out.
      if (token === tokenText(key)) continue
      fail('S1', 'its session forgets another key, with room for it')
    }
    for (const token of view.keys()) {
      if (!heard.has(token)) fail('S1', 'its session knows a key that nobody told it of')
    }
  }
}

/** What base64 leaves of the limit, after format, count and check. */
const ENTRIES_BYTES_MAX = Math.floor(((limits.sessionTokenBytesMax - 3) * 3) / 4) - 3 - 8

function newestThatFit(heard: ReadonlyMap<string, number>): string[] {
  const kept: string[] = []
  let room = ENTRIES_BYTES_MAX
  for (const [token, bytes] of [...heard].reverse()) {
    if (ENTRY_HEAD_BYTES + bytes > ENTRIES_BYTES_MAX) continue
    room -= ENTRY_HEAD_BYTES + bytes
    if (room < 0) break
    kept.push(token)
  }
  return kept
}
