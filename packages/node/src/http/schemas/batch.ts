/** Many independent operations in one request. */
import { limits } from '@shoal/kernel'
import { mediaTypes } from '@shoal/wire'
import Type, { type Static } from 'typebox'
import { ProblemState } from './state.ts'

export const BatchOperation = Type.Object(
  {
    op: Type.Enum(['get', 'put', 'delete']),
    bucket: Type.String(),
    key: Type.String(),
    value: Type.Optional(Type.String({ description: 'Of a put, as text (UTF-8).' })),
    base64: Type.Optional(Type.String({ description: 'Of a put, any bytes, instead of value.' })),
    type: Type.Optional(
      Type.String({ description: `Content-Type of a put; ${mediaTypes.bytes} if absent.` }),
    ),
    encoding: Type.Optional(Type.String({ description: 'Content-Encoding of a put.' })),
    context: Type.Optional(Type.String({ description: 'Causal-Context of an earlier answer.' })),
    consistency: Type.Optional(
      Type.String({ description: 'In the words of the header, which is the default for all.' }),
    ),
    idempotencyKey: Type.Optional(Type.String()),
    ttl: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: limits.ttlSecondsMax,
        description: 'Seconds, of a put.',
      }),
    ),
  },
  { additionalProperties: false, title: 'BatchOperation' },
)
export type BatchOperation = Static<typeof BatchOperation>

/** The operations are checked one by one, so that one wrong one does not stop the others. */
export const BatchDocument = Type.Object(
  {
    operations: Type.Array(Type.Unknown(), {
      minItems: 1,
      maxItems: limits.batchOperationsMax,
    }),
  },
  { additionalProperties: false },
)

/** The same, for people: every member of the list spelled out. */
export const BatchBody = Type.Object(
  {
    operations: Type.Array(BatchOperation, { minItems: 1, maxItems: limits.batchOperationsMax }),
  },
  { title: 'Batch', additionalProperties: false },
)

export const BatchResult = Type.Object(
  {
    status: Type.Integer({ description: 'As the operation alone would have been answered.' }),
    context: Type.Optional(Type.String()),
    etag: Type.Optional(Type.String()),
    modified: Type.Optional(Type.String({ format: 'date-time' })),
    consistency: Type.Optional(Type.String({ description: 'The effective one.' })),
    receipt: Type.Optional(Type.String({ description: 'In the words of the header.' })),
    type: Type.Optional(Type.String()),
    encoding: Type.Optional(Type.String()),
    value: Type.Optional(Type.String({ description: 'Of a get, where the bytes are UTF-8.' })),
    base64: Type.Optional(Type.String({ description: 'Of a get, where they are not.' })),
    siblings: Type.Optional(Type.Array(Type.Unknown(), { description: 'As in a 300 answer.' })),
    retryAfter: Type.Optional(Type.Integer({ description: 'Seconds.' })),
    problem: Type.Optional(ProblemState),
  },
  { title: 'BatchResult' },
)
export type BatchResult = Static<typeof BatchResult>

export const BatchResults = Type.Object(
  { results: Type.Array(BatchResult, { description: 'In the order of the operations.' }) },
  { title: 'BatchResults' },
)
