import {
  type Env,
  invariant,
  limits,
  type Millis,
  type NodeId,
  type Timer,
  unreachable,
} from '@shoal/kernel'
import { features } from '@shoal/wire'
import type { HandshakeContext, PeerIdentity, Refusal } from '../core/handshake.ts'
import {
  type ConnectionId,
  firstLinkState,
  type LinkEffect,
  type LinkEvent,
  type LinkState,
  stepLink,
} from '../core/link.ts'
import { type Standing, standingOf } from '../core/verdict.ts'
import type { Turn } from '../exchange/turn.ts'
import type { IncomingQuestion, PeerStatus } from '../peers.ts'
import type { PeerTls } from './certified.ts'
import { Channel } from './channel.ts'
import { type Dialling, dial } from './dial.ts'
import { Opening, type OpeningEvents } from './opening.ts'
import type { TransportEvent } from './options.ts'

/** What all links of one node share. */
export interface LinkHost {
  readonly env: Env
  readonly turn: Turn
  /** As it is now. */
  readonly tls: PeerTls | undefined
  nextConnection(): ConnectionId
  contextFor(role: 'dialler' | 'acceptor', expected: NodeId | undefined): HandshakeContext
  isDraining(): boolean
  handle(question: IncomingQuestion): void
  changed(peer: NodeId, up: boolean): void
  tell(event: TransportEvent): void
  /** The standing of a peer has changed. */
  judge(): void
}

/** Drives the link machine of one peer. Decides nothing. */
export class PeerLink {
  readonly peer: NodeId
  readonly url: string
  /** Where questions leave. Undefined whenever the peer is not up. */
  usable: Channel | undefined
  standing: Standing = { kind: 'untried' }
  readonly #host: LinkHost
  readonly #leads: boolean
  readonly #openings = new Map<ConnectionId, { opening: Opening; peer?: PeerIdentity }>()
  #state: LinkState = firstLinkState
  #reason: string | undefined = 'not started'
  #channel: { id: ConnectionId; channel: Channel } | undefined
  #dialling: Dialling | undefined
  #dialTimer: Timer | undefined
  #retryTimer: Timer | undefined
  #contest: { timer: Timer; ping: number } | undefined

  constructor(options: { host: LinkHost; peer: NodeId; url: string; leads: boolean }) {
    this.#host = options.host
    this.peer = options.peer
    this.url = options.url
    this.#leads = options.leads
  }

  get status(): PeerStatus {
    const channel = this.#channel?.channel
    return {
      peer: this.peer,
      up: this.usable !== undefined,
      reason: this.usable === undefined ? this.#reason : undefined,
      roundTripMs: channel?.roundTripMs,
      inFlight: channel?.inFlight ?? 0,
      bytesQueued: channel?.waiting() ?? 0,
    }
  }

  /** Whatever still has answers to give or to get, up or leaving. */
  get channel(): Channel | undefined {
    return this.#channel?.channel
  }

  start(): void {
    this.#reason = 'not yet reached'
    this.#feed({ kind: 'started', connection: this.#host.nextConnection() })
  }

  stop(): void {
    this.#feed({ kind: 'stop' })
  }

  /** A connection dialled by the peer is without fault. */
  offered(opening: Opening, peer: PeerIdentity, lastChannel: string): void {
    const { id } = opening
    this.#openings.set(id, { opening, peer })
    this.#feed({
      kind: 'offered',
      connection: id,
      run: peer.run,
      channel: peer.channel,
      lastChannel,
    })
  }

  /** A connection dialled by the peer has ended before it became the channel. */
  withdrawn(opening: Opening, reason: string): void {
    if (this.#openings.delete(opening.id)) this.#closed(opening.id, reason)
  }

  sweep(now: Millis, gap: Millis): void {
    this.#channel?.channel.sweep(now, gap)
  }

  #feed(event: LinkEvent): void {
    const { state, effects } = stepLink(this.#leads, this.#state, event)
    this.#state = state
    for (const effect of effects) this.#perform(effect)
    // A node that is stopping does not dial again.
    if (state.kind === 'waiting' && this.#host.isDraining()) this.stop()
  }

  #perform(effect: LinkEffect): void {
    switch (effect.kind) {
      case 'dial':
        this.#dial(effect.connection)
        break
      case 'offer':
        this.#openings.get(effect.connection)?.opening.permit(effect.lastChannel)
        break
      case 'accept':
        this.#openings.get(effect.connection)?.opening.permit('')
        break
      case 'refuse':
        this.#openings.get(effect.connection)?.opening.forbid(effect.code, effect.words)
        break
      case 'close':
        this.#close(effect.connection)
        break
      case 'up':
        this.#rise(effect.connection)
        break
      case 'down':
        this.#fall(effect.reason)
        break
      case 'wait':
        this.#wait(effect.tries)
        break
      case 'cancelWait':
        this.#retryTimer?.cancel()
        break
      case 'probe':
        this.#probe()
        break
      case 'cancelProbe':
        this.#contest?.timer.cancel()
        this.#contest = undefined
        return
      default:
        unreachable(effect)
    }
  }

  #dial(id: ConnectionId): void {
    const { clock } = this.#host.env
    const give = (reason: string) => {
      this.#hangUp()
      this.#failed(id, reason)
    }
    this.#dialTimer = clock.after(limits.peerHandshake, () =>
      give(`no answer within ${limits.peerHandshake} ms`),
    )
    const { tls } = this.#host
    this.#dialling = dial(
      { url: this.url, peer: this.peer, tls },
      {
        failed: give,
        connected: (socket) => {
          this.#hangUp()
          const context = this.#host.contextFor('dialler', this.peer)
          const opening = new Opening({ id, socket, clock, context, events: this.#events })
          this.#openings.set(id, { opening })
          opening.begin(Buffer.alloc(0))
        },
      },
    )
  }

  #hangUp(): void {
    this.#dialTimer?.cancel()
    this.#dialling?.abort()
    this.#dialling = undefined
  }

  /** Of connections that we dialled. */
  readonly #events: OpeningEvents = {
    proposed: ({ id }, peer) => this.#reached('reached', id, peer),
    agreed: ({ id }, peer) => this.#reached('agreed', id, peer),
    refused: ({ id }, refusal) => {
      this.#openings.delete(id)
      this.#refused(id, refusal)
    },
    lost: ({ id }, reason) => {
      this.#openings.delete(id)
      this.#failed(id, reason)
    },
  }

  #reached(kind: 'reached' | 'agreed', connection: ConnectionId, peer: PeerIdentity): void {
    const entry = this.#openings.get(connection)
    invariant(entry !== undefined, 'a connection in its handshake is known')
    entry.peer = peer
    this.#feed({ kind, connection, run: peer.run, channel: peer.channel })
  }

  #refused(id: ConnectionId, refusal: Refusal): void {
    const { code, words, by } = refusal
    if (code === 'duplicate') {
      this.#closed(id, words)
      return
    }
    this.standing = standingOf(refusal)
    this.#explain(words, {
      kind: 'refused',
      peer: this.peer,
      code,
      reason: words,
      by,
      dialled: true,
    })
    this.#closed(id, words)
    this.#host.judge()
  }

  #failed(id: ConnectionId, reason: string): void {
    this.standing = { kind: 'unreachable' }
    this.#explain(reason, { kind: 'dial-failed', peer: this.peer, reason })
    this.#closed(id, reason)
    this.#host.judge()
  }

  /** Why the peer is down now. A failure that repeats is told once. */
  #explain(reason: string, event: TransportEvent): void {
    if (this.#reason !== reason && this.usable === undefined) this.#host.tell(event)
    this.#reason = reason
  }

  #closed(connection: ConnectionId, reason: string): void {
    this.#feed({ kind: 'closed', connection, reason, lasted: 0 as Millis })
  }

  #close(id: ConnectionId): void {
    if (this.#channel?.id === id) {
      const { channel } = this.#channel
      this.#channel = this.usable = undefined
      channel.close(this.#state.kind === 'stopped')
      channel.end()
      return
    }
    const entry = this.#openings.get(id)
    this.#openings.delete(id)
    if (entry) {
      entry.opening.abandon()
      return
    }
    this.#hangUp()
  }

  #rise(id: ConnectionId): void {
    const entry = this.#openings.get(id)
    invariant(entry?.peer !== undefined, 'only an agreed connection becomes the channel')
    this.#openings.delete(id)
    const host = this.#host
    const channel: Channel = new Channel({
      peer: this.peer,
      connection: entry.opening.connection,
      takesTraces: entry.peer.features.includes(features.traces),
      turn: host.turn,
      isDraining: () => host.isDraining(),
      handle: (question) => host.handle(question),
      goodbye: (reason) => this.#feed({ kind: 'goodbye', connection: id, reason }),
      answered: (ping) => this.#answered(id, ping),
      ended: (reason) => this.#ended(id, channel, reason),
    })
    this.#channel = { id, channel }
    this.usable = channel
    this.#reason = undefined
    this.standing = { kind: 'agreed' }
    host.tell({ kind: 'peer-up', peer: this.peer, version: entry.peer.version })
    host.changed(this.peer, true)
  }

  #fall(reason: string): void {
    this.usable = undefined
    this.#reason = reason
    this.#host.tell({ kind: 'peer-down', peer: this.peer, reason })
    this.#host.changed(this.peer, false)
  }

  #ended(connection: ConnectionId, channel: Channel, reason: string): void {
    if (this.#channel?.channel === channel) this.#channel = this.usable = undefined
    const lasted = (this.#host.env.clock.elapsed() - channel.since) as Millis
    this.#feed({ kind: 'closed', connection, reason, lasted })
    channel.end()
  }

  #wait(tries: number): void {
    this.#retryTimer?.cancel()
    const { env } = this.#host
    const longest = Math.min(limits.peerReconnectFirst * 2 ** tries, limits.peerReconnectMax)
    const jitter = env.random('transport.reconnect').below(Math.ceil(longest / 2))
    this.#retryTimer = env.clock.after((longest - jitter) as Millis, () =>
      this.#feed({ kind: 'retryDue', connection: this.#host.nextConnection() }),
    )
  }

  #probe(): void {
    const ping = this.#channel?.channel.probe() ?? 0
    const timer = this.#host.env.clock.after(limits.peerContest, () => {
      this.#contest = undefined
      this.#feed({ kind: 'contestDue' })
    })
    this.#contest = { timer, ping }
  }

  #answered(connection: ConnectionId, ping: number): void {
    if (this.#contest !== undefined && ping >= this.#contest.ping) {
      this.#feed({ kind: 'answered', connection })
    }
  }
}
