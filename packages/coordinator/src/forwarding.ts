import { type ErrorCode, type Millis, millis, type NodeId, ShoalError } from '@shoal/kernel'
import {
  answerKinds,
  decodeForwardedAnswer,
  decodeRefusal,
  encodeForwardedWrite,
  questionKinds,
} from '@shoal/wire'
import { indices } from './core/write-machine.ts'
import { type Desk, noteFailure } from './desk.ts'
import { doubtedOf, type Place, reachableOf, unreachable } from './place.ts'
import { type PeerSink, readable } from './ports.ts'
import type { WriteAnswer, WriteRequest } from './requests.ts'

/**
 * Passes a write to a replica of its key, because only a replica may mint a dot (V4). A question
 * that never left this node may go to another replica; one that left may not: it may have been
 * done.
 */
export function forwardWrite(
  desk: Desk,
  place: Place,
  request: WriteRequest,
  done: (result: WriteAnswer | ShoalError) => void,
): void {
  const reachable = reachableOf(desk, place)
  const doubted = doubtedOf(desk, place, reachable)
  const order = [...bySpeed(desk, place, reachable & ~doubted), ...bySpeed(desk, place, doubted)]
  if (desk.env.inject('coordinator: the slowest first')) order.reverse()
  if (order.length === 0) throw unreachable(desk, place, { wanted: 1, got: 0, reachable })
  desk.figures.forwarded++
  const began = desk.env.clock.elapsed()
  new Forwarding({ desk, place, request, order, began, done }).next()
}

const bySpeed = ({ speeds }: Desk, { nodes }: Place, candidates: number): NodeId[] =>
  indices(candidates)
    .map((candidate) => nodes[candidate] as NodeId)
    .sort((one, other) => speeds.of(one) - speeds.of(other))

interface Parts {
  readonly desk: Desk
  readonly place: Place
  readonly request: WriteRequest
  readonly order: NodeId[]
  readonly began: Millis
  readonly done: (result: WriteAnswer | ShoalError) => void
}

class Forwarding implements PeerSink {
  readonly #parts: Parts
  readonly #body: Buffer
  #asked: NodeId | undefined

  constructor(parts: Parts) {
    this.#parts = parts
    this.#body = encodeForwardedWrite(parts.request)
  }

  next(): void {
    const { desk, place, order, request, began, done } = this.#parts
    this.#asked = order.shift()
    if (this.#asked === undefined) {
      return done(unreachable(desk, place, { wanted: 1, got: 0, reachable: 0 }))
    }
    const left = request.timeout - (desk.env.clock.elapsed() - began)
    desk.peers.ask(
      {
        to: this.#asked,
        kind: questionKinds.write,
        body: this.#body,
        timeout: millis(Math.max(1, left)),
        tag: 0,
      },
      this,
    )
  }

  answered(_tag: number, kind: number, body: Buffer): void {
    if (kind === answerKinds.written) {
      const answer = readable(() => decodeForwardedAnswer(body))
      return answer ? this.#parts.done(answer) : this.failed(0, 'SHOAL_FRAME_INVALID')
    }
    this.failed(0, kind === answerKinds.refused ? decodeRefusal(body) : 'SHOAL_FRAME_INVALID')
  }

  failed(_tag: number, code: ErrorCode): void {
    const { desk, place, began, done } = this.#parts
    if (this.#asked !== undefined) noteFailure(desk, this.#asked, code, began)
    const neverLeft = code === 'SHOAL_PEER_UNREACHABLE' || code === 'SHOAL_PEER_BUSY'
    if (neverLeft && this.#parts.order.length > 0) return this.next()
    if (neverLeft) return done(unreachable(desk, place, { wanted: 1, got: 0, reachable: 0 }))
    const ms = Math.round(desk.env.clock.elapsed() - began)
    done(
      new ShoalError(
        'SHOAL_QUORUM_TIMEOUT',
        `The write was passed to ${this.#asked}, a replica of the key, and no answer came back.`,
        { replicas: [{ node: this.#asked ?? '', role: 'primary', state: code, ms }] },
      ),
    )
  }
}
