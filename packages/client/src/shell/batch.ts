/** The explicit batch: many operations given at once, a result for each. */
import type { KeyOperation } from '../core/operation.ts'
import { ShoalClientError } from '../errors.ts'
import type { Body, CallOptions, Consistency } from '../options.ts'
import type { Caller } from './caller.ts'
import { deleteOperation, putOperation, readOperation } from './make-operation.ts'
import { type Read, toRead, toWritten, type Written } from './results.ts'

interface BatchItem {
  readonly bucket: string
  readonly key: string
  readonly consistency?: Consistency | undefined
}

export interface BatchGet extends BatchItem {
  readonly op: 'get'
}

export interface BatchPut extends BatchItem {
  readonly op: 'put'
  readonly value: Body
  readonly contentType?: string | undefined
  readonly context?: string | undefined
  readonly ttlSeconds?: number | undefined
  readonly idempotencyKey?: string | undefined
}

export interface BatchDelete extends BatchItem {
  readonly op: 'delete'
  readonly context?: string | undefined
  readonly idempotencyKey?: string | undefined
}

export type BatchOperation = BatchGet | BatchPut | BatchDelete

/** One item's result. Items succeed and fail alone. */
export type BatchResult<O extends BatchOperation = BatchOperation> =
  | { readonly ok: true; readonly result: O extends BatchGet ? Read : Written }
  | { readonly ok: false; readonly error: ShoalClientError }

export type BatchOptions = Omit<CallOptions, 'consistency'>

export function runBatch(
  caller: Caller,
  operations: readonly BatchOperation[],
  options: BatchOptions,
): Promise<BatchResult[]> {
  const batched = caller.with({ batched: true })
  return Promise.all(operations.map((item) => runItem(batched, item, options)))
}

async function runItem(
  caller: Caller,
  item: BatchOperation,
  options: BatchOptions,
): Promise<BatchResult> {
  try {
    const operation = toOperation(caller, item)
    const result =
      operation.op === 'get'
        ? await caller.ask(operation, options, toRead)
        : await caller.ask(operation, options, toWritten)
    return { ok: true, result: result as Read | Written }
  } catch (error) {
    if (!(error instanceof ShoalClientError)) throw error
    return { ok: false, error }
  }
}

function toOperation(caller: Caller, item: BatchOperation): KeyOperation {
  const filled = caller.fill(item)
  const { bucket, key } = filled
  switch (filled.op) {
    case 'get':
      return readOperation('get', { bucket, key }, filled)
    case 'put':
      return putOperation({ bucket, key, idempotencyKey: caller.nextId() }, filled.value, filled)
    default:
      return deleteOperation({ bucket, key, idempotencyKey: caller.nextId() }, filled)
  }
}
