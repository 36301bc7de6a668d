import {
  type Clock,
  type Env,
  invariant,
  limits,
  type Millis,
  millis,
  type NodeId,
  type Timer,
} from '@shoal/kernel'
import { frameTypes } from '@shoal/wire'
import { Turn } from '../exchange/turn.ts'
import type { AnswerSink, IncomingQuestion, PeerStatus, Peers, Question } from '../peers.ts'
import type { End, Pair, PairedNode } from './pair.ts'

const DRAIN_SWEEP = millis(5)

/** What a node of a memory network needs to know of it. */
export interface NodeHost {
  pairsOf(node: NodeId): Iterable<Pair>
  pairOf(node: NodeId, peer: NodeId): Pair | undefined
  considerAll(node: NodeId): void
}

/** The Peers port of one node of a memory network. */
export class MemoryPeers implements Peers, PairedNode {
  readonly self: NodeId
  readonly wire: Clock
  readonly #host: NodeHost
  readonly #env: Env
  readonly #epoch: () => number
  readonly #turn: Turn
  readonly #listeners: ((peer: NodeId, up: boolean) => void)[] = []
  #handler: ((question: IncomingQuestion) => void) | undefined
  #phase: 'created' | 'running' | 'draining' | 'stopped' = 'created'
  #sweepTimer: Timer | undefined

  constructor(options: {
    readonly host: NodeHost
    readonly env: Env
    readonly wire: Clock
    readonly self: NodeId
    readonly epoch: () => number
  }) {
    this.self = options.self
    this.wire = options.wire
    this.#host = options.host
    this.#env = options.env
    this.#epoch = options.epoch
    this.#turn = new Turn(options.env)
  }

  ask(question: Question, sink: AnswerSink): void {
    const end = this.#host.pairOf(this.self, question.to)?.endOf(this.self)
    const usable = end?.usable && this.isRunning
    const full = usable && this.#env.inject('transport: too many questions')
    const exchange = usable && !full ? end.exchange : undefined
    const failure = exchange
      ? exchange.ask(question, this.#epoch(), sink)
      : full
        ? 'SHOAL_PEER_BUSY'
        : 'SHOAL_PEER_UNREACHABLE'
    if (failure !== undefined) this.#turn.failLater(sink, question.tag, failure)
  }

  onQuestion(handler: (question: IncomingQuestion) => void): void {
    invariant(this.#phase === 'created', 'who answers is known before the first question')
    this.#handler = handler
  }

  isUp(peer: NodeId): boolean {
    return this.isRunning && this.#host.pairOf(this.self, peer)?.endOf(this.self).usable === true
  }

  onChange(listener: (peer: NodeId, up: boolean) => void): void {
    this.#listeners.push(listener)
  }

  status(): readonly PeerStatus[] {
    return this.#ends().map(({ peer, usable, reason, exchange, outbox }) => ({
      peer,
      up: usable,
      reason: usable ? undefined : reason,
      roundTripMs: undefined,
      inFlight: exchange?.inFlight ?? 0,
      bytesQueued: outbox.bytes,
    }))
  }

  async start(): Promise<void> {
    invariant(this.#phase === 'created', 'peers start once')
    invariant(this.#handler !== undefined, 'who answers is known before the first question')
    this.#phase = 'running'
    this.#host.considerAll(this.self)
  }

  async stop(deadline: Millis): Promise<void> {
    if (this.#phase === 'draining' || this.#phase === 'stopped') return
    this.#phase = 'draining'
    for (const { outbox } of this.#ends()) {
      outbox.frame(frameTypes.goodbye, 0, 0, Buffer.from('the node is stopping'))
    }
    await this.#drained(deadline)
    for (const pair of this.#host.pairsOf(this.self)) pair.fall('the peer has stopped')
    this.#phase = 'stopped'
    this.#sweepTimer?.cancel()
  }

  /** The process is gone: nothing is called any more. */
  crash(options: { readonly silently: boolean }): void {
    this.#phase = 'stopped'
    this.#sweepTimer?.cancel()
    for (const pair of this.#host.pairsOf(this.self)) pair.lose(this.self, options)
  }

  claimsFull(): boolean {
    return this.#env.inject('transport: no room for a question')
  }

  get isRunning(): boolean {
    return this.#phase === 'running'
  }

  /** Read anew each time: no system call to save here, and a turn for it would be an event. */
  now(): Millis {
    return this.#env.clock.elapsed()
  }

  handle(question: IncomingQuestion): void {
    this.busy()
    this.#handler?.(question)
  }

  changed(peer: NodeId, up: boolean): void {
    for (const listener of this.#listeners) listener(peer, up)
  }

  endLater(pair: Pair, reason: string): void {
    this.#env.nextTurn(() => pair.fall(reason))
  }

  busy(): void {
    if (this.#phase === 'stopped') return
    this.#sweepTimer ??= this.#env.clock.after(limits.peerSweep, () => this.#sweep())
  }

  #sweep(): void {
    this.#sweepTimer = undefined
    const now = this.#env.clock.elapsed()
    for (const { exchange } of this.#ends()) {
      exchange?.sweep(now)
      if (exchange && !exchange.isIdle) this.busy()
    }
  }

  #ends(): End[] {
    return [...this.#host.pairsOf(this.self)].map((pair) => pair.endOf(this.self))
  }

  #drained(deadline: Millis): Promise<void> {
    const { clock } = this.#env
    return new Promise((resolve) => {
      const look = (): void => {
        const busy = this.#ends().some(
          ({ exchange, outbox }) => exchange && (!exchange.isIdle || outbox.bytes > 0),
        )
        if (!busy || clock.elapsed() >= deadline) resolve()
        else clock.after(DRAIN_SWEEP, look)
      }
      this.#env.nextTurn(look)
    })
  }
}
