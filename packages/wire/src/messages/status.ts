import { ByteReader, ByteWriter } from '../bytes.ts'

/** What a node says of itself when another asks. */
export interface StatusMessage {
  readonly version: string
  readonly uptimeMs: number
  /** Share of the last second in which the event loop was busy, 0 to 1. */
  readonly load: number
  readonly draining: boolean
  readonly epoch: number
  readonly diskBytes: number
  readonly freeBytes: number
  readonly memoryBytes: number
  readonly problems: readonly string[]
}

/** Of an empty text. */
const PROBLEM_BYTES_MIN = 4

export function encodeStatus(status: StatusMessage): Buffer {
  const writer = new ByteWriter()
  writer.text(status.version).f64(status.uptimeMs).f64(status.load).flag(status.draining)
  writer.u32(status.epoch).f64(status.diskBytes).f64(status.freeBytes).f64(status.memoryBytes)
  writer.list(status.problems, (problem) => writer.text(problem))
  return writer.finish()
}

/** @throws SHOAL_FRAME_INVALID */
export function decodeStatus(body: Buffer): StatusMessage {
  const reader = new ByteReader(body)
  const status = {
    version: reader.text(),
    uptimeMs: reader.f64(),
    load: reader.f64(),
    draining: reader.flag(),
    epoch: reader.u32(),
    diskBytes: reader.f64(),
    freeBytes: reader.f64(),
    memoryBytes: reader.f64(),
    problems: reader.list(() => reader.text(), PROBLEM_BYTES_MIN),
  }
  reader.end()
  return status
}
