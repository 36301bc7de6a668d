/** One item of a batch: what it asks, checked as a request of its own would be, and its result. */
import { isUtf8 } from 'node:buffer'
import {
  type Consistency,
  formatConsistency,
  type LiveValue,
  type ReadAnswer,
  type ReadRequest,
  type WriteAnswer,
  type WriteRequest,
} from '@shoal/coordinator'
import { limits, type Millis, type ShoalError, toProblem } from '@shoal/kernel'
import { mediaTypes } from '@shoal/wire'
import { noBody, tooLarge } from '../body.ts'
import { parseConsistency } from '../headers/consistency.ts'
import { fieldError } from '../headers/fault.ts'
import { checkContext, checkIdempotencyKey } from '../headers/fields.ts'
import { checkContentEncoding, checkMediaType } from '../headers/media-type.ts'
import { formatReceipt } from '../kv/format.ts'
import { notFound } from '../kv/read.ts'
import { toSibling, typeOf } from '../kv/siblings.ts'
import { checkBucket, checkKey } from '../path.ts'
import { retryAfterSeconds } from '../raw-answers.ts'
import { BatchOperation, type BatchResult } from '../schemas/batch.ts'
import { compileCheck, invalid } from '../validation.ts'
import { decodeBase64 } from './base64.ts'

const check = compileCheck(BatchOperation)

/** What the headers of the batch say for all its operations. */
export interface BatchDefaults {
  readonly consistency: Consistency | undefined
  readonly timeout: Millis | undefined
  readonly valueBytesMax: number
}

/**
 * Turns an item into a request.
 *
 * @param name  what the item is called in errors, such as `operations[3]`
 * @throws ShoalError  as a request with these parts would be answered
 */
export function readOperation(
  item: unknown,
  name: string,
  defaults: BatchDefaults,
): ReadRequest | WriteRequest {
  const errors = check(item, name)
  if (errors.length > 0) throw invalid('SHOAL_BODY_INVALID', errors)
  const operation = item as BatchOperation
  const common = {
    bucket: checkBucket(operation.bucket, `${name}.bucket`),
    key: readItemKey(operation.key, `${name}.key`),
    session: '',
    explain: false,
    timeout: defaults.timeout ?? defaultTimeout(operation),
    ...consistencyOf(operation, name, defaults),
  }
  const write = writeParts(operation, name, defaults.valueBytesMax)
  return operation.op === 'get' ? common : { ...common, operation: operation.op, ...write }
}

export const isWrite = (request: ReadRequest | WriteRequest): request is WriteRequest =>
  'operation' in request

const defaultTimeout = ({ op }: BatchOperation): Millis =>
  op === 'get' ? limits.readTimeoutDefault : limits.writeTimeoutDefault

function readItemKey(key: string, field: string): string {
  const offset = key.search(/\p{Surrogate}/u)
  if (offset < 0) return checkKey(key, field)
  throw fieldError('SHOAL_KEY_INVALID', { field, offset, message: 'half of a surrogate pair' })
}

function consistencyOf(
  { consistency }: BatchOperation,
  name: string,
  defaults: BatchDefaults,
): { consistency?: Consistency } {
  if (consistency !== undefined) {
    return { consistency: parseConsistency(consistency, `${name}.consistency`) }
  }
  return defaults.consistency === undefined ? {} : { consistency: defaults.consistency }
}

function writeParts(operation: BatchOperation, name: string, valueBytesMax: number) {
  const { op, context, idempotencyKey, type, encoding, ttl } = operation
  refuseForeign(operation, name)
  return {
    context: context === undefined ? '' : checkContext(context, `${name}.context`),
    idempotencyKey:
      idempotencyKey === undefined
        ? ''
        : checkIdempotencyKey(idempotencyKey, `${name}.idempotencyKey`),
    body: op === 'put' ? bodyOf(operation, name, valueBytesMax) : noBody,
    contentType: op === 'put' ? checkMediaType(type ?? mediaTypes.bytes, `${name}.type`) : '',
    contentEncoding:
      encoding === undefined ? '' : checkContentEncoding(encoding, `${name}.encoding`),
    ttl: ttl ?? 0,
  }
}

const ofPuts = ['value', 'base64', 'type', 'encoding', 'ttl'] as const

/** A member that this operation has no use for is a mistake, as a TTL on a DELETE is. */
function refuseForeign(operation: BatchOperation, name: string): void {
  if (operation.op === 'put') return
  const foreign = ofPuts.find((member) => operation[member] !== undefined)
  if (foreign === undefined) return
  const message = `only a put has it, not a ${operation.op}`
  throw invalid('SHOAL_BODY_INVALID', [{ field: `${name}.${foreign}`, message }])
}

function bodyOf({ value, base64 }: BatchOperation, name: string, bytesMax: number): Buffer {
  if ((value === undefined) === (base64 === undefined)) {
    const message = 'a put has either value or base64'
    throw invalid('SHOAL_BODY_INVALID', [{ field: `${name}.value`, message }])
  }
  const body = value === undefined ? fromBase64(base64 ?? '', name) : Buffer.from(value, 'utf8')
  if (body.length > bytesMax) throw tooLarge({ bytesMax, what: 'value' }, body.length)
  return body
}

function fromBase64(text: string, name: string): Buffer {
  const bytes = decodeBase64(text)
  if (bytes !== undefined) return bytes
  const field = `${name}.base64`
  throw invalid('SHOAL_BODY_INVALID', [
    { field, offset: Math.max(0, text.search(/[^A-Za-z0-9+/]/)), message: 'it is not base64' },
  ])
}

export function readResult(answer: ReadAnswer): BatchResult {
  const { values } = answer
  const [only] = values
  const common = { ...answerParts(answer) }
  if (only === undefined) {
    return { status: 404, ...common, problem: problemOf(notFound()) }
  }
  if (values.length > 1) return { status: 300, ...common, siblings: values.map(toSibling) }
  return { status: 200, ...common, ...valueParts(only) }
}

export const writeResult = (answer: WriteAnswer): BatchResult => ({
  status: 204,
  ...answerParts(answer),
})

export function failureResult(error: ShoalError): BatchResult {
  const { context, etag } = error.details.extra ?? {}
  return {
    status: error.status,
    ...(context === undefined ? {} : { context }),
    ...(etag === undefined ? {} : { etag }),
    ...(error.retry === 'after' ? { retryAfter: retryAfterSeconds(error) } : {}),
    problem: problemOf(error),
  }
}

const problemOf = (error: ShoalError) => toProblem(error) as NonNullable<BatchResult['problem']>

function answerParts(answer: ReadAnswer | WriteAnswer) {
  const { context, etag, modified, consistency, receipt } = answer
  return {
    context,
    ...(etag === '' ? {} : { etag, modified: new Date(modified).toISOString() }),
    consistency: formatConsistency(consistency),
    receipt: formatReceipt(receipt),
  }
}

const valueParts = (value: LiveValue) => ({
  type: typeOf(value),
  ...(value.contentEncoding === '' ? {} : { encoding: value.contentEncoding }),
  ...(isUtf8(value.body)
    ? { value: value.body.toString('utf8') }
    : { base64: value.body.toString('base64') }),
})
