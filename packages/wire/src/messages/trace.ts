import { type Millis, millis, type NodeId, nodeId, type ReplicaReport } from '@shoal/kernel'
import { ByteReader, ByteWriter } from '../bytes.ts'
import { readReports, writeReports } from './report.ts'

/** The recorded part of every replica in one request, kept by its coordinator. */
export interface TraceMessage {
  readonly id: string
  readonly node: NodeId
  readonly operation: string
  readonly bucket: string
  readonly key: string
  readonly started: Millis
  readonly events: readonly {
    readonly at: number
    readonly node: string
    readonly event: string
    readonly detail: string
  }[]
  readonly replicas: readonly ReplicaReport[]
}

/** A time and three empty texts. */
const EVENT_BYTES_MIN = 8 + 3 * 4

export function encodeTrace(trace: TraceMessage): Buffer {
  const writer = new ByteWriter(1_024)
  writer.text(trace.id).text(trace.node).text(trace.operation).text(trace.bucket).text(trace.key)
  writer.f64(trace.started)
  writer.list(trace.events, ({ at, node, event, detail }) =>
    writer.f64(at).text(node).text(event).text(detail),
  )
  return writeReports(writer, trace.replicas).finish()
}

/** @throws SHOAL_FRAME_INVALID */
export function decodeTrace(body: Buffer): TraceMessage {
  const reader = new ByteReader(body)
  const trace = {
    id: reader.text(),
    node: nodeId(reader.text()),
    operation: reader.text(),
    bucket: reader.text(),
    key: reader.text(),
    started: millis(reader.f64()),
    events: reader.list(() => readEvent(reader), EVENT_BYTES_MIN),
    replicas: readReports(reader),
  }
  reader.end()
  return trace
}

const readEvent = (reader: ByteReader): TraceMessage['events'][number] => ({
  at: reader.f64(),
  node: reader.text(),
  event: reader.text(),
  detail: reader.text(),
})
