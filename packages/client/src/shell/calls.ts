/**
 * Drives the call machine: sends, keeps its one timer, tells it what happened, settles the promise.
 */
import { type Env, limits, type Millis, millis, unreachable } from '@shoal/kernel'
import { type Answer, headerOf, problemOf } from '../core/answer.ts'
import { Budget } from '../core/budget.ts'
import {
  type CallEffect,
  type CallEvent,
  type CallPlan,
  type CallState,
  type Candidate,
  type Facts,
  newCall,
  stepCall,
  wakeAt,
} from '../core/call.ts'
import {
  asksForRest,
  type Failure,
  failedHere,
  failedOnTheWay,
  refusedBy,
} from '../core/failure.ts'
import { headers } from '../core/headers.ts'
import { LatencyWindow } from '../core/latency.ts'
import { isAnswerTo, isRepeatable, isWrite, type Operation } from '../core/operation.ts'
import { errorFrom, type ShoalClientError } from '../errors.ts'
import type { Nodes } from './nodes.ts'
import type { Sender } from './senders.ts'
import type { SessionGate } from './session-gate.ts'
import type { Exchange, TransportFailure } from './transport.ts'

/** How one call is made. */
export interface CallSettings {
  /** The whole call, all tries together. */
  readonly timeout: Millis
  readonly signal: AbortSignal | undefined
  readonly session: SessionGate | undefined
  readonly sender: Sender
  /** The client's own errands do not count among the user's calls. */
  readonly errand?: boolean
}

export interface Reply {
  readonly answer: Answer
  /** URL of the node that answered. */
  readonly node: string
}

/** Which nodes an operation may turn to, and who wants to hear how it went. */
export interface Routing {
  /** @param turn  differs from call to call: where order does not matter, calls take turns */
  candidates(operation: Operation, turn: number): readonly Candidate[]
  answered(receipt: string): void
  failed(failure: Failure): void
}

export interface CallsParts {
  readonly env: Env
  readonly nodes: Nodes
  readonly routing: Routing
}

export interface RetrySettings {
  readonly tryTimeout: Millis
  readonly triesMax: number
  /** Hedge reads, not before this long; undefined for never. */
  readonly hedgeAfterMin: Millis | undefined
}

const RETRY_SHARE = 0.1
const HEDGE_SHARE = 0.05

/** All calls of one client: their count, their budgets, what they measured. */
export class Calls {
  readonly parts: CallsParts
  readonly settings: RetrySettings
  readonly retries = new Budget({ ratio: RETRY_SHARE, max: limits.clientRetryTokensMax })
  readonly hedges = new Budget({ ratio: HEDGE_SHARE, max: limits.clientHedgeTokensMax })
  readonly readLatency = new LatencyWindow()
  readonly #open = new Set<Call>()
  #turn = -1
  #closed = false
  #drained: (() => void) | undefined

  constructor(parts: CallsParts, settings: RetrySettings) {
    this.parts = parts
    this.settings = settings
  }

  /** Counts calls round and round. */
  nextTurn(): number {
    this.#turn = (this.#turn + 1) & 0x3fff_ffff
    return this.#turn
  }

  /** Calls that have not settled yet. */
  get open(): number {
    return this.#open.size
  }

  /** Rejects with a `ShoalClientError`. */
  run(operation: Operation, settings: CallSettings): Promise<Reply> {
    const refused = this.#refusal(settings)
    if (refused !== undefined) return Promise.reject(errorFrom(refused))
    this.retries.earn()
    if (!isWrite(operation)) this.hedges.earn()
    return new Promise<Reply>((resolve, reject) => {
      const call = new Call(this, { operation, settings }, { resolve, reject })
      this.#open.add(call)
      call.begin()
    })
  }

  /** Refuses further calls and waits for those that are open; each ends by its own deadline. */
  async close(): Promise<void> {
    this.#closed = true
    for (const call of this.#open) if (call.isErrand) call.abort('the client is closed')
    if (this.#open.size === 0) return
    await new Promise<void>((resolve) => {
      this.#drained = resolve
    })
  }

  /** Ends all open calls now, as if each had been aborted. */
  abortAll(): void {
    this.#closed = true
    for (const call of this.#open) call.abort('the client is destroyed')
  }

  ended(call: Call): void {
    this.#open.delete(call)
    if (this.#open.size === 0) this.#drained?.()
  }

  planFor(operation: Operation, timeout: Millis): CallPlan {
    const { hedgeAfterMin, tryTimeout, triesMax } = this.settings
    const write = isWrite(operation)
    const { p95 } = this.readLatency
    const hedged = !write && operation.op !== 'plain' && hedgeAfterMin !== undefined
    return {
      write,
      repeatable: isRepeatable(operation),
      deadline: millis(this.parts.env.clock.elapsed() + timeout),
      tryTimeout,
      triesMax,
      hedgeAfter: hedged && p95 !== undefined ? millis(Math.max(p95, hedgeAfterMin)) : undefined,
    }
  }

  #refusal({ signal, errand }: CallSettings): Failure | undefined {
    if (this.#closed) return failedHere('SHOAL_CLIENT_CLOSED', 'the client is closed')
    if (signal?.aborted) {
      return failedHere('SHOAL_CLIENT_ABORTED', 'the caller aborted the call before it began', {
        outcome: 'not-applied',
        cause: signal.reason,
      })
    }
    if (errand || this.#open.size < limits.clientCallsMax) return undefined
    return failedHere(
      'SHOAL_CLIENT_OVERLOADED',
      `${this.#open.size} calls are open, as many as one client may have`,
    )
  }
}

interface Settle {
  resolve(reply: Reply): void
  reject(error: ShoalClientError): void
}

class Call {
  readonly #calls: Calls
  readonly #operation: Operation
  readonly #settings: CallSettings
  readonly #settle: Settle
  readonly #turn: number
  readonly #tries = new Map<string, Exchange>()
  #state: CallState
  #answer: Answer | undefined
  #timer: { cancel(): void; readonly at: Millis } | undefined

  constructor(
    calls: Calls,
    { operation, settings }: { operation: Operation; settings: CallSettings },
    settle: Settle,
  ) {
    this.#calls = calls
    this.#operation = operation
    this.#settings = settings
    this.#settle = settle
    this.#turn = calls.nextTurn()
    this.#state = newCall(calls.planFor(operation, settings.timeout))
  }

  get isErrand(): boolean {
    return this.#settings.errand ?? false
  }

  begin(): void {
    this.#settings.signal?.addEventListener('abort', this.#onAbort, { once: true })
    this.#feed({ kind: 'begun', facts: this.#facts(0) })
  }

  abort(reason: unknown): void {
    this.#feed({ kind: 'aborted', facts: this.#facts(0), reason })
  }

  readonly #onAbort = (): void => this.abort(this.#settings.signal?.reason)

  #feed(event: CallEvent): void {
    const { state, effects } = stepCall(this.#state, event)
    this.#state = state
    for (const effect of effects) this.#perform(effect)
    this.#setTimer()
  }

  #perform(effect: CallEffect): void {
    switch (effect.kind) {
      case 'send':
        return this.#send(effect)
      case 'cancel':
        this.#tries.get(effect.node)?.cancel()
        this.#tries.delete(effect.node)
        return
      case 'abandon':
        return this.#abandon(effect.node)
      case 'succeed':
        return this.#succeed(effect.node)
      case 'fail':
        this.#end()
        return this.#settle.reject(errorFrom(effect.failure, effect.doubt))
      default:
        return unreachable(effect)
    }
  }

  #send({ node: url, timeout, as }: Extract<CallEffect, { kind: 'send' }>): void {
    const { nodes, env } = this.#calls.parts
    if (as === 'retry') this.#calls.retries.spend()
    if (as === 'hedge') this.#calls.hedges.spend()
    const sentAt = env.clock.elapsed()
    let exchange: Exchange | undefined
    const mine = (): boolean => this.#tries.get(url) === exchange
    exchange = this.#settings.sender.send({
      node: nodes.of(url),
      operation: this.#operation,
      timeout,
      session: this.#settings.session,
      sink: {
        answered: (answer) => {
          if (mine()) this.#answered(url, answer, sentAt)
        },
        failed: (failure) => {
          if (mine()) this.#failed(url, this.#describe(url, failure))
        },
      },
    })
    this.#tries.set(url, exchange)
  }

  #answered(node: string, answer: Answer, sentAt: Millis): void {
    const { env, routing } = this.#calls.parts
    const receipt = headerOf(answer, headers.receipt)
    if (receipt !== '') routing.answered(receipt)
    const problem = answer.status >= 400 ? problemOf(answer) : undefined
    if (isAnswerTo(this.#operation, answer, problem)) {
      if (!isWrite(this.#operation)) {
        this.#calls.readLatency.add(millis(env.clock.elapsed() - sentAt))
      }
      this.#answer = answer
      this.#feed({ kind: 'answered', node })
      return
    }
    this.#failed(
      node,
      refusedBy({
        status: answer.status,
        problem,
        retryAfter: headerOf(answer, headers.retryAfter),
        requestId: headerOf(answer, headers.requestId),
        node,
        write: isWrite(this.#operation),
      }),
    )
  }

  #describe(node: string, { kind, message, cause }: TransportFailure): Failure {
    const write = isWrite(this.#operation)
    return kind === 'unsendable'
      ? failedHere('SHOAL_HEADER_INVALID', message, { node, cause })
      : failedOnTheWay(kind, { node, write, message: `${node}: ${message}`, cause })
  }

  #failed(node: string, failure: Failure): void {
    const { env, nodes, routing } = this.#calls.parts
    this.#tries.delete(node)
    if (asksForRest(failure)) {
      nodes.of(node).health.cool(env.clock.elapsed(), failure.retryAfter ?? millis(1_000))
    }
    routing.failed(failure)
    const chance = env.random('client/pause').below(1 << 20) / (1 << 20)
    this.#feed({ kind: 'failed', node, failure, facts: this.#facts(chance) })
  }

  #succeed(node: string): void {
    this.#end()
    if (this.#answer !== undefined) this.#settle.resolve({ answer: this.#answer, node })
  }

  /** A hedge that lost may end by itself, but not hang for ever. */
  #abandon(node: string): void {
    const exchange = this.#tries.get(node)
    this.#tries.delete(node)
    if (exchange === undefined) return
    const { env } = this.#calls.parts
    env.clock.after(this.#calls.settings.tryTimeout, () => exchange.cancel())
  }

  #end(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    this.#settings.signal?.removeEventListener('abort', this.#onAbort)
    this.#calls.ended(this)
  }

  #facts(chance: number): Facts {
    const { env, routing } = this.#calls.parts
    let sent = false
    for (const exchange of this.#tries.values()) sent ||= exchange.started
    return {
      now: env.clock.elapsed(),
      candidates: routing.candidates(this.#operation, this.#turn),
      retryAllowed: this.#calls.retries.available,
      hedgeAllowed: this.#calls.hedges.available,
      sent,
      chance,
    }
  }

  /** One timer for each call. One that is set too early is left: waking is harmless. */
  #setTimer(): void {
    const at = wakeAt(this.#state)
    if (at === undefined) return
    if (this.#timer !== undefined && this.#timer.at <= at) return
    this.#timer?.cancel()
    const { clock } = this.#calls.parts.env
    const timer = clock.after(millis(Math.max(1, at - clock.elapsed())), () => {
      this.#timer = undefined
      this.#feed({ kind: 'woken', facts: this.#facts(this.#chance()) })
    })
    this.#timer = { at, cancel: () => timer.cancel() }
  }

  #chance(): number {
    return this.#calls.parts.env.random('client/pause').below(1 << 20) / (1 << 20)
  }
}
