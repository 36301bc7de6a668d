import { ByteReader, ByteWriter } from '../bytes.ts'

/** How far the copies of a node may be apart from others (E6), when another asks for all. */
export interface RepairsMessage {
  readonly oldestUnverifiedMs: number
  readonly divergentSegments: number
  readonly unverified: number
  readonly hintBytes: number
  readonly oldestHintMs: number
  readonly bytesPerSecond: number
  readonly paused: boolean
  readonly quiet: boolean
  readonly waitingBytes: number
  /** Until what waits is let in; undefined while paused. */
  readonly etaMs: number | undefined
  /** How many: they do not count to strict reads (Q6). */
  readonly lostPartitions: number
  readonly unhealed: number
  readonly tombstones: number
}

export function encodeRepairs(repairs: RepairsMessage): Buffer {
  const { paused, quiet, etaMs } = repairs
  const writer = new ByteWriter()
  writer.f64(repairs.oldestUnverifiedMs).f64(repairs.divergentSegments).f64(repairs.unverified)
  writer.f64(repairs.hintBytes).f64(repairs.oldestHintMs)
  writer.f64(repairs.bytesPerSecond).flag(paused).flag(quiet).f64(repairs.waitingBytes)
  writer.optional(etaMs, (eta) => writer.f64(eta))
  writer.f64(repairs.lostPartitions).f64(repairs.unhealed).f64(repairs.tombstones)
  return writer.finish()
}

/** @throws SHOAL_FRAME_INVALID */
export function decodeRepairs(body: Buffer): RepairsMessage {
  const reader = new ByteReader(body)
  const repairs = {
    oldestUnverifiedMs: reader.f64(),
    divergentSegments: reader.f64(),
    unverified: reader.f64(),
    hintBytes: reader.f64(),
    oldestHintMs: reader.f64(),
    bytesPerSecond: reader.f64(),
    paused: reader.flag(),
    quiet: reader.flag(),
    waitingBytes: reader.f64(),
    etaMs: reader.optional(() => reader.f64()),
    lostPartitions: reader.f64(),
    unhealed: reader.f64(),
    tombstones: reader.f64(),
  }
  reader.end()
  return repairs
}
