import { type ErrorCode, type NodeId, ShoalError, seconds } from '@shoal/kernel'
import type { MergeSink } from '@shoal/replica'
import { checkRowKey, partitionOfRowKey } from '@shoal/ring'
import { verifyRow } from '@shoal/storage'
import { answerKinds, decodeRefusal, mergeFlags, questionKinds } from '@shoal/wire'
import { bit, countOf } from './core/judge.ts'
import type { Desk } from './desk.ts'
import type { PeerSink } from './ports.ts'
import { mergeMessage } from './repair.ts'

/** One row out of a backup: its key as stored, and all that was known of it. */
export interface RestoredRow {
  readonly rowKey: Buffer
  readonly row: Buffer
}

const TIMEOUT = seconds(10)

/**
 * Merges a row into all of its replicas. It overwrites nothing: what is newer there stays, what is
 * concurrent becomes a sibling, and the same row twice is the same row once. A copy that fails its
 * checksums is replaced, unless it is known to have had more (V11).
 *
 * All N of the ring, whatever its bucket asks for: that takes no properties of buckets, which may
 * lie in the same backup and be unknown yet, and the comparison of replicas brings it there anyway.
 *
 * Done when a quorum has it on disk; who failed is owed it (H1).
 *
 * Errors: SHOAL_ROW_DAMAGED and SHOAL_FRAME_INVALID for what is no row of that key,
 * SHOAL_QUORUM_UNREACHABLE, SHOAL_QUORUM_UNMET.
 */
export function restoreRow(
  desk: Desk,
  { rowKey, row }: RestoredRow,
  done: (failure: ShoalError | undefined) => void,
): void {
  if (!checkRowKey(rowKey)) throw new ShoalError('SHOAL_FRAME_INVALID', 'This is no key of a row.')
  if (verifyRow(row, rowKey.readBigUInt64BE(0)) !== 'ok') {
    throw new ShoalError('SHOAL_ROW_DAMAGED', 'The row fails its checksums.')
  }
  new Restoring(desk, { rowKey, row }, done).start()
}

class Restoring implements PeerSink, MergeSink {
  readonly #desk: Desk
  readonly #nodes: readonly NodeId[]
  /** This node's place among them, −1 when it is none of them. */
  readonly #self: number
  readonly #restored: RestoredRow
  readonly #message: Buffer
  readonly #done: (failure: ShoalError | undefined) => void
  #durable = 0
  #pending: number

  constructor(desk: Desk, restored: RestoredRow, done: (failure: ShoalError | undefined) => void) {
    const ring = desk.ring()
    this.#desk = desk
    this.#nodes = ring.preferenceList(partitionOfRowKey(restored.rowKey, ring.partitions))
    this.#self = this.#nodes.indexOf(desk.self)
    this.#restored = restored
    this.#message = mergeMessage(mergeFlags.heal, restored.rowKey, restored.row)
    this.#done = done
    this.#pending = bit(this.#nodes.length) - 1
  }

  start(): void {
    const body = this.#message
    for (const [tag, to] of this.#nodes.entries()) {
      if (tag === this.#self) {
        const operation = { ...this.#restored, heal: true, durable: true, sink: this }
        this.#desk.replica.merge({ kind: 'merge', ...operation })
      } else {
        this.#desk.peers.ask({ to, kind: questionKinds.merge, body, timeout: TIMEOUT, tag }, this)
      }
    }
  }

  merged(): void {}

  durable(): void {
    this.#ended(this.#self, true)
  }

  refused(code: ErrorCode): void {
    this.failed(this.#self, code)
  }

  answered(tag: number, kind: number, body: Buffer): void {
    if (kind === answerKinds.mergedDurable) return this.#ended(tag, true)
    this.failed(tag, kind === answerKinds.refused ? decodeRefusal(body) : 'SHOAL_FRAME_INVALID')
  }

  failed(tag: number, _code: ErrorCode): void {
    this.#ended(tag, false)
  }

  #ended(tag: number, durable: boolean): void {
    if ((this.#pending & bit(tag)) === 0) return
    this.#pending &= ~bit(tag)
    if (durable) this.#durable |= bit(tag)
    if (this.#pending === 0) this.#finish()
  }

  #finish(): void {
    const nodes = this.#nodes
    const self = this.#self
    const wanted = Math.floor(nodes.length / 2) + 1
    const got = countOf(this.#durable)
    if (got < wanted) {
      const text = `Wanted the row on ${wanted} of ${nodes.length} disks; ${got} have it.`
      return this.#done(new ShoalError('SHOAL_QUORUM_UNMET', text, { wanted, got }))
    }
    // Hints name rows of this disk; without the row here the comparison of replicas must do.
    const holdsIt = self >= 0 && (this.#durable & bit(self)) !== 0
    nodes.forEach((node: NodeId, tag) => {
      if ((this.#durable & bit(tag)) !== 0 || tag === self) return
      if (holdsIt) this.#desk.hints?.owe(node, this.#message)
    })
    this.#done(undefined)
  }
}
