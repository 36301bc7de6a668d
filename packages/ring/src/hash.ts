import xxhash from 'xxhash-wasm'

/**
 * The only file that names the hash library, so that it can be replaced in one place. The instance
 * is compiled once, while this module loads: afterwards hashing is synchronous.
 */
const { h64Raw } = await xxhash()

/**
 * xxHash64 of some bytes: fast and well spread, not a defence against someone who chooses the
 * bytes.
 *
 * @param seed  0 to 2^64 − 1; ring positions use 0
 * @returns     0 to 2^64 − 1
 * Cost: about 0.1 µs for a key. The library keeps a buffer as large as the largest input.
 * Source: the xxHash specification by Yann Collet, algorithm XXH64.
 */
export function hash64(bytes: Uint8Array, seed = 0n): bigint {
  return h64Raw(bytes, seed)
}

/** A 64-bit number as people and files show it: 16 lower-case hexadecimal digits. */
export function hex64(value: bigint): string {
  return value.toString(16).padStart(16, '0')
}
