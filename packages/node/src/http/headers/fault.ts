import { type ErrorCode, type FieldError, ShoalError } from '@shoal/kernel'

/** What a parser throws: which field, at which character, and what is allowed there. */
export function fieldError(
  code: ErrorCode,
  error: FieldError,
  values: { wanted?: string | number; got?: string | number } = {},
): ShoalError {
  const place =
    error.offset === undefined ? error.field : `${error.field}, character ${error.offset}`
  const got = typeof values.got === 'string' ? excerpt(values.got) : values.got
  return new ShoalError(code, `${place}: ${error.message}`, {
    errors: [error],
    ...(values.wanted === undefined ? {} : { wanted: values.wanted }),
    ...(got === undefined ? {} : { got }),
  })
}

/**
 * Enough of what was sent to recognise it; an answer must not repeat 8 KiB of somebody's header.
 */
export const excerpt = (text: string): string =>
  text.length <= EXCERPT_CHARS ? text : `${text.slice(0, EXCERPT_CHARS)}…`

const EXCERPT_CHARS = 64

/** Where a text first leaves the visible ASCII characters, or -1. */
export const invisibleAt = (text: string): number => text.search(/[^\x21-\x7e]/)

/**
 * A token that this face passes on unread: visible characters, at most so many.
 *
 * @throws code  empty, too long, or with a space or control character
 */
export function checkOpaque(
  text: string,
  { code, field, max }: { code: ErrorCode; field: string; max: number },
): string {
  if (text.length >= 1 && text.length <= max && visible.test(text)) return text
  if (text.length === 0) throw fieldError(code, { field, offset: 0, message: 'it is empty' })
  if (text.length > max) {
    const message = `it has ${text.length} characters, at most ${max} are allowed`
    throw fieldError(code, { field, offset: max, message }, { wanted: max, got: text.length })
  }
  const message = 'only visible ASCII characters are allowed'
  throw fieldError(code, { field, offset: invisibleAt(text), message }, { got: text })
}

const visible = /^[\x21-\x7e]*$/
