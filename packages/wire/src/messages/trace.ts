import { type Millis, millis, type NodeId, nodeId, type ReplicaReport } from '@shoal/kernel'
import { ByteReader, ByteWriter } from '../bytes.ts'

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

export function encodeTrace(trace: TraceMessage): Buffer {
  const writer = new ByteWriter(1_024)
  writer.text(trace.id).text(trace.node).text(trace.operation).text(trace.bucket).text(trace.key)
  writer.f64(trace.started)
  writer.list(trace.events, ({ at, node, event, detail }) =>
    writer.f64(at).text(node).text(event).text(detail),
  )
  writer.list(trace.replicas, ({ node, role, state, ms }) =>
    writer
      .text(node)
      .u8(role === 'primary' ? 1 : 2)
      .text(state)
      .f64(ms),
  )
  return writer.finish()
}

export function decodeTrace(body: Buffer): TraceMessage {
  const reader = new ByteReader(body)
  const trace: TraceMessage = {
    id: reader.text(),
    node: nodeId(reader.text()),
    operation: reader.text(),
    bucket: reader.text(),
    key: reader.text(),
    started: millis(reader.f64()),
    events: reader.list(() => ({
      at: reader.f64(),
      node: reader.text(),
      event: reader.text(),
      detail: reader.text(),
    })),
    replicas: reader.list(
      (): ReplicaReport => ({
        node: reader.text(),
        role: reader.u8() === 1 ? 'primary' : 'fallback',
        state: reader.text(),
        ms: reader.f64(),
      }),
    ),
  }
  reader.end()
  return trace
}
