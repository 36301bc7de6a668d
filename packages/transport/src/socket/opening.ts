import type { Duplex } from 'node:stream'
import { type Clock, limits, type Timer, unreachable } from '@shoal/kernel'
import { type FrameHandler, frameTypes } from '@shoal/wire'
import {
  beginHandshake,
  type HandshakeContext,
  type HandshakeEffect,
  type HandshakeEvent,
  type HandshakeState,
  type HandshakeStep,
  type PeerIdentity,
  type Refusal,
  type RefusalCode,
  stepHandshake,
} from '../core/handshake.ts'
import { Connection } from './connection.ts'

/** What happens to an opening connection. None is called from inside the constructor. */
export interface OpeningEvents {
  /** The peer is without fault: `permit` or `forbid` it, now or later. */
  proposed(opening: Opening, peer: PeerIdentity, lastChannel: string): void
  /** Both sides have agreed. The connection now belongs to the listener. */
  agreed(opening: Opening, peer: PeerIdentity): void
  refused(opening: Opening, refusal: Refusal): void
  /** The connection ended, or took too long, before both sides agreed. */
  lost(opening: Opening, reason: string): void
}

const eventOfType: Readonly<
  Record<number, Exclude<HandshakeEvent['kind'], 'permitted' | 'forbidden'>>
> = {
  [frameTypes.open]: 'opened',
  [frameTypes.proof]: 'proved',
  [frameTypes.hello]: 'greeted',
  [frameTypes.ready]: 'readied',
  [frameTypes.refused]: 'refused',
}

/** Takes one connection through its handshake. */
export class Opening implements FrameHandler {
  readonly connection: Connection
  readonly id: number
  readonly #context: HandshakeContext
  readonly #events: OpeningEvents
  readonly #timer: Timer
  /** Who proved to be there, for logs. */
  node: string | undefined
  #state: HandshakeState = { kind: 'failed' }
  #settled = false

  constructor(options: {
    id: number
    socket: Duplex
    clock: Clock
    context: HandshakeContext
    events: OpeningEvents
  }) {
    const { id, socket, clock, context, events } = options
    this.id = id
    this.#context = context
    this.#events = events
    this.connection = new Connection({
      socket,
      clock,
      handler: this,
      onEnd: (reason) => this.#lose(reason),
    })
    this.#timer = clock.after(limits.peerHandshake, () => this.#expire())
  }

  /** Says the first word, if it is ours, and begins to listen. */
  begin(head: Buffer): void {
    this.#apply(beginHandshake(this.#context))
    this.connection.open(head)
  }

  permit(lastChannel: string): void {
    this.#feed({ kind: 'permitted', lastChannel })
  }

  forbid(code: RefusalCode, words: string): void {
    this.#feed({ kind: 'forbidden', code, words })
  }

  /** Cuts it, as if it had ended by itself. */
  evict(reason: string): void {
    this.connection.close()
    this.#lose(reason)
  }

  /** Cuts it without a word to anybody. */
  abandon(): void {
    if (this.#settled) return
    this.#settle()
    this.connection.close()
  }

  onQuestion(): void {
    this.#feed({ kind: 'foreign' })
  }

  onFrame(type: number, _kind: number, _id: number, body: Buffer): void {
    const kind = eventOfType[type] ?? 'foreign'
    this.#feed(kind === 'foreign' ? { kind } : { kind, body })
  }

  #feed(event: HandshakeEvent): void {
    this.#apply(stepHandshake(this.#context, this.#state, event))
  }

  #apply({ state, effects }: HandshakeStep): void {
    this.#state = state
    for (const effect of effects) this.#perform(effect)
    if (!this.#settled) this.connection.flush()
  }

  #perform(effect: HandshakeEffect): void {
    switch (effect.kind) {
      case 'send':
        this.connection.writer.frame(effect.type, 0, 0, effect.body)
        break
      case 'trust':
        this.node = effect.node
        this.connection.admit(limits.peerHelloBytesMax)
        break
      case 'propose':
        this.#events.proposed(this, effect.peer, effect.lastChannel)
        break
      case 'agree':
        this.connection.flush()
        this.#settle()
        this.#events.agreed(this, effect.peer)
        break
      case 'fail':
        this.#settle()
        this.connection.end()
        this.#events.refused(this, effect.refusal)
        break
      default:
        unreachable(effect)
    }
  }

  #expire(): void {
    if (!this.#settled) this.evict(`no handshake within ${limits.peerHandshake} ms`)
  }

  #lose(reason: string): void {
    if (this.#settled) return
    this.#settle()
    this.#events.lost(this, reason)
  }

  #settle(): void {
    this.#settled = true
    this.#timer.cancel()
  }
}
