import { type ErrorCode, invariant, type Millis, ShoalError } from '@shoal/kernel'
import type { MergeSink } from '@shoal/replica'
import { answerKinds, decodeRefusal, questionKinds } from '@shoal/wire'
import { bit, countOf } from './core/judge.ts'
import {
  beginWrite,
  indices,
  isMet,
  stepWrite,
  type WriteEvent,
  type WriteState,
} from './core/write-machine.ts'
import { type DeadlineEntry, unlisted } from './deadlines.ts'
import { type Desk, timeLeft } from './desk.ts'
import type { PeerSink } from './ports.ts'
import type { Progress } from './progress.ts'
import { mergeMessage } from './repair.ts'

export interface ConfirmationPlan {
  readonly rowKey: Buffer
  readonly row: Buffer
  /** N − R + 1: with that many durable copies every later strict read meets one (Q5). */
  readonly need: number
  /** Candidates that answered with exactly this state, durably. */
  readonly holding: number
  readonly self: number
  readonly reachable: number
  readonly deadline: Millis
  readonly progress: Progress
  /** @param asked  candidates the state was written to */
  readonly done: (asked: number, failure?: ShoalError) => void
}

/**
 * The write-back of a strict read: the merged state must be durable on enough primaries before it
 * is shown.
 */
export class Confirmation implements PeerSink, MergeSink, DeadlineEntry {
  deadlineTick: number = unlisted.deadlineTick
  deadlineBefore: DeadlineEntry | undefined
  deadlineAfter: DeadlineEntry | undefined

  readonly #desk: Desk
  readonly #plan: ConfirmationPlan
  readonly #asked: number
  #state: WriteState

  constructor(desk: Desk, plan: ConfirmationPlan) {
    this.#desk = desk
    this.#plan = plan
    this.#asked = plan.reachable & ~plan.holding
    this.#state = beginWrite({
      need: plan.need,
      needDurable: plan.need,
      primaries: plan.progress.nodes.length,
      asked: plan.reachable | plan.holding,
      acknowledged: plan.holding,
    })
  }

  start(): void {
    const { done, deadline } = this.#plan
    if (isMet(this.#state)) return done(0)
    this.#desk.deadlines.add(this, deadline)
    const { env } = this.#desk
    if (env.inject('coordinator: a late write-back')) env.nextTurn(() => this.#ask())
    else this.#ask()
  }

  #ask(): void {
    const { rowKey, row, self } = this.#plan
    const message = mergeMessage(0, rowKey, row)
    for (const candidate of indices(this.#asked)) {
      this.#plan.progress.asked(candidate)
      if (candidate === self) {
        this.#desk.replica.merge({
          kind: 'merge',
          rowKey,
          row,
          heal: false,
          durable: true,
          sink: this,
        })
      } else {
        this.#send(candidate, message)
      }
    }
    // Nobody may be left to ask.
    if (this.#asked === 0) this.#feed({ kind: 'expired' })
  }

  merged(): void {}

  durable(): void {
    this.#feed({ kind: 'durable', by: this.#plan.self })
  }

  refused(code: ErrorCode): void {
    this.failed(this.#plan.self, code)
  }

  answered(tag: number, kind: number, body: Buffer): void {
    if (kind !== answerKinds.mergedDurable) {
      return this.failed(
        tag,
        kind === answerKinds.refused ? decodeRefusal(body) : 'SHOAL_FRAME_INVALID',
      )
    }
    this.#plan.progress.note(tag, 'confirmed')
    this.#feed({ kind: 'durable', by: tag })
  }

  failed(tag: number, code: ErrorCode): void {
    this.#plan.progress.note(tag, code)
    this.#feed({ kind: 'failed', by: tag })
  }

  onDeadline(): void {
    this.#feed({ kind: 'expired' })
  }

  #send(candidate: number, body: Buffer): void {
    const { progress, deadline } = this.#plan
    const to = progress.nodes[candidate]
    invariant(to !== undefined, 'a candidate has a node')
    const timeout = timeLeft(this.#desk, deadline)
    const question = { to, kind: questionKinds.merge, body, timeout, tag: candidate }
    this.#desk.peers.ask({ ...question, trace: progress.carried }, this)
  }

  #feed(event: WriteEvent): void {
    const { state, effects } = stepWrite(this.#state, event)
    this.#state = state
    for (const effect of effects) {
      if (effect.kind !== 'reply') continue
      this.#desk.deadlines.remove(this)
      this.#plan.done(
        this.#asked & state.tally.durable,
        effect.verdict === 'met' ? undefined : this.#failure(),
      )
    }
  }

  #failure(): ShoalError {
    const got = countOf(this.#state.tally.durable & (bit(this.#plan.progress.nodes.length) - 1))
    return new ShoalError(
      'SHOAL_QUORUM_UNMET',
      `A strict read needs its state on the disks of ${this.#plan.need} primaries; ${got} have it.`,
      {
        wanted: this.#plan.need,
        got,
        outcome: 'not-applied',
        replicas: this.#plan.progress.reports(),
      },
    )
  }
}
