/**
 * Bodies of requests.
 *
 * A body that arrives in one piece with its headers, which is the common case, is taken as it is:
 * no listener, no copy. Only a body that is still on its way gets a buffer, a place among the slow
 * ones and the attention of its connection.
 */
import type { IncomingMessage } from 'node:http'
import { ShoalError } from '@shoal/kernel'
import { connectionOf } from './connections.ts'
import type { Exchange } from './exchange.ts'

export const noBody: Buffer = Buffer.alloc(0)

export interface BodyRules {
  readonly bytesMax: number
  /** What the limit is called in the error. */
  readonly what: 'value' | 'batch' | 'body' | 'line'
}

type Done = (exchange: Exchange, body: Buffer | ShoalError) => void

/** What Content-Length says; undefined when the length is not known beforehand. */
export function statedLength({ headers }: IncomingMessage): number | undefined {
  const stated = headers['content-length']
  if (stated !== undefined) return Number(stated)
  return headers['transfer-encoding'] === undefined ? 0 : undefined
}

/**
 * Collects a whole body. `done` is called once, later; never when the client goes away meanwhile:
 * then nothing is written and nobody is there to be told.
 *
 * Errors: SHOAL_VALUE_TOO_LARGE, SHOAL_BODY_TIMEOUT, SHOAL_BODY_INCOMPLETE, SHOAL_OVERLOADED.
 */
export function collectBody(exchange: Exchange, rules: BodyRules, done: Done): void {
  const stated = statedLength(exchange.request)
  if (stated !== undefined && stated > rules.bytesMax) {
    process.nextTick(done, exchange, tooLarge(rules, stated))
    return
  }
  allowToSend(exchange)
  process.nextTick(takeArrived, exchange, rules, done)
}

/**
 * What came with the headers is there one tick later. Node runs ticks between the last body byte
 * and the end of the message, so all bytes being there is looked at beside `complete`.
 */
function takeArrived(exchange: Exchange, rules: BodyRules, done: Done): void {
  const { request } = exchange
  if (!request.complete && request.readableLength !== statedLength(request)) {
    const { failure } = connectionOf(request.socket)
    const collector = new Collector(exchange, rules, done)
    if (failure !== undefined) collector.fail(failure)
    return
  }
  const body: Buffer = request.read() ?? noBody
  if (body.length > rules.bytesMax) return done(exchange, tooLarge(rules, body.length))
  if (!exchange.hold(body.length)) return done(exchange, exchange.services.bodies.overload())
  done(exchange, body)
}

/** Answers `Expect: 100-continue` now that the body is wanted. */
export function allowToSend({ request, response }: Exchange): void {
  if (request.headers.expect !== undefined && request.httpVersion !== '1.0')
    response.writeContinue()
}

export function tooLarge({ bytesMax, what }: BodyRules, got?: number): ShoalError {
  const size = got === undefined ? `more than ${bytesMax}` : String(got)
  const detail = `the ${what} has ${size} bytes, at most ${bytesMax} are allowed`
  return new ShoalError('SHOAL_VALUE_TOO_LARGE', detail, {
    wanted: bytesMax,
    ...(got === undefined ? {} : { got }),
  })
}

export function incomplete(received: number, stated: number | undefined): ShoalError {
  const of = stated === undefined ? 'before its last chunk' : `after ${received} of ${stated} bytes`
  return new ShoalError('SHOAL_BODY_INCOMPLETE', `the body ended ${of}`, {
    got: received,
    ...(stated === undefined ? {} : { wanted: stated }),
  })
}

/** Gathers a body that comes in pieces. */
class Collector {
  readonly #exchange: Exchange
  readonly #rules: BodyRules
  readonly #done: Done
  readonly #stated: number | undefined
  readonly #pieces: Buffer[] = []
  #received = 0
  #over = false

  constructor(exchange: Exchange, rules: BodyRules, done: Done) {
    this.#exchange = exchange
    this.#rules = rules
    this.#done = done
    const { request, services } = exchange
    this.#stated = statedLength(request)
    connectionOf(request.socket).body = this
    services.slowBodies.watch(this)
    request.on('data', this.#take)
    request.on('end', this.#end)
    request.on('close', this.#closed)
    request.on('error', ignore)
  }

  fail(error: ShoalError): void {
    this.#finish(error.code === 'SHOAL_BODY_INCOMPLETE' ? this.#cutOff() : error)
  }

  #cutOff(): ShoalError {
    return incomplete(this.#received, this.#stated)
  }

  readonly #take = (piece: Buffer): void => {
    this.#received += piece.length
    if (this.#received > this.#rules.bytesMax) return this.#finish(tooLarge(this.#rules))
    if (!this.#exchange.hold(piece.length)) {
      return this.#finish(this.#exchange.services.bodies.overload())
    }
    this.#pieces.push(piece)
  }

  readonly #end = (): void => {
    const [only] = this.#pieces
    const whole = this.#pieces.length === 1 && only !== undefined
    this.#finish(whole ? only : Buffer.concat(this.#pieces, this.#received))
  }

  readonly #closed = (): void => {
    if (this.#over) return
    this.#leave()
    this.#exchange.abandon()
  }

  #finish(result: Buffer | ShoalError): void {
    if (this.#over) return
    this.#leave()
    this.#exchange.closing = result instanceof ShoalError
    this.#done(this.#exchange, result)
  }

  #leave(): void {
    this.#over = true
    const { request, services } = this.#exchange
    services.slowBodies.forget(this)
    const connection = connectionOf(request.socket)
    if (connection.body === this) connection.body = undefined
    request.off('data', this.#take)
    request.off('end', this.#end)
    request.off('close', this.#closed)
  }
}

/** An aborted request also ends in 'close', which is where it is dealt with. */
const ignore = (): void => {}
