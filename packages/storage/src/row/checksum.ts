import { hash64 } from '@shoal/ring'

/**
 * Checksums are seeded with the token of the key, so that intact bytes under the wrong key are
 * found damaged too: a disk that wrote to the wrong place is no better than one that wrote
 * nonsense.
 */
export function checksumOf(bytes: Buffer, from: number, to: number, token: bigint): bigint {
  return hash64(bytes.subarray(from, to), token)
}

/** Puts the checksum of `from` to `at` at `at`. */
export function sealChecksum(target: Buffer, from: number, at: number, token: bigint): void {
  target.writeBigUInt64BE(checksumOf(target, from, at, token), at)
}

/** Whether the 8 bytes at `at` are the checksum of `from` to `at`. */
export function holdsChecksum(bytes: Buffer, from: number, at: number, token: bigint): boolean {
  return bytes.readBigUInt64BE(at) === checksumOf(bytes, from, at, token)
}
