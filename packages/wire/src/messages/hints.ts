import { type NodeId, nodeId } from '@shoal/kernel'
import { ByteReader, ByteWriter } from '../bytes.ts'

/** What a node owes others, when another asks for the whole cluster. */
export interface HintsMessage {
  readonly total: number
  readonly bytes: number
  readonly oldestMs: number
  readonly targets: readonly {
    readonly node: NodeId
    readonly count: number
    readonly bytes: number
    readonly oldestMs: number
    readonly dirtyPartitions: number
  }[]
}

/** An empty text and four numbers. */
const TARGET_BYTES_MIN = 4 + 4 * 8

export function encodeHints({ total, bytes, oldestMs, targets }: HintsMessage): Buffer {
  const writer = new ByteWriter().f64(total).f64(bytes).f64(oldestMs)
  writer.list(targets, (target) =>
    writer
      .name(target.node)
      .f64(target.count)
      .f64(target.bytes)
      .f64(target.oldestMs)
      .f64(target.dirtyPartitions),
  )
  return writer.finish()
}

/** @throws SHOAL_FRAME_INVALID */
export function decodeHints(body: Buffer): HintsMessage {
  const reader = new ByteReader(body)
  const [total, bytes, oldestMs] = [reader.f64(), reader.f64(), reader.f64()]
  const targets = reader.list(
    () => ({
      node: nodeId(reader.text()),
      count: reader.f64(),
      bytes: reader.f64(),
      oldestMs: reader.f64(),
      dirtyPartitions: reader.f64(),
    }),
    TARGET_BYTES_MIN,
  )
  reader.end()
  return { total, bytes, oldestMs, targets }
}
