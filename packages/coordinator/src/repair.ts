import { type ErrorCode, limits, type NodeId, seconds } from '@shoal/kernel'
import type { MergeSink } from '@shoal/replica'
import { partitionOfRowKey } from '@shoal/ring'
import { mergeFlags, mergeHeaderBytes, questionKinds, writeMergeHeader } from '@shoal/wire'
import type { Desk, Figures } from './desk.ts'
import type { PeerSink } from './ports.ts'

export interface Repair {
  /** Undefined for the own disk. */
  readonly node: NodeId | undefined
  readonly rowKey: Buffer
  readonly row: Buffer
  /** The copy there failed its checksum: replace it (V11). */
  readonly heal: boolean
}

/**
 * Sends a merged row to a replica that was found behind. Bounded, without retry: the next read of
 * the key, or anti-entropy, finds what this one could not do; where there was no room for it, that
 * pair is compared before others.
 *
 * @returns whether it was sent
 */
export function repairReplica(desk: Desk, repair: Repair): boolean {
  if (!desk.readRepair) return false
  const { figures } = desk
  const full = figures.repairsInFlight >= limits.repairsInFlightMax
  if (full || desk.env.inject('coordinator: too many repairs')) {
    figures.repairsDropped++
    if (repair.node)
      desk.dirty?.(partitionOfRowKey(repair.rowKey, desk.ring().partitions), repair.node)
    return false
  }
  figures.repairsInFlight++
  figures.repairs++
  const { node, rowKey, row, heal } = repair
  const end = new RepairEnd(figures)
  if (node === undefined) {
    desk.replica.merge({ kind: 'merge', rowKey, row, heal, durable: true, sink: end })
    return true
  }
  const body = mergeMessage(heal ? mergeFlags.heal : 0, rowKey, row)
  desk.peers.ask({ to: node, kind: questionKinds.merge, body, timeout: seconds(2), tag: 0 }, end)
  return true
}

export function mergeMessage(flags: number, rowKey: Buffer, row: Buffer): Buffer {
  const message = Buffer.allocUnsafe(mergeHeaderBytes(rowKey.length) + row.length)
  writeMergeHeader(message, flags, rowKey)
  row.copy(message, mergeHeaderBytes(rowKey.length))
  return message
}

class RepairEnd implements MergeSink, PeerSink {
  readonly #figures: Figures

  constructor(figures: Figures) {
    this.#figures = figures
  }

  merged(): void {}

  durable(): void {
    this.#figures.repairsInFlight--
  }

  refused(_code: ErrorCode): void {
    this.#figures.repairsInFlight--
  }

  answered(): void {
    this.#figures.repairsInFlight--
  }

  failed(): void {
    this.#figures.repairsInFlight--
  }
}
