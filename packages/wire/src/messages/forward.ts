import {
  type ErrorDetails,
  type FieldError,
  isErrorCode,
  type Millis,
  millis,
  type NodeId,
  nodeId,
  type ReplicaReport,
  ShoalError,
} from '@shoal/kernel'
import { ByteReader, ByteWriter, malformed } from '../bytes.ts'

/**
 * A client write passed on by a node that is no replica of its key (V4). The answer is what the
 * coordinator would have told the client itself.
 */
export interface ForwardedConsistency {
  readonly level: 'one' | 'quorum' | 'all'
  readonly r?: number
  readonly w?: number
  readonly durable?: number
  readonly strict: boolean
}

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

export interface ForwardedAnswer {
  readonly context: string
  readonly session: string
  readonly consistency: {
    readonly level: 'one' | 'quorum' | 'all'
    readonly n: number
    readonly r: number
    readonly w: number
    readonly durable: number
    readonly strict: boolean
  }
  readonly receipt: {
    readonly n: number
    readonly need: number
    readonly ack: number
    readonly primaries: number
    readonly fallbacks: number
    readonly durable?: number
    readonly hinted: number
    readonly repaired: number
    readonly epoch: number
    readonly node: NodeId
    readonly precondition?: 'checked' | 'atomic'
  }
  readonly traceId?: string
  readonly etag: string
  readonly modified: Millis
  readonly siblings: number
}

const levels = ['one', 'quorum', 'all'] as const
const ABSENT = 255

const levelOf = (index: number): (typeof levels)[number] => {
  const level = levels[index]
  if (level === undefined) throw malformed(`consistency level ${index}`)
  return level
}

export function encodeForwardedWrite(write: ForwardedWrite): Buffer {
  const writer = new ByteWriter(512 + write.body.length)
  const { consistency, precondition } = write
  writer
    .u8(write.operation === 'put' ? 1 : 2)
    .text(write.bucket)
    .text(write.key)
  writer.u8(consistency ? levels.indexOf(consistency.level) : ABSENT)
  if (consistency) {
    writer.u8(consistency.r ?? ABSENT).u8(consistency.w ?? ABSENT)
    writer.u8(consistency.durable ?? ABSENT).u8(consistency.strict ? 1 : 0)
  }
  writer
    .text(write.session)
    .f64(write.timeout)
    .u8(write.explain ? 1 : 0)
  writer.text(write.context).text(write.idempotencyKey)
  writer.u8((precondition?.ifMatch ? 1 : 0) | (precondition?.ifNoneMatch ? 2 : 0))
  if (precondition?.ifMatch) writer.list(precondition.ifMatch, (tag) => writer.text(tag))
  if (precondition?.ifNoneMatch) writer.list(precondition.ifNoneMatch, (tag) => writer.text(tag))
  writer.text(write.contentType).text(write.contentEncoding).f64(write.ttl).bytes(write.body)
  return writer.finish()
}

export function decodeForwardedWrite(body: Buffer): ForwardedWrite {
  const reader = new ByteReader(body)
  const operation = reader.u8() === 1 ? 'put' : 'delete'
  const bucket = reader.text()
  const key = reader.text()
  const level = reader.u8()
  const consistency = level === ABSENT ? undefined : readConsistency(level, reader)
  const session = reader.text()
  const timeout = millis(reader.f64())
  const explain = reader.u8() === 1
  const context = reader.text()
  const idempotencyKey = reader.text()
  const conditions = reader.u8()
  const ifMatch = (conditions & 1) !== 0 ? reader.list(() => reader.text()) : undefined
  const ifNoneMatch = (conditions & 2) !== 0 ? reader.list(() => reader.text()) : undefined
  const contentType = reader.text()
  const contentEncoding = reader.text()
  const ttl = reader.f64()
  const value = reader.bytes()
  reader.end()
  return {
    operation,
    bucket,
    key,
    ...(consistency ? { consistency } : {}),
    session,
    timeout,
    explain,
    context,
    idempotencyKey,
    ...(conditions === 0
      ? {}
      : {
          precondition: {
            ...(ifMatch ? { ifMatch } : {}),
            ...(ifNoneMatch ? { ifNoneMatch } : {}),
          },
        }),
    body: value,
    contentType,
    contentEncoding,
    ttl,
  }
}

function readConsistency(level: number, reader: ByteReader): ForwardedConsistency {
  const [r, w, durable, strict] = [reader.u8(), reader.u8(), reader.u8(), reader.u8() === 1]
  return {
    level: levelOf(level),
    ...(r === ABSENT ? {} : { r }),
    ...(w === ABSENT ? {} : { w }),
    ...(durable === ABSENT ? {} : { durable }),
    strict,
  }
}

export function encodeForwardedAnswer(result: ForwardedAnswer | ShoalError): Buffer {
  const writer = new ByteWriter(512)
  if (result instanceof ShoalError) return writeProblem(writer.u8(0), result).finish()
  const { consistency, receipt } = result
  writer.u8(1).text(result.context).text(result.session)
  writer.u8(levels.indexOf(consistency.level)).u8(consistency.n).u8(consistency.r)
  writer
    .u8(consistency.w)
    .u8(consistency.durable)
    .u8(consistency.strict ? 1 : 0)
  writer.u8(receipt.n).u8(receipt.need).u8(receipt.ack).u8(receipt.primaries).u8(receipt.fallbacks)
  writer
    .u8(receipt.durable ?? ABSENT)
    .u8(receipt.hinted)
    .u8(receipt.repaired)
    .u32(receipt.epoch)
  writer.text(receipt.node).u8(receipt.precondition === undefined ? 0 : 1)
  writer
    .text(result.traceId ?? '')
    .text(result.etag)
    .f64(result.modified)
    .u32(result.siblings)
  return writer.finish()
}

export function decodeForwardedAnswer(body: Buffer): ForwardedAnswer | ShoalError {
  const reader = new ByteReader(body)
  if (reader.u8() === 0) return readProblem(reader)
  const [context, session] = [reader.text(), reader.text()]
  const consistency = {
    level: levelOf(reader.u8()),
    n: reader.u8(),
    r: reader.u8(),
    w: reader.u8(),
    durable: reader.u8(),
    strict: reader.u8() === 1,
  }
  const counts = {
    n: reader.u8(),
    need: reader.u8(),
    ack: reader.u8(),
    primaries: reader.u8(),
    fallbacks: reader.u8(),
  }
  const durable = reader.u8()
  const rest = { hinted: reader.u8(), repaired: reader.u8(), epoch: reader.u32() }
  const node = nodeId(reader.text())
  const checked = reader.u8() === 1
  const traceId = reader.text()
  const answer: ForwardedAnswer = {
    context,
    session,
    consistency,
    receipt: {
      ...counts,
      ...(durable === ABSENT ? {} : { durable }),
      ...rest,
      node,
      ...(checked ? { precondition: 'checked' as const } : {}),
    },
    ...(traceId === '' ? {} : { traceId }),
    etag: reader.text(),
    modified: millis(reader.f64()),
    siblings: reader.u32(),
  }
  reader.end()
  return answer
}

function writeProblem(writer: ByteWriter, error: ShoalError): ByteWriter {
  const {
    wanted,
    got,
    outcome,
    retryAfterMs,
    replicas = [],
    errors = [],
    extra = {},
  } = error.details
  writer.text(error.code).text(error.message)
  writeScalar(writer, wanted)
  writeScalar(writer, got)
  writer.text(outcome ?? '').f64(retryAfterMs ?? -1)
  writer.list(replicas, ({ node, role, state, ms }) =>
    writer
      .text(node)
      .u8(role === 'primary' ? 1 : 2)
      .text(state)
      .f64(ms),
  )
  writer.list(errors, ({ field, offset, message }) =>
    writer
      .text(field)
      .f64(offset ?? -1)
      .text(message),
  )
  return writer.list(Object.entries(extra), ([name, value]) => writer.text(name).text(value))
}

function readProblem(reader: ByteReader): ShoalError {
  const code = reader.text()
  const message = reader.text()
  const wanted = readScalar(reader)
  const got = readScalar(reader)
  const outcome = reader.text()
  const retryAfterMs = reader.f64()
  const replicas = reader.list(
    (): ReplicaReport => ({
      node: reader.text(),
      role: reader.u8() === 1 ? 'primary' : 'fallback',
      state: reader.text(),
      ms: reader.f64(),
    }),
  )
  const errors = reader.list((): FieldError => {
    const [field, offset] = [reader.text(), reader.f64()]
    return { field, ...(offset < 0 ? {} : { offset }), message: reader.text() }
  })
  const extra = Object.fromEntries(reader.list(() => [reader.text(), reader.text()] as const))
  const details: ErrorDetails = {
    ...(wanted === undefined ? {} : { wanted }),
    ...(got === undefined ? {} : { got }),
    ...(outcome === 'unknown' || outcome === 'not-applied' ? { outcome } : {}),
    ...(retryAfterMs < 0 ? {} : { retryAfterMs }),
    ...(replicas.length === 0 ? {} : { replicas }),
    ...(errors.length === 0 ? {} : { errors }),
    ...(Object.keys(extra).length === 0 ? {} : { extra }),
  }
  return new ShoalError(isErrorCode(code) ? code : 'SHOAL_INTERNAL', message, details)
}

function writeScalar(writer: ByteWriter, value: string | number | undefined): void {
  if (value === undefined) writer.u8(0)
  else if (typeof value === 'number') writer.u8(1).f64(value)
  else writer.u8(2).text(value)
}

function readScalar(reader: ByteReader): string | number | undefined {
  const kind = reader.u8()
  if (kind === 0) return undefined
  return kind === 1 ? reader.f64() : reader.text()
}
