/** Many operations in one `POST /v1/batch`, and its answer taken apart again. */
import { kibibytes, limits } from '@shoal/kernel'
import { type Answer, invalidAnswer, jsonOf } from './answer.ts'
import { headers } from './headers.ts'
import type { KeyOperation, PlainOperation } from './operation.ts'

/**
 * Whether an operation can be an item of a batch: the items carry no preconditions, no encoding and
 * no wish for a trace, and a large value would hold up its neighbours.
 */
export const fitsBatch = (operation: KeyOperation): boolean =>
  operation.op !== 'head' &&
  operation.ifMatch === '' &&
  operation.ifNoneMatch === '' &&
  operation.sibling === '' &&
  operation.traceparent === '' &&
  !operation.resolve &&
  !operation.explain &&
  operation.body.length <= limits.clientBatchValueBytesMax

/** What a read may bring back; its request is small, its answer must fit the batch's as well. */
const READ_GUESS = kibibytes(32)

/** Roughly the bytes an item takes, there or back; a little too much rather than too little. */
export const itemBytes = ({ op, bucket, key, body, context }: KeyOperation): number =>
  256 +
  bucket.length +
  3 * key.length +
  context.length +
  2 * body.length +
  (op === 'get' ? READ_GUESS : 0)

export function toBatch(operations: readonly KeyOperation[]): PlainOperation {
  return {
    op: 'plain',
    method: 'POST',
    path: '/v1/batch',
    write: operations.some(({ op }) => op !== 'get'),
    consistency: '',
    contentType: 'application/json',
    body: JSON.stringify({ operations: operations.map(toItem) }),
  }
}

const orAbsent = (text: string): string | undefined => (text === '' ? undefined : text)

function toItem(operation: KeyOperation): object {
  const { op, bucket, key, body, contentType, ttlSeconds } = operation
  return {
    op,
    bucket,
    key,
    ...(op === 'put' && (typeof body === 'string' ? { value: body } : { base64: base64Of(body) })),
    type: orAbsent(contentType),
    encoding: orAbsent(operation.contentEncoding),
    context: orAbsent(operation.context),
    consistency: orAbsent(operation.consistency),
    idempotencyKey: orAbsent(operation.idempotencyKey),
    ttl: ttlSeconds > 0 ? ttlSeconds : undefined,
  }
}

const base64Of = ({ buffer, byteOffset, byteLength }: Uint8Array): string =>
  Buffer.from(buffer, byteOffset, byteLength).toString('base64')

/**
 * One answer for each operation, in the order sent.
 *
 * @throws SHOAL_CLIENT_RESPONSE_INVALID when there are not as many results as operations
 */
export function fromBatch(answer: Answer, operations: number): readonly Answer[] {
  const results = (jsonOf(answer) as { results?: unknown } | null | undefined)?.results
  if (!Array.isArray(results) || results.length !== operations) {
    throw invalidAnswer(`a batch of ${operations} operations was not answered by as many results`)
  }
  const requestId = answer.headers[headers.requestId]
  return results.map((result: unknown) => toAnswer(result, requestId))
}

function toAnswer(result: unknown, requestId: string | string[] | undefined): Answer {
  const item = (result ?? {}) as { [member: string]: unknown }
  if (typeof item.status !== 'number') throw invalidAnswer('a result of a batch has no status')
  return {
    status: item.status,
    headers: {
      [headers.causalContext]: text(item.context),
      [headers.etag]: text(item.etag),
      [headers.receipt]: receiptText(item.receipt),
      [headers.contentType]: text(item.type),
      [headers.contentEncoding]: text(item.encoding),
      [headers.consistency]: text(item.consistency),
      [headers.lastModified]: text(item.modified),
      [headers.retryAfter]:
        typeof item.retryAfter === 'number' ? String(item.retryAfter) : undefined,
      [headers.requestId]: requestId,
    },
    body:
      typeof item.base64 === 'string'
        ? Buffer.from(item.base64, 'base64')
        : (text(item.value) ?? ''),
    parsed: { problem: item.problem, siblings: item.siblings },
  }
}

/** As a header's text, or as an object of the same members. */
const receiptText = (receipt: unknown): string | undefined =>
  typeof receipt === 'object' && receipt !== null
    ? Object.entries(receipt)
        .map(([name, value]) => `${name}=${value}`)
        .join(', ')
    : text(receipt)

const text = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' ? value : undefined
