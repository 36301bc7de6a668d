import {
  type Env,
  type ErrorCode,
  limits,
  type NodeId,
  type Partition,
  ShoalError,
} from '@shoal/kernel'
import { checkRowKey, partitionOfRowKey, segmentOfRowKey } from '@shoal/ring'
import {
  answerKinds,
  decodeExchange,
  decodeProof,
  decodeSegmentKeys,
  encodeExchangeAnswer,
  encodeProofAnswer,
  encodeRefusal,
  encodeSegmentKeysAnswer,
  type ProofAnswer,
  questionKinds,
} from '@shoal/wire'
import { groupsOf } from '../core/groups.ts'
import type { Budget, ExchangeQuestion, LocalReplica, Placement } from '../ports.ts'
import type { Forest } from '../trees/forest.ts'
import type { KeyLister } from './key-lister.ts'
import type { RowChecker } from './row-checker.ts'

export interface AnswerParts {
  readonly env: Env
  readonly replica: LocalReplica
  readonly placement: () => Placement
  readonly budget: Budget
  readonly forest: Forest
  readonly lister: KeyLister
  readonly checker: RowChecker
  /** A peer compared its root with ours and they were equal. */
  readonly foundEqual: (partition: Partition, peer: NodeId) => void
  /** It compares on, and makes both sides equal. */
  readonly foundDifferent: (partition: Partition, peer: NodeId) => void
  readonly doubt: (partition: Partition, segments: readonly number[]) => void
}

/** Tries to prove a key while its segment is written to. */
const PROOF_TRIES = 4

/**
 * Answers what other replicas ask when they compare themselves with this one. Keeps nothing between
 * two questions: each is answered from how things are now.
 */
export class ExchangeAnswers {
  readonly #parts: AnswerParts
  #listings = 0
  #idle: (() => void)[] = []

  constructor(parts: AnswerParts) {
    this.#parts = parts
  }

  /** Resolves when none reads the disk. */
  idle(): Promise<void> {
    if (this.#listings === 0) return Promise.resolve()
    return new Promise((resolve) => this.#idle.push(resolve))
  }

  /** @returns false when the question is none of an exchange */
  answer(question: ExchangeQuestion): boolean {
    switch (question.kind) {
      case questionKinds.exchange:
        guard(question, () => this.#serveExchange(question))
        return true
      case questionKinds.segmentKeys:
        guard(question, () => this.#serveKeys(question))
        return true
      case questionKinds.proof:
        guard(question, () => this.#serveProof(question))
        return true
      default:
        return false
    }
  }

  #serveExchange(question: ExchangeQuestion): void {
    const { forest, foundEqual } = this.#parts
    const message = decodeExchange(question.body)
    const partition = message.partition as Partition
    if (!this.#isPair(partition, question.from)) return refuse(question, 'SHOAL_NOT_REPLICA')
    if (message.level === 'leaves') {
      const { groups } = message
      const digests = groupsOf(groups).map((group) => forest.group(partition, group))
      return reply(question, encodeExchangeAnswer({ level: 'leaves', groups, digests }))
    }
    const { root, children } = forest.roots(partition)
    if (!root.equals(message.root)) {
      this.#parts.foundDifferent(partition, question.from)
      return reply(question, encodeExchangeAnswer({ level: 'children', children }))
    }
    foundEqual(partition, question.from)
    reply(question, encodeExchangeAnswer({ level: 'same' }))
  }

  #serveKeys(question: ExchangeQuestion): void {
    const { partition: index, segments, after } = decodeSegmentKeys(question.body)
    const partition = index as Partition
    if (!this.#isPair(partition, question.from)) return refuse(question, 'SHOAL_NOT_REPLICA')
    const { budget, lister, doubt } = this.#parts
    this.#list(question, async () => {
      const list = await lister.list({
        partition,
        segments,
        after: after.length === 0 ? undefined : after,
      })
      const wrong = [...list.doubtful, ...list.unreadable]
      if (wrong.length > 0) doubt(partition, wrong)
      await budget.take(list.bytes)
      question.answer(answerKinds.segmentKeys, encodeSegmentKeysAnswer(list))
    })
  }

  #serveProof(question: ExchangeQuestion): void {
    const rowKey = decodeProof(question.body)
    if (!checkRowKey(rowKey)) return refuse(question, 'SHOAL_FRAME_INVALID')
    const { self, partitions, preferenceList } = bound(this.#parts.placement())
    const partition = partitionOfRowKey(rowKey, partitions)
    if (!preferenceList(partition).includes(self)) return refuse(question, 'SHOAL_NOT_REPLICA')
    this.#list(question, async () => {
      const proof = await this.prove(rowKey)
      if (proof === undefined) return refuse(question, 'SHOAL_OVERLOADED')
      question.answer(answerKinds.proof, encodeProofAnswer(proof))
    })
  }

  /**
   * What this replica can show of a key: also asked by the node itself.
   *
   * @returns undefined when the segment was written to on every try, or cannot be read
   * Cost: reads one segment, builds two small trees.
   */
  async prove(rowKey: Buffer): Promise<ProofAnswer | undefined> {
    const { replica, placement, forest, checker } = this.#parts
    const { partitions } = placement()
    const partition = partitionOfRowKey(rowKey, partitions)
    const segment = segmentOfRowKey(rowKey, partitions)
    for (let tries = 0; tries < PROOF_TRIES; tries++) {
      const before = replica.segmentDigest(partition, segment)
      const shown = new Shown(rowKey)
      const run = { from: segment, to: segment + 1 }
      const isRead = await checker.visit(partition, run, ({ rowKey: key, row, record }) => {
        shown.add(key, record ?? row)
      })
      if (!isRead) return undefined
      if (replica.segmentDigest(partition, segment) !== before) continue
      return { ...shown.proof(), ...forest.path(partition, segment) }
    }
    return undefined
  }

  /** Work that reads the disk: bounded, and not while people want quiet. */
  #list(question: ExchangeQuestion, work: () => Promise<void>): void {
    const { env, budget } = this.#parts
    const isFull =
      this.#listings >= limits.exchangeListingsMax || env.inject('antientropy: too many listings')
    if (isFull || budget.paused) return refuse(question, 'SHOAL_OVERLOADED')
    this.#listings++
    work().then(
      () => this.#listed(),
      (error: unknown) => {
        this.#listed()
        if (error instanceof ShoalError) refuse(question, error.code)
        else env.halt(error as Error)
      },
    )
  }

  #listed(): void {
    this.#listings--
    if (this.#listings === 0) for (const tell of this.#idle.splice(0)) tell()
  }

  #isPair(partition: Partition, peer: NodeId): boolean {
    const { self, partitions, preferenceList } = bound(this.#parts.placement())
    if (partition >= partitions) return false
    const list = preferenceList(partition)
    return list.includes(self) && list.includes(peer)
  }
}

/** One key among the rows of its segment. */
class Shown {
  readonly #rowKey: Buffer
  #digest: Buffer | undefined
  #others = 0n
  #rows = 0

  constructor(rowKey: Buffer) {
    this.#rowKey = rowKey
  }

  add(rowKey: Buffer, digest: bigint | undefined): void {
    if (digest === undefined) return
    if (rowKey.equals(this.#rowKey)) {
      this.#digest = bytesOf(digest)
      return
    }
    this.#others ^= digest
    this.#rows++
  }

  proof(): Pick<ProofAnswer, 'digest' | 'others'> {
    return { digest: this.#digest, others: { rows: this.#rows, digest: bytesOf(this.#others) } }
  }
}

function bytesOf(digest: bigint): Buffer {
  const bytes = Buffer.allocUnsafe(8)
  bytes.writeBigUInt64BE(digest)
  return bytes
}

const bound = (placement: Placement) => ({
  self: placement.self,
  partitions: placement.partitions,
  preferenceList: (partition: Partition) => placement.preferenceList(partition),
})

const reply = (question: ExchangeQuestion, body: Buffer): void =>
  question.answer(answerKinds.exchange, body)

function guard(question: ExchangeQuestion, serve: () => void): void {
  try {
    serve()
  } catch (error) {
    if (!(error instanceof ShoalError)) throw error
    refuse(question, error.code)
  }
}

function refuse(question: ExchangeQuestion, code: ErrorCode): void {
  question.answer(answerKinds.refused, encodeRefusal(code))
}
