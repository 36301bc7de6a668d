/** From what the caller said to an operation that can be sent, or a `BadRequest`. */
import { limits } from '@shoal/kernel'
import {
  type Fault,
  faultOfBucket,
  faultOfCount,
  faultOfIdempotencyKey,
  faultOfKey,
} from '../core/check.ts'
import { formatConsistency } from '../core/consistency.ts'
import type { KeyOperation, PlainOperation } from '../core/operation.ts'
import { badOption } from '../errors.ts'
import {
  type Body,
  type GetOptions,
  Json,
  type KeyCallOptions,
  type ListOptions,
  type PutOptions,
  type WriteOptions,
} from '../options.ts'

export function refuse(fault: Fault | undefined): void {
  if (fault !== undefined) throw badOption(fault.message, fault.code)
}

export function readOperation(
  op: 'get' | 'head',
  { bucket, key }: { bucket: string; key: string },
  options: GetOptions & { readonly sibling?: string },
): KeyOperation {
  return {
    ...keyOperation(bucket, key, options),
    op,
    ifNoneMatch: options.ifNoneMatch ?? '',
    sibling: options.sibling ?? '',
    resolve: options.siblings === 'resolve',
  }
}

export function putOperation(
  { bucket, key, idempotencyKey }: { bucket: string; key: string; idempotencyKey: string },
  value: Body,
  options: PutOptions,
): KeyOperation {
  const { body, contentType } = encodeBody(value)
  const { ttlSeconds } = options
  if (ttlSeconds !== undefined) {
    refuse(faultOfCount('ttlSeconds', ttlSeconds, { min: 1, max: limits.ttlSecondsMax }))
  }
  return {
    ...keyOperation(bucket, key, options),
    ...writeFields(options, idempotencyKey),
    op: 'put',
    body,
    contentType: options.contentType ?? contentType,
    contentEncoding: options.contentEncoding ?? '',
    ttlSeconds: ttlSeconds ?? 0,
  }
}

export function deleteOperation(
  { bucket, key, idempotencyKey }: { bucket: string; key: string; idempotencyKey: string },
  options: WriteOptions,
): KeyOperation {
  return {
    ...keyOperation(bucket, key, options),
    ...writeFields(options, idempotencyKey),
    op: 'delete',
  }
}

export function listOperation(bucket: string, options: ListOptions): PlainOperation {
  refuse(faultOfBucket(bucket))
  const { prefix, cursor, pageSize = limits.listKeysMax } = options
  refuse(faultOfCount('pageSize', pageSize, { min: 1, max: limits.listKeysMax }))
  const query = [`limit=${pageSize}`]
  if (prefix !== undefined && prefix !== '') query.push(`prefix=${encodeURIComponent(prefix)}`)
  if (cursor !== undefined) query.push(`cursor=${encodeURIComponent(cursor)}`)
  return {
    op: 'plain',
    method: 'GET',
    path: `/v1/kv/${bucket}?${query.join('&')}`,
    write: false,
    consistency: formatConsistency(options.consistency),
    contentType: '',
    body: '',
  }
}

/** The bytes or text to store, and the content type that goes with them. */
export function encodeBody(value: Body): { body: Uint8Array | string; contentType: string } {
  if (typeof value === 'string') return { body: value, contentType: 'text/plain; charset=utf-8' }
  if (value instanceof Json) return { body: value.text, contentType: 'application/json' }
  if (value instanceof Uint8Array) return { body: value, contentType: '' }
  throw badOption('a value is a string, a Uint8Array, or made by json()')
}

function keyOperation(bucket: string, key: string, options: KeyCallOptions): KeyOperation {
  refuse(faultOfBucket(bucket))
  refuse(faultOfKey(key))
  return {
    op: 'get',
    bucket,
    key,
    body: '',
    contentType: '',
    contentEncoding: '',
    context: '',
    consistency: formatConsistency(options.consistency),
    idempotencyKey: '',
    ttlSeconds: 0,
    ifMatch: '',
    ifNoneMatch: '',
    sibling: '',
    resolve: false,
    explain: options.explain ?? false,
    traceparent: options.traceparent ?? '',
  }
}

function writeFields(options: WriteOptions, idempotencyKey: string) {
  if (options.idempotencyKey !== undefined) refuse(faultOfIdempotencyKey(options.idempotencyKey))
  return {
    context: options.context ?? '',
    idempotencyKey: options.idempotencyKey ?? idempotencyKey,
    ifMatch: etagList(options.ifMatch),
    ifNoneMatch: etagList(options.ifNoneMatch),
  }
}

const etagList = (etags: string | readonly string[] | undefined): string =>
  etags === undefined ? '' : typeof etags === 'string' ? etags : etags.join(', ')
