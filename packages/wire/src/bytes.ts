/**
 * The bytes of messages, written and read in one pass. All integers are big-endian.
 *
 * A writer is handed what our own code made: a number that does not fit is a bug here, and
 * InvariantViolation says so before a wrong message leaves. A reader is handed what came over the
 * network: whatever it is, the answer is a value or SHOAL_FRAME_INVALID, and memory is taken for
 * bytes that are there, not for those a length promises.
 */
import { isUtf8 } from 'node:buffer'
import { invariant, ShoalError } from '@shoal/kernel'

export class ByteWriter {
  #buffer: Buffer
  #at = 0

  constructor(sizeHint = 256) {
    this.#buffer = Buffer.allocUnsafe(sizeHint)
  }

  u8(value: number): this {
    whole(value, 0xff)
    this.#room(1)
    this.#at = this.#buffer.writeUInt8(value, this.#at)
    return this
  }

  u16(value: number): this {
    whole(value, 0xffff)
    this.#room(2)
    this.#at = this.#buffer.writeUInt16BE(value, this.#at)
    return this
  }

  u32(value: number): this {
    whole(value, 0xffff_ffff)
    this.#room(4)
    this.#at = this.#buffer.writeUInt32BE(value, this.#at)
    return this
  }

  /** A finite number. */
  f64(value: number): this {
    invariant(Number.isFinite(value), 'a number in a message is finite', () => String(value))
    this.#room(8)
    this.#at = this.#buffer.writeDoubleBE(value, this.#at)
    return this
  }

  flag(value: boolean): this {
    return this.u8(value ? 1 : 0)
  }

  /** One of a few words, as its index. The order of `options` is part of the format. */
  choice<T extends string>(options: readonly T[], value: T): this {
    const index = options.indexOf(value)
    invariant(index >= 0, 'a choice is one of its options', () => ({ options, value }))
    return this.u8(index)
  }

  /** UTF-8 behind a 32-bit length. Half a surrogate pair has no UTF-8 and becomes U+FFFD. */
  text(value: string): this {
    const length = Buffer.byteLength(value)
    this.u32(length)
    this.#room(length)
    this.#at += this.#buffer.write(value, this.#at)
    return this
  }

  /** A text that names something: what would not arrive as it is would name something else. */
  name(value: string): this {
    invariant(!/\p{Surrogate}/u.test(value), 'a name is well-formed Unicode', () => value)
    return this.text(value)
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

  /** A byte that tells whether the value follows. */
  optional<T>(value: T | undefined, write: (value: T) => void): this {
    this.flag(value !== undefined)
    if (value !== undefined) write(value)
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
 * @throws SHOAL_FRAME_INVALID from every method, for bytes that `ByteWriter` cannot have written
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
    const value = this.#buffer.readDoubleBE(this.#take(8))
    if (!Number.isFinite(value)) throw malformed(`the number ${value}`)
    return value
  }

  flag(): boolean {
    const value = this.u8()
    if (value > 1) throw malformed(`a flag of ${value}`)
    return value === 1
  }

  choice<T extends string>(options: readonly T[]): T {
    const index = this.u8()
    const option = options[index]
    if (option === undefined) throw malformed(`choice ${index} of ${options.length}`)
    return option
  }

  text(): string {
    const bytes = this.bytes()
    if (!isUtf8(bytes)) throw malformed('a text that is not UTF-8')
    return bytes.toString('utf8')
  }

  /** A view, not a copy. */
  bytes(): Buffer {
    return this.raw(this.u32())
  }

  raw(length: number): Buffer {
    const from = this.#take(length)
    return this.#buffer.subarray(from, from + length)
  }

  /** @param itemBytesMin  what the smallest item takes: a count beyond the rest is a lie */
  list<T>(read: () => T, itemBytesMin = 1): T[] {
    const count = this.u32()
    if (count * itemBytesMin > this.rest) {
      throw malformed(`a list of ${count} items in ${this.rest} bytes`)
    }
    const items: T[] = []
    for (let index = 0; index < count; index++) items.push(read())
    return items
  }

  optional<T>(read: () => T): T | undefined {
    return this.flag() ? read() : undefined
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

function whole(value: number, max: number): void {
  const fits = Number.isInteger(value) && value >= 0 && value <= max
  invariant(fits, 'a whole number fits its bytes', () => ({ value: String(value), max }))
}

export function malformed(what: string): ShoalError {
  return new ShoalError('SHOAL_FRAME_INVALID', `Malformed peer message: ${what}`)
}
