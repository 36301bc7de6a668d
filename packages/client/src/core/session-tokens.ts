/**
 * The tokens of one session (S1).
 *
 * A token is opaque: a client cannot join two of them, only the server can. A single "last token"
 * would forget the write whose answer came a moment before another's. So the session keeps a list
 * and sends all of it; the answer's token covers every token that its request carried, and takes
 * their place.
 *
 * With at most P requests on the way at a time the list never holds more than P tokens: two tokens
 * stand side by side only if the request of the later one left before the earlier one arrived.
 */
import { limits } from '@shoal/kernel'

/** Oldest first. Never changed in place: a request keeps the list it was sent with. */
export type SessionTokens = readonly string[]

/** The value of the `Shoal-Session` header for the next request. */
export const sessionHeader = (tokens: SessionTokens): string =>
  tokens.length === 0 ? 'new' : tokens.join(', ')

/**
 * The list after an answer.
 *
 * @param sent   the list its request carried
 * @param token  what the answer returned; it covers all of `sent` Should the joined tokens outgrow
 *               the header's bound, the oldest leave; each is then near its own bound of 4 KiB,
 *               where the server itself forgets the oldest keys.
 */
export function joinAnswer(
  current: SessionTokens,
  { sent, token }: { sent: SessionTokens; token: string },
): SessionTokens {
  const kept = current.filter((other) => other !== token && !sent.includes(other))
  const joined = [...kept, token]
  while (joined.length > 1 && headerBytes(joined) > limits.clientSessionHeaderBytesMax) {
    joined.shift()
  }
  return joined
}

const headerBytes = (tokens: SessionTokens): number =>
  tokens.reduce((sum, token) => sum + token.length + 2, 0)
