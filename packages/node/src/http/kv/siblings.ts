/** Several values of one key as one body, and the choice of one among them. */
import type { LiveValue } from '@shoal/coordinator'
import { mediaTypes } from '@shoal/wire'
import { httpDate } from './format.ts'

/** A sibling in JSON. */
export interface SiblingDocument {
  readonly etag: string
  readonly type: string
  readonly encoding?: string
  /** ISO 8601. */
  readonly modified: string
  readonly size: number
  readonly base64: string
}

export const toSibling = (value: LiveValue): SiblingDocument => ({
  etag: value.etag,
  type: typeOf(value),
  ...(value.contentEncoding === '' ? {} : { encoding: value.contentEncoding }),
  modified: new Date(value.modified).toISOString(),
  size: value.body.length,
  base64: value.body.toString('base64'),
})

export const typeOf = ({ contentType }: LiveValue): string =>
  contentType === '' ? mediaTypes.bytes : contentType

/**
 * The value that everyone asked picks: the largest stamp, then the largest dot. Values come with
 * the newest dot last, and one stamp seldom stands twice.
 */
export function winnerOf(values: readonly LiveValue[]): LiveValue | undefined {
  let winner: LiveValue | undefined
  for (const value of values) {
    if (winner === undefined || value.modified > winner.modified) winner = value
    else if (value.modified === winner.modified && value.etag > winner.etag) winner = value
  }
  return winner
}

/**
 * `multipart/mixed`, RFC 2046. Each part states its length, so that a value may hold anything.
 *
 * @param boundary  random, so that no value can be made to hold it
 */
export function toMultipart(values: readonly LiveValue[], boundary: string): Buffer {
  const pieces: Buffer[] = []
  for (const value of values) {
    pieces.push(Buffer.from(partHead(value, boundary), 'latin1'), value.body, lineEnd)
  }
  pieces.push(Buffer.from(`--${boundary}--\r\n`, 'latin1'))
  return Buffer.concat(pieces)
}

const lineEnd = Buffer.from('\r\n')

function partHead(value: LiveValue, boundary: string): string {
  const lines = [
    `--${boundary}`,
    `Content-Type: ${typeOf(value)}`,
    ...(value.contentEncoding === '' ? [] : [`Content-Encoding: ${value.contentEncoding}`]),
    `Content-Length: ${value.body.length}`,
    `Last-Modified: ${httpDate(value.modified)}`,
    `ETag: ${value.etag}`,
  ]
  return `${lines.join('\r\n')}\r\n\r\n`
}
