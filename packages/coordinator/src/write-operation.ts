import { type ErrorCode, invariant, type Millis, ShoalError, unreachable } from '@shoal/kernel'
import type { PutOperation, PutSink, Written } from '@shoal/replica'
import { answerKinds, decodeRefusal, encodeStandIn, mergeFlags, questionKinds } from '@shoal/wire'
import { bit, countOf, type Verdict } from './core/judge.ts'
import {
  addSpare,
  beginWrite,
  stepWrite,
  type WriteEffect,
  type WriteEvent,
  type WriteState,
} from './core/write-machine.ts'
import { type DeadlineEntry, unlisted } from './deadlines.ts'
import { type Desk, noteFailure, timeLeft } from './desk.ts'
import type { Place } from './place.ts'
import type { PeerSink } from './ports.ts'
import type { Progress } from './progress.ts'
import type { EffectiveConsistency, Receipt } from './requests.ts'
import { type Reach, standInsFor } from './stand-ins.ts'

/** A write whose request was checked, on a node that may coordinate it. */
export interface WritePlan {
  readonly put: Omit<PutOperation, 'kind' | 'durable' | 'owedTo' | 'sink'>
  readonly place: Place
  readonly consistency: EffectiveConsistency
  readonly reach: Reach
  readonly deadline: Millis
  readonly progress: Progress
}

export interface WriteResult {
  readonly written: Written
  readonly receipt: Receipt
}

/** Not applied, and the clock that would let it in (V8). */
export interface WriteRefusal {
  readonly refused: ErrorCode
  readonly context: Buffer | undefined
}

/**
 * Drives the write machine: own disk and peers in, effects out. Lives until the last replica has
 * answered, which may be after the reply.
 */
export class WriteOperation implements PutSink, PeerSink, DeadlineEntry {
  deadlineTick: number = unlisted.deadlineTick
  deadlineBefore: DeadlineEntry | undefined
  deadlineAfter: DeadlineEntry | undefined

  readonly #desk: Desk
  readonly #plan: WritePlan
  readonly #done: (result: WriteResult | WriteRefusal | ShoalError) => void
  #state: WriteState
  #written: Written | undefined
  /** Primaries that this node owes the write. */
  #owed: number
  /** Whether it was looked for stand-ins after somebody had failed. */
  #looked = false

  constructor(
    desk: Desk,
    plan: WritePlan,
    done: (result: WriteResult | WriteRefusal | ShoalError) => void,
  ) {
    this.#desk = desk
    this.#plan = plan
    this.#done = done
    const { w, durable } = plan.consistency
    const { asked, spare, standsFor, kept } = plan.reach
    this.#owed = kept
    this.#state = beginWrite({
      need: w,
      needDurable: durable,
      primaries: plan.progress.primaries,
      asked,
      spare,
      standsFor,
      kept,
    })
  }

  start(): void {
    const { put, consistency, deadline, reach, progress } = this.#plan
    this.#desk.deadlines.add(this, deadline)
    // Who owes the write counts once row and hints are on disk, whatever was asked for (H1).
    const durable = consistency.durable > 0 || reach.kept !== 0
    const owedTo = reach.kept
    progress.asked(reach.self)
    this.#desk.replica.put({ ...put, kind: 'put', durable, owedTo, sink: this })
  }

  /** The own write is with the operating system. Peers are told while its sync runs (V3). */
  written(result: Written): void {
    this.#written = result
    const { consistency, progress, reach } = this.#plan
    const { self, kept } = reach
    result.message[0] = flagsFor(consistency)
    progress.note(self, 'written')
    const { env } = this.#desk
    if (env.inject('coordinator: peers are told late')) env.nextTurn(() => this.#tell(result))
    else this.#tell(result)
    if (consistency.durable < consistency.w && kept === 0) this.#feed({ kind: 'written', by: self })
  }

  #tell({ message }: Written): void {
    const { progress, reach } = this.#plan
    const { self, asked, standsFor, kept } = reach
    let cared = asked | kept
    for (let candidate = 0; candidate < progress.nodes.length; candidate++) {
      if (candidate === self || (asked & bit(candidate)) === 0) continue
      cared |= standsFor[candidate] ?? 0
      this.#send(candidate, message)
    }
    for (let primary = 0; primary < progress.primaries; primary++) {
      if ((cared & bit(primary)) === 0) this.#owe(primary)
    }
  }

  durable(): void {
    const { self } = this.#plan.reach
    this.#plan.progress.note(self, 'durable')
    this.#feed({ kind: 'durable', by: self })
  }

  refused(code: ErrorCode, context?: Buffer): void {
    invariant(this.#written === undefined, 'a write is refused before it is written, or not at all')
    this.#desk.deadlines.remove(this)
    if (this.#state.kind === 'settled') return
    this.#state = { ...this.#state, kind: 'settled' }
    this.#plan.progress.note(this.#plan.reach.self, code)
    this.#done({ refused: code, context })
  }

  answered(tag: number, kind: number, body: Buffer): void {
    switch (kind) {
      case answerKinds.mergedDurable:
        this.#plan.progress.note(tag, 'durable')
        return this.#feed({ kind: 'durable', by: tag })
      case answerKinds.mergedWritten:
        this.#plan.progress.note(tag, 'written')
        return this.#feed({ kind: 'written', by: tag })
      default:
        return this.failed(
          tag,
          kind === answerKinds.refused ? decodeRefusal(body) : 'SHOAL_FRAME_INVALID',
        )
    }
  }

  failed(tag: number, code: ErrorCode): void {
    const { progress } = this.#plan
    const node = progress.nodes[tag]
    if (node) noteFailure(this.#desk, node, code, progress.began)
    progress.note(tag, code)
    this.#lookForStandIns(tag)
    this.#feed({ kind: 'failed', by: tag })
  }

  /** All primaries were thought to answer and one did not: now somebody may have to stand in. */
  #lookForStandIns(failed: number): void {
    const { place, progress, consistency } = this.#plan
    const isEarly = this.#state.kind === 'gathering' && progress.nodes.length === progress.primaries
    if (!isEarly || this.#looked || consistency.strict) return
    this.#looked = true
    const standIns = standInsFor(this.#desk, place, bit(failed))
    if (standIns.length > 0) this.#state = addSpare(this.#state, progress.enlist(standIns))
  }

  onDeadline(): void {
    this.#feed({ kind: 'expired' })
  }

  #send(candidate: number, message: Buffer): void {
    const { progress, deadline } = this.#plan
    const to = progress.nodes[candidate]
    invariant(to !== undefined, 'a candidate has a node')
    const timeout = timeLeft(this.#desk, deadline)
    const standsFor = this.#state.standsFor[candidate] ?? 0
    const question =
      standsFor === 0
        ? { kind: questionKinds.merge, body: message }
        : { kind: questionKinds.mergeAsStandIn, body: encodeStandIn(standsFor, message) }
    progress.asked(candidate)
    const trace = progress.carried
    this.#desk.peers.ask({ to, ...question, timeout, tag: candidate, trace }, this)
  }

  #feed(event: WriteEvent): void {
    const { state, effects } = stepWrite(this.#state, event)
    this.#state = state
    for (const effect of effects) this.#perform(effect)
  }

  #perform(effect: WriteEffect): void {
    switch (effect.kind) {
      case 'reply':
        return this.#reply(effect.verdict)
      case 'owe':
        return this.#owe(effect.candidate)
      case 'enlist':
        invariant(this.#written !== undefined, 'a fallback is asked with a written row')
        return this.#send(effect.candidate, this.#written.message)
      default:
        return unreachable(effect)
    }
  }

  #owe(candidate: number): void {
    const node = this.#plan.progress.nodes[candidate]
    // Its own slow sync leaves this node's row with its store: that is no debt.
    if (!this.#desk.hints || !this.#written || !node || node === this.#desk.self) return
    this.#desk.hints.owe(node, this.#written.message)
    this.#owed |= bit(candidate)
  }

  #reply(verdict: Exclude<Verdict, 'undecided'>): void {
    this.#desk.deadlines.remove(this)
    if (verdict === 'met') {
      invariant(this.#written !== undefined, 'a coordinator acknowledges its own write first (V3)')
      this.#plan.progress.reached()
      this.#done({ written: this.#written, receipt: this.#receipt() })
    } else {
      this.#done(this.#failure(verdict))
    }
  }

  /** Primaries without the write that somebody owes it to, for certain. */
  #hinted(): number {
    const { tally, standsFor, primaries } = this.#state
    let owed = this.#owed
    for (let candidate = primaries; candidate < standsFor.length; candidate++) {
      if ((tally.acknowledged & bit(candidate)) !== 0) owed |= standsFor[candidate] ?? 0
    }
    return owed & ~tally.acknowledged
  }

  #receipt(): Receipt {
    const { tally, primaries } = this.#state
    const primaryAcknowledgements = countOf(tally.acknowledged & (bit(primaries) - 1))
    const all = countOf(tally.acknowledged)
    return {
      n: this.#plan.consistency.n,
      need: tally.need,
      ack: all,
      primaries: primaryAcknowledgements,
      fallbacks: all - primaryAcknowledgements,
      durable: countOf(tally.durable),
      hinted: countOf(this.#hinted()),
      repaired: 0,
      epoch: this.#desk.ring().epoch,
      node: this.#desk.self,
    }
  }

  #failure(verdict: 'impossible' | 'timed-out'): ShoalError {
    const { tally } = this.#state
    const { w, durable } = this.#plan.consistency
    const had = `${countOf(tally.acknowledged)} acknowledged, ${countOf(tally.durable)} on disk`
    const wanted = `${w} acknowledgements, ${durable} on disk`
    return new ShoalError(
      verdict === 'impossible' ? 'SHOAL_QUORUM_UNMET' : 'SHOAL_QUORUM_TIMEOUT',
      `The write was sent and may have happened: wanted ${wanted}; had ${had}.`,
      { wanted: w, got: countOf(tally.acknowledged), replicas: this.#plan.progress.reports() },
    )
  }
}

/**
 * When replicas acknowledge: on disk, or when written, or both times where the request counts both.
 */
export function flagsFor({ w, durable }: EffectiveConsistency): number {
  if (durable === 0) return mergeFlags.writtenOnly
  return durable < w ? mergeFlags.acknowledgeWritten : 0
}
