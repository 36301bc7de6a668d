import { invariant } from '@shoal/kernel'
import { ByteReader, ByteWriter, malformed } from '../bytes.ts'

/**
 * Is this version in your tree? A replica shows what it holds of a key and the way from there to
 * the root of its partition.
 *
 *   proof: row key to the end
 *   answer: optional 8 bytes version digest; u32 other rows of the segment, 8 bytes the XOR of
 *     their digests; the path, a list of flag left, bytes hash; bytes root
 */
export interface ProofAnswer {
  /** Of the version held, 8 bytes; absent when the key is not held. */
  readonly digest: Buffer | undefined
  /** The other rows of the segment, and the XOR of their digests, 8 bytes. */
  readonly others: { readonly rows: number; readonly digest: Buffer }
  /** From the segment digest up to the root. */
  readonly path: readonly ProofStep[]
  readonly root: Buffer
}

export interface ProofStep {
  /** The neighbour is hashed before what is proven, not behind it. */
  readonly left: boolean
  readonly hash: Buffer
}

const DIGEST_BYTES = 8
const STEP_BYTES_MIN = 1 + 4

export function encodeProof(rowKey: Buffer): Buffer {
  invariant(rowKey.length > 0, 'a proof is asked for a key')
  return rowKey
}

/** @throws SHOAL_FRAME_INVALID */
export function decodeProof(body: Buffer): Buffer {
  if (body.length === 0) throw malformed('a proof of no key')
  return body
}

export function encodeProofAnswer(proof: ProofAnswer): Buffer {
  const { digest, others, path, root } = proof
  invariant(others.digest.length === DIGEST_BYTES, 'a digest has 8 bytes')
  invariant(digest === undefined || digest.length === DIGEST_BYTES, 'a digest has 8 bytes')
  const writer = new ByteWriter(512)
  const step = ({ left, hash }: ProofStep) => writer.flag(left).bytes(hash)
  writer.optional(digest, (value) => writer.raw(value))
  writer.u32(others.rows).raw(others.digest)
  return writer.list(path, step).bytes(root).finish()
}

/** Views into the body. @throws SHOAL_FRAME_INVALID */
export function decodeProofAnswer(body: Buffer): ProofAnswer {
  const reader = new ByteReader(body)
  const step = (): ProofStep => ({ left: reader.flag(), hash: reader.bytes() })
  const proof = {
    digest: reader.optional(() => reader.raw(DIGEST_BYTES)),
    others: { rows: reader.u32(), digest: reader.raw(DIGEST_BYTES) },
    path: reader.list(step, STEP_BYTES_MIN),
    root: reader.bytes(),
  }
  reader.end()
  return proof
}
