import { invariant, limits } from '@shoal/kernel'
import { bodyOffset, frameTypes, headerBytes, lengthBytes } from './format.ts'

/** Who takes the frames. Calls come in the order of the bytes, all of them inside `push`. */
export interface FrameHandler {
  /** Any frame but a question. `body` is a view of received bytes and stays valid. */
  onFrame(type: number, kind: number, id: number, body: Buffer): void
  /** @param trace  what a traced question carries, unread */
  onQuestion(
    kind: number,
    id: number,
    epoch: number,
    timeout: number,
    body: Buffer,
    trace?: Buffer,
  ): void
}

const SHORTEST = headerBytes - lengthBytes

/**
 * Cuts a stream of bytes into frames.
 *
 * A frame that lies inside one chunk is handed on as a view of that chunk; one that straddles
 * chunks is copied once, into a buffer of the announced length. A length is believed only after it
 * was compared with the bound, so nobody can make this allocate more than one frame.
 *
 * The first malformed frame ends the stream: there is no way to find the next one behind it.
 */
export class FrameDecoder {
  /**
   * May change between frames, and inside a call of the handler: a channel opens with small frames.
   */
  handler: FrameHandler
  /** The largest frame accepted, its length field included. May change like the handler. */
  bound: number
  #stopped = false
  #reason: string | undefined
  /** A length field cut by the end of a chunk. */
  readonly #prefix = Buffer.alloc(lengthBytes)
  #prefixHeld = 0
  /** A frame cut by the end of a chunk, without its length field. */
  #frame: Buffer | undefined
  #frameHeld = 0

  constructor(handler: FrameHandler, bound: number) {
    invariant(bound >= headerBytes, 'the bound admits an empty frame', () => ({ bound }))
    this.handler = handler
    this.bound = bound
  }

  /** Ignores every further byte; also from inside a call of the handler. */
  stop(): void {
    this.#stopped = true
    this.#frame = undefined
    this.#frameHeld = this.#prefixHeld = 0
  }

  /** Bytes of an incomplete frame held now. */
  get held(): number {
    return this.#prefixHeld + this.#frameHeld
  }

  /**
   * Takes the next bytes of the stream. Views of them are handed on, so they must not change later.
   *
   * @returns  what is wrong with the stream, or undefined. Once something was wrong it stays so.
   */
  push(chunk: Buffer): string | undefined {
    if (this.#stopped) return this.#reason
    let at = this.#prefixHeld > 0 || this.#frame !== undefined ? this.#continue(chunk) : 0
    while (at >= 0 && at < chunk.length) at = this.#next(chunk, at)
    return this.#reason
  }

  /** @returns where the following frame begins, or -1 when the stream is over. */
  #next(chunk: Buffer, at: number): number {
    const rest = chunk.length - at
    if (rest < lengthBytes) {
      this.#prefix.set(chunk.subarray(at), 0)
      this.#prefixHeld = rest
      return chunk.length
    }
    const length = readU32(chunk, at)
    if (!this.#acceptable(length)) return -1
    const begin = at + lengthBytes
    if (rest - lengthBytes >= length) return this.#emit(chunk, begin, begin + length)
    this.#begin(length)
    return this.#fill(chunk, begin)
  }

  #continue(chunk: Buffer): number {
    let at = 0
    if (this.#frame === undefined) {
      while (this.#prefixHeld < lengthBytes && at < chunk.length) {
        this.#prefix[this.#prefixHeld++] = chunk[at++] as number
      }
      if (this.#prefixHeld < lengthBytes) return at
      const length = readU32(this.#prefix, 0)
      if (!this.#acceptable(length)) return -1
      this.#begin(length)
    }
    return this.#fill(chunk, at)
  }

  #begin(length: number): void {
    this.#prefixHeld = 0
    this.#frame = Buffer.allocUnsafe(length)
    this.#frameHeld = 0
  }

  #fill(chunk: Buffer, at: number): number {
    const frame = this.#frame as Buffer
    const end = Math.min(chunk.length, at + frame.length - this.#frameHeld)
    chunk.copy(frame, this.#frameHeld, at, end)
    this.#frameHeld += end - at
    if (this.#frameHeld < frame.length) return chunk.length
    this.#frame = undefined
    this.#frameHeld = 0
    return this.#emit(frame, 0, frame.length) < 0 ? -1 : end
  }

  #acceptable(length: number): boolean {
    if (length < SHORTEST)
      return this.#fail(`a frame of ${length} bytes is shorter than its header`)
    if (length > this.bound - lengthBytes) {
      return this.#fail(`a frame of ${length} bytes where ${this.bound - lengthBytes} are allowed`)
    }
    return true
  }

  #emit(bytes: Buffer, begin: number, end: number): number {
    const type = bytes[begin] as number
    const kind = bytes[begin + 1] as number
    const id = readU32(bytes, begin + 2)
    const body = begin + bodyOffset(type)
    if (body === begin || body > end) {
      this.#fail(body === begin ? `unknown frame type ${type}` : 'a question without its header')
      return -1
    }
    if (type === frameTypes.question) {
      const epoch = readU32(bytes, begin + 6)
      const timeout = readU32(bytes, begin + 10)
      this.handler.onQuestion(kind, id, epoch, timeout, bytes.subarray(body, end))
    } else if (type === frameTypes.tracedQuestion) {
      if (!this.#emitTraced(bytes, begin, end)) return -1
    } else {
      this.handler.onFrame(type, kind, id, bytes.subarray(body, end))
    }
    return this.#stopped ? -1 : end
  }

  #emitTraced(bytes: Buffer, begin: number, end: number): boolean {
    const at = begin + bodyOffset(frameTypes.tracedQuestion)
    const body = at + readU16(bytes, at - 2)
    if (body === at || body > end) return this.#fail('a traced question without its trace')
    if (body - at > limits.peerTraceBytesMax) return this.#fail(`a trace of ${body - at} bytes`)
    this.handler.onQuestion(
      bytes[begin + 1] as number,
      readU32(bytes, begin + 2),
      readU32(bytes, begin + 6),
      readU32(bytes, begin + 10),
      bytes.subarray(body, end),
      bytes.subarray(at, body),
    )
    return true
  }

  #fail(reason: string): false {
    this.#reason = reason
    this.stop()
    return false
  }
}

const readU16 = (bytes: Buffer, at: number): number =>
  ((bytes[at] as number) << 8) | (bytes[at + 1] as number)

/**
 * The caller has checked that four bytes are there. Several times faster than the checked method of
 * Buffer.
 */
function readU32(bytes: Buffer, at: number): number {
  return (
    (((bytes[at] as number) << 24) |
      ((bytes[at + 1] as number) << 16) |
      ((bytes[at + 2] as number) << 8) |
      (bytes[at + 3] as number)) >>>
    0
  )
}
