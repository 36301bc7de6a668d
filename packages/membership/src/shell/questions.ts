import { type ErrorCode, limits, millis, type NodeId } from '@shoal/kernel'
import type { AnswerSink, Peers } from '@shoal/transport'
import {
  answerKinds,
  decodeGossip,
  decodePong,
  encodeGossipSync,
  encodePing,
  encodePingRequest,
  encodeRingFetch,
  type MembershipHeader,
  questionKinds,
} from '@shoal/wire'
import type { SwimEffect, SwimEvent } from '../core/events.ts'

export interface QuestionsParts {
  readonly peers: Pick<Peers, 'ask'>
  /** What this node says of itself at this moment. */
  header(): MembershipHeader
  step(event: SwimEvent): void
}

type Effect<Kind extends SwimEffect['kind']> = Extract<SwimEffect, { readonly kind: Kind }>

interface Ends {
  answered(kind: number, body: Buffer, more: boolean): void
  failed(code: ErrorCode): void
}

const GOSSIP_TIMEOUT = millis(1_000)
const FETCH_TIMEOUT = millis(2_000)

/** What this node asks others, and what their answers mean to the machine. */
export class Questions {
  readonly #parts: QuestionsParts
  #inFlight = 0

  constructor(parts: QuestionsParts) {
    this.#parts = parts
  }

  ping({ to, sequence, timeout, updates }: Effect<'ping'>): void {
    const body = encodePing({ header: this.#parts.header(), updates })
    this.#ask(to, questionKinds.ping, body, timeout, this.#probeEnds(to, sequence))
  }

  askRelay({ to, target, sequence, timeout, updates }: Effect<'askRelay'>): void {
    const header = this.#parts.header()
    const timeoutMs = Math.floor(timeout)
    const body = encodePingRequest({ header, target, timeoutMs, updates })
    this.#ask(to, questionKinds.pingRequest, body, timeout, this.#probeEnds(to, sequence))
  }

  /** News are told to others too: beyond the bound this round does without one. */
  gossip({ to, updates, missing }: Effect<'gossip'>): void {
    if (this.#inFlight >= limits.membershipQuestionsMax) return
    const { header, step } = this.#parts
    const kind = missing ? 'missing' : 'news'
    const body = encodeGossipSync({ kind, header: header(), updates })
    this.#ask(to, questionKinds.gossipSync, body, GOSSIP_TIMEOUT, {
      answered: (answer, bytes) => {
        if (answer !== answerKinds.gossip) return
        const { header: theirs, updates: told } = decodeGossip(bytes)
        step({ kind: 'noted', from: to, header: theirs, updates: told })
      },
      failed: () => undefined,
    })
  }

  compare({ to, digest, timeout }: Effect<'compare'>): void {
    const { header, step } = this.#parts
    const body = encodeGossipSync({ kind: 'compare', header: header(), digest })
    const failed = (): void => step({ kind: 'compareFailed', from: to })
    this.#ask(to, questionKinds.gossipSync, body, timeout, {
      answered: (answer, bytes, more) => {
        if (answer !== answerKinds.gossip) return failed()
        const { kind, header: theirs, updates } = decodeGossip(bytes)
        const told = { from: to, header: theirs, updates, same: kind === 'same', last: !more }
        step({ kind: 'compared', ...told })
      },
      failed,
    })
  }

  /** @param ended  the encoded record, or why there is none */
  fetchRing(from: NodeId, ended: (record: Buffer | undefined) => void): void {
    const { header, step } = this.#parts
    const end = (record: Buffer | undefined): void => {
      ended(record)
      step({ kind: 'ringFetched', from })
    }
    const body = encodeRingFetch({ header: header() })
    this.#ask(from, questionKinds.ringFetch, body, FETCH_TIMEOUT, {
      answered: (answer, bytes) => end(answer === answerKinds.ring ? bytes : undefined),
      failed: () => end(undefined),
    })
  }

  /** Any answer shows that the peer lives, also one that says that it does not understand. */
  #probeEnds(from: NodeId, sequence: number): Ends {
    const { step } = this.#parts
    return {
      answered: (kind, bytes) => {
        if (kind !== answerKinds.pong) return step({ kind: 'answeredBadly', from, sequence })
        step({ kind: 'ponged', from, sequence, ...decodePong(bytes) })
      },
      failed: () => step({ kind: 'unanswered', from, sequence }),
    }
  }

  #ask(to: NodeId, kind: number, body: Buffer, timeout: number, ends: Ends): void {
    this.#inFlight++
    const sink: AnswerSink = {
      answered: (_tag, answer, bytes, more) => {
        if (!more) this.#inFlight--
        ends.answered(answer, bytes, more)
      },
      failed: (_tag, code) => {
        this.#inFlight--
        ends.failed(code)
      },
    }
    this.#parts.peers.ask({ to, kind, body, timeout: millis(timeout), tag: 0 }, sink)
  }
}
