/**
 * `Content-Type` and `Content-Encoding` of values: kept and returned as sent, so only checked here.
 */
import { limits } from '@shoal/kernel'
import { headerNames } from '@shoal/wire'
import { fieldError } from './fault.ts'
import { HeaderMemory } from './memory.ts'

const TOKEN = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]+"
const QUOTED = '"(?:[\\t \\x21\\x23-\\x5b\\x5d-\\x7e\\x80-\\xff]|\\\\[\\t\\x20-\\x7e\\x80-\\xff])*"'
const PARAMETER = `[\\t ]*;[\\t ]*(?:${TOKEN}=(?:${TOKEN}|${QUOTED}))?`
const typePart = new RegExp(`^${TOKEN}/${TOKEN}`)
const wholeType = new RegExp(`^${TOKEN}/${TOKEN}(?:${PARAMETER})*$`)
const longestTypeStart = new RegExp(`^${TOKEN}/${TOKEN}(?:${PARAMETER})*`)
const encodings = new RegExp(`^${TOKEN}(?:[\\t ]*,[\\t ]*${TOKEN})*$`)

/** A row keeps the length of an encoding in one byte. */
const CONTENT_ENCODING_BYTES_MAX = 255

const types = new HeaderMemory((text) => checkMediaType(text, headerNames.contentType))

/** Returns its argument. @throws SHOAL_MEDIA_TYPE_INVALID */
export const readContentType = (text: string): string => types.read(text)

/** RFC 9110, 8.3.1: `type/subtype` and parameters. @throws SHOAL_MEDIA_TYPE_INVALID */
export function checkMediaType(text: string, field: string): string {
  if (text.length > limits.contentTypeBytesMax) {
    const message = `it has ${text.length} bytes, at most ${limits.contentTypeBytesMax} are allowed`
    throw fieldError(
      'SHOAL_MEDIA_TYPE_INVALID',
      { field, offset: limits.contentTypeBytesMax, message },
      { wanted: limits.contentTypeBytesMax, got: text.length },
    )
  }
  if (wholeType.test(text)) return text
  const offset = longestTypeStart.exec(text)?.[0].length ?? 0
  const message = typePart.test(text)
    ? 'a parameter is ;name=token or ;name="text"'
    : 'a media type is type/subtype'
  throw fieldError('SHOAL_MEDIA_TYPE_INVALID', { field, offset, message }, { got: text })
}

/** `type/subtype` in lower case, without parameters. */
export const essenceOf = (mediaType: string): string =>
  (mediaType.split(';', 1)[0] ?? '').trim().toLowerCase()

/** Returns its argument: a list of coding names. @throws SHOAL_HEADER_INVALID */
export function checkContentEncoding(
  text: string,
  field: string = headerNames.contentEncoding,
): string {
  if (text.length <= CONTENT_ENCODING_BYTES_MAX && encodings.test(text)) return text
  const most = CONTENT_ENCODING_BYTES_MAX
  const message = `it lists names of codings, such as gzip, in at most ${most} bytes`
  throw fieldError('SHOAL_HEADER_INVALID', { field, offset: 0, message }, { got: text })
}
