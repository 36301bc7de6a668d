import { type Clock, type Env, limits, type Millis, type NodeId, type Timer } from '@shoal/kernel'
import { frameTypes } from '@shoal/wire'
import { Exchange } from '../exchange/exchange.ts'
import type { IncomingQuestion } from '../peers.ts'
import { Direction, type Faults } from './direction.ts'

/** One end of the channel between two nodes. */
export interface End {
  readonly node: NodeId
  readonly peer: NodeId
  /** Present until this end has learnt that its channel is gone. */
  exchange: Exchange | undefined
  /** Whether questions may leave. */
  usable: boolean
  reason: string
  readonly outbox: Direction
}

/** What a pair needs of the nodes at its ends. */
export interface PairedNode {
  readonly isRunning: boolean
  /** Runs what happens at this node, in its own time. */
  readonly wire: Clock
  now(): Millis
  handle(question: IncomingQuestion): void
  changed(peer: NodeId, up: boolean): void
  /** Something may become overdue. */
  busy(): void
  /** Lets the pair fall when this turn is over. */
  endLater(pair: Pair, reason: string): void
  /** Whether it claims to have no room for one more message. */
  claimsFull(): boolean
}

export interface PairHost {
  readonly env: Env
  faults(from: NodeId, to: NodeId): Faults
  /** The live node of this id. */
  nodeOf(id: NodeId): PairedNode | undefined
  isPaused(id: NodeId): boolean
  sent(from: NodeId, to: NodeId, kind: number, bytes: number): void
}

const NOW = 0 as Millis

/**
 * The link between two nodes of a memory network: up, down, silent.
 *
 * A channel breaks for both ends at once and each learns of it in its own time, as an event of its
 * own process: a process that stands still learns of nothing, and when it goes on it still believes
 * what it believed before.
 */
export class Pair {
  readonly ends: readonly [End, End]
  readonly #host: PairHost
  readonly #cut = new Set<End>()
  #open = false
  #connectTimer: Timer | undefined
  #silenceTimer: Timer | undefined

  constructor(host: PairHost, one: NodeId, other: NodeId) {
    this.#host = host
    this.ends = [this.#end(one, other), this.#end(other, one)]
  }

  endOf(node: NodeId): End {
    const [one, other] = this.ends
    return one.node === node ? one : other
  }

  /** Whether messages from `from` are held back. */
  cut(from: NodeId, held: boolean): void {
    if (held) this.#cut.add(this.endOf(from))
    else this.#cut.delete(this.endOf(from))
    this.consider()
  }

  /** To be called whenever something changed that decides whether the two can hear each other. */
  consider(): void {
    for (const end of this.ends) end.outbox.hold(this.#isHeld(end))
    const clear = this.#isClear
    if (this.#open) this.#watch(clear)
    else if (clear) this.#connectLater()
  }

  /** The channel ends; both ends learn of it. */
  fall(reason: string): void {
    this.#break()
    for (const end of this.ends) this.#tell(end, reason)
    this.consider()
  }

  /**
   * The process at one end is gone: nobody there is told anything. The other end learns of it at
   * once, or, `silently`, when it has heard nothing for long enough.
   */
  lose(node: NodeId, options: { readonly silently: boolean }): void {
    const [gone, left] =
      this.endOf(node) === this.ends[0] ? this.ends : [this.ends[1], this.ends[0]]
    this.#break()
    gone.exchange = undefined
    gone.usable = false
    if (!options.silently) this.#tell(left, 'connection refused')
    else if (left.exchange) {
      this.#silenceTimer = this.#host.env.clock.after(limits.peerSilenceMax, () => {
        this.#silenceTimer = undefined
        this.#tell(left, SILENT)
      })
    }
    this.consider()
  }

  /** This end takes no more questions. */
  lower(end: End, reason: string): void {
    end.reason = reason
    if (!end.usable) return
    end.usable = false
    this.#host.nodeOf(end.node)?.changed(end.peer, false)
  }

  get #isClear(): boolean {
    return this.ends.every((end) => !this.#isHeld(end) && this.#isWilling(end.node))
  }

  #isHeld(from: End): boolean {
    return this.#cut.has(from) || this.#host.isPaused(from.peer) || this.#host.isPaused(from.node)
  }

  #isWilling(node: NodeId): boolean {
    return this.#host.nodeOf(node)?.isRunning === true
  }

  #break(): void {
    this.#open = false
    this.#stopWatching()
    for (const end of this.ends) end.outbox.disconnect()
  }

  /** This end learns, in its own time, that its channel is gone. */
  #tell(end: End, reason: string): void {
    const { exchange } = end
    const node = this.#host.nodeOf(end.node)
    if (!exchange) return
    if (!node) {
      end.exchange = undefined
      end.usable = false
      return
    }
    node.wire.after(NOW, () => {
      if (end.exchange !== exchange) return
      end.exchange = undefined
      this.lower(end, reason)
      exchange.end()
      this.consider()
    })
  }

  #stopWatching(): void {
    this.#silenceTimer?.cancel()
    this.#silenceTimer = undefined
  }

  #watch(clear: boolean): void {
    if (clear) return this.#stopWatching()
    if (this.ends.every((end) => !this.#isHeld(end))) return
    this.#silenceTimer ??= this.#host.env.clock.after(limits.peerSilenceMax, () => {
      this.#silenceTimer = undefined
      this.fall(SILENT)
    })
  }

  #connectLater(): void {
    const { env } = this.#host
    const label = `memory network connect ${this.ends[0].node} ${this.ends[1].node}`
    const delay = 1 + env.random(label).below(limits.peerReconnectFirst)
    this.#connectTimer ??= env.clock.after(delay as Millis, () => {
      this.#connectTimer = undefined
      if (!this.#isClear || this.#open) return
      // An end that still believes in the old channel learns from the new one that it is gone; when
      // it has, it connects.
      const believers = this.ends.filter((end) => end.exchange !== undefined)
      if (believers.length === 0) return this.#rise()
      for (const end of believers) this.#tell(end, 'the peer connects anew')
    })
  }

  #rise(): void {
    const [one, other] = this.ends
    this.#open = true
    // Whoever was to learn by silence that the old channel is gone has learnt it by now.
    this.#stopWatching()
    for (const end of this.ends) end.exchange = this.#exchange(end)
    if (other.exchange) one.outbox.connect(other.exchange)
    if (one.exchange) other.outbox.connect(one.exchange)
    for (const end of this.ends) {
      const { exchange } = end
      const node = this.#host.nodeOf(end.node)
      node?.wire.after(NOW, () => {
        if (end.exchange !== exchange || !node.isRunning) return
        end.usable = true
        node.changed(end.peer, true)
      })
    }
  }

  #exchange(end: End): Exchange | undefined {
    const node = this.#host.nodeOf(end.node)
    if (node === undefined) return undefined
    return new Exchange({
      peer: end.peer,
      outbox: end.outbox,
      takesTraces: true,
      now: () => node.now(),
      waiting: () => (node.claimsFull() ? Number.POSITIVE_INFINITY : end.outbox.bytes),
      wrote: () => {
        node.busy()
        if (end.outbox.bytes > limits.peerOutputBytesMax) node.endLater(this, 'bytes wait unread')
      },
      isDraining: () => !node.isRunning,
      handle: (question) => node.handle(question),
      malformed: (reason) => this.fall(reason),
      control: (type, _id, body) => {
        if (type === frameTypes.goodbye) this.lower(end, `the peer is leaving: ${body}`)
      },
    })
  }

  #end(node: NodeId, peer: NodeId): End {
    const host = this.#host
    const outbox = new Direction({
      // A message arrives as an event of whoever receives it.
      clock: () => host.nodeOf(peer)?.wire ?? host.env.clock,
      random: host.env.random(`memory network ${node} ${peer}`),
      faults: () => host.faults(node, peer),
      sent: (kind, bytes) => host.sent(node, peer, kind, bytes),
    })
    return { node, peer, exchange: undefined, usable: false, reason: 'not yet reached', outbox }
  }
}

const SILENT = `silent for ${limits.peerSilenceMax} ms`
