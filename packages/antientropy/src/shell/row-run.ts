import { validateVersion } from '@shoal/causality'
import { type Env, type ErrorCode, limits, type NodeId, unreachable } from '@shoal/kernel'
import type { MergeSink } from '@shoal/replica'
import { rowVersion, verifyRow } from '@shoal/storage'
import {
  answerKinds,
  decodeRefusal,
  encodeRead,
  mergeFlags,
  mergeHeaderBytes,
  questionKinds,
  readFlags,
  writeMergeHeader,
} from '@shoal/wire'
import type { Difference } from '../core/key-lists.ts'
import {
  beginRow,
  type RowEffect,
  type RowEvent,
  type RowOutcome,
  type RowRepair,
  stepRow,
} from '../core/row-repair.ts'
import type { Budget, LocalReplica, PeerSink, Peers } from '../ports.ts'

export interface RowDesk {
  readonly env: Env
  readonly replica: LocalReplica
  readonly peers: Peers
  readonly budget: Budget
}

/** Carries one key through its repair with one peer. Translates, decides nothing. */
export class RowRun implements MergeSink, PeerSink {
  readonly #desk: RowDesk
  readonly #peer: NodeId
  readonly #rowKey: Buffer
  readonly #done: (outcome: RowOutcome, bytes: number) => void
  #state: RowRepair
  /** The own row as last read, while nothing was merged since. */
  #own: Buffer | undefined
  #pulled: Buffer | undefined
  #merged: Buffer | undefined
  #bytes = 0

  /** @param done  told once, in a later turn, with the bytes of the largest row seen */
  constructor(
    desk: RowDesk,
    repair: {
      readonly peer: NodeId
      readonly difference: Difference
      readonly done: (outcome: RowOutcome, bytes: number) => void
    },
  ) {
    this.#desk = desk
    this.#peer = repair.peer
    this.#rowKey = repair.difference.rowKey
    this.#done = repair.done
    const { state, effect } = beginRow(repair.difference)
    this.#state = state
    if (effect.kind === 'end') desk.env.nextTurn(() => this.#perform(effect))
    else this.#perform(effect)
  }

  #feed(event: RowEvent): void {
    const { state, effect } = stepRow(this.#state, event)
    this.#state = state
    this.#perform(effect)
  }

  #perform(effect: RowEffect): void {
    switch (effect.kind) {
      case 'readOwn':
        return this.#readOwn()
      case 'askVersion':
        return this.#askVersion()
      case 'pull':
        return this.#ask(questionKinds.read, encodeRead(0, undefined, this.#rowKey))
      case 'merge':
        return this.#merge(effect.heal)
      case 'push':
        return this.#push()
      case 'end':
        return this.#done(effect.outcome, this.#bytes)
      default:
        return unreachable(effect)
    }
  }

  // The own disk.

  #readOwn(): void {
    this.#desk.replica.read(this.#rowKey, {
      row: (row) => this.#onOwn(row),
      failed: (code) => {
        this.#feed(code === DAMAGED ? { kind: 'ownDamaged' } : { kind: 'failed', code })
      },
    })
  }

  #onOwn(row: Buffer | undefined): void {
    this.#own = row
    this.#bytes = Math.max(this.#bytes, row?.length ?? 0)
    if (this.#state.doing === 'push') {
      if (row) this.#send(row)
      // It was here a moment ago: rows do not go away, disks do.
      else this.#feed({ kind: 'failed', code: 'SHOAL_STORE_FAILED' })
      return
    }
    this.#feed({ kind: 'ownRead', version: row && rowVersion(row) })
  }

  #merge(heal: boolean): void {
    const row = this.#pulled as Buffer
    this.#own = undefined
    this.#afterTaking(row.length, () => {
      this.#desk.replica.merge({
        kind: 'merge',
        rowKey: this.#rowKey,
        row,
        heal,
        durable: true,
        sink: this,
      })
    })
  }

  merged(version: Buffer): void {
    this.#merged = version
  }

  durable(): void {
    this.#feed({ kind: 'merged', version: this.#merged as Buffer })
  }

  refused(code: ErrorCode): void {
    this.#feed({ kind: 'failed', code })
  }

  // The peer.

  #askVersion(): void {
    const { version } = this.#state
    const digest = version && this.#desk.replica.digestOf(version, this.#rowKey)
    this.#ask(questionKinds.read, encodeRead(readFlags.versionOnly, digest, this.#rowKey))
  }

  #push(): void {
    if (this.#own) this.#send(this.#own)
    else this.#readOwn()
  }

  #send(row: Buffer): void {
    const rowAt = mergeHeaderBytes(this.#rowKey.length)
    const message = Buffer.allocUnsafe(rowAt + row.length)
    writeMergeHeader(message, this.#state.healTheirs ? mergeFlags.heal : 0, this.#rowKey)
    row.copy(message, rowAt)
    this.#afterTaking(row.length, () => this.#ask(questionKinds.merge, message))
  }

  #ask(kind: number, body: Buffer): void {
    const timeout = limits.exchangeTimeout
    this.#desk.peers.ask({ to: this.#peer, kind, body, timeout, tag: 0 }, this)
  }

  answered(_tag: number, kind: number, body: Buffer, more: boolean): void {
    if (!more) this.#feed(this.#read(kind, body))
  }

  failed(_tag: number, code: ErrorCode): void {
    this.#feed({ kind: 'failed', code })
  }

  #read(kind: number, body: Buffer): RowEvent {
    const { doing } = this.#state
    if (kind === answerKinds.refused) {
      const code = decodeRefusal(body)
      return code === DAMAGED ? { kind: 'theirsDamaged' } : { kind: 'failed', code }
    }
    if (doing === 'push') {
      return kind === answerKinds.mergedDurable ? { kind: 'pushed' } : MALFORMED
    }
    if (kind === answerKinds.absent) return { kind: 'theirVersion', version: undefined }
    if (doing === 'askVersion') return readVersion(kind, body)
    return kind === answerKinds.row ? this.#readRow(body) : MALFORMED
  }

  /** What fails its checksums here may have been damaged on the way: it is not believed (V11). */
  #readRow(row: Buffer): RowEvent {
    if (verifyRow(row, this.#rowKey.readBigUInt64BE(0)) !== 'ok') return { kind: 'theirsDamaged' }
    this.#pulled = row
    this.#bytes = Math.max(this.#bytes, row.length)
    return { kind: 'pulled', version: rowVersion(row) }
  }

  #afterTaking(bytes: number, work: () => void): void {
    void this.#desk.budget.take(bytes).then(work)
  }
}

const DAMAGED: ErrorCode = 'SHOAL_ROW_DAMAGED'
const MALFORMED: RowEvent = { kind: 'failed', code: 'SHOAL_FRAME_INVALID' }

function readVersion(kind: number, body: Buffer): RowEvent {
  if (kind === answerKinds.same) return { kind: 'same' }
  if (kind !== answerKinds.version) return MALFORMED
  return validateVersion(body) === undefined ? { kind: 'theirVersion', version: body } : MALFORMED
}
