import {
  type ErrorCode,
  invariant,
  type Millis,
  millis,
  type NodeId,
  type Timer,
  unreachable,
} from '@shoal/kernel'
import type { IncomingQuestion } from '@shoal/transport'
import {
  answerKinds,
  decodeGossipSync,
  decodePing,
  decodePingRequest,
  decodeRingFetch,
  encodeGossip,
  encodePong,
  type MemberState,
  questionKinds,
} from '@shoal/wire'
import type { SwimEffect, SwimEvent } from '../core/events.ts'
import { headerOf, livingOf, type Peer, type SwimState } from '../core/state.ts'
import { createSwim, stepSwim, wakeAfter } from '../core/swim.ts'
import type { Liveness, NodeView } from './liveness.ts'
import type { MembershipParts } from './parts.ts'
import { Questions } from './questions.ts'
import { fetchRing } from './ring-fetch.ts'

/** How this node finds itself, for people. */
export interface MembershipStatus {
  readonly incarnation: number
  /** 0: well; up to 7, at which it is eight times as patient with others. */
  readonly health: number
  /** Members thought alive or suspect, this node included. */
  readonly living: number
  /** News still to be told. */
  readonly rumours: number
  readonly suspects: number
}

/**
 * The driver of the detector: translates messages and timers into events, and effects into
 * messages. It decides nothing.
 *
 * A probe is answered where it arrives, before anything that waits for the store or for the next
 * turn: what stands between a node and its answer is only what was read from the socket before.
 */
export class Membership implements Liveness {
  readonly #parts: MembershipParts
  #swim: SwimState
  readonly #questions: Questions
  readonly #listeners: ((node: NodeView, before: MemberState) => void)[] = []
  /** Questions of others that are not answered yet, by the number the machine knows them by. */
  readonly #asked = new Map<number, IncomingQuestion>()
  #askedLast = 0
  #timer: Timer | undefined
  #timerAt = Number.POSITIVE_INFINITY
  #started = false

  constructor(parts: MembershipParts) {
    const { peers } = parts
    this.#parts = parts
    this.#swim = createState(parts)
    const step = (event: SwimEvent): void => this.#step(event)
    this.#questions = new Questions({ peers, step, header: () => headerOf(this.#swim) })
  }

  /** Begins to probe. The peers may be started before or after. */
  start(): void {
    invariant(!this.#started, 'membership starts once')
    this.#started = true
    this.#swim = createState(this.#parts)
    const { peers } = this.#parts
    peers.onChange((peer, up) => this.#step({ kind: 'channelChanged', peer, up }))
    this.#lookAtChannels()
    this.#setTimer()
  }

  /**
   * Answers a question of another node, if it is one for this package. To be asked first, and
   * whatever the ring epoch of the asker: who has an older ring learns here of the newer.
   *
   * @returns whether it was one
   * @throws SHOAL_FRAME_INVALID for a message that no node writes
   */
  answer(question: IncomingQuestion): boolean {
    const { kind, body } = question
    if (kind === questionKinds.ringFetch) {
      decodeRingFetch(body)
      question.answer(answerKinds.ring, this.#parts.rings.record())
      return true
    }
    const event = eventOf(question, this.#parts.env.clock.elapsed())
    if (event === undefined) return false
    this.#asked.set(++this.#askedLast, question)
    this.#step({ ...event, question: this.#askedLast })
    return true
  }

  /**
   * A request to this node failed. One that was refused, lost or not answered in time makes routing
   * avoid the node at once, and the node is probed. Other failures say nothing of it.
   */
  noteFailure(peer: NodeId, code: ErrorCode): void {
    if (speaksOfThePeer.has(code)) this.#step({ kind: 'requestFailed', peer })
  }

  /** This node goes by another ring now: `rings` has it already. */
  ringChanged(): void {
    const { stamp: ring, members } = this.#parts.rings
    this.#step({ kind: 'ringChanged', ring, members })
    this.#lookAtChannels()
  }

  /**
   * Tells others that this node is about to stop, so that nobody has to find out. Before the peers
   * are stopped: they see to it that it is sent.
   */
  leave(): void {
    this.#step({ kind: 'leaving' })
  }

  close(): void {
    this.#timer?.cancel()
    this.#started = false
  }

  isUsable(node: NodeId): boolean {
    const peer = this.#swim.peers.get(node)
    return peer === undefined ? node === this.#parts.self : peer.shown === 'alive'
  }

  state(node: NodeId): MemberState | undefined {
    if (node === this.#parts.self) return this.#swim.leaving ? 'left' : 'alive'
    return this.#swim.peers.get(node)?.shown
  }

  view(node: NodeId): NodeView | undefined {
    const peer = this.#swim.peers.get(node)
    return peer && viewOf(peer)
  }

  views(): readonly NodeView[] {
    return [...this.#swim.peers.values()].map(viewOf)
  }

  onChange(listener: (node: NodeView, before: MemberState) => void): void {
    this.#listeners.push(listener)
  }

  get status(): MembershipStatus {
    const { incarnation, health, rumours, suspects } = this.#swim
    const living = livingOf(this.#swim)
    return { incarnation, health, living, rumours: rumours.size, suspects: suspects.size }
  }

  #lookAtChannels(): void {
    const { peers, rings } = this.#parts
    for (const { id: peer } of rings.members) {
      if (peers.isUp(peer)) this.#step({ kind: 'channelChanged', peer, up: true })
    }
  }

  #step(event: SwimEvent): void {
    if (!this.#started) return
    for (const effect of stepSwim(this.#swim, this.#parts.env.clock.elapsed(), event)) {
      this.#perform(effect)
    }
    this.#setTimer()
  }

  /** The timer is never later than the machine wants it; one that fires too early is set again. */
  #setTimer(): void {
    const { clock } = this.#parts.env
    const at = wakeAfter(this.#swim)
    if (!this.#started || at >= this.#timerAt || at === Number.POSITIVE_INFINITY) return
    this.#timer?.cancel()
    this.#timerAt = at
    this.#timer = clock.after(millis(Math.max(0, at - clock.elapsed())), () => {
      this.#timerAt = Number.POSITIVE_INFINITY
      if (clock.elapsed() >= wakeAfter(this.#swim)) this.#step({ kind: 'woke' })
      else this.#setTimer()
    })
  }

  #perform(effect: SwimEffect): void {
    const { onEvent, rings } = this.#parts
    switch (effect.kind) {
      case 'ping':
        return this.#questions.ping(effect)
      case 'askRelay':
        return this.#questions.askRelay(effect)
      case 'gossip':
        return this.#questions.gossip(effect)
      case 'compare':
        return this.#questions.compare(effect)
      case 'answerPong':
      case 'answerNoted':
      case 'answerSame':
      case 'answerParts':
        return this.#reply(effect)
      case 'changed':
        return this.#tellChange(effect)
      case 'fetchRing':
        return fetchRing(effect, { rings, questions: this.#questions, onEvent })
      case 'ringDisputed':
        return onEvent?.({ ...effect, kind: 'ring-disputed' })
      case 'refuted':
        return onEvent?.(effect)
      default:
        unreachable(effect)
    }
  }

  #reply(effect: Extract<SwimEffect, { readonly question: number }>): void {
    const asked = this.#asked.get(effect.question)
    if (asked === undefined) return
    this.#asked.delete(effect.question)
    const header = headerOf(this.#swim)
    switch (effect.kind) {
      case 'answerPong':
        return asked.answer(answerKinds.pong, encodePong({ header, ...effect }))
      case 'answerNoted':
        return asked.answer(answerKinds.gossip, encodeGossip({ ...effect, kind: 'noted', header }))
      case 'answerSame':
        return asked.answer(answerKinds.gossip, encodeGossip({ kind: 'same', header, updates: [] }))
      case 'answerParts':
        for (const [index, updates] of effect.parts.entries()) {
          const part = encodeGossip({ kind: 'part', header, updates })
          asked.answer(answerKinds.gossip, part, index + 1 < effect.parts.length)
        }
        return
      default:
        unreachable(effect)
    }
  }

  #tellChange({ node, before }: Extract<SwimEffect, { readonly kind: 'changed' }>): void {
    const peer = this.#swim.peers.get(node)
    if (peer === undefined) return
    const view = viewOf(peer)
    this.#parts.onEvent?.({ kind: 'member', node, state: view.state, before })
    for (const listener of this.#listeners) listener(view, before)
  }
}

function createState({ env, self, rings, runId, settings }: MembershipParts): SwimState {
  return createSwim({
    self: rings.members.find(({ id }) => id === self) ?? { id: self, zone: '', host: '' },
    members: rings.members,
    ring: rings.stamp,
    run: runOf(runId),
    incarnation: firstIncarnation(env.clock.wall()),
    random: env.random('membership'),
    elapsed: env.clock.elapsed(),
    ...(settings === undefined ? {} : { settings }),
  })
}

/** Refused, lost, silent. Not: too busy, too large, or whatever it refused for a reason. */
const speaksOfThePeer: ReadonlySet<ErrorCode> = new Set([
  'SHOAL_PEER_UNREACHABLE',
  'SHOAL_PEER_LOST',
  'SHOAL_PEER_TIMEOUT',
])

function viewOf(peer: Peer): NodeView {
  const { id: node, shown: state, shownSince, state: declared, incarnation, run, channelUp } = peer
  return { node, state, since: shownSince as Millis, declared, incarnation, run, channelUp }
}

type AskedEvent = Extract<SwimEvent, { readonly question: number }>
type Unnumbered<E> = E extends unknown ? Omit<E, 'question'> : never

function eventOf(question: IncomingQuestion, now: Millis): Unnumbered<AskedEvent> | undefined {
  const { from, kind, body, deadline } = question
  switch (kind) {
    case questionKinds.ping:
      return { kind: 'pinged', from, ...decodePing(body) }
    case questionKinds.pingRequest: {
      const { header, target, timeoutMs, updates } = decodePingRequest(body)
      const timeout = Math.max(0, Math.min(timeoutMs, deadline - now))
      return { kind: 'relayAsked', from, header, target, timeout, updates }
    }
    case questionKinds.gossipSync: {
      const message = decodeGossipSync(body)
      const { header } = message
      if (message.kind === 'compare') {
        return { kind: 'compareAsked', from, header, updates: [], digest: message.digest }
      }
      const missing = message.kind === 'missing'
      return { kind: 'gossiped', from, header, updates: message.updates, missing }
    }
    default:
      return undefined
  }
}

/** Of 32 bits, and never 0, which stands for a run that nobody has heard from. */
function runOf(runId: Uint8Array): number {
  invariant(runId.length >= 4, 'a run id has 4 bytes or more')
  return new DataView(runId.buffer, runId.byteOffset).getUint32(0) || 1
}

/**
 * The wall clock, because nothing of the last run is left: it is nearly always ahead of what that
 * run had come to. Where it is not, others tell.
 */
const firstIncarnation = (wall: Millis): number => Math.min(Math.max(Math.floor(wall), 1), 2 ** 51)
