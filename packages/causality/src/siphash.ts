import { invariant } from '@shoal/kernel'
import { byteAt } from './bytes.ts'

/**
 * SipHash-2-4: a keyed 64-bit hash for short inputs. Without the key nobody can make an input fit.
 *
 * Written with 32-bit halves, since numbers hold no 64-bit integers and BigInt is twenty times
 * slower. Source: Aumasson and Bernstein, SipHash: a fast short-input PRF, 2012; its published test
 * vectors.
 */
export const SIPHASH_KEY_BYTES = 16
export const SIPHASH_BYTES = 8

/** The key as four 32-bit words, little-endian, prepared once. */
export type SipKey = Int32Array

export function sipKey(bytes: Uint8Array): SipKey {
  invariant(bytes.length === SIPHASH_KEY_BYTES, 'a SipHash key has 16 bytes')
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  return Int32Array.from([0, 4, 8, 12], (at) => view.getInt32(at, true))
}

const wordAt = (bytes: Buffer, at: number): number =>
  byteAt(bytes, at) |
  (byteAt(bytes, at + 1) << 8) |
  (byteAt(bytes, at + 2) << 16) |
  (byteAt(bytes, at + 3) << 24)

/** The first `count` bytes, at most 4, as a little-endian word. */
function partialWord(bytes: Buffer, at: number, count: number): number {
  let word = 0
  for (let index = 0; index < count; index++) word |= byteAt(bytes, at + index) << (8 * index)
  return word
}

/**
 * Hashes bytes `from` to `to` and writes the 8 bytes of the hash, in their published order, to
 * `out`. The output may overlap the input. Cost: about 0.3 µs for 60 bytes.
 *
 * One long function on purpose: eight halves of state cannot be handed to a round and back without
 * allocating, and the round stands here once.
 */
export function sipHash24(
  key: SipKey,
  bytes: Buffer,
  from: number,
  to: number,
  out: Buffer,
  outAt: number,
): void {
  const [k0 = 0, k1 = 0, k2 = 0, k3 = 0] = [key[0], key[1], key[2], key[3]]
  // v0 to v3, "somepseudorandomlygeneratedbytes" xor the key; a is the low half, b the high.
  let a0 = k0 ^ 0x70736575
  let b0 = k1 ^ 0x736f6d65
  let a1 = k2 ^ 0x6e646f6d
  let b1 = k3 ^ 0x646f7261
  let a2 = k0 ^ 0x6e657261
  let b2 = k1 ^ 0x6c796765
  let a3 = k2 ^ 0x79746573
  let b3 = k3 ^ 0x74656462
  const whole = (to - from) >>> 3
  const left = (to - from) & 7
  const tail = from + 8 * whole

  // The blocks, then the last one padded with the length, then the finish, which has no block.
  for (let block = 0; block <= whole + 1; block++) {
    let low = 0
    let high = 0
    if (block < whole) {
      low = wordAt(bytes, from + 8 * block)
      high = wordAt(bytes, from + 8 * block + 4)
    } else if (block === whole) {
      low = partialWord(bytes, tail, Math.min(4, left))
      high = partialWord(bytes, tail + 4, Math.max(0, left - 4)) | ((to - from) << 24)
    } else {
      a2 ^= 0xff
    }
    a3 ^= low
    b3 ^= high
    const rounds = block <= whole ? 2 : 4
    for (let round = 0; round < rounds; round++) {
      let sum = (a0 + a1) | 0
      let carry = sum >>> 0 < a0 >>> 0 ? 1 : 0
      a0 = sum
      b0 = (b0 + b1 + carry) | 0
      let kept = a1
      a1 = ((a1 << 13) | (b1 >>> 19)) ^ a0
      b1 = ((b1 << 13) | (kept >>> 19)) ^ b0
      kept = a0
      a0 = b0
      b0 = kept

      sum = (a2 + a3) | 0
      carry = sum >>> 0 < a2 >>> 0 ? 1 : 0
      a2 = sum
      b2 = (b2 + b3 + carry) | 0
      kept = a3
      a3 = ((a3 << 16) | (b3 >>> 16)) ^ a2
      b3 = ((b3 << 16) | (kept >>> 16)) ^ b2

      sum = (a0 + a3) | 0
      carry = sum >>> 0 < a0 >>> 0 ? 1 : 0
      a0 = sum
      b0 = (b0 + b3 + carry) | 0
      kept = a3
      a3 = ((a3 << 21) | (b3 >>> 11)) ^ a0
      b3 = ((b3 << 21) | (kept >>> 11)) ^ b0

      sum = (a2 + a1) | 0
      carry = sum >>> 0 < a2 >>> 0 ? 1 : 0
      a2 = sum
      b2 = (b2 + b1 + carry) | 0
      kept = a1
      a1 = ((a1 << 17) | (b1 >>> 15)) ^ a2
      b1 = ((b1 << 17) | (kept >>> 15)) ^ b2
      kept = a2
      a2 = b2
      b2 = kept
    }
    a0 ^= low
    b0 ^= high
  }
  writeWord(out, outAt, a0 ^ a1 ^ a2 ^ a3)
  writeWord(out, outAt + 4, b0 ^ b1 ^ b2 ^ b3)
}

function writeWord(out: Buffer, at: number, word: number): void {
  out[at] = word
  out[at + 1] = word >>> 8
  out[at + 2] = word >>> 16
  out[at + 3] = word >>> 24
}
