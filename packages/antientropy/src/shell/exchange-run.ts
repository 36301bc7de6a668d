import {
  type ErrorCode,
  limits,
  type NodeId,
  type Partition,
  ShoalError,
  unreachable,
} from '@shoal/kernel'
import { checkRowKey, partitionOfRowKey, segmentOfRowKey } from '@shoal/ring'
import {
  answerKinds,
  decodeExchangeAnswer,
  decodeRefusal,
  decodeSegmentKeysAnswer,
  type ExchangeAnswer,
  encodeExchange,
  encodeSegmentKeys,
  questionKinds,
} from '@shoal/wire'
import {
  beginExchange,
  type ExchangeEffect,
  type ExchangeEnding,
  type ExchangeEvent,
  type ExchangeState,
  type ExchangeStep,
  stepExchange,
} from '../core/exchange-machine.ts'
import { groupsOf } from '../core/groups.ts'
import type { Difference, KeyList } from '../core/key-lists.ts'
import type { RowOutcome } from '../core/row-repair.ts'
import type { PeerSink } from '../ports.ts'
import type { Forest } from '../trees/forest.ts'
import type { KeyLister } from './key-lister.ts'
import { type RowDesk, RowRun } from './row-run.ts'

export interface ExchangeDesk extends RowDesk {
  readonly forest: Forest
  readonly lister: KeyLister
  readonly partitions: number
  /** Segments whose rows and digest do not agree here. */
  readonly doubt: (partition: Partition, segments: readonly number[]) => void
}

export interface ExchangePlan {
  readonly partition: Partition
  readonly peer: NodeId
  /** Compare these, whatever their digests say. Absent: find out which differ. */
  readonly segments?: readonly number[]
  /** Only keys of this bucket. */
  readonly bucket?: string
}

/** Failures of the way to the peer: what comes next would fail like what came before. */
const fatal: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'SHOAL_PEER_UNREACHABLE',
  'SHOAL_PEER_LOST',
  'SHOAL_PEER_TIMEOUT',
  'SHOAL_NOT_REPLICA',
  'SHOAL_STORAGE_FULL',
  'SHOAL_STORE_FAILED',
  'SHOAL_STORE_CLOSED',
])

const TOKEN_BYTES = 8
/** What asking for a root is taken to cost, so that a pause holds clean exchanges too. */
const ROOT_BYTES = 128

/** Carries out one exchange. Translates effects; the machine decides. */
export class ExchangeRun {
  readonly #desk: ExchangeDesk
  readonly #plan: ExchangePlan
  readonly #done: (ending: ExchangeEnding) => void
  readonly #prefix: Buffer | undefined
  #state: ExchangeState

  constructor(
    desk: ExchangeDesk,
    plan: ExchangePlan,
    /** Told once, never within the constructor. */
    done: (ending: ExchangeEnding) => void,
  ) {
    this.#desk = desk
    this.#plan = plan
    this.#done = done
    this.#prefix = plan.bucket === undefined ? undefined : Buffer.from(`${plan.bucket}\0`)
    const step = beginExchange(plan.segments)
    this.#state = step.state
    desk.env.nextTurn(() => this.#take(step))
  }

  /** Ends it as soon as what is under way has ended. */
  stop(code: ErrorCode): void {
    this.#feed({ kind: 'stopped', code })
  }

  #feed(event: ExchangeEvent): void {
    this.#take(stepExchange(this.#state, event, this.#segmentOf))
  }

  #take({ state, effects }: ExchangeStep): void {
    this.#state = state
    for (const effect of effects) this.#perform(effect)
  }

  #perform(effect: ExchangeEffect): void {
    switch (effect.kind) {
      case 'askRoot':
        return this.#askRoot()
      case 'askLeaves':
        return this.#askLeaves(effect.groups)
      case 'list':
        return this.#list(effect.segments, effect.after)
      case 'repair':
        return this.#repair(effect.difference)
      case 'end':
        return this.#done(effect.ending)
      default:
        return unreachable(effect)
    }
  }

  #askRoot(): void {
    const { partition } = this.#plan
    void this.#desk.budget.take(ROOT_BYTES).then(() => {
      if (this.#state.kind === 'ended') return
      const { root } = this.#desk.forest.roots(partition)
      this.#ask(
        questionKinds.exchange,
        encodeExchange({ level: 'root', partition, root }),
        (body) => this.#onExchange(decodeExchangeAnswer(body)),
      )
    })
  }

  #askLeaves(groups: number): void {
    const { partition } = this.#plan
    const body = encodeExchange({ level: 'leaves', partition, groups })
    this.#ask(questionKinds.exchange, body, (answer) => {
      const theirs = decodeExchangeAnswer(answer)
      if (theirs.level !== 'leaves' || theirs.groups !== groups) return this.#malformed()
      const own = groupsOf(groups).map((group) => this.#desk.forest.group(partition, group))
      this.#feed({ kind: 'leaves', own, theirs: theirs.digests })
    })
  }

  #onExchange(answer: ExchangeAnswer): void {
    if (answer.level === 'same') return this.#feed({ kind: 'same' })
    if (answer.level !== 'children') return this.#malformed()
    const own = this.#desk.forest.roots(this.#plan.partition).children
    this.#feed({ kind: 'children', own, theirs: answer.children })
  }

  #list(segments: readonly number[], after: Buffer | undefined): void {
    const { partition } = this.#plan
    const body = encodeSegmentKeys({ partition, segments, after: after ?? NOWHERE })
    this.#ask(questionKinds.segmentKeys, body, (answer) => {
      const theirs = decodeSegmentKeysAnswer(answer)
      if (!this.#isSound(theirs, segments, after)) return this.#malformed()
      this.#listOwn(segments, after, theirs)
    })
  }

  /** Behind the peer's list: what was written meanwhile is then found here, not missed. */
  #listOwn(segments: readonly number[], after: Buffer | undefined, theirs: KeyList): void {
    const { partition } = this.#plan
    const list = async (): Promise<void> => {
      const own = await this.#desk.lister.list({ partition, segments, after })
      const wrong = [...own.doubtful, ...own.unreadable]
      if (wrong.length > 0) this.#desk.doubt(partition, wrong)
      await this.#desk.budget.take(own.bytes)
      this.#feed({ kind: 'listed', own, theirs })
    }
    list().catch((error: unknown) => {
      if (error instanceof ShoalError) this.#feed({ kind: 'stopped', code: error.code })
      else this.#desk.env.halt(error as Error)
    })
  }

  #repair(difference: Difference): void {
    if (!this.#isWanted(difference.rowKey)) {
      const outcome: RowOutcome = { result: 'equal', pulled: false, pushed: false, healed: false }
      this.#desk.env.nextTurn(() => this.#feed({ kind: 'repaired', outcome, bytes: 0 }))
      return
    }
    const { peer } = this.#plan
    const done = (outcome: RowOutcome, bytes: number): void => {
      if (outcome.code !== undefined && fatal.has(outcome.code)) this.stop(outcome.code)
      this.#feed({ kind: 'repaired', outcome, bytes })
    }
    new RowRun(this.#desk, { peer, difference, done })
  }

  /** What a peer lists must be what was asked for: a stray would be a row nobody looks for (M2). */
  #isSound(list: KeyList, segments: readonly number[], after: Buffer | undefined): boolean {
    const { partition } = this.#plan
    const { partitions } = this.#desk
    const asked = new Set(segments)
    let before = after
    for (const { rowKey } of list.entries) {
      if (before !== undefined && rowKey.compare(before) <= 0) return false
      if (!checkRowKey(rowKey) || partitionOfRowKey(rowKey, partitions) !== partition) return false
      if (!asked.has(segmentOfRowKey(rowKey, partitions))) return false
      before = rowKey
    }
    return list.unreadable.every((segment) => asked.has(segment))
  }

  #isWanted(rowKey: Buffer): boolean {
    const prefix = this.#prefix
    if (prefix === undefined) return true
    const end = TOKEN_BYTES + prefix.length
    return rowKey.length > end && rowKey.compare(prefix, 0, prefix.length, TOKEN_BYTES, end) === 0
  }

  #ask(kind: number, body: Buffer, take: (answer: Buffer) => void): void {
    const wanted = kind === questionKinds.exchange ? answerKinds.exchange : answerKinds.segmentKeys
    const sink: PeerSink = {
      answered: (_tag, answer, bytes) => {
        if (answer === answerKinds.refused) {
          this.#feed({ kind: 'stopped', code: decodeRefusal(bytes) })
        } else if (answer === wanted) this.#understand(() => take(bytes))
        else this.#malformed()
      },
      failed: (_tag, code) => this.#feed({ kind: 'stopped', code }),
    }
    const timeout = limits.exchangeTimeout
    this.#desk.peers.ask({ to: this.#plan.peer, kind, body, timeout, tag: 0 }, sink)
  }

  #understand(take: () => void): void {
    try {
      take()
    } catch (error) {
      if (!(error instanceof ShoalError)) throw error
      this.#feed({ kind: 'stopped', code: error.code })
    }
  }

  #malformed(): void {
    this.#feed({ kind: 'stopped', code: 'SHOAL_FRAME_INVALID' })
  }

  readonly #segmentOf = (rowKey: Buffer): number => segmentOfRowKey(rowKey, this.#desk.partitions)
}

const NOWHERE = Buffer.alloc(0)
