import { type Env, limits, type Millis, type NodeId, type Timer } from '@shoal/kernel'
import { frameTypes } from '@shoal/wire'
import { Exchange } from '../exchange/exchange.ts'
import type { IncomingQuestion } from '../peers.ts'
import { Direction, type Faults } from './direction.ts'

/** One end of the channel between two nodes. */
export interface End {
  readonly node: NodeId
  readonly peer: NodeId
  /** Present while this end has a channel, open or leaving. */
  exchange: Exchange | undefined
  /** Whether questions may leave. */
  usable: boolean
  reason: string
  readonly outbox: Direction
}

/** What a pair needs of the nodes at its ends. */
export interface PairedNode {
  readonly isRunning: boolean
  now(): Millis
  handle(question: IncomingQuestion): void
  changed(peer: NodeId, up: boolean): void
  /** Something may become overdue. */
  busy(): void
  /** Lets the pair fall when this turn is over. */
  endLater(pair: Pair, reason: string): void
}

export interface PairHost {
  readonly env: Env
  faults(from: NodeId, to: NodeId): Faults
  /** The live node of this id. */
  nodeOf(id: NodeId): PairedNode | undefined
  isPaused(id: NodeId): boolean
}

/** The link between two nodes of a memory network: up, down, silent. */
export class Pair {
  readonly ends: readonly [End, End]
  readonly #host: PairHost
  readonly #cut = new Set<End>()
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
    const clear = this.ends.every((end) => !this.#isHeld(end) && this.#isWilling(end.node))
    if (this.#isOpen) this.#watch(clear)
    else if (clear) this.#connectLater()
  }

  /** The channel ends at both sides at once. */
  fall(reason: string): void {
    this.#silenceTimer?.cancel()
    this.#silenceTimer = undefined
    for (const end of this.ends) end.outbox.disconnect()
    for (const end of this.ends) this.lower(end, reason)
    for (const end of this.ends) {
      const { exchange } = end
      end.exchange = undefined
      if (this.#host.nodeOf(end.node)) exchange?.end()
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

  get #isOpen(): boolean {
    return this.ends.some((end) => end.exchange !== undefined)
  }

  #isHeld(from: End): boolean {
    return this.#cut.has(from) || this.#host.isPaused(from.peer) || this.#host.isPaused(from.node)
  }

  #isWilling(node: NodeId): boolean {
    return this.#host.nodeOf(node)?.isRunning === true
  }

  #watch(clear: boolean): void {
    if (clear) {
      this.#silenceTimer?.cancel()
      this.#silenceTimer = undefined
      return
    }
    if (this.ends.every((end) => !this.#isHeld(end))) return
    this.#silenceTimer ??= this.#host.env.clock.after(limits.peerSilenceMax, () =>
      this.fall(`silent for ${limits.peerSilenceMax} ms`),
    )
  }

  #connectLater(): void {
    const { env } = this.#host
    const label = `memory network connect ${this.ends[0].node} ${this.ends[1].node}`
    const delay = 1 + env.random(label).below(limits.peerReconnectFirst)
    this.#connectTimer ??= env.clock.after(delay as Millis, () => {
      this.#connectTimer = undefined
      const clear = this.ends.every((end) => !this.#isHeld(end) && this.#isWilling(end.node))
      if (clear && !this.#isOpen) this.#rise()
    })
  }

  #rise(): void {
    const [one, other] = this.ends
    for (const end of this.ends) end.exchange = this.#exchange(end)
    if (other.exchange) one.outbox.connect(other.exchange)
    if (one.exchange) other.outbox.connect(one.exchange)
    for (const end of this.ends) {
      end.usable = true
      this.#host.nodeOf(end.node)?.changed(end.peer, true)
    }
  }

  #exchange(end: End): Exchange | undefined {
    const node = this.#host.nodeOf(end.node)
    if (node === undefined) return undefined
    return new Exchange({
      peer: end.peer,
      outbox: end.outbox,
      now: () => node.now(),
      waiting: () => end.outbox.bytes,
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
    const { env } = this.#host
    const outbox = new Direction(env.clock, env.random(`memory network ${node} ${peer}`), () =>
      this.#host.faults(node, peer),
    )
    return { node, peer, exchange: undefined, usable: false, reason: 'not yet reached', outbox }
  }
}
