import { type ErrorCode, limits, type Partition, ShoalError } from '@shoal/kernel'
import { checkRowKey } from '@shoal/ring'
import { rowVersion, verifyRow } from '@shoal/storage'
import {
  answerKinds,
  decodeList,
  decodeMerge,
  decodeRead,
  decodeStandIn,
  encodeListed,
  encodeRefusal,
  mergeFlags,
  questionKinds,
  type ReadMessage,
  readFlags,
} from '@shoal/wire'
import type { MergeSink } from './operations.ts'
import type { RowSink } from './reads.ts'
import type { Replica } from './replica.ts'

/** A question of a peer, as far as a replica needs to see it. */
export interface ReplicaQuestion {
  readonly kind: number
  readonly body: Buffer
  answer(kind: number, body: Uint8Array, more?: boolean): void
}

const EMPTY = Buffer.alloc(0)

/**
 * Answers a peer's question to this replica. What comes in is checked before it is believed: the
 * key's hash (M2), the row's checksums (V11).
 *
 * @returns false when the question is not one for a replica
 */
export function answerAsReplica(
  replica: Replica,
  question: ReplicaQuestion,
  lost?: LostRows,
): boolean {
  switch (question.kind) {
    case questionKinds.merge:
      guard(question, () => serveMerge(replica, question))
      return true
    case questionKinds.mergeAsStandIn:
      guard(question, () => serveStandIn(replica, question))
      return true
    case questionKinds.read:
      guard(question, () => serveRead(replica, question, lost))
      return true
    case questionKinds.list:
      guard(question, () => serveList(replica, question))
      return true
    default:
      return false
  }
}

function guard(question: ReplicaQuestion, serve: () => void): void {
  try {
    serve()
  } catch (error) {
    if (!(error instanceof ShoalError)) throw error
    refuse(question, error.code)
  }
}

function refuse(question: ReplicaQuestion, code: ErrorCode): void {
  question.answer(answerKinds.refused, encodeRefusal(code))
}

function serveMerge(replica: Replica, question: ReplicaQuestion): void {
  const { flags, rowKey, row } = decodeMerge(question.body)
  if (!checkRowKey(rowKey)) return refuse(question, 'SHOAL_FRAME_INVALID')
  if (verifyRow(row, rowKey.readBigUInt64BE(0)) !== 'ok')
    return refuse(question, 'SHOAL_ROW_DAMAGED')
  replica.merge({
    kind: 'merge',
    rowKey,
    row,
    heal: (flags & mergeFlags.heal) !== 0,
    durable: (flags & mergeFlags.writtenOnly) === 0,
    sink: new MergeAnswer(question, flags),
  })
}

function serveStandIn(replica: Replica, question: ReplicaQuestion): void {
  const { primaries, merge } = decodeStandIn(question.body)
  const { rowKey, row, flags } = merge
  if (!replica.standsIn) return refuse(question, 'SHOAL_NOT_REPLICA')
  if (!checkRowKey(rowKey)) return refuse(question, 'SHOAL_FRAME_INVALID')
  if (verifyRow(row, rowKey.readBigUInt64BE(0)) !== 'ok')
    return refuse(question, 'SHOAL_ROW_DAMAGED')
  replica.merge({
    kind: 'merge',
    rowKey,
    row,
    heal: false,
    durable: true,
    owedTo: primaries,
    sink: new MergeAnswer(question, flags),
  })
}

class MergeAnswer implements MergeSink {
  readonly #question: ReplicaQuestion
  readonly #flags: number

  constructor(question: ReplicaQuestion, flags: number) {
    this.#question = question
    this.#flags = flags
  }

  merged(): void {
    if ((this.#flags & mergeFlags.writtenOnly) !== 0) {
      this.#question.answer(answerKinds.mergedWritten, EMPTY)
    } else if ((this.#flags & mergeFlags.acknowledgeWritten) !== 0) {
      this.#question.answer(answerKinds.mergedWritten, EMPTY, true)
    }
  }

  durable(): void {
    this.#question.answer(answerKinds.mergedDurable, EMPTY)
  }

  refused(code: ErrorCode): void {
    refuse(this.#question, code)
  }
}

function serveRead(replica: Replica, question: ReplicaQuestion, lost?: LostRows): void {
  const message = decodeRead(question.body)
  if (!checkRowKey(message.rowKey)) return refuse(question, 'SHOAL_FRAME_INVALID')
  const isCounted = (message.flags & readFlags.counted) !== 0
  const isLost = isCounted && lost?.countsToReads(replica.partitionOf(message.rowKey)) === false
  const answer = new ReadAnswer(replica, isLost ? new LostAnswer(question) : question, message)
  const version = message.digest && replica.cachedVersion(message.rowKey)
  if (version && message.digest?.equals(replica.digestOf(version, message.rowKey))) {
    answer.send(answerKinds.same, EMPTY)
  } else {
    replica.read(message.rowKey, answer)
  }
}

/** What this node lost and has not got back (Q6). */
export interface LostRows {
  countsToReads(partition: Partition): boolean
}

/** Says what it knows, and that it does not count. */
class LostAnswer implements ReplicaQuestion {
  readonly kind: number
  readonly body: Buffer
  readonly #question: ReplicaQuestion

  constructor(question: ReplicaQuestion) {
    this.kind = question.kind
    this.body = question.body
    this.#question = question
  }

  answer(kind: number, body: Uint8Array): void {
    if (kind === answerKinds.refused) return this.#question.answer(kind, body)
    this.#question.answer(kind, body, true)
    refuse(this.#question, 'SHOAL_REPLICA_LOST')
  }
}

class ReadAnswer implements RowSink {
  readonly #replica: Replica
  readonly #question: ReplicaQuestion
  readonly #message: ReadMessage

  constructor(replica: Replica, question: ReplicaQuestion, message: ReadMessage) {
    this.#replica = replica
    this.#question = question
    this.#message = message
  }

  row(row: Buffer | undefined): void {
    const { digest, rowKey, flags } = this.#message
    const versionOnly = (flags & readFlags.versionOnly) !== 0
    if (row === undefined) return this.send(answerKinds.absent, EMPTY)
    if (digest === undefined && !versionOnly) return this.send(answerKinds.row, row)
    const version = rowVersion(row)
    if (!versionOnly && this.#replica.answersInFull()) return this.send(answerKinds.row, row)
    if (digest?.equals(this.#replica.digestOf(version, rowKey))) {
      this.send(answerKinds.same, EMPTY)
    } else if (versionOnly) {
      this.send(answerKinds.version, version)
    } else {
      this.send(answerKinds.row, row)
    }
  }

  failed(code: ErrorCode): void {
    refuse(this.#question, code)
  }

  /** For a strict read the answer waits until what it was read from is on disk (Q5). */
  send(kind: number, body: Buffer): void {
    if ((this.#message.flags & readFlags.durable) === 0) return this.#question.answer(kind, body)
    this.#replica.whenDurable(
      () => this.#question.answer(kind, body),
      () => refuse(this.#question, 'SHOAL_STORE_FAILED'),
    )
  }
}

function serveList(replica: Replica, question: ReplicaQuestion): void {
  const request = decodeList(question.body)
  // One more than a page may hold: that is how a coordinator learns that there is more.
  if (request.limit > limits.listKeysMax + 1) return refuse(question, 'SHOAL_FRAME_INVALID')
  replica.list(request).then(
    (listing) => question.answer(answerKinds.listed, encodeListed(listing)),
    (error: unknown) => {
      refuse(question, error instanceof ShoalError ? error.code : 'SHOAL_STORE_FAILED')
    },
  )
}
