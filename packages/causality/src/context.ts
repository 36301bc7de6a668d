import { limits } from '@shoal/kernel'
import { copyBytes } from './bytes.ts'
import { clockLength, validateClock } from './clock.ts'
import { TOKEN_FORMAT, type TokenPlace, TokenSeal, type TokenSecrets, tokenError } from './token.ts'

/**
 * Contexts as clients hold them (V5, V6): `c1.` and base64url of u8 format, clock, check. Bound to
 * cluster, bucket and key. An empty clock is allowed: it is what a read of a key never written
 * answers.
 */
export interface ContextCodec {
  /**
   * @param clock  a version will do
   * @param name   utf8 bucket, 0x00, utf8 key
   */
  encode(clock: Buffer, name: Uint8Array): string
  /**
   * @param place   default: header `Causal-Context` from its start
   * @returns       the clock, a copy of its own
   * @throws SHOAL_CONTEXT_INVALID  malformed: prefix, length, spelling, format, clock
   * @throws SHOAL_CONTEXT_FOREIGN  well-formed, but the check fails
   */
  decode(token: string, name: Uint8Array, place?: TokenPlace): { readonly clock: Buffer }
}

const HEADER: TokenPlace = { field: 'Causal-Context', offset: 0 }

/** Cost: about 1 µs each way for a clock of three actors. */
export function createContextCodec(secrets: TokenSecrets): ContextCodec {
  const seal = new TokenSeal(secrets, {
    prefix: 'c1.',
    bytesMax: limits.contextTokenBytesMax,
    code: 'SHOAL_CONTEXT_INVALID',
  })
  return {
    encode: (clock, name) => {
      const end = 1 + clockLength(clock)
      const work = seal.room(end)
      work[0] = TOKEN_FORMAT
      copyBytes(clock, 0, work, 1, end - 1)
      return seal.seal(end, name)
    },
    decode: (token, name, place = HEADER) => {
      const end = seal.open(token, place)
      const work = seal.room(end)
      const length = validateClock(work, 1, end)
      if (typeof length === 'string') throw seal.fault(place, seal.charOf(1), length)
      if (length !== end - 1)
        throw seal.fault(place, seal.charOf(1 + length), 'bytes after the clock')
      const clock = Buffer.allocUnsafe(length)
      copyBytes(work, 1, clock, 0, length)
      if (seal.fits(end, name)) return { clock }
      const fault = 'a context of another key, bucket or cluster, or a damaged one: its check fails'
      throw tokenError('SHOAL_CONTEXT_FOREIGN', place, 0, fault)
    },
  }
}
