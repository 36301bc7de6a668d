/**
 * What can be known to be wrong before anything is sent. Each check returns the first thing wrong,
 * for people, or undefined.
 */
import { type ErrorCode, limits } from '@shoal/kernel'

export interface Fault {
  readonly code: ErrorCode
  readonly message: string
}

const bucketName = /^[A-Za-z0-9._-]{1,128}$/

export function faultOfBucket(bucket: string): Fault | undefined {
  if (bucketName.test(bucket) && bucket !== '.' && bucket !== '..') return undefined
  const message = `a bucket name is 1 to ${limits.bucketNameBytesMax} of A-Z a-z 0-9 . _ -`
  return { code: 'SHOAL_BUCKET_INVALID', message }
}

/** A surrogate without its other half has no UTF-8. */
const loneSurrogate = /\p{Surrogate}/u

export function faultOfKey(key: string): Fault | undefined {
  if (key === '') return { code: 'SHOAL_KEY_INVALID', message: 'a key has at least 1 byte' }
  if (loneSurrogate.test(key)) {
    return { code: 'SHOAL_KEY_INVALID', message: 'a key is well-formed Unicode' }
  }
  const bytes = Buffer.byteLength(key)
  if (bytes <= limits.keyBytesMax) return undefined
  return {
    code: 'SHOAL_KEY_TOO_LONG',
    message: `a key has at most ${limits.keyBytesMax} bytes, this one has ${bytes}`,
  }
}

const visible = /^[\x21-\x7e]+$/

export function faultOfIdempotencyKey(key: string): Fault | undefined {
  if (visible.test(key) && key.length <= limits.idempotencyKeyCharsMax) return undefined
  return {
    code: 'SHOAL_IDEMPOTENCY_KEY_INVALID',
    message: `an idempotency key is 1 to ${limits.idempotencyKeyCharsMax} visible characters`,
  }
}

export function faultOfCount(
  name: string,
  value: number,
  { min, max }: { min: number; max: number },
): Fault | undefined {
  if (Number.isInteger(value) && value >= min && value <= max) return undefined
  return {
    code: 'SHOAL_CLIENT_OPTION_INVALID',
    message: `${name} is a whole number from ${min} to ${max}, not ${value}`,
  }
}
