import { type ErrorCode, invariant, limits, ShoalError } from '@shoal/kernel'
import { compareBytes } from './bytes.ts'
import { SIPHASH_BYTES, type SipKey, sipHash24, sipKey } from './siphash.ts'

/**
 * What context and session tokens have in common: a prefix, then base64url without padding of
 *
 *   u8 format = 1, body, 8-byte check
 *
 * The check is keyed and covers the body and what the token is bound to: the cluster and, for a
 * context, the key. The binding itself is not in the token. Without it a clock of another key would
 * be believed, and every honest write that this clock happens to cover would vanish (V6).
 */
export interface TokenSecrets {
  /** 16 bytes, the same on every node of the cluster. */
  readonly key: Uint8Array
  /** 16 hex digits. */
  readonly clusterId: string
}

/** Where a client is told that its token is wrong. */
export interface TokenPlace {
  /** Name of the header. */
  readonly field: string
  /** Where the token starts in it. */
  readonly offset: number
}

/** @param at  where the fault is, counted from the start of the token */
export function tokenError(
  code: ErrorCode,
  place: TokenPlace,
  at: number,
  fault: string,
): ShoalError {
  const offset = place.offset + at
  return new ShoalError(code, `${place.field} at ${offset}: ${fault}`, {
    errors: [{ field: place.field, offset, message: fault }],
  })
}

export const TOKEN_FORMAT = 1
const CHECK_BYTES = SIPHASH_BYTES
const CLUSTER_BYTES = 8

/**
 * Seals and opens tokens of one kind. Works in one buffer of its own, whose content is the caller's
 * between two calls and only then: nothing here is asynchronous.
 */
export class TokenSeal {
  readonly #prefix: string
  readonly #bytesMax: number
  readonly #code: ErrorCode
  readonly #key: SipKey
  readonly #cluster: Buffer
  readonly #given = Buffer.alloc(CHECK_BYTES)
  #work: Buffer

  /** @param code  thrown for what is malformed */
  constructor(
    { key, clusterId }: TokenSecrets,
    { prefix, bytesMax, code }: { prefix: string; bytesMax: number; code: ErrorCode },
  ) {
    invariant(/^[0-9a-f]{16}$/.test(clusterId), 'a cluster id has 16 hex digits')
    this.#prefix = prefix
    this.#bytesMax = bytesMax
    this.#code = code
    this.#key = sipKey(key)
    this.#cluster = Buffer.from(clusterId, 'hex')
    this.#work = Buffer.alloc(bytesMax + limits.bucketNameBytesMax + limits.keyBytesMax)
  }

  /** The buffer to write format and body to, at least this long. */
  room(bytes: number): Buffer {
    if (bytes > this.#work.length) this.#work = Buffer.alloc(2 * bytes)
    return this.#work
  }

  /** The token of the body that ends at `end` of the buffer. */
  seal(end: number, name: Uint8Array): string {
    const bound = this.#bind(end, name)
    sipHash24(this.#key, this.#work, 1, bound, this.#work, end)
    return this.#prefix + this.#work.toString('base64url', 0, end + CHECK_BYTES)
  }

  /**
   * Decodes a token into the buffer. Only the one canonical spelling is accepted.
   * @returns  where its body ends
   */
  open(token: string, place: TokenPlace): number {
    if (token.length > this.#bytesMax) {
      throw this.fault(place, this.#bytesMax, `a token longer than ${this.#bytesMax} characters`)
    }
    if (!token.startsWith(this.#prefix)) {
      throw this.fault(place, 0, `a token must begin with "${this.#prefix}"`)
    }
    const text = token.slice(this.#prefix.length)
    const length = this.#work.write(text, 0, 'base64url')
    if (this.#work.toString('base64url', 0, length) !== text) throw this.#misspelt(text, place)
    if (length < 1 + CHECK_BYTES) throw this.fault(place, token.length, 'a token that is cut off')
    if (this.#work[0] !== TOKEN_FORMAT) {
      throw this.fault(place, this.#prefix.length, `a token of unknown format ${this.#work[0]}`)
    }
    return length - CHECK_BYTES
  }

  /** Whether the check behind the opened body fits it and this binding. Destroys the check. */
  fits(end: number, name: Uint8Array): boolean {
    this.#work.copy(this.#given, 0, end, end + CHECK_BYTES)
    const bound = this.#bind(end, name)
    sipHash24(this.#key, this.#work, 1, bound, this.#work, end)
    return compareBytes(this.#work, end, this.#given, 0, CHECK_BYTES) === 0
  }

  fault(place: TokenPlace, at: number, fault: string): ShoalError {
    return tokenError(this.#code, place, at, fault)
  }

  /** Where the byte of the body at `at` is in the token, for errors. */
  charOf(at: number): number {
    return this.#prefix.length + Math.floor((at * 4) / 3)
  }

  #bind(end: number, name: Uint8Array): number {
    const bound = end + CLUSTER_BYTES + name.length
    const work = this.#work
    if (bound > work.length) work.copy(this.room(bound), 0, 0, end)
    this.#work.set(this.#cluster, end)
    this.#work.set(name, end + CLUSTER_BYTES)
    return bound
  }

  #misspelt(text: string, place: TokenPlace): ShoalError {
    const stranger = text.search(/[^A-Za-z0-9_-]/)
    const at = this.#prefix.length + (stranger < 0 ? text.length - 1 : stranger)
    return this.fault(
      place,
      at,
      stranger < 0
        ? 'base64url that does not end on a whole byte'
        : 'a character outside base64url',
    )
  }
}
