import {
  type ErrorCode,
  type Millis,
  millis,
  type NodeId,
  type Partition,
  type ReplicaReport,
  ShoalError,
} from '@shoal/kernel'
import {
  answerKinds,
  decodeForwardedAnswer,
  decodeRefusal,
  encodeForwardedWrite,
  questionKinds,
} from '@shoal/wire'
import { bit } from './core/judge.ts'
import { indices } from './core/write-machine.ts'
import { type Desk, noteFailure } from './desk.ts'
import { doubtedOf, type Place, reachableOf, unreachable } from './place.ts'
import { type PeerSink, readable } from './ports.ts'
import type { Done, RequestReport, WriteAnswer, WriteRequest } from './requests.ts'
import { standInsFor } from './stand-ins.ts'

/**
 * Passes a write to a replica of its key, because only a replica may mint a dot (V4). A question
 * that never left this node may go to another replica; one that left may not: it may have been
 * done. Where no primary is thought to answer, the first stand-in that lives coordinates; it may be
 * this node.
 *
 * @param coordinate  does the write on this node
 */
export function forwardWrite(
  desk: Desk,
  place: Place,
  request: WriteRequest,
  { coordinate, done }: Pick<Parts, 'coordinate' | 'done'>,
): void {
  const reachable = reachableOf(desk, place)
  const doubted = doubtedOf(desk, place, reachable)
  const order = bySpeed(desk, place, reachable & ~doubted)
  if (desk.env.inject('coordinator: the slowest first')) order.reverse()
  const strict = request.consistency?.strict ?? place.bucket.consistency.strict
  const all = bit(place.nodes.length) - 1
  const rest = [
    ...(strict ? [] : standInsFor(desk, place, all).slice(0, STAND_INS_TRIED)),
    ...bySpeed(desk, place, doubted),
  ]
  if (order.length + rest.length === 0) throw unreachable(desk, place, { ...NOBODY, reachable })
  const began = desk.env.clock.elapsed()
  order.push(...rest)
  new Forwarding({ desk, place, request, order, began, coordinate, done }).next()
}

const NOBODY = { wanted: 1, got: 0, reachable: 0 }
/** Each costs a try on a channel that turns out to be down. */
const STAND_INS_TRIED = 3

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
  readonly coordinate: (request: WriteRequest) => void
  readonly done: Done<WriteAnswer>
}

class Forwarding implements PeerSink, RequestReport {
  readonly consistency = undefined
  readonly #parts: Parts
  readonly #body: Buffer
  #asked: NodeId | undefined

  constructor(parts: Parts) {
    this.#parts = parts
    this.#body = encodeForwardedWrite(parts.request)
  }

  get began(): Millis {
    return this.#parts.began
  }

  get partition(): Partition {
    return this.#parts.place.partition
  }

  /** Of whom it was passed to; what the replicas did is known there. */
  reports(): ReplicaReport[] {
    return this.#asked === undefined ? [] : [this.#report(this.#asked, 'passed-on')]
  }

  #report(node: NodeId, state: string): ReplicaReport {
    const { desk, place, began } = this.#parts
    const role = place.nodes.includes(node) ? 'primary' : 'fallback'
    return { node, role, state, ms: Math.round(desk.env.clock.elapsed() - began) }
  }

  next(): void {
    const { desk, place, order, request, began, coordinate, done } = this.#parts
    const to = order.shift()
    this.#asked = to
    if (to === undefined) return done(unreachable(desk, place, NOBODY), this)
    const timeout = millis(Math.max(1, request.timeout - (desk.env.clock.elapsed() - began)))
    if (to === desk.self) return coordinate({ ...request, timeout })
    desk.figures.forwarded++
    const isPrimary = place.nodes.includes(to)
    const kind = isPrimary ? questionKinds.write : questionKinds.writeAsStandIn
    request.follower?.happened(to, 'passed-on')
    const trace = request.follower?.carried
    desk.peers.ask({ to, kind, body: this.#body, timeout, tag: 0, trace }, this)
  }

  answered(_tag: number, kind: number, body: Buffer): void {
    if (kind === answerKinds.written) {
      const answer = readable(() => decodeForwardedAnswer(body))
      return answer ? this.#parts.done(answer, this) : this.failed(0, 'SHOAL_FRAME_INVALID')
    }
    this.failed(0, kind === answerKinds.refused ? decodeRefusal(body) : 'SHOAL_FRAME_INVALID')
  }

  failed(_tag: number, code: ErrorCode): void {
    const { desk, began, done } = this.#parts
    if (this.#asked !== undefined) noteFailure(desk, this.#asked, code, began)
    const neverLeft = code === 'SHOAL_PEER_UNREACHABLE' || code === 'SHOAL_PEER_BUSY'
    if (neverLeft) return this.next()
    const node = this.#asked
    done(
      new ShoalError(
        'SHOAL_QUORUM_TIMEOUT',
        `The write was passed to ${node}, a replica of the key, and no answer came back.`,
        { replicas: node === undefined ? [] : [this.#report(node, code)] },
      ),
      this,
    )
  }
}
