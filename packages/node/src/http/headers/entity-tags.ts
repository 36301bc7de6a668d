/**
 * `If-Match` and `If-None-Match`: `*`, or ETags in quotes separated by commas (RFC 9110, 8.8.3).
 */
import { fieldError } from './fault.ts'

export const anyTag = '*'

const element = /[\t ]*(?:((?:W\/)?"[\x21\x23-\x7e\x80-\xff]*")[\t ]*)?(,|$)/y

/**
 * The tags as sent, quotes included; `['*']` for any. Empty elements between commas are skipped, as
 * RFC 9110 demands of a receiver.
 *
 * @throws SHOAL_PRECONDITION_INVALID
 */
export function parseEntityTags(text: string, field: string): readonly string[] {
  if (text.trim() === anyTag) return [anyTag]
  const tags: string[] = []
  element.lastIndex = 0
  while (element.lastIndex < text.length) {
    const at = element.lastIndex
    const [, tag] = element.exec(text) ?? stopAt(text, field, at)
    if (tag !== undefined) tags.push(tag)
  }
  if (tags.length === 0) {
    throw fieldError('SHOAL_PRECONDITION_INVALID', {
      field,
      offset: 0,
      message: 'it names no ETag',
    })
  }
  return tags
}

function stopAt(text: string, field: string, at: number): never {
  const offset = at + (/^[\t ]*/.exec(text.slice(at))?.[0].length ?? 0)
  const message = '* or a list of ETags in double quotes is allowed'
  throw fieldError(
    'SHOAL_PRECONDITION_INVALID',
    { field, offset, message },
    { got: text.slice(offset) },
  )
}

const strengthened = (tag: string): string => (tag.startsWith('W/') ? tag.slice(2) : tag)

/**
 * The tags of `If-None-Match`, which compares weakly: a `W/` before a tag changes nothing. In
 * `If-Match` it makes the tag match nothing, and stays.
 */
export const weakened = (tags: readonly string[]): readonly string[] => tags.map(strengthened)

/** @param current  empty where no value exists */
export const matches = (tags: readonly string[], current: string): boolean =>
  current !== '' && (tags.includes(current) || tags.includes(anyTag))

/** `?sibling=` takes the tag with or without its quotes. */
export const quoted = (tag: string): string => (tag.startsWith('"') ? tag : `"${tag}"`)
