/** Where the items of a batch come from: a JSON document, or lines as they arrive. */
import { limits, ShoalError } from '@shoal/kernel'
import { allowToSend, incomplete, statedLength } from '../body.ts'
import { connectionOf } from '../connections.ts'
import type { Exchange } from '../exchange.ts'
import { BatchDocument } from '../schemas/batch.ts'
import { compileCheck, invalid, parseJson } from '../validation.ts'

/** An item as sent, or why it is none. `bytes` is about what it holds in memory. */
export interface Entry {
  readonly item: unknown
  readonly fault?: ShoalError
  readonly bytes: number
}

export interface Source {
  /** The next item, undefined after the last. @throws ShoalError when no more can come */
  next(): Promise<Entry | undefined>
}

const checkDocument = compileCheck(BatchDocument)

/** @throws SHOAL_BODY_INVALID when the document as a whole is wrong */
export function fromDocument(body: Buffer): Source {
  const document = parseJson(body)
  const errors = checkDocument(document, 'body')
  if (errors.length > 0) throw invalid('SHOAL_BODY_INVALID', errors)
  const { operations } = document as { operations: unknown[] }
  const bytes = Math.ceil(body.length / operations.length)
  let at = 0
  return {
    next: async () => (at < operations.length ? { item: operations[at++], bytes } : undefined),
  }
}

/** Reads a body piece by piece, and no faster than it is asked. */
class PieceReader {
  readonly #exchange: Exchange
  #received = 0
  #failure: ShoalError | undefined
  #wake: (() => void) | undefined

  constructor(exchange: Exchange) {
    this.#exchange = exchange
    const { request } = exchange
    const wake = (): void => this.#wake?.()
    request.on('readable', wake)
    request.on('end', wake)
    request.on('close', wake)
    request.on('error', wake)
  }

  /** @throws SHOAL_BODY_TIMEOUT, SHOAL_BODY_INCOMPLETE */
  async next(): Promise<Buffer | undefined> {
    const { request } = this.#exchange
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure
      const piece = request.read() as Buffer | null
      if (piece !== null) {
        this.#received += piece.length
        return piece
      }
      if (request.readableEnded || request.complete) return undefined
      if (request.destroyed) throw this.#cutOff()
      await this.#wait()
    }
  }

  fail(error: ShoalError): void {
    this.#failure = error.code === 'SHOAL_BODY_INCOMPLETE' ? this.#cutOff() : error
    this.#wake?.()
  }

  #cutOff(): ShoalError {
    return incomplete(this.#received, statedLength(this.#exchange.request) || undefined)
  }

  /** Only while it waits for the client is the client being slow. */
  async #wait(): Promise<void> {
    const { request, services } = this.#exchange
    const connection = connectionOf(request.socket)
    if (connection.failure !== undefined) return this.fail(connection.failure)
    connection.body = this
    services.slowBodies.watch(this)
    await new Promise<void>((wake) => {
      this.#wake = wake
    })
    services.slowBodies.forget(this)
    this.#wake = undefined
    connection.body = undefined
  }
}

const LINE_END = 0x0a
const utf8 = new TextDecoder('utf-8', { fatal: true })

/** One JSON document on each line; empty lines are passed over. */
export function fromLines(exchange: Exchange): Source {
  allowToSend(exchange)
  const pieces = new PieceReader(exchange)
  const lines = new LineSplitter(exchange)
  let count = 0
  const next = async (): Promise<Entry | undefined> => {
    for (;;) {
      const line = lines.next()
      if (line !== undefined) {
        if (line.length === 0) continue
        if (++count > limits.batchOperationsMax) throw tooMany()
        return parseLine(line, count)
      }
      if (lines.finished) return undefined
      const piece = await pieces.next()
      if (piece === undefined) lines.finish()
      else lines.add(piece)
    }
  }
  return { next }
}

function parseLine(line: Buffer, count: number): Entry {
  try {
    return { item: JSON.parse(utf8.decode(line)), bytes: line.length }
  } catch (error) {
    const message = error instanceof Error ? error.message.slice(0, 200) : 'not JSON'
    const fault = invalid('SHOAL_BODY_INVALID', [{ field: `line ${count}`, message }])
    return { item: undefined, fault, bytes: line.length }
  }
}

function tooMany(): ShoalError {
  const max = limits.batchOperationsMax
  const message = `at most ${max} operations are allowed`
  return invalid('SHOAL_BODY_INVALID', [{ field: 'body', message }])
}

/**
 * Cuts pieces into lines. What is held of an unfinished line counts as body bytes of the request.
 */
class LineSplitter {
  readonly #exchange: Exchange
  #waiting: Buffer[] = []
  #held = 0
  #piece: Buffer | undefined
  #at = 0
  finished = false

  constructor(exchange: Exchange) {
    this.#exchange = exchange
  }

  add(piece: Buffer): void {
    this.#piece = piece
    this.#at = 0
  }

  /** The last line needs no line end. */
  finish(): void {
    this.#piece = undefined
    this.finished = true
  }

  /** The next whole line, undefined when another piece is needed. */
  next(): Buffer | undefined {
    if (this.#piece === undefined) return this.finished ? this.#last() : undefined
    const end = this.#piece.indexOf(LINE_END, this.#at)
    if (end < 0) {
      this.#keep(this.#piece.subarray(this.#at))
      this.#piece = undefined
      return undefined
    }
    const rest = this.#piece.subarray(this.#at, end)
    this.#at = end + 1
    return this.#joined(rest)
  }

  #last(): Buffer | undefined {
    return this.#held === 0 ? undefined : this.#joined(Buffer.alloc(0))
  }

  #joined(rest: Buffer): Buffer {
    if (this.#held === 0) return withoutReturn(rest)
    const line = Buffer.concat([...this.#waiting, rest])
    this.#exchange.release(this.#held)
    this.#waiting = []
    this.#held = 0
    return withoutReturn(line)
  }

  #keep(rest: Buffer): void {
    if (rest.length === 0) return
    if (this.#held + rest.length > limits.batchBodyBytesMax) {
      const bytesMax = limits.batchBodyBytesMax
      throw new ShoalError('SHOAL_VALUE_TOO_LARGE', `a line has more than ${bytesMax} bytes`, {
        wanted: bytesMax,
      })
    }
    if (!this.#exchange.hold(rest.length)) throw this.#exchange.services.bodies.overload()
    this.#waiting.push(rest)
    this.#held += rest.length
  }
}

const withoutReturn = (line: Buffer): Buffer =>
  line.at(-1) === 0x0d ? line.subarray(0, line.length - 1) : line
