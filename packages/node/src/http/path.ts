/**
 * Buckets and keys out of the raw request target. The router's own decoding is not used: it would
 * accept what must be refused with a reason, and decode what a key needs untouched.
 */
import { isUtf8 } from 'node:buffer'
import { limits, ShoalError } from '@shoal/kernel'
import { suggest } from '../config/suggest.ts'
import { fieldError } from './headers/fault.ts'

export interface BucketAndKey {
  readonly bucket: string
  readonly key: string
}

/** Characters that stand for themselves. `+` is one of them: in a path it never meant a space. */
const plainKey = /^[\x21\x22\x24\x26-\x2e\x30-\x3e\x40-\x7e]*$/
const bucketName = /^[A-Za-z0-9._-]{1,128}$/

/** Pattern of a bucket name, as the OpenAPI document shows it. */
export const bucketPattern = '^(?!_)(?!\\.{1,2}$)[A-Za-z0-9._-]{1,128}$'

/** The part of a request target before its query. */
export function pathOf(url: string): string {
  const end = url.indexOf('?')
  return end < 0 ? url : url.slice(0, end)
}

/** The query of a request target without its question mark, empty where there is none. */
export function queryOf(url: string): string {
  const end = url.indexOf('?')
  return end < 0 ? '' : url.slice(end + 1)
}

/**
 * `{prefix}{bucket}/{key}`.
 *
 * @param prefix  what the router has already matched, with the slash at its end
 */
export function readBucketAndKey(url: string, prefix: string): BucketAndKey {
  if (!url.startsWith(prefix)) throw misspelt(prefix)
  const end = url.indexOf('?')
  const slash = url.indexOf('/', prefix.length)
  return {
    bucket: readBucket(url.slice(prefix.length, slash)),
    key: readKey(end < 0 ? url.slice(slash + 1) : url.slice(slash + 1, end)),
  }
}

/**
 * The router takes `/v1/%6Bv/` for `/v1/kv/`. We read from the raw text, so there is one spelling.
 */
const misspelt = (prefix: string): ShoalError =>
  new ShoalError('SHOAL_ROUTE_NOT_FOUND', `write ${prefix} without percent-encoding`)

/** `{prefix}{bucket}`, with nothing after it. */
export function readBucketAlone(url: string, prefix: string): string {
  if (!url.startsWith(prefix)) throw misspelt(prefix)
  return readBucket(pathOf(url).slice(prefix.length))
}

/** @throws SHOAL_BUCKET_INVALID, SHOAL_BUCKET_RESERVED */
export function readBucket(segment: string): string {
  return checkBucket(segment.includes('%') ? decode(segment, 'bucket') : segment)
}

/** @throws SHOAL_BUCKET_INVALID, SHOAL_BUCKET_RESERVED */
export function checkBucket(name: string, field = 'bucket'): string {
  if (!bucketName.test(name) || name === '.' || name === '..') {
    const offset = Math.max(0, name.search(/[^A-Za-z0-9._-]/))
    const message = '1 to 128 of A-Z a-z 0-9 . _ - are allowed, and neither "." nor ".."'
    throw fieldError('SHOAL_BUCKET_INVALID', { field, offset, message }, { got: name })
  }
  if (name.startsWith('_')) {
    const message = 'names beginning with an underscore belong to the system'
    throw fieldError('SHOAL_BUCKET_RESERVED', { field, offset: 0, message }, { got: name })
  }
  return name
}

/** @throws SHOAL_KEY_INVALID, SHOAL_KEY_TOO_LONG */
export function readKey(segment: string): string {
  return checkKey(plainKey.test(segment) ? segment : decode(segment, 'key'))
}

/** @throws SHOAL_KEY_INVALID, SHOAL_KEY_TOO_LONG */
export function checkKey(key: string, field = 'key'): string {
  // A character has at least one byte and at most three for each UTF-16 unit.
  const bytes = key.length * 3 <= limits.keyBytesMax ? key.length : Buffer.byteLength(key)
  if (bytes >= 1 && bytes <= limits.keyBytesMax) return key
  if (bytes === 0) {
    throw fieldError('SHOAL_KEY_INVALID', { field, offset: 0, message: 'the key is empty' })
  }
  const message = `the key has ${bytes} bytes, at most ${limits.keyBytesMax} are allowed`
  throw fieldError(
    'SHOAL_KEY_TOO_LONG',
    { field, offset: limits.keyBytesMax, message },
    { wanted: limits.keyBytesMax, got: bytes },
  )
}

function decode(segment: string, field: 'bucket' | 'key'): string {
  const code = field === 'key' ? 'SHOAL_KEY_INVALID' : 'SHOAL_BUCKET_INVALID'
  const raw = segment.search(/[^\x21-\x7e]|#/)
  if (raw >= 0) {
    const message = 'this character must be percent-encoded'
    throw fieldError(code, { field, offset: raw, message }, { got: segment })
  }
  try {
    return decodeURIComponent(segment)
  } catch {
    throw fieldError(code, { field, ...encodingFault(segment) }, { got: segment })
  }
}

/** Where percent-encoding or the UTF-8 under it first goes wrong. */
function encodingFault(segment: string): { offset: number; message: string } {
  const broken = segment.search(/%(?![0-9A-Fa-f]{2})/)
  const bytes = Buffer.from(
    unescapeBytes(segment.slice(0, broken < 0 ? undefined : broken)),
    'latin1',
  )
  const wrong = invalidUtf8At(bytes)
  if (wrong < 0) return { offset: broken, message: '% is followed by two hexadecimal digits' }
  return { offset: offsetOfByte(segment, wrong), message: 'the bytes are not valid UTF-8' }
}

const unescapeBytes = (text: string): string =>
  text.replace(/%([0-9A-Fa-f]{2})/g, (_escape, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  )

function offsetOfByte(segment: string, wanted: number): number {
  let offset = 0
  for (let byte = 0; byte < wanted; byte++) offset += segment[offset] === '%' ? 3 : 1
  return offset
}

function invalidUtf8At(bytes: Buffer): number {
  for (let at = 0; at < bytes.length; ) {
    const lead = bytes[at] ?? 0
    const length = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4
    const sequence = bytes.subarray(at, at + length)
    if (sequence.length < length || !isUtf8(sequence)) return at
    at += length
  }
  return -1
}

/**
 * The parameters of a query, each at most once and each a known one.
 *
 * @param names  what this route knows
 * @throws SHOAL_QUERY_INVALID
 */
export function parseQuery<Name extends string>(
  query: string,
  names: readonly Name[],
): { readonly [name in Name]?: string } {
  const found: { [name in Name]?: string } = {}
  if (query === '') return found
  let offset = 0
  for (const part of query.split('&')) {
    const place = { field: 'query', offset }
    offset += part.length + 1
    if (part === '') continue
    const equals = part.indexOf('=')
    const name = decodeQuery(equals < 0 ? part : part.slice(0, equals), place)
    const known = names.find((candidate) => candidate === name)
    if (known === undefined) throw unknownParameter(name, names, place.offset)
    if (found[known] !== undefined) {
      const message = `${known} stands more than once`
      throw fieldError('SHOAL_QUERY_INVALID', { field: known, offset: place.offset, message })
    }
    const valuePlace = { field: known, offset: 0 }
    found[known] = equals < 0 ? '' : decodeQuery(part.slice(equals + 1), valuePlace)
  }
  return found
}

function decodeQuery(text: string, { field, offset }: { field: string; offset: number }): string {
  const raw = text.search(/[^\x21-\x7e]/)
  try {
    if (raw < 0) return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    const fault = encodingFault(text)
    const place = { field, offset: offset + fault.offset, message: fault.message }
    throw fieldError('SHOAL_QUERY_INVALID', place, { got: text })
  }
  const message = 'this character must be percent-encoded'
  throw fieldError('SHOAL_QUERY_INVALID', { field, offset: offset + raw, message }, { got: text })
}

function unknownParameter(name: string, names: readonly string[], offset: number): Error {
  const near = suggest(name, names)
  const known = names.length === 0 ? 'this route has no parameters' : `known: ${names.join(', ')}`
  const message = near === undefined ? `unknown; ${known}` : `unknown; did you mean ${near}?`
  return fieldError(
    'SHOAL_QUERY_INVALID',
    { field: name || 'query', offset, message },
    { wanted: names.join(', ') },
  )
}
