/** Node's HTTP server with our bounds, and answers where it has none or a bare one. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { limits, millis, ShoalError } from '@shoal/kernel'
import { headerNames, peerUpgradeProtocol } from '@shoal/wire'
import { Connections, closeWith, connectionOf } from './connections.ts'
import { Exchange } from './exchange.ts'
import { Handshakes } from './handshakes.ts'
import { fieldError } from './headers/fault.ts'
import { type AnyServer, connectionEvent, createListener } from './listener.ts'
import type { UpgradeListener } from './ports.ts'
import { rawProblem } from './raw-answers.ts'
import type { Services } from './services.ts'
import { Shedder } from './shedding/shedder.ts'

type Handler = (request: IncomingMessage, response: ServerResponse) => void

export const methods = 'DELETE, GET, HEAD, POST, PUT'

export class NodeServer {
  readonly server: AnyServer
  readonly #services: Services
  readonly #handler: Handler
  readonly #connections: Connections
  readonly #handshakes: Handshakes
  readonly #shedder: Shedder
  #upgrades: UpgradeListener | undefined

  /** @param handler  takes every request that is sound enough to be routed */
  constructor(services: Services, handler: Handler) {
    this.#services = services
    this.#handler = handler
    this.#shedder = new Shedder(services)
    this.server = createListener(serverOptions(services), services.tls)
    this.#handshakes = new Handshakes(this.server, services)
    const { env, limits: bounds, metrics } = services
    this.#connections = new Connections(this.server, { env, limits: bounds, metrics })
    this.server.on(connectionEvent(this.server), (socket: Socket) =>
      this.#shedder.watch(connectionOf(socket)),
    )
    this.server.timeout = 2 * limits.timeoutMax
    // A client may close its half after the request and still be waiting for the answer.
    Object.assign(this.server, { httpAllowHalfOpen: true })
    this.server.on('request', this.#take)
    // Answered when the body is wanted, so that a request refused by its headers sends none.
    this.server.on('checkContinue', this.#take)
    this.server.on('checkExpectation', this.#refuseExpectation)
    this.server.on('connect', (_request, socket: Duplex) => this.#refuseConnect(socket as Socket))
  }

  /** For the end of the node. */
  dropSilent(): void {
    this.#handshakes.drop()
    this.#connections.dropSilent()
  }

  /** Resolves when no client is connected any more. */
  clientsGone(): Promise<void> {
    return this.#connections.clientsGone()
  }

  /** Peers come in by `Upgrade`; until somebody listens, the header is ignored. */
  onUpgrade(listener: UpgradeListener): void {
    this.#upgrades = listener
    this.server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      this.#shedder.release(connectionOf(socket as Socket))
      if (!isPeer(request)) return this.#refuseUpgrade(socket as Socket)
      const tcp = socket as Socket
      this.#connections.keep(tcp)
      tcp.setTimeout(0)
      this.#upgrades?.(request, socket, head)
    })
  }

  /** For Node's parser errors; fastify attaches it. */
  readonly onClientError = (error: Error & { code?: string }, socket: Socket): void => {
    const connection = connectionOf(socket)
    if (error.code === 'ECONNRESET' || socket.destroyed || !socket.writable) {
      return void socket.destroy()
    }
    // The parser repeats itself with every byte that comes.
    if (connection.failure !== undefined) return
    const { env, metrics, limits: bounds } = this.#services
    metrics.malformed++
    const failure = parserFailure(error, bounds.headersTimeoutMs)
    connection.failure = failure
    if (connection.body !== undefined) return connection.body.fail(failure)
    const { last } = connection
    if (last !== undefined && !last.writableFinished) {
      // An answer is under way and has a meaning of its own: it goes out, then the connection ends.
      last.once('close', () => socket.destroySoon())
      return
    }
    const more = failure.status === 405 ? [`${headerNames.allow}: ${methods}`] : []
    closeWith(socket, rawProblem(failure, more), { env, lingerMs: bounds.lingerMs })
  }

  readonly #take = (request: IncomingMessage, response: ServerResponse): void => {
    const connection = connectionOf(request.socket)
    if (connection.failure !== undefined) return
    if (connection.silent) this.#connections.heard(connection)
    connection.last = response
    connection.requests++
    this.#shedder.watch(connection)
    const url = request.url ?? ''
    if (url.charCodeAt(0) !== SLASH) request.url = originForm(url)
    const failure =
      connection.surplus !== undefined ? this.#connections.refusal() : framingFault(request)
    if (failure === undefined) return this.#handler(request, response)
    new Exchange(this.#services, { request, response, operation: 'other' }).fail(failure)
  }

  readonly #refuseExpectation = (request: IncomingMessage, response: ServerResponse): void => {
    const message = 'only 100-continue is known'
    const failure = fieldError('SHOAL_HEADER_INVALID', { field: 'Expect', offset: 0, message })
    new Exchange(this.#services, { request, response, operation: 'other' }).fail(failure)
  }

  #refuseConnect(socket: Socket): void {
    this.#shedder.release(connectionOf(socket))
    const failure = new ShoalError('SHOAL_METHOD_NOT_ALLOWED', 'this is not a proxy', {
      wanted: methods,
      got: 'CONNECT',
    })
    this.#lastWords(socket, rawProblem(failure, [`${headerNames.allow}: ${methods}`]))
  }

  /** Only where Node has no `shouldUpgradeCallback`: older versions hand over every upgrade. */
  #refuseUpgrade(socket: Socket): void {
    const message = `only ${peerUpgradeProtocol} is known; send the request without it`
    const failure = fieldError('SHOAL_HEADER_INVALID', { field: 'Upgrade', offset: 0, message })
    this.#lastWords(socket, rawProblem(failure))
  }

  #lastWords(socket: Socket, bytes: string): void {
    socket.on('error', () => socket.destroy())
    const { env, limits: bounds } = this.#services
    closeWith(socket, bytes, { env, lingerMs: bounds.lingerMs })
    socket.resume()
  }
}

const SLASH = 0x2f
const CHECK_INTERVAL_MS = 1_000

/** Not all of these are in the types of every Node version that we run on. */
const serverOptions = (services: Services) => {
  const { headersTimeoutMs, keepAliveTimeoutMs } = services.limits
  return {
    maxHeaderSize: limits.headerBytesMax,
    headersTimeout: headersTimeoutMs,
    // Bodies have a time of their own that stands still while this node is the slow one.
    requestTimeout: 0,
    keepAliveTimeout: keepAliveTimeoutMs,
    connectionsCheckingInterval: Math.min(CHECK_INTERVAL_MS, headersTimeoutMs),
    noDelay: true,
    // The header is demanded here, with a reason; repeated ones are joined and then found
    // malformed.
    requireHostHeader: false,
    joinDuplicateHeaders: true,
    shouldUpgradeCallback: isPeer,
  }
}

const isPeer = ({ headers }: IncomingMessage): boolean =>
  headers.upgrade?.toLowerCase() === peerUpgradeProtocol

/** `GET http://host/path` is allowed to anyone and means `GET /path` here. */
function originForm(url: string): string {
  const path = url.replace(/^https?:\/\/[^/?#]*/i, '')
  return path.startsWith('/') || path === '*' ? path : `/${path}`
}

/** What the parser lets through and we cannot serve. */
function framingFault(request: IncomingMessage): ShoalError | undefined {
  if (request.httpVersionMajor !== 1) {
    return new ShoalError('SHOAL_REQUEST_INVALID', 'the request line names no HTTP/1 version')
  }
  const coding = request.headers['transfer-encoding']
  if (coding === undefined || coding.toLowerCase() === 'chunked') return hostFault(request)
  const message = 'only chunked is known'
  const place = { field: 'Transfer-Encoding', offset: 0, message }
  return fieldError('SHOAL_HEADER_INVALID', place, { got: coding })
}

const hostText = /^[^\s,/?#@]*$/

function hostFault({ headers, httpVersion }: IncomingMessage): ShoalError | undefined {
  const { host } = headers
  if (host === undefined) {
    if (httpVersion === '1.0') return undefined
    return fieldError('SHOAL_HEADER_INVALID', { field: 'Host', message: 'HTTP/1.1 demands one' })
  }
  if (hostText.test(host)) return undefined
  const message = 'it is one host, with a port or without'
  return fieldError('SHOAL_HEADER_INVALID', { field: 'Host', offset: 0, message }, { got: host })
}

/** What Node's parser found wrong, in the words of the catalogue. */
export function parserFailure(
  error: Error & { code?: string },
  headersTimeoutMs: number,
): ShoalError {
  switch (error.code) {
    case 'HPE_HEADER_OVERFLOW':
      return new ShoalError('SHOAL_HEADERS_TOO_LARGE', 'request line and headers are too large', {
        wanted: limits.headerBytesMax,
      })
    case 'HPE_INVALID_METHOD':
      return new ShoalError('SHOAL_METHOD_NOT_ALLOWED', 'no such method', { wanted: methods })
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new ShoalError(
        'SHOAL_HEADERS_TIMEOUT',
        `no whole request head within ${millis(headersTimeoutMs)} ms`,
        { wanted: headersTimeoutMs },
      )
    case 'HPE_INVALID_EOF_STATE':
      return new ShoalError('SHOAL_BODY_INCOMPLETE', 'the request ended early')
    default:
      return new ShoalError('SHOAL_REQUEST_INVALID', `not HTTP/1.1: ${error.message}`, {
        got: error.code ?? error.name,
      })
  }
}
