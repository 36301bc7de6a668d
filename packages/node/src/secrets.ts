import { createHash, createHmac } from 'node:crypto'

/**
 * What the cluster secret is used for. Each use has a key of its own, so that none betrays another.
 */
export interface Secrets {
  /** Names the cluster together with its members (V6); says nothing about the secret. */
  readonly digest: string
  /** Seals contexts and sessions, 16 bytes. */
  readonly tokenKey: Buffer
  /** Proves to a peer that we belong to its cluster. */
  readonly peerKey: Buffer
}

export function deriveSecrets(secret: string): Secrets {
  const keyFor = (use: string): Buffer => createHmac('sha256', secret).update(use).digest()
  return {
    digest: createHash('sha256').update('shoal cluster\0').update(secret).digest('hex'),
    tokenKey: keyFor('tokens').subarray(0, 16),
    peerKey: keyFor('peers'),
  }
}
