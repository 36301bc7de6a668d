import { invariant, kibibytes, limits } from '@shoal/kernel'
import {
  frameBodyBytesMax,
  frameTypes,
  headerBytes,
  lengthBytes,
  questionHeaderBytes,
  tracedHeaderBytes,
} from './format.ts'

/** From this size on a body is not copied but handed to the socket as it is. */
export const referencedBodyBytesMin = kibibytes(64)

const FIRST_BUFFER = kibibytes(16)
const LARGEST_BUFFER = kibibytes(256)

const NOTHING = new Uint8Array(0)

/**
 * Collects the frames that leave for one peer in one turn. Frames are written straight into one
 * buffer, which is used again for the next turn when the kernel has taken all of it; so the usual
 * turn costs one copy and no allocation. What no longer fits goes into a second, larger buffer,
 * never through a copy of the first.
 */
export class FrameWriter {
  #buffer: Buffer = Buffer.allocUnsafeSlow(FIRST_BUFFER)
  /** Bytes of `#buffer` that already belong to a finished piece. */
  #sealed = 0
  #at = 0
  #pieces: Uint8Array[] = []
  #piecesBytes = 0

  /** Bytes waiting. */
  get pending(): number {
    return this.#piecesBytes + this.#at - this.#sealed
  }

  /**
   * @param timeout  milliseconds, a whole number below 2^32
   * @param body  at most `frameBodyBytesMax`; from `referencedBodyBytesMin` on it is not copied and
   *              must never change
   */
  question(kind: number, id: number, epoch: number, timeout: number, body: Uint8Array): void {
    const at = this.#header(frameTypes.question, kind, id, questionHeaderBytes, body)
    const buffer = this.#buffer
    writeU32(buffer, at + headerBytes, epoch)
    writeU32(buffer, at + headerBytes + 4, timeout)
    this.#body(body)
  }

  /** As `question`. @param trace  1 byte to `peerTraceBytesMax`; copied */
  tracedQuestion(
    kind: number,
    id: number,
    epoch: number,
    timeout: number,
    body: Uint8Array,
    trace: Uint8Array,
  ): void {
    const { length } = trace
    invariant(length > 0 && length <= limits.peerTraceBytesMax, 'a trace fits its place')
    const header = tracedHeaderBytes + length
    const at = this.#header(frameTypes.tracedQuestion, kind, id, header, body)
    const buffer = this.#buffer
    writeU32(buffer, at + headerBytes, epoch)
    writeU32(buffer, at + headerBytes + 4, timeout)
    buffer[at + headerBytes + 8] = length >>> 8
    buffer[at + headerBytes + 9] = length & 0xff
    buffer.set(trace, at + tracedHeaderBytes)
    this.#body(body)
  }

  /** Any frame but a question. */
  frame(type: number, kind: number, id: number, body: Uint8Array = NOTHING): void {
    this.#header(type, kind, id, headerBytes, body)
    this.#body(body)
  }

  /**
   * What is to be written now, in order. To be followed by `taken` or `handedOver` before the next
   * frame.
   */
  pieces(): readonly Uint8Array[] {
    this.#seal()
    return this.#pieces
  }

  /** The bytes of `pieces` have been copied: the buffer may be used again. */
  taken(): void {
    this.#pieces = []
    this.#piecesBytes = 0
    this.#at = this.#sealed = 0
  }

  /** The bytes of `pieces` are still referenced by the socket: the buffer now belongs to it. */
  handedOver(): void {
    const size = this.#buffer.length
    this.taken()
    this.#buffer = Buffer.allocUnsafeSlow(size)
  }

  /** Gives back the memory of a busy time. */
  shrink(): void {
    if (this.pending > 0 || this.#buffer.length === FIRST_BUFFER) return
    this.#buffer = Buffer.allocUnsafeSlow(FIRST_BUFFER)
  }

  /** @returns where the header was begun. */
  #header(type: number, kind: number, id: number, header: number, body: Uint8Array): number {
    invariant(body.length <= frameBodyBytesMax, 'a body fits one frame')
    const copied = body.length < referencedBodyBytesMin ? body.length : 0
    if (this.#at + header + copied > this.#buffer.length) this.#grow(header + copied)
    const at = this.#at
    const buffer = this.#buffer
    writeU32(buffer, at, header - lengthBytes + body.length)
    buffer[at + 4] = type
    buffer[at + 5] = kind
    writeU32(buffer, at + 6, id)
    this.#at = at + header
    return at
  }

  #body(body: Uint8Array): void {
    if (body.length >= referencedBodyBytesMin) {
      this.#seal()
      this.#pieces.push(body)
      this.#piecesBytes += body.length
    } else if (body.length > 0) {
      this.#buffer.set(body, this.#at)
      this.#at += body.length
    }
  }

  #seal(): void {
    if (this.#at === this.#sealed) return
    this.#pieces.push(this.#buffer.subarray(this.#sealed, this.#at))
    this.#piecesBytes += this.#at - this.#sealed
    this.#sealed = this.#at
  }

  #grow(needed: number): void {
    this.#seal()
    const doubled = Math.min(this.#buffer.length * 2, LARGEST_BUFFER)
    this.#buffer = Buffer.allocUnsafeSlow(Math.max(doubled, needed))
    this.#at = this.#sealed = 0
  }
}

function writeU32(bytes: Buffer, at: number, value: number): void {
  bytes[at] = value >>> 24
  bytes[at + 1] = (value >>> 16) & 0xff
  bytes[at + 2] = (value >>> 8) & 0xff
  bytes[at + 3] = value & 0xff
}
