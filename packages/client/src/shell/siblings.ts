/** The values in a 300 answer: a JSON list, or a multipart body. */
import { type Answer, headerOf, invalidAnswer, jsonOf, mediaTypeOf } from '../core/answer.ts'
import { StoredValue } from './value.ts'

/** @throws SHOAL_CLIENT_RESPONSE_INVALID when the answer holds no list of values */
export function siblingsOf(answer: Answer): readonly StoredValue[] {
  const listed = answer.parsed?.siblings
  const values =
    listed === undefined && mediaTypeOf(answer) === 'multipart/mixed'
      ? fromMultipart(answer)
      : fromList(listed ?? jsonOf(answer))
  if (values.length === 0) throw invalidAnswer('an answer of status 300 holds no values')
  return values
}

function fromList(listed: unknown): StoredValue[] {
  const items = Array.isArray(listed) ? listed : (listed as { siblings?: unknown } | null)?.siblings
  if (!Array.isArray(items)) throw invalidAnswer('an answer of status 300 holds no list')
  return items.map((item: unknown) => {
    const { etag, type, encoding, modified, base64, value } = (item ?? {}) as {
      [member: string]: unknown
    }
    if (typeof base64 !== 'string' && typeof value !== 'string') {
      throw invalidAnswer('a sibling has no value')
    }
    return new StoredValue({
      data: typeof base64 === 'string' ? Buffer.from(base64, 'base64') : String(value),
      contentType: text(type),
      contentEncoding: text(encoding),
      etag: text(etag),
      modified: typeof modified === 'number' ? modified : text(modified),
    })
  })
}

const text = (value: unknown): string => (typeof value === 'string' ? value : '')

const CRLF = '\r\n'
const HEAD_END = '\r\n\r\n'

function fromMultipart(answer: Answer): StoredValue[] {
  const boundary = /boundary=(?:"([^"]{1,70})"|([^\s;]{1,70}))/i.exec(
    headerOf(answer, 'content-type'),
  )
  const name = boundary?.[1] ?? boundary?.[2]
  if (name === undefined) throw invalidAnswer('a multipart answer names no boundary')
  const bytes = typeof answer.body === 'string' ? Buffer.from(answer.body) : answer.body
  const delimiter = Buffer.from(`${CRLF}--${name}`)
  // The first delimiter may stand at the very beginning, without a line end before it.
  const opening = delimiter.subarray(CRLF.length)
  let at = bytes.subarray(0, opening.length).equals(opening)
    ? opening.length
    : endOf(bytes, delimiter, 0)
  const values: StoredValue[] = []
  while (bytes.toString('latin1', at, at + 2) !== '--') {
    const headEnd = bytes.indexOf(HEAD_END, at, 'latin1')
    if (headEnd < 0) throw invalidAnswer('a multipart answer ends within the head of a part')
    const head = parseHead(bytes.toString('latin1', at, headEnd))
    const from = headEnd + HEAD_END.length
    const next = endOf(bytes, delimiter, from + lengthIn(head))
    values.push(partValue(head, bytes.subarray(from, next - delimiter.length)))
    at = next
  }
  return values
}

/** Where the next delimiter ends. */
function endOf(bytes: Buffer, delimiter: Buffer, from: number): number {
  const at = bytes.indexOf(delimiter, from)
  if (at < 0) throw invalidAnswer('a multipart answer ends without its last boundary')
  return at + delimiter.length
}

function parseHead(head: string): Map<string, string> {
  const lines = new Map<string, string>()
  for (const line of head.split(CRLF)) {
    const colon = line.indexOf(':')
    if (colon > 0)
      lines.set(line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim())
  }
  return lines
}

/** A part that states its length may hold anything, the boundary too. */
const lengthIn = (head: Map<string, string>): number => {
  const stated = head.get('content-length') ?? ''
  return /^\d{1,10}$/.test(stated) ? Number(stated) : 0
}

const partValue = (head: Map<string, string>, data: Buffer): StoredValue =>
  new StoredValue({
    data,
    contentType: head.get('content-type') ?? '',
    contentEncoding: head.get('content-encoding') ?? '',
    etag: head.get('etag') ?? '',
    modified: head.get('last-modified') ?? '',
  })
