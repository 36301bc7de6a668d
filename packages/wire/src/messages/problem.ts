import {
  type ErrorDetails,
  type FieldError,
  isErrorCode,
  type Outcome,
  ShoalError,
} from '@shoal/kernel'
import { type ByteReader, type ByteWriter, malformed } from '../bytes.ts'
import { readReports, writeReports } from './report.ts'

/**
 * An error on its way to the client, through the node that the client asked. All of it but the
 * cause, which concerns the log of the node that had it.
 */
export function writeProblem(writer: ByteWriter, error: ShoalError): ByteWriter {
  const { wanted, got, outcome, retryAfterMs, replicas = [], errors = [] } = error.details
  writer.text(error.code).text(error.message)
  writer.optional(wanted, (value) => writeScalar(writer, value))
  writer.optional(got, (value) => writeScalar(writer, value))
  writer.optional(outcome, (value) => writer.choice(outcomes, value))
  writer.optional(retryAfterMs, (value) => writer.f64(value))
  writeReports(writer, replicas)
  writer.list(errors, ({ field, offset, message }) =>
    writer
      .text(field)
      .optional(offset, (value) => writer.f64(value))
      .text(message),
  )
  const extra = Object.entries(error.details.extra ?? {})
  return writer.list(extra, ([name, value]) => writer.text(name).text(value))
}

export function readProblem(reader: ByteReader): ShoalError {
  const code = reader.text()
  const message = reader.text()
  const wanted = reader.optional(() => readScalar(reader))
  const got = reader.optional(() => readScalar(reader))
  const outcome = reader.optional(() => reader.choice(outcomes))
  const retryAfterMs = reader.optional(() => reader.f64())
  const replicas = readReports(reader)
  const errors = reader.list(() => readFieldError(reader), FIELD_ERROR_BYTES_MIN)
  const extra = reader.list(() => [reader.text(), reader.text()] as const, EXTRA_BYTES_MIN)
  const details: ErrorDetails = {
    ...(wanted === undefined ? {} : { wanted }),
    ...(got === undefined ? {} : { got }),
    ...(outcome === undefined ? {} : { outcome }),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    ...(replicas.length === 0 ? {} : { replicas }),
    ...(errors.length === 0 ? {} : { errors }),
    ...(extra.length === 0 ? {} : { extra: Object.fromEntries(extra) }),
  }
  // A newer node may know errors we do not: nothing is known of what such a one did.
  return isErrorCode(code)
    ? new ShoalError(code, message, details)
    : new ShoalError('SHOAL_INTERNAL', `${code}: ${message}`, details)
}

const outcomes = ['not-applied', 'unknown'] as const satisfies readonly Outcome[]

/** Two empty texts, and the byte that says there is no offset. */
const FIELD_ERROR_BYTES_MIN = 4 + 1 + 4
const EXTRA_BYTES_MIN = 4 + 4

function readFieldError(reader: ByteReader): FieldError {
  const field = reader.text()
  const offset = reader.optional(() => reader.f64())
  return { field, ...(offset === undefined ? {} : { offset }), message: reader.text() }
}

const NUMBER = 1
const TEXT = 2

/** What was wanted or had may be something a client sent, so it may be no number at all. */
function writeScalar(writer: ByteWriter, value: string | number): ByteWriter {
  return typeof value === 'number' && Number.isFinite(value)
    ? writer.u8(NUMBER).f64(value)
    : writer.u8(TEXT).text(String(value))
}

function readScalar(reader: ByteReader): string | number {
  const kind = reader.u8()
  if (kind === NUMBER) return reader.f64()
  if (kind === TEXT) return reader.text()
  throw malformed(`a scalar of kind ${kind}`)
}
