import { invariant, limits, type Millis, millis } from '@shoal/kernel'
import { ByteReader, ByteWriter, malformed } from '../bytes.ts'
import { consistencyLevels } from '../headers.ts'

/** What a request asks for; what it leaves to the bucket is absent. */
export interface ForwardedConsistency {
  readonly level: (typeof consistencyLevels)[number]
  readonly r?: number
  readonly w?: number
  readonly durable?: number
  readonly strict: boolean
}

/** A client write passed on by a node that is no replica of its key (V4). */
export interface ForwardedWrite {
  readonly operation: 'put' | 'delete'
  readonly bucket: string
  readonly key: string
  readonly consistency?: ForwardedConsistency
  readonly session: string
  readonly timeout: Millis
  readonly explain: boolean
  readonly context: string
  readonly idempotencyKey: string
  readonly precondition?: {
    readonly ifMatch?: readonly string[]
    readonly ifNoneMatch?: readonly string[]
  }
  readonly body: Buffer
  readonly contentType: string
  readonly contentEncoding: string
  readonly ttl: number
}

const operations = ['put', 'delete'] as const

/** Of an empty text. */
const TEXT_BYTES_MIN = 4

export function encodeForwardedWrite(write: ForwardedWrite): Buffer {
  const fault = faultOf(write)
  invariant(fault === undefined, 'a write was checked at the edge', () => fault)
  const { consistency, precondition } = write
  const writer = new ByteWriter(512 + write.body.length)
  writer.choice(operations, write.operation).name(write.bucket).name(write.key)
  writer.optional(consistency, (value) => writeConsistency(writer, value))
  writer.text(write.session).f64(write.timeout).flag(write.explain)
  writer.text(write.context).text(write.idempotencyKey)
  writeTags(writer, precondition?.ifMatch)
  writeTags(writer, precondition?.ifNoneMatch)
  writer.text(write.contentType).text(write.contentEncoding).f64(write.ttl).bytes(write.body)
  return writer.finish()
}

/** @throws SHOAL_FRAME_INVALID, also for what a node should have refused of its client */
export function decodeForwardedWrite(body: Buffer): ForwardedWrite {
  const reader = new ByteReader(body)
  const operation = reader.choice(operations)
  const [bucket, key] = [reader.text(), reader.text()]
  const consistency = reader.optional(() => readConsistency(reader))
  const session = reader.text()
  const timeout = millis(reader.f64())
  const explain = reader.flag()
  const [context, idempotencyKey] = [reader.text(), reader.text()]
  const [ifMatch, ifNoneMatch] = [readTags(reader), readTags(reader)]
  const [contentType, contentEncoding] = [reader.text(), reader.text()]
  const ttl = reader.f64()
  const value = reader.bytes()
  reader.end()
  const write: ForwardedWrite = {
    operation,
    bucket,
    key,
    ...(consistency ? { consistency } : {}),
    session,
    timeout,
    explain,
    context,
    idempotencyKey,
    ...(ifMatch || ifNoneMatch
      ? {
          precondition: {
            ...(ifMatch ? { ifMatch } : {}),
            ...(ifNoneMatch ? { ifNoneMatch } : {}),
          },
        }
      : {}),
    body: value,
    contentType,
    contentEncoding,
    ttl,
  }
  const fault = faultOf(write)
  if (fault !== undefined) throw malformed(fault)
  return write
}

/** Of a header's text: what HTTP lets through, in Latin-1 as Node hands it over. */
const FIELD_TEXT = /^[\t\x20-\x7e\x80-\xff]*$/

/** What would do harm further on. Each node asks this of what it sends and of what it is sent. */
function faultOf(write: ForwardedWrite): string | undefined {
  const { bucket, key, contentType, contentEncoding, timeout, ttl, body } = write
  if (bucket === '' || bucket.length > limits.bucketNameBytesMax) return 'a bucket name'
  // A row key ends its bucket with a zero byte.
  if (bucket.includes('\0')) return 'a bucket name with a zero byte'
  if (key === '' || Buffer.byteLength(key) > limits.keyBytesMax) return 'a key'
  if (!FIELD_TEXT.test(contentType)) return 'a content type'
  if (contentType.length > limits.contentTypeBytesMax) return 'a long content type'
  if (!FIELD_TEXT.test(contentEncoding)) return 'a content encoding'
  if (contentEncoding.length > limits.contentEncodingBytesMax) return 'a long content encoding'
  if (timeout <= 0) return `a timeout of ${timeout} ms`
  if (!Number.isInteger(ttl) || ttl < 0 || ttl > limits.ttlSecondsMax) return `a TTL of ${ttl} s`
  if (body.length > limits.valueBytesMax) return `a value of ${body.length} bytes`
  return undefined
}

function writeConsistency(writer: ByteWriter, consistency: ForwardedConsistency): void {
  const { level, r, w, durable, strict } = consistency
  writer.choice(consistencyLevels, level)
  for (const count of [r, w, durable]) writer.optional(count, (value) => writer.u8(value))
  writer.flag(strict)
}

function readConsistency(reader: ByteReader): ForwardedConsistency {
  const level = reader.choice(consistencyLevels)
  const [r, w, durable] = [readCount(reader), readCount(reader), readCount(reader)]
  return {
    level,
    ...(r === undefined ? {} : { r }),
    ...(w === undefined ? {} : { w }),
    ...(durable === undefined ? {} : { durable }),
    strict: reader.flag(),
  }
}

const readCount = (reader: ByteReader): number | undefined => reader.optional(() => reader.u8())

function writeTags(writer: ByteWriter, tags: readonly string[] | undefined): void {
  writer.optional(tags, (all) => writer.list(all, (tag) => writer.text(tag)))
}

const readTags = (reader: ByteReader): string[] | undefined =>
  reader.optional(() => reader.list(() => reader.text(), TEXT_BYTES_MIN))
