import { type ErrorCode, limits, type NodeId } from '@shoal/kernel'
import { segmentOfRowKey } from '@shoal/ring'
import {
  answerKinds,
  decodeProofAnswer,
  decodeRefusal,
  encodeProof,
  type ProofAnswer,
  questionKinds,
} from '@shoal/wire'
import type { Peers } from '../ports.ts'
import { judgeProof, type ProofVerdict } from '../trees/proof.ts'
import { decodeOrNothing } from './decode.ts'

/** Whether a replica's tree contains a version, as `explain` shows it. */
export interface Proof {
  readonly node: NodeId
  readonly verdict: ProofVerdict | 'unanswered'
  /** Of the version the replica holds, 16 hexadecimal digits. */
  readonly digest: string | undefined
  /** Root of the partition's forest, in hexadecimal. */
  readonly root: string | undefined
  /** Rows that share the segment. */
  readonly others: number | undefined
  readonly code: ErrorCode | undefined
}

export interface ProofRequest {
  readonly node: NodeId
  readonly rowKey: Buffer
  /** Of the version asked for, 8 bytes; absent: whichever is held. */
  readonly digest?: Buffer
}

export interface ProofParts {
  readonly peers: Peers
  readonly partitions: number
  readonly self: NodeId
  readonly own: (rowKey: Buffer) => Promise<ProofAnswer | undefined>
}

/** Asks a replica to show that a version is in its tree, and checks what it shows. */
export async function askProof(parts: ProofParts, request: ProofRequest): Promise<Proof> {
  const { node, rowKey } = request
  const shown =
    node === parts.self
      ? ((await parts.own(rowKey)) ?? 'SHOAL_OVERLOADED')
      : await ask(parts.peers, node, rowKey)
  if (typeof shown === 'string') return unanswered(node, shown)
  const segment = segmentOfRowKey(rowKey, parts.partitions)
  const { digest } = request
  const asked = digest === undefined ? { segment } : { segment, digest }
  return {
    node,
    verdict: judgeProof(shown, asked),
    digest: shown.digest?.toString('hex'),
    root: shown.root.toString('hex'),
    others: shown.others.rows,
    code: undefined,
  }
}

function ask(peers: Peers, to: NodeId, rowKey: Buffer): Promise<ProofAnswer | ErrorCode> {
  return new Promise((resolve) => {
    const body = encodeProof(rowKey)
    const timeout = limits.exchangeTimeout
    peers.ask(
      { to, kind: questionKinds.proof, body, timeout, tag: 0 },
      {
        answered: (_tag, kind, answer) => {
          if (kind === answerKinds.refused) return resolve(decodeRefusal(answer))
          const proof = decodeOrNothing(() => decodeProofAnswer(answer))
          resolve(kind === answerKinds.proof && proof ? proof : 'SHOAL_FRAME_INVALID')
        },
        failed: (_tag, code) => resolve(code),
      },
    )
  })
}

const unanswered = (node: NodeId, code: ErrorCode): Proof => ({
  node,
  verdict: 'unanswered',
  digest: undefined,
  root: undefined,
  others: undefined,
  code,
})
