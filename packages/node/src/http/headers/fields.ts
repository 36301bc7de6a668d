/** The remaining headers of a key–value request, each on its own. */
import { limits } from '@shoal/kernel'
import { headerNames, newSession } from '@shoal/wire'
import { checkOpaque, fieldError } from './fault.ts'
import { isFault, parseItem } from './structured.ts'

/**
 * Passed on unread: only the coordinator can open it. An empty one would silently be a blind write.
 */
export const checkContext = (text: string, field: string = headerNames.causalContext): string =>
  checkOpaque(text, { code: 'SHOAL_CONTEXT_INVALID', field, max: limits.contextTokenBytesMax })

export const checkIdempotencyKey = (
  text: string,
  field: string = headerNames.idempotencyKey,
): string =>
  checkOpaque(text, {
    code: 'SHOAL_IDEMPOTENCY_KEY_INVALID',
    field,
    max: limits.idempotencyKeyCharsMax,
  })

const sessionText = /^[\x21-\x2b\x2d-\x7e]+(?:[\t ]*,[\t ]*[\x21-\x2b\x2d-\x7e]+)*$/

/** `new`, or tokens separated by commas: parallel requests of one session yield several. */
export function checkSession(text: string): string {
  const max = limits.clientSessionHeaderBytesMax
  if (text === newSession || (text.length <= max && sessionText.test(text))) return text
  const message =
    text.length > max
      ? `it has ${text.length} characters, at most ${max} are allowed`
      : `it is "${newSession}" or the tokens of earlier answers, separated by commas`
  throw fieldError(
    'SHOAL_SESSION_INVALID',
    { field: headerNames.session, offset: Math.min(max, sessionFaultAt(text)), message },
    { got: text },
  )
}

const sessionFaultAt = (text: string): number =>
  Math.max(0, text.search(/[^\t\x20-\x7e]|[\x21-\x2b\x2d-\x7e][\t ]+[\x21-\x2b\x2d-\x7e]/))

/** `Explain: ?1`, an RFC 9651 boolean. @throws SHOAL_HEADER_INVALID */
export function parseExplain(text: string): boolean {
  if (text === '?1') return true
  const item = parseItem(text)
  const field = headerNames.explain
  if (isFault(item)) {
    const { offset, fault } = item
    throw fieldError('SHOAL_HEADER_INVALID', { field, offset, message: fault }, { got: text })
  }
  const extra = item.parameters[0]
  if (item.kind === 'boolean' && extra === undefined) return item.value === true
  const message = 'it is ?1 or ?0, without parameters'
  const offset = item.kind === 'boolean' ? (extra?.nameOffset ?? 0) : item.offset
  throw fieldError('SHOAL_HEADER_INVALID', { field, offset, message }, { got: text })
}
