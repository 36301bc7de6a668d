import {
  type ErrorCode,
  limits,
  type Millis,
  millis,
  type NodeId,
  type Timer,
  unreachable,
} from '@shoal/kernel'
import type { RowSink } from '@shoal/replica'
import {
  answerKinds,
  decodeRefusal,
  mergeFlags,
  mergeHeaderBytes,
  questionKinds,
  writeMergeHeader,
} from '@shoal/wire'
import {
  beginDelivery,
  canSweep,
  type DeliveryEffect,
  type DeliveryEvent,
  type DeliveryState,
  stepDelivery,
} from './core/delivery.ts'
import { type Outcome, outcomeOf, restAfter } from './core/outcome.ts'
import type { Hint } from './core/records.ts'
import type { CourierDesk } from './courier-desk.ts'
import type { TargetLog } from './hint-log.ts'
import { splitStrays } from './log-reading.ts'
import type { TargetSink } from './ports.ts'
import { attempt } from './writing.ts'

/** A message on its way, kept until its answer in case it has to go once more. */
interface Flight {
  readonly message: Buffer
  readonly heals: boolean
}

/** Drives the delivery to one target: log, disk and peers in, effects out. */
export class Courier implements TargetSink {
  readonly node: NodeId
  readonly target: TargetLog
  readonly #desk: CourierDesk
  #state: DeliveryState = beginDelivery()
  #hints: readonly Hint[] = []
  #from = 0
  #next = 0
  readonly #flights = new Map<number, Flight>()
  #delivered: Hint[] = []
  #missing: Hint[] = []
  #refused: { count: number; code: ErrorCode } | undefined
  /** Tells answers of this round from those of rounds given up. */
  #round = 0
  #roundBegan = millis(0)
  #timer: Timer | undefined

  constructor(desk: CourierDesk, target: TargetLog) {
    this.#desk = desk
    this.node = target.node
    this.target = target
  }

  get isIdle(): boolean {
    return this.#state.kind === 'idle'
  }

  /** Hints on the way, for people. */
  get underway(): number {
    return this.target.underway.size
  }

  begin(): void {
    this.#feed({ kind: 'begun' })
  }

  returned(): void {
    this.#wake()
    this.#feed({ kind: 'returned' })
  }

  /** Looked at by a timer, so that an answer that never comes stalls nothing. */
  recheck(now: Millis): void {
    const isOverdue = now - this.#roundBegan > limits.hintRoundTime
    if (this.#state.kind === 'sending' && isOverdue) {
      this.#note('SHOAL_PEER_TIMEOUT')
      this.#feed({ kind: 'overdue' })
    }
  }

  /** Gives up hints from before a time (H2), unless a round is under way. */
  sweep(before: Millis): void {
    if (!canSweep(this.#state)) return
    this.#wake()
    this.#feed({ kind: 'sweepBegun' })
    this.#desk.flush()
    this.#await(this.#desk.reader.sweep(this.target, before), () => this.#feed({ kind: 'swept' }))
  }

  stop(): void {
    this.#wake()
    this.#round++
  }

  answered(tag: number, kind: number, body: Buffer, more: boolean): void {
    if (more) return
    const index = this.#indexOf(tag)
    if (index === undefined) return
    if (kind === answerKinds.mergedDurable) return this.#end(index, 'delivered')
    const code = kind === answerKinds.refused ? decodeRefusal(body) : 'SHOAL_FRAME_INVALID'
    if (code === 'SHOAL_ROW_DAMAGED' && this.#heal(index)) return
    this.#fail(index, code)
  }

  failed(tag: number, code: ErrorCode): void {
    const index = this.#indexOf(tag)
    if (index !== undefined) this.#fail(index, code)
  }

  /** A tag is the round and the place in it, so that late answers are known. */
  #tagOf(index: number): number {
    return this.#round * limits.hintRoundHintsMax + index
  }

  #indexOf(tag: number): number | undefined {
    if (this.#desk.isStopped()) return undefined
    const index = tag - this.#tagOf(0)
    return this.#flights.has(index) ? index : undefined
  }

  #feed(event: DeliveryEvent): void {
    const { state, effects } = stepDelivery(this.#state, event)
    this.#state = state
    for (const effect of effects) this.#perform(effect)
  }

  #perform(effect: DeliveryEffect): void {
    switch (effect.kind) {
      case 'read':
        return this.#read(effect.from, effect.limit)
      case 'take':
        return this.#await(this.#desk.budget.take(effect.bytes), () => this.#granted())
      case 'fetch':
        return this.#fetch(effect.index)
      case 'settle':
        return this.#settle()
      case 'rest':
        return this.#rest(effect.failures)
      case 'release':
        return this.#desk.released(this.node)
      case 'ready':
        return this.#desk.ready(this.node)
      default:
        return unreachable(effect)
    }
  }

  #read(from: number, limit: number): void {
    const { env, ends, reader } = this.#desk
    this.#desk.flush()
    const size = env.inject('handoff: a round of one') ? 1 : limit
    const range = { from, limit: size, bytesMax: limits.hintRoundBytesMax }
    this.#await(reader.page(this.target, range), (page) => {
      const { held, strays } = splitStrays(this.#desk.placement(), this.node, page.hints)
      const moved = strays.length > 0 && ends.move(this.target, strays)
      if (moved) this.#desk.event({ kind: 'hints-moved', node: this.node, count: strays.length })
      this.#hints = held
      this.#from = page.from
      this.#next = page.next
      const bytes = held.reduce((sum, hint) => sum + hint.bytes, 0)
      const round = { hints: held.length, strays: strays.length > 0 && !moved, bytes }
      this.#feed({ kind: 'paged', page: { ...page, ...round } })
    })
  }

  #granted(): void {
    this.#round++
    this.#roundBegan = this.#desk.env.clock.elapsed()
    const reachable = this.#desk.isReachable(this.node)
    if (reachable) this.#desk.ends.begin(this.target, this.#hints)
    this.#feed({ kind: 'granted', reachable })
  }

  #fetch(index: number): void {
    const hint = this.#hints[index] as Hint
    this.#desk.rows.read(hint.rowKey, new Fetched(this, this.#round, index))
  }

  /** A row came from the disk. */
  fetched(round: number, index: number, row: Buffer | undefined): void {
    if (round !== this.#round || this.#desk.isStopped()) return
    const hint = this.#hints[index] as Hint
    if (!row) {
      this.#missing.push(hint)
      return this.#feed({ kind: 'ended', outcome: 'missing', bytes: undefined })
    }
    const message = mergeMessage(hint.rowKey, row)
    this.#flights.set(index, { message, heals: false })
    this.#feed({ kind: 'sent', bytes: message.length })
    this.#ask(index, message)
  }

  notFetched(round: number, code: ErrorCode): void {
    if (round !== this.#round || this.#desk.isStopped()) return
    this.#note(code)
    this.#feed({ kind: 'ended', outcome: outcomeOf(code), bytes: undefined })
  }

  #ask(index: number, message: Buffer): void {
    this.#desk.targets.ask(
      {
        to: this.node,
        kind: questionKinds.merge,
        body: message,
        timeout: limits.hintAnswerTimeout,
        tag: this.#tagOf(index),
      },
      this,
    )
  }

  /**
   * The row was checked here before it left, so it is the target's own copy that is damaged: once
   * more, this time to replace it (V11). False when that was tried already.
   */
  #heal(index: number): boolean {
    const flight = this.#flights.get(index)
    if (!flight || flight.heals) return false
    const message = Buffer.from(flight.message)
    message[0] = mergeFlags.heal
    this.#flights.set(index, { message, heals: true })
    this.#ask(index, message)
    return true
  }

  #fail(index: number, code: ErrorCode): void {
    this.#note(code)
    this.#end(index, outcomeOf(code))
  }

  #note(code: ErrorCode): void {
    this.#refused = { count: (this.#refused?.count ?? 0) + 1, code }
  }

  #end(index: number, outcome: Outcome): void {
    const bytes = this.#flights.get(index)?.message.length
    this.#flights.delete(index)
    if (outcome === 'delivered') this.#delivered.push(this.#hints[index] as Hint)
    this.#feed({ kind: 'ended', outcome, bytes })
  }

  #settle(): void {
    const delivered = this.#delivered
    const missing = this.#missing
    const all = this.#hints.length
    const refused = this.#refused
    this.#delivered = []
    this.#missing = []
    this.#hints = []
    this.#refused = undefined
    this.#flights.clear()
    this.#round++
    const { ends, event, failed } = this.#desk
    const ended = attempt(() => ends.end(this.target, { delivered, missing }), failed)
    // The disk failed: this node is about to stop.
    if (!ended) return
    const { written, stayed } = ended
    if (written && delivered.length - stayed + missing.length === all) {
      ends.passed(this.target, { from: this.#from, next: this.#next })
    }
    if (refused) event({ kind: 'hints-refused', node: this.node, ...refused })
    this.#feed({ kind: 'settled', written, stayed })
  }

  #rest(failures: number): void {
    const { env } = this.#desk
    const chance = env.random('handoff').below(1_000) / 1_000
    this.#timer = env.clock.after(restAfter(failures, chance), () => {
      this.#timer = undefined
      this.#feed({ kind: 'rested' })
    })
  }

  #wake(): void {
    this.#timer?.cancel()
    this.#timer = undefined
  }

  #await<T>(promise: Promise<T>, then: (value: T) => void): void {
    promise
      .then((value) => {
        if (!this.#desk.isStopped()) then(value)
      })
      .catch((reason: unknown) => this.#desk.failed(reason))
  }
}

class Fetched implements RowSink {
  readonly #courier: Courier
  readonly #round: number
  readonly #index: number

  constructor(courier: Courier, round: number, index: number) {
    this.#courier = courier
    this.#round = round
    this.#index = index
  }

  row(row: Buffer | undefined): void {
    this.#courier.fetched(this.#round, this.#index, row)
  }

  failed(code: ErrorCode): void {
    this.#courier.notFetched(this.#round, code)
  }
}

function mergeMessage(rowKey: Buffer, row: Buffer): Buffer {
  const message = Buffer.allocUnsafe(mergeHeaderBytes(rowKey.length) + row.length)
  writeMergeHeader(message, 0, rowKey)
  row.copy(message, mergeHeaderBytes(rowKey.length))
  return message
}
