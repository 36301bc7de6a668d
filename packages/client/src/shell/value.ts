/**
 * One value as the store holds it. Bytes are kept as they came; text and JSON are made when asked
 * for.
 */
export interface StoredValueParts {
  readonly data: Uint8Array | string
  readonly contentType: string
  readonly contentEncoding: string
  readonly etag: string
  /** An HTTP date, an ISO date, or Unix milliseconds; empty when not told. */
  readonly modified: string | number
}

export class StoredValue {
  readonly #data: Uint8Array | string
  readonly #modified: string | number
  /** As given when it was written; `application/octet-stream` when none was. */
  readonly contentType: string
  /**
   * As given when it was written, empty for none. Never acted on, neither by the store nor here.
   */
  readonly contentEncoding: string
  /** Names this value among the siblings of its key; empty when the answer did not tell. */
  readonly etag: string

  constructor({ data, contentType, contentEncoding, etag, modified }: StoredValueParts) {
    this.#data = data
    this.#modified = modified
    this.contentType = contentType === '' ? 'application/octet-stream' : contentType
    this.contentEncoding = contentEncoding
    this.etag = etag
  }

  /** Bytes. */
  get size(): number {
    return typeof this.#data === 'string' ? Buffer.byteLength(this.#data) : this.#data.byteLength
  }

  /** When it was written, by the coordinator's clock; undefined when the answer did not tell. */
  get modified(): Date | undefined {
    if (this.#modified === '') return undefined
    const date = new Date(this.#modified)
    return Number.isNaN(date.getTime()) ? undefined : date
  }

  /**
   * The bytes as stored. May share memory with other values of the same answer: copy before
   * changing.
   */
  bytes(): Uint8Array {
    return typeof this.#data === 'string' ? Buffer.from(this.#data) : this.#data
  }

  /** The bytes as UTF-8; a malformed sequence becomes U+FFFD. */
  text(): string {
    if (typeof this.#data === 'string') return this.#data
    const { buffer, byteOffset, byteLength } = this.#data
    return Buffer.from(buffer, byteOffset, byteLength).toString('utf8')
  }

  /**
   * The value parsed as JSON. `T` is a claim of the caller and is not checked.
   *
   * @throws SyntaxError when it is not JSON
   */
  json<T = unknown>(): T {
    return JSON.parse(this.text()) as T
  }
}
