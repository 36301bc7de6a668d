import { ShoalError } from '@shoal/kernel'

/** Writes a message into a buffer that grows. All integers big-endian. */
export class ByteWriter {
  #buffer: Buffer
  #at = 0

  constructor(sizeHint = 256) {
    this.#buffer = Buffer.allocUnsafe(sizeHint)
  }

  u8(value: number): this {
    this.#room(1)
    this.#at = this.#buffer.writeUInt8(value, this.#at)
    return this
  }

  u16(value: number): this {
    this.#room(2)
    this.#at = this.#buffer.writeUInt16BE(value, this.#at)
    return this
  }

  u32(value: number): this {
    this.#room(4)
    this.#at = this.#buffer.writeUInt32BE(value, this.#at)
    return this
  }

  f64(value: number): this {
    this.#room(8)
    this.#at = this.#buffer.writeDoubleBE(value, this.#at)
    return this
  }

  /** UTF-8 behind a 32-bit length. */
  text(value: string): this {
    const length = Buffer.byteLength(value)
    this.u32(length)
    this.#room(length)
    this.#at += this.#buffer.write(value, this.#at)
    return this
  }

  /** Bytes behind a 32-bit length. */
  bytes(value: Uint8Array): this {
    this.u32(value.length)
    return this.raw(value)
  }

  raw(value: Uint8Array): this {
    this.#room(value.length)
    this.#buffer.set(value, this.#at)
    this.#at += value.length
    return this
  }

  list<T>(items: readonly T[], write: (item: T) => void): this {
    this.u32(items.length)
    for (const item of items) write(item)
    return this
  }

  finish(): Buffer {
    return this.#buffer.subarray(0, this.#at)
  }

  #room(more: number): void {
    if (this.#at + more <= this.#buffer.length) return
    const grown = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.#at + more))
    this.#buffer.copy(grown, 0, 0, this.#at)
    this.#buffer = grown
  }
}

/**
 * Reads what `ByteWriter` wrote. Never trusts a length: reading past the end throws
 * SHOAL_FRAME_INVALID.
 */
export class ByteReader {
  readonly #buffer: Buffer
  #at: number

  constructor(buffer: Buffer, at = 0) {
    this.#buffer = buffer
    this.#at = at
  }

  get rest(): number {
    return this.#buffer.length - this.#at
  }

  u8(): number {
    return this.#buffer.readUInt8(this.#take(1))
  }

  u16(): number {
    return this.#buffer.readUInt16BE(this.#take(2))
  }

  u32(): number {
    return this.#buffer.readUInt32BE(this.#take(4))
  }

  f64(): number {
    return this.#buffer.readDoubleBE(this.#take(8))
  }

  text(): string {
    const length = this.u32()
    const from = this.#take(length)
    return this.#buffer.toString('utf8', from, from + length)
  }

  /** A view, not a copy. */
  bytes(): Buffer {
    return this.raw(this.u32())
  }

  raw(length: number): Buffer {
    const from = this.#take(length)
    return this.#buffer.subarray(from, from + length)
  }

  list<T>(read: () => T): T[] {
    const count = this.u32()
    // Each item takes at least one byte: a count beyond the rest is a lie and must not size an
    // array.
    if (count > this.rest) throw malformed(`a list of ${count} items in ${this.rest} bytes`)
    const items: T[] = []
    for (let index = 0; index < count; index++) items.push(read())
    return items
  }

  end(): void {
    if (this.rest !== 0) throw malformed(`${this.rest} bytes too many`)
  }

  #take(length: number): number {
    const from = this.#at
    if (length > this.#buffer.length - from) {
      throw malformed(`${length} bytes wanted at offset ${from} of ${this.#buffer.length}`)
    }
    this.#at = from + length
    return from
  }
}

export function malformed(what: string): ShoalError {
  return new ShoalError('SHOAL_FRAME_INVALID', `Malformed peer message: ${what}`)
}
