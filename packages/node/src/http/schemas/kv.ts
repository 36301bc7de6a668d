/** The document of the key–value routes: paths, headers and answers of one key. */
import { type ErrorCode, limits } from '@shoal/kernel'
import { mediaTypes } from '@shoal/wire'
import Type from 'typebox'
import { BucketName, commonHeaders, empty, Key, problems, type ResponseDocument } from './common.ts'

export const KeyParams = Type.Object({ bucket: BucketName, key: Key })

const INTEGER = '(?:0|[1-9][0-9]*)'

const consistency = Type.String({
  description:
    'RFC 9651 item: `one`, `quorum` (the default) or `all`, with the parameters `r` and `w` (1 ' +
    'to N, override the level), `strict` (primaries only) and `durable` (0 to w ' +
    'acknowledgements that must be on disk).',
  examples: ['quorum;r=1;w=3;durable=1'],
})

/** On every key–value request. */
const commonRequestHeaders = {
  Consistency: Type.Optional(consistency),
  'X-Consistency': Type.Optional(
    Type.String({ description: 'Alias of Consistency, for proxies that drop unknown headers.' }),
  ),
  'If-Match': Type.Optional(
    Type.String({ description: '`*` or ETags. Checked after a quorum read, not atomically.' }),
  ),
  'If-None-Match': Type.Optional(
    Type.String({ description: '`*` or ETags. On reads a match answers 304.' }),
  ),
  'Shoal-Session': Type.Optional(
    Type.String({
      maxLength: limits.clientSessionHeaderBytesMax,
      description:
        '`new`, or the Shoal-Session of earlier answers, separated by commas. Gives ' +
        'read-your-writes and monotonic reads for the keys it remembers.',
    }),
  ),
  'Shoal-Timeout': Type.Optional(
    Type.String({
      pattern: `^${INTEGER}$`,
      description:
        'Whole milliseconds, 1 to 60,000. 2,000 for writes and 5,000 for reads if absent.',
    }),
  ),
  Explain: Type.Optional(
    Type.String({ pattern: '^\\?[01]$', description: '`?1` keeps a trace; see Trace-Id.' }),
  ),
  traceparent: Type.Optional(Type.String({ description: 'W3C trace context.' })),
}

export const ReadHeaders = Type.Object({
  ...commonRequestHeaders,
  Accept: Type.Optional(
    Type.String({
      description:
        `For a key with several values: ${mediaTypes.json}, ${mediaTypes.siblings} ` +
        `or ${mediaTypes.multipart}.`,
    }),
  ),
  Prefer: Type.Optional(
    Type.String({ description: '`siblings=resolve`: one deterministic winner instead of 300.' }),
  ),
})

export const DeleteHeaders = Type.Object({
  ...commonRequestHeaders,
  'Causal-Context': Type.Optional(
    Type.String({
      maxLength: limits.contextTokenBytesMax,
      description:
        'The Causal-Context of a read or write of this key. Without it a write is blind.',
    }),
  ),
  'Idempotency-Key': Type.Optional(
    Type.String({
      pattern: '^[\\x21-\\x7e]{1,128}$',
      description: 'A retry with the same key is the same write, for 10 minutes.',
    }),
  ),
})

export const WriteHeaders = Type.Object({
  ...DeleteHeaders.properties,
  'Content-Type': Type.Optional(
    Type.String({
      maxLength: limits.contentTypeBytesMax,
      description: `Kept and returned as sent; ${mediaTypes.bytes} if absent.`,
    }),
  ),
  'Content-Encoding': Type.Optional(
    Type.String({ description: 'Kept and returned as sent, never acted on.' }),
  ),
  TTL: Type.Optional(
    Type.String({ pattern: `^${INTEGER}$`, description: 'Seconds until the value expires.' }),
  ),
})

export const ReadQuery = Type.Object(
  {
    sibling: Type.Optional(
      Type.String({ description: 'The ETag of one sibling, with or without its quotes.' }),
    ),
  },
  { additionalProperties: false },
)

/** Headers of every answer about one key. */
const answerHeaders = {
  ...commonHeaders,
  'Causal-Context': Type.String({ description: 'Send it with the next write of this key.' }),
  Consistency: Type.String({
    description: 'The effective value: `quorum;r=2;w=2;durable=2`, with `;strict` where asked.',
  }),
  Receipt: Type.String({
    description:
      'RFC 9651 dictionary: n, need, ack, primaries, fallbacks, durable (writes), hinted, ' +
      'repaired, epoch, node, precondition.',
    examples: [
      'n=3, need=2, ack=3, primaries=3, fallbacks=0, durable=3, hinted=0, repaired=0, epoch=4, ' +
        'node="n1"',
    ],
  }),
  'Shoal-Session': Type.String({ description: 'The new token, where the request carried one.' }),
  'Trace-Id': Type.String({ description: 'With `Explain: ?1`: GET /v1/traces/{id} shows it.' }),
}

const valueHeaders = {
  ...answerHeaders,
  ETag: Type.String({ description: 'Over all live values. Absent where none exists.' }),
  'Last-Modified': Type.String({ description: 'From the clock of the coordinator of the write.' }),
}

/** Of answers that hold what somebody stored. */
const inertHeaders = {
  'Content-Security-Policy': Type.String({ description: 'A browser runs nothing of a value.' }),
  'Cross-Origin-Resource-Policy': Type.String({ description: 'Always `same-origin`.' }),
}

const siblingHeaders = {
  ...valueHeaders,
  Siblings: Type.Integer({ description: 'How many values the key has, above one.' }),
}

const anyBytes = { schema: Type.Unsafe<string>({ contentMediaType: mediaTypes.bytes }) }

export const SiblingList = Type.Object(
  {
    siblings: Type.Array(
      Type.Object({
        etag: Type.String(),
        type: Type.String(),
        encoding: Type.Optional(
          Type.String({ description: 'Content-Encoding, where there is one.' }),
        ),
        modified: Type.String({ format: 'date-time' }),
        size: Type.Integer({ description: 'Bytes.' }),
        base64: Type.String({ contentEncoding: 'base64' }),
      }),
    ),
  },
  { title: 'Siblings' },
)

const readFailures: readonly ErrorCode[] = [
  'SHOAL_KEY_INVALID',
  'SHOAL_BUCKET_INVALID',
  'SHOAL_QUERY_INVALID',
  'SHOAL_HEADER_INVALID',
  'SHOAL_CONSISTENCY_INVALID',
  'SHOAL_SESSION_INVALID',
  'SHOAL_TIMEOUT_INVALID',
  'SHOAL_PRECONDITION_INVALID',
  'SHOAL_BUCKET_RESERVED',
  'SHOAL_PRECONDITION_FAILED',
  'SHOAL_KEY_TOO_LONG',
  'SHOAL_DATA_DAMAGED',
  'SHOAL_INTERNAL',
  'SHOAL_QUORUM_UNREACHABLE',
  'SHOAL_SESSION_UNSATISFIED',
  'SHOAL_OVERLOADED',
  'SHOAL_DRAINING',
  'SHOAL_QUORUM_TIMEOUT',
  'SHOAL_QUORUM_UNMET',
]

const writeFailures: readonly ErrorCode[] = [
  ...readFailures,
  'SHOAL_CONTEXT_INVALID',
  'SHOAL_CONTEXT_FOREIGN',
  'SHOAL_IDEMPOTENCY_KEY_INVALID',
  'SHOAL_TTL_INVALID',
  'SHOAL_SIBLINGS_FULL',
  'SHOAL_IDEMPOTENCY_KEY_REUSED',
  'SHOAL_CONTEXT_REQUIRED',
  'SHOAL_STORAGE_FULL',
]

export const readResponses: Readonly<Record<string, ResponseDocument>> = {
  200: {
    description: 'The value, byte for byte, under the Content-Type it was written with.',
    headers: {
      ...siblingHeaders,
      ...inertHeaders,
      'Preference-Applied': Type.String({ description: '`siblings=resolve`, where it was.' }),
    },
    content: { '*/*': anyBytes },
  },
  300: {
    description:
      'Several values, written without knowledge of each other. Causal-Context joins them.',
    headers: siblingHeaders,
    content: {
      [mediaTypes.json]: { schema: SiblingList },
      [mediaTypes.siblings]: { schema: SiblingList },
      [mediaTypes.multipart]: anyBytes,
    },
  },
  304: { description: 'Unchanged.', type: 'null', headers: valueHeaders },
  ...problems('SHOAL_KEY_NOT_FOUND', 'SHOAL_SIBLING_NOT_FOUND', ...readFailures),
}

export const headResponses: Readonly<Record<string, ResponseDocument>> = Object.fromEntries(
  Object.entries(readResponses).map(([status, { description, headers = {} }]) => [
    status,
    { description, type: 'null', headers },
  ]),
)

export const deleteResponses: Readonly<Record<string, ResponseDocument>> = {
  204: empty('Deleted, or there was nothing to delete.', siblingHeaders),
  ...problems(...writeFailures),
}

export const putResponses: Readonly<Record<string, ResponseDocument>> = {
  204: empty(
    'Written as asked. Above one Siblings, the key has several values now.',
    siblingHeaders,
  ),
  ...problems(
    ...writeFailures,
    'SHOAL_BODY_INCOMPLETE',
    'SHOAL_BODY_TIMEOUT',
    'SHOAL_VALUE_TOO_LARGE',
    'SHOAL_MEDIA_TYPE_INVALID',
  ),
}

export const PutBody = Type.Unsafe<string>({
  description: 'The value: any bytes, empty too, 1 MiB by default.',
  content: { '*/*': anyBytes },
})
