import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { type Clock, limits, type Millis, seconds } from '@shoal/kernel'
import {
  encodeRefused,
  FrameDecoder,
  type FrameHandler,
  FrameWriter,
  frameTypes,
} from '@shoal/wire'

/** How long a closing connection waits for the other side to read the last words. */
const LINGER: Millis = seconds(1)

export interface ConnectionOptions {
  readonly socket: Duplex
  readonly clock: Clock
  readonly handler: FrameHandler
  /**
   * Called once if the connection ends by itself; never after `close` or `end`, never from inside
   * the constructor.
   */
  readonly onEnd: (reason: string) => void
}

/**
 * One upgraded socket with its decoder and its output buffer. Knows frames, not what they mean.
 *
 * At most one write is under way: what is written meanwhile waits in the buffer and leaves in
 * one piece when the kernel has taken the rest.
 */
export class Connection {
  readonly writer = new FrameWriter()
  readonly #socket: Duplex
  readonly #clock: Clock
  readonly #decoder: FrameDecoder
  #onEnd: (reason: string) => void
  readonly #onWritten = () => this.#written()
  #over = false
  #heard = false
  #writing = false

  constructor({ socket, clock, handler, onEnd }: ConnectionOptions) {
    this.#socket = socket
    this.#clock = clock
    this.#onEnd = onEnd
    this.#decoder = new FrameDecoder(handler, limits.peerOpeningBytesMax)
    if (isNetworkSocket(socket)) {
      socket.setNoDelay(true)
      socket.setTimeout(0)
    }
    socket.on('error', (error: NodeJS.ErrnoException) => this.#ended(error.code ?? error.message))
    socket.on('end', () => this.#ended('the peer closed the connection'))
    socket.on('close', () => this.#ended('the connection closed'))
  }

  /** @param head  bytes that came with the HTTP head */
  open(head: Buffer): void {
    if (head.length > 0) this.#take(head)
    if (this.#over) return
    this.#socket.on('data', (chunk: Buffer) => this.#take(chunk))
    // The dialling library has read with another method before; without this nothing would flow.
    this.#socket.resume()
  }

  get isOver(): boolean {
    return this.#over
  }

  /** Who takes the frames from now on, and hears of the end. */
  handOver(handler: FrameHandler, onEnd: (reason: string) => void): void {
    this.#decoder.handler = handler
    this.#onEnd = onEnd
  }

  admit(frameBytesMax: number): void {
    this.#decoder.bound = frameBytesMax
  }

  /** Whether anything came since the last call. */
  takeHeard(): boolean {
    const heard = this.#heard
    this.#heard = false
    return heard
  }

  /** Bytes written and not yet taken by the kernel. */
  get waiting(): number {
    return this.writer.pending + this.#socket.writableLength
  }

  /**
   * Writes what the turn has collected, in one call of the operating system where it can take it.
   */
  flush(): void {
    const { writer } = this
    if (this.#writing || this.#over || writer.pending === 0) return
    this.#write(writer.pieces())
    if (this.#socket.writableLength === 0) {
      this.#writing = false
      writer.taken()
    } else {
      writer.handedOver()
    }
  }

  /** Cuts the connection now. */
  close(): void {
    if (this.#over) return
    this.#stop()
    this.#socket.destroy()
  }

  /** Closes after what was written has been read, or after a second. */
  end(): void {
    if (this.#over) return
    this.#write(this.writer.pieces())
    this.#stop()
    this.#socket.end()
    // What still arrives is read and dropped: unread bytes would make the kernel reset the
    // connection, and the last words would be lost with it.
    const timer = this.#clock.after(LINGER, () => this.#socket.destroy())
    this.#socket.once('close', () => timer.cancel())
    this.#socket.once('end', () => this.#socket.destroy())
  }

  /** Ends the connection because of what the peer sent, and tells it. */
  fail(words: string): void {
    if (this.#over) return
    const body = encodeRefused(
      { code: 'SHOAL_FRAME_INVALID', words },
      limits.peerOpeningBytesMax / 2,
    )
    this.writer.frame(frameTypes.refused, 0, 0, body)
    this.end()
    this.#onEnd(words)
  }

  /** Resolves when the socket is closed. */
  closed(): Promise<void> {
    if (this.#socket.closed) return Promise.resolve()
    return new Promise((resolve) => this.#socket.once('close', () => resolve()))
  }

  #write(pieces: readonly Uint8Array[]): void {
    const last = pieces.length - 1
    if (last < 0) return
    const socket = this.#socket
    this.#writing = true
    if (last === 0) {
      socket.write(pieces[0], this.#onWritten)
      return
    }
    socket.cork()
    for (let index = 0; index < last; index++) socket.write(pieces[index])
    socket.write(pieces[last], this.#onWritten)
    socket.uncork()
  }

  #written(): void {
    if (!this.#writing || this.#socket.writableLength > 0) return
    this.#writing = false
    this.flush()
  }

  #take(chunk: Buffer): void {
    this.#heard = true
    const reason = this.#decoder.push(chunk)
    if (reason !== undefined) this.fail(`malformed: ${reason}`)
  }

  #ended(reason: string): void {
    if (this.#over) return
    this.#stop()
    this.#socket.destroy()
    this.#onEnd(reason)
  }

  #stop(): void {
    this.#over = true
    this.#decoder.stop()
  }
}

function isNetworkSocket(socket: Duplex): socket is Socket {
  return 'setNoDelay' in socket
}
