/** Parts that the documents of many routes share. */
import { type ErrorCode, errorCatalogue } from '@shoal/kernel'
import { mediaTypes } from '@shoal/wire'
import Type, { type TSchema } from 'typebox'
import { bucketPattern } from '../path.ts'
import { ProblemState } from './state.ts'

export const BucketName = Type.String({
  pattern: bucketPattern,
  minLength: 1,
  maxLength: 128,
  description:
    'Needs no creation. Names that begin with an underscore belong to the system and are refused.',
})

export const Key = Type.String({
  minLength: 1,
  maxLength: 1_024,
  description:
    '1 to 1,024 bytes of valid UTF-8, percent-encoded as one path segment: a slash is written %2F.',
})

/** Headers that every answer has. */
export const commonHeaders = {
  'Request-Id': Type.String({ description: 'Name this one in a report or find it in the log.' }),
  'Server-Timing': Type.String({ description: 'Milliseconds on this node: `total;dur=1.25`.' }),
  'Cache-Control': Type.String({ description: 'Always `no-store`.' }),
  'X-Content-Type-Options': Type.String({ description: 'Always `nosniff`.' }),
}

export interface ResponseDocument {
  readonly description: string
  readonly type?: 'null'
  readonly headers?: Readonly<Record<string, TSchema>>
  readonly content?: Readonly<Record<string, { readonly schema: TSchema }>>
}

/** An answer in JSON. */
export const json = (description: string, schema: TSchema): ResponseDocument => ({
  description,
  headers: commonHeaders,
  content: { [mediaTypes.json]: { schema } },
})

/** An answer without a body. */
export const empty = (description: string, headers = {}): ResponseDocument => ({
  description,
  type: 'null',
  headers: { ...commonHeaders, ...headers },
})

/** The errors of a route, one entry for each status, with the codes that can stand there. */
export function problems(...codes: readonly ErrorCode[]): Record<string, ResponseDocument> {
  const byStatus = new Map<number, ErrorCode[]>()
  for (const code of codes) {
    const { status } = errorCatalogue[code]
    byStatus.set(status, [...(byStatus.get(status) ?? []), code])
  }
  return Object.fromEntries(
    [...byStatus].map(([status, found]) => [String(status), problemDocument(found)]),
  )
}

function problemDocument(codes: readonly ErrorCode[]): ResponseDocument {
  const lines = codes.map((code) => `\`${code}\`: ${errorCatalogue[code].title}.`)
  const waits = codes.some((code) => errorCatalogue[code].retry === 'after')
  return {
    description: lines.join(' '),
    headers: {
      ...commonHeaders,
      ...(waits ? { 'Retry-After': Type.Integer({ description: 'Seconds to wait.' }) } : {}),
    },
    content: { [mediaTypes.problem]: { schema: ProblemState } },
  }
}
