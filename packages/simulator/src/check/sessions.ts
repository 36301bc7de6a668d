import { limits } from '@shoal/kernel'
import { type Bits, isEmpty, union, without } from './bits.ts'
import { type SessionView, type Tokens, tokenText } from './tokens.ts'
import type { Key } from './world.ts'

type Fail = (invariant: string, text: string) => void

/** Per entry: the key's token and a length, before the clock. */
const ENTRY_HEAD_BYTES = 10
const OTHER_BYTES = 1 + 2 + 8

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
    const known = this.#tokens.seenBySession(given, key)
    const seen = union(history, this.#tokens.seenBySession(brought, key))
    const missing = without(seen, known)
    const forgot = view.has(tokenText(key)) ? missing : seen
    if (!isEmpty(missing) && !this.#isFull(view, forgot, key)) {
      fail('S1', `its session forgets ${key.history.names(missing)}`)
    }
    const invented = without(known, seen)
    if (!isEmpty(invented)) fail('S1', `its session claims ${key.history.names(invented)}`)
    this.#checkOthers(key, brought, view, fail)
  }

  #checkOthers(key: Key, brought: string, view: SessionView, fail: Fail): void {
    const own = tokenText(key)
    for (const item of brought.split(',')) {
      for (const [token, clock] of this.#tokens.session(item.trim()) ?? []) {
        if (token === own) continue
        const kept = view.get(token)
        if (kept) {
          // Two tokens of one request are joined: the clock may have grown.
          if (kept.length < clock.length && !brought.includes(',')) {
            fail('S1', 'its session knows less of another key')
          }
        } else if (!couldNotFit(view, clock.length)) {
          fail('S1', `its session forgets another key, with room for it`)
        }
      }
    }
  }

  /** A clock too wide for any token is left out. */
  #isFull(view: SessionView, forgot: Bits, key: Key): boolean {
    const actors = new Set(key.history.maximal(forgot).map(({ header }) => header.actor)).size
    return couldNotFit(view, 4 + 16 * actors) || view.size === 0
  }
}

/** Whether one more entry would have been too many. */
function couldNotFit(view: SessionView, clockBytes: number): boolean {
  let bytes = OTHER_BYTES + ENTRY_HEAD_BYTES + clockBytes
  for (const clock of view.values()) bytes += ENTRY_HEAD_BYTES + clock.length
  return Math.ceil((bytes * 4) / 3) + 3 > limits.sessionTokenBytesMax
}
