/**
 * Refuses what comes in while the node has too much to do, before Node's parser has seen it (O1,
 * O3).
 *
 * At twice the capacity a node refuses as much as it serves. A refusal through parser, router and
 * exchange costs half of a write, so that most of the capacity would go into refusing; one made
 * from the raw bytes costs a quarter (docs/decisions/0013-refuse-before-parsing.md).
 *
 * During an overload a connection is watched from the moment when it opens, or a request comes on
 * it. Its bytes then come by here and go on to the parser, unless all of this holds: it is known
 * that the parser stands between two requests, no answer is under way, what comes begins with a
 * simple request, and there is a reason to refuse it. The sender is asked for no token: it is told
 * no more than that the node is busy.
 */
import type { Socket } from 'node:net'
import type { AwaitedBody } from '../body-bounds.ts'
import type { Connection } from '../connections.ts'
import { operationIndex } from '../metrics.ts'
import type { Services } from '../services.ts'
import { RefusalText } from './refusal-text.ts'
import { readSimpleRequest, type SimpleRequest } from './simple-request.ts'

export class Shedder {
  readonly #services: Services
  readonly #text: RefusalText

  constructor(services: Services) {
    this.#services = services
    this.#text = new RefusalText(services.env, services.limits.keepAliveTimeoutMs)
  }

  /**
   * In an overload, lets what comes from now on pass by here first. Called when a connection opens
   * or a request has come.
   */
  watch(connection: Connection): void {
    if (this.#services.admission.refusal === undefined) return
    if (connection.watch !== undefined || connection.isPeer) return
    connection.watch = new Watch(connection, this.#services, this.#text)
  }

  /** The connection speaks something else from now on. */
  release(connection: Connection): void {
    connection.watch?.end()
    connection.watch = undefined
  }
}

/**
 * Where the parser stands, as far as is known: between two requests, within the body of one, or
 * anywhere.
 */
type Place = 'between' | 'within' | 'unknown'

class Watch implements AwaitedBody {
  readonly #connection: Connection
  readonly #socket: Socket
  readonly #services: Services
  readonly #text: RefusalText
  /** Node's own, which feed the parser. */
  readonly #parsers: readonly ((chunk: Buffer) => void)[]
  /** A first request is the parser's in any case: Node waits for one only so long. */
  #place: Place = 'unknown'
  /** Bytes of the body that are still to come, within one. */
  #rest = 0
  /** The request that the place is within was refused: its body is for nobody. */
  #refused = false

  constructor(connection: Connection, services: Services, text: RefusalText) {
    this.#connection = connection
    this.#socket = connection.socket
    this.#services = services
    this.#text = text
    const socket = this.#socket
    this.#parsers = socket.listeners('data') as ((chunk: Buffer) => void)[]
    // With a listener of ours Node hands the bytes to listeners instead of straight to the parser.
    socket.on('data', this.#take)
    for (const parser of this.#parsers) socket.removeListener('data', parser)
    socket.once('close', () => services.slowBodies.forget(this))
  }

  /** The body of a refused request took too long. Its answer is long out. */
  fail(): void {
    this.#socket.destroy()
  }

  end(): void {
    this.#socket.removeListener('data', this.#take)
  }

  readonly #take = (bytes: Buffer): void => {
    let chunk = bytes
    if (this.#place === 'within') {
      const more = this.#takeBody(chunk)
      if (more === undefined) return
      chunk = more
    }
    // Most of the time there is no reason to look.
    const { admission } = this.#services
    const request = admission.refusal === undefined ? undefined : readSimpleRequest(chunk)
    if (request === undefined) return this.#passUnknown(chunk)
    const rest = request.headBytes + request.bodyBytes - chunk.length
    if (rest < 0) return this.#passUnknown(chunk)
    if (!this.#mayRefuse(rest) || !this.#refuse(request)) return this.#pass(chunk, rest)
    if (rest > 0) this.#services.slowBodies.watch(this)
    this.#enter(rest, true)
  }

  /** What is behind the body, of a refused request only: everything else is the parser's. */
  #takeBody(chunk: Buffer): Buffer | undefined {
    if (this.#refused) {
      const mine = Math.min(this.#rest, chunk.length)
      this.#enter(this.#rest - mine, true)
      if (this.#rest === 0) this.#services.slowBodies.forget(this)
      return mine < chunk.length ? chunk.subarray(mine) : undefined
    }
    const rest = this.#rest - chunk.length
    if (rest < 0) this.#passUnknown(chunk)
    else {
      this.#feed(chunk)
      this.#enter(rest, false)
    }
    return undefined
  }

  /** The place behind bytes that were taken: `rest` bytes of the request are to come. */
  #enter(rest: number, refused: boolean): void {
    this.#rest = rest
    this.#refused = refused
    if (rest > 0) this.#place = 'within'
    else this.#place = refused || this.#lastIsComplete() ? 'between' : 'unknown'
  }

  #mayRefuse(rest: number): boolean {
    const { last, failure, surplus } = this.#connection
    const { drain, limits } = this.#services
    return (
      this.#place === 'between' &&
      (last === undefined || last.writableFinished) &&
      // Whoever does not read answers is not sent more of them.
      this.#socket.writableLength === 0 &&
      failure === undefined &&
      surplus === undefined &&
      drain === 'none' &&
      rest <= limits.lingerBytesMax
    )
  }

  #refuse({ operation }: SimpleRequest): boolean {
    const { admission, metrics } = this.#services
    const refusal = admission.admit(operation === 'get' ? 'read' : 'write')
    if (refusal === undefined) return false
    metrics.record(operationIndex[operation], refusal.status, 0)
    this.#socket.write(this.#text.write(refusal, this.#services.nextRequestId()), 'latin1')
    return true
  }

  /**
   * Hands on what looks like one simple request. The parser stands at its end afterwards if it was
   * not within a body before, and found just one request in it: were there half a head before, the
   * new head would have become a part of that one, and would have ended at the same place.
   */
  #pass(chunk: Buffer, rest: number): void {
    const wasComplete = this.#lastIsComplete()
    const { requests } = this.#connection
    this.#feed(chunk)
    if (wasComplete && this.#connection.requests === requests + 1) this.#enter(rest, false)
    else this.#place = 'unknown'
  }

  #passUnknown(chunk: Buffer): void {
    this.#place = 'unknown'
    this.#feed(chunk)
  }

  #feed(chunk: Buffer): void {
    for (const parser of this.#parsers) parser.call(this.#socket, chunk)
  }

  #lastIsComplete(): boolean {
    const { last } = this.#connection
    return last === undefined || last.req.complete
  }
}
