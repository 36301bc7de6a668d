import type { ProofAnswer } from '@shoal/wire'
import { isInForest } from './forest.ts'

/**
 * Is this version in that replica's tree?
 *
 * A replica shows the digest of what it holds of a key, the XOR of the other rows of the segment,
 * and the path from the segment to its root. Together they have to give the root. It shows that the
 * replica's rows and its trees agree, and which version they agree on; it is no defence against a
 * replica that lies, which could choose the rest to fit.
 */
export type ProofVerdict =
  /** The tree contains exactly this version. */
  | 'proven'
  /** The tree contains another version of the key. */
  | 'other'
  /** The key is not in the tree. */
  | 'absent'
  /** What was shown does not give the root: rows and tree of that replica disagree. */
  | 'broken'

/** @param digest  of the version asked for; absent: whichever is held */
export function judgeProof(
  proof: ProofAnswer,
  asked: { readonly segment: number; readonly digest?: Buffer },
): ProofVerdict {
  const held = proof.digest?.readBigUInt64BE() ?? 0n
  const leaf = Buffer.allocUnsafe(8)
  leaf.writeBigUInt64BE(held ^ proof.others.digest.readBigUInt64BE())
  if (!isInForest(proof, asked.segment, leaf)) return 'broken'
  if (proof.digest === undefined) return 'absent'
  return asked.digest === undefined || asked.digest.equals(proof.digest) ? 'proven' : 'other'
}
