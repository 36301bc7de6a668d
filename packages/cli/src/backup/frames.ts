/**
 * The form of a file of rows, before it is compressed:
 *
 * ```
 * "SHOALROW", u8 1                                a version of this form
 * u32 length of key, u32 length of row, key, row  for each row, in the order of keys
 * u32 0xffffffff, u32 number of rows              the end; a file without it was cut off
 * ```
 */
export interface Row {
  /** Token, bucket, a zero byte, key: as the nodes store it. */
  readonly key: Buffer
  readonly row: Buffer
}

const MAGIC = Buffer.from('SHOALROW\x01', 'latin1')
const END = 0xffff_ffff
const HEAD_BYTES = 8
/** More than any row can have: a length beyond it is not one. */
const PART_BYTES_MAX = 0x4000_0000

export class FramesError extends Error {
  override readonly name = 'FramesError'
}

export const framesBegin = (): Buffer => MAGIC

export function frameOf({ key, row }: Row): Buffer {
  return Buffer.concat([head(key.length, row.length), key, row])
}

export const framesEnd = (rows: number): Buffer => head(END, rows)

function head(one: number, other: number): Buffer {
  const bytes = Buffer.allocUnsafe(HEAD_BYTES)
  bytes.writeUInt32BE(one, 0)
  bytes.writeUInt32BE(other, 4)
  return bytes
}

/** Takes the bytes of a file in any pieces. */
export class FrameReader {
  #rest: Buffer = Buffer.alloc(0)
  #begun = false
  #rows = 0
  #ended = false

  get rows(): number {
    return this.#rows
  }

  /** @throws FramesError for what is no such file */
  feed(piece: Buffer): Row[] {
    this.#rest = this.#rest.length === 0 ? piece : Buffer.concat([this.#rest, piece])
    if (!this.#begun && !this.#begin()) return []
    const found: Row[] = []
    for (let row = this.#next(); row; row = this.#next()) found.push(row)
    return found
  }

  /** @throws FramesError when the file ends before its end */
  finish(): void {
    if (!this.#ended || this.#rest.length > 0) throw new FramesError('it was cut off, or goes on')
  }

  #begin(): boolean {
    if (this.#rest.length < MAGIC.length) return false
    if (!this.#rest.subarray(0, MAGIC.length).equals(MAGIC)) {
      throw new FramesError('it is no file of rows, or one of a newer version')
    }
    this.#rest = this.#rest.subarray(MAGIC.length)
    this.#begun = true
    return true
  }

  #next(): Row | undefined {
    if (this.#ended || this.#rest.length < HEAD_BYTES) return undefined
    const one = this.#rest.readUInt32BE(0)
    const other = this.#rest.readUInt32BE(4)
    if (one === END) return this.#end(other)
    if (one < HEAD_BYTES || one > PART_BYTES_MAX || other > PART_BYTES_MAX) {
      throw new FramesError(`no row has parts of ${one} and ${other} bytes`)
    }
    const rowAt = HEAD_BYTES + one
    if (this.#rest.length < rowAt + other) return undefined
    const found = {
      key: this.#rest.subarray(HEAD_BYTES, rowAt),
      row: this.#rest.subarray(rowAt, rowAt + other),
    }
    this.#rest = this.#rest.subarray(rowAt + other)
    this.#rows++
    return found
  }

  #end(rows: number): undefined {
    if (rows !== this.#rows) throw new FramesError(`it says ${rows} rows and has ${this.#rows}`)
    this.#ended = true
    this.#rest = this.#rest.subarray(HEAD_BYTES)
    return undefined
  }
}
