import { createHmac, timingSafeEqual } from 'node:crypto'
import { ByteWriter } from '../bytes.ts'
import { channelIdBytes } from './hello.ts'

/** Both opens as they travelled: versions, ids and nonces are all bound by the proofs. */
export interface Opening {
  readonly dialler: Uint8Array
  readonly acceptor: Uint8Array
}

export type Role = 'dialler' | 'acceptor'

/**
 * Shows knowledge of the cluster secret without telling it: HMAC-SHA256 over the role and both
 * opens. It holds for this connection only, because both sides put a fresh nonce into their open.
 */
export function prove(secret: Uint8Array, role: Role, opening: Opening): Buffer {
  const transcript = new ByteWriter()
    .text(`shoal-peer ${role}`)
    .bytes(opening.dialler)
    .bytes(opening.acceptor)
    .finish()
  return createHmac('sha256', secret).update(transcript).digest()
}

/** Compares in constant time. */
export function verify(
  secret: Uint8Array,
  role: Role,
  opening: Opening,
  proof: Uint8Array,
): boolean {
  const expected = prove(secret, role, opening)
  return proof.length === expected.length && timingSafeEqual(proof, expected)
}

/** A name for the channel that both ends compute alike: the head of the acceptor's proof. */
export function channelIdOf(acceptorProof: Uint8Array): Uint8Array {
  return acceptorProof.subarray(0, channelIdBytes)
}
