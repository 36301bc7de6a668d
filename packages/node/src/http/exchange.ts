/** One request and its one answer. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { RequestReport } from '@shoal/coordinator'
import { InvariantViolation, millis, ShoalError, toProblem } from '@shoal/kernel'
import { headerNames, mediaTypes } from '@shoal/wire'
import { anyone, type Caller } from '../security/scopes.ts'
import { type SlowLog, type SlowOperation, slowOperations } from '../slow-log.ts'
import type { RequestSpan } from '../tracing/spans.ts'
import { connectionOf } from './connections.ts'
import { type Operation, operationIndex } from './metrics.ts'
import { retryAfterSeconds } from './raw-answers.ts'
import type { Services } from './services.ts'
import { beginSpan, clientTrace } from './traced.ts'

export class Exchange {
  readonly services: Services
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly id: string
  readonly operation: Operation
  readonly #startedAt: number
  /** Who sent it, once the guard of its route has let it in. */
  caller: Caller = anyone
  /** The bucket it is about, once that was read; empty for none. */
  bucket = ''
  /** How the coordinator came to its answer. */
  report: RequestReport | undefined
  /** Follows the request, where somebody traces it. */
  readonly span: RequestSpan | undefined
  /** The code of the error that was answered. */
  failure: string | undefined
  /** The connection cannot go on after this answer. */
  closing = false
  #bodyBytes = 0
  #settled = false

  constructor(
    services: Services,
    {
      request,
      response,
      operation,
    }: {
      request: IncomingMessage
      response: ServerResponse
      operation: Operation
    },
  ) {
    this.services = services
    this.request = request
    this.response = response
    this.id = services.nextRequestId()
    this.operation = operation
    this.#startedAt = services.env.clock.elapsed()
    services.metrics.inFlight++
    this.span = beginSpan(this)
  }

  /** Answered, or given up because the client went away. */
  get settled(): boolean {
    return this.#settled
  }

  /**
   * Holds bytes of the body until the answer. False: too much is held already, over all requests.
   */
  hold(bytes: number): boolean {
    if (!this.services.bodies.take(bytes)) return false
    this.#bodyBytes += bytes
    return true
  }

  release(bytes: number): void {
    this.#bodyBytes -= bytes
    this.services.bodies.give(bytes)
  }

  /**
   * Sends the whole answer.
   *
   * @param lines  header names and values in turn; the ones every answer has are added to them
   * @param body   its Content-Length must be among the lines; left out on HEAD
   */
  answer(status: number, lines: string[], body?: Buffer | string): void {
    const elapsed = this.#settle(status)
    if (elapsed === undefined) return
    this.#addCommonLines(lines, elapsed)
    const { response } = this
    if (this.#mustClose()) return this.#lastAnswer(status, lines, body)
    response.writeHead(status, lines)
    response.end(body)
  }

  /** The head of an answer whose body is written piece by piece; `finish` ends it. */
  begin(status: number, lines: string[]): void {
    this.#addCommonLines(lines, this.services.env.clock.elapsed() - this.#startedAt)
    if (this.#mustClose()) lines.push(headerNames.connection, 'close')
    this.response.writeHead(status, lines)
    this.response.flushHeaders()
  }

  finish(rest: string): void {
    this.#settle(this.response.destroyed ? 0 : this.response.statusCode)
    this.response.end(rest)
  }

  /** For an answer that fastify sends: counts it, and gives the lines that every answer has. */
  handOver(status: number): readonly string[] {
    const elapsed = this.#settle(status)
    if (elapsed === undefined) return []
    const lines: string[] = []
    this.#addCommonLines(lines, elapsed)
    if (this.#mustClose()) lines.push(headerNames.connection, 'close')
    return lines
  }

  /** Any failure as a problem document; a bug is logged, and told under this request's id. */
  fail(error: unknown, lines: string[] = []): void {
    const known = error instanceof ShoalError ? error : this.#bug(error)
    this.failure = known.code
    if (this.response.headersSent) return this.#breakOff()
    addDetailLines(lines, known)
    this.answerJson(
      known.status,
      mediaTypes.problem,
      toProblem(known, `urn:shoal:request:${this.id}`),
      lines,
    )
    if (error instanceof InvariantViolation) this.services.env.halt(error)
  }

  /** Too late for an error answer: a body that ends early is the only way to say so. */
  #breakOff(): void {
    this.#settle(0)
    this.response.destroy()
  }

  answerJson(status: number, type: string, value: unknown, lines: string[] = []): void {
    const body = Buffer.from(JSON.stringify(value))
    lines.push(headerNames.contentType, type, headerNames.contentLength, String(body.length))
    this.answer(status, lines, body)
  }

  /** The client went away before its request was whole: nobody is left to answer. */
  abandon(): void {
    this.#settle(0)
  }

  /** Runs what may throw, and answers what it throws. */
  attempt(work: () => void): void {
    try {
      work()
    } catch (error) {
      this.fail(error)
    }
  }

  #settle(status: number): number | undefined {
    if (this.#settled) return undefined
    this.#settled = true
    const { metrics, env, bodies, slow } = this.services
    const elapsed = env.clock.elapsed() - this.#startedAt
    metrics.inFlight--
    metrics.record(operationIndex[this.operation], status, elapsed)
    if (slow?.isSlow(elapsed)) this.#noteSlow(slow, status, elapsed)
    this.span?.end({ status, failure: this.failure, bucket: this.bucket, report: this.report })
    if (this.#bodyBytes > 0) bodies.give(this.#bodyBytes)
    this.#bodyBytes = 0
    return elapsed
  }

  /** What a client takes to send its body is no fault of this node. */
  #noteSlow(slow: SlowLog, status: number, elapsed: number): void {
    const { operation, report, bucket, failure, id } = this
    const isTimed = slowOperations.some((each) => each === operation)
    if (!isTimed || (report === undefined && operation !== 'list')) return
    const receivedMs = report === undefined ? 0 : report.began - this.#startedAt
    const ms = elapsed - receivedMs
    if (!slow.isSlow(ms)) return
    slow.note({
      operation: operation as SlowOperation,
      ms,
      ...(operation === 'put' ? { receivedMs } : {}),
      bucket,
      requestId: id,
      traceId: this.traceId,
      outcome: failure ?? status,
      report,
    })
  }

  /** Of the trace that the request belongs to, for the log. */
  get traceId(): string | undefined {
    return this.span?.traceId ?? clientTrace(this.request)?.traceId
  }

  #addCommonLines(lines: string[], elapsed: number): void {
    lines.push(
      headerNames.requestId,
      this.id,
      headerNames.serverTiming,
      `total;dur=${Math.round(elapsed * 100) / 100}`,
      headerNames.cacheControl,
      'no-store',
      headerNames.contentTypeOptions,
      'nosniff',
    )
  }

  #mustClose(): boolean {
    const { failure, surplus } = connectionOf(this.request.socket)
    return (
      this.closing ||
      this.services.drain !== 'none' ||
      failure !== undefined ||
      surplus !== undefined ||
      this.#unreadBytes() > this.services.limits.lingerBytesMax
    )
  }

  /**
   * Bytes of the body that may still come. A short rest is read by Node and the connection goes on.
   */
  #unreadBytes(): number {
    const { request } = this
    if (request.complete || request.socket.readableEnded) return 0
    const { headers } = request
    if (headers.expect !== undefined || headers['transfer-encoding'] !== undefined)
      return Number.POSITIVE_INFINITY
    return Number(headers['content-length'] ?? 0)
  }

  /**
   * The last answer on a connection. If a body is still coming it is read on for a while and thrown
   * away: a connection closed on a sender is reset, and the answer is lost with it.
   */
  #lastAnswer(status: number, lines: string[], body: Buffer | string | undefined): void {
    const { request, response, services } = this
    lines.push(headerNames.connection, 'close')
    response.writeHead(status, lines)
    const unread = this.#unreadBytes() > 0 && body !== undefined && request.method !== 'HEAD'
    if (!unread) return void response.end(body)
    response.write(body)
    let drained = 0
    const { clock } = services.env
    let timer = clock.after(millis(services.limits.lingerMs), () => stop())
    const stop = (): void => {
      timer.cancel()
      response.end()
    }
    request.on('data', (chunk: Buffer) => {
      drained += chunk.length
      if (drained <= services.limits.lingerBytesMax) return
      // Enough. Closing at once would reset the connection, and the reset overtakes the answer: the
      // sender is held up and has a moment to read it.
      request.pause()
      timer.cancel()
      timer = clock.after(LAST_MOMENT, stop)
    })
    request.once('close', stop)
    request.once('end', stop)
    request.socket.once('end', stop)
  }

  #bug(error: unknown): ShoalError {
    const { log } = this.services
    const { url } = this.request
    const { traceId } = this
    const about = { requestId: this.id, url, ...(traceId === undefined ? {} : { traceId }) }
    log.error({ err: error, ...about }, 'request failed by a bug')
    const detail = `unexpected failure; look for ${this.id} in the log of this node`
    return new ShoalError('SHOAL_INTERNAL', detail, { extra: { errorId: this.id }, cause: error })
  }
}

/** For a sender of far too much to read its answer in. */
const LAST_MOMENT = millis(500)

/** Headers that an error has a meaning for. */
function addDetailLines(lines: string[], error: ShoalError): void {
  const { extra } = error.details
  const add = (name: string, value: string | undefined): void => {
    if (value !== undefined && !lines.includes(name)) lines.push(name, value)
  }
  add(headerNames.causalContext, extra?.context)
  add(headerNames.etag, extra?.etag)
  add(headerNames.session, extra?.session)
  add(headerNames.traceId, extra?.traceId)
  if (error.status === 401) add(headerNames.wwwAuthenticate, 'Bearer realm="shoal"')
  if (error.retry === 'after') lines.push(headerNames.retryAfter, String(retryAfterSeconds(error)))
}
