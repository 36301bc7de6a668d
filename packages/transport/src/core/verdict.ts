import type { Refusal, RefusalCode } from './handshake.ts'

/**
 * When a refusal ends this node.
 *
 * A node with a wrong secret or another ring must stop and say why, and it must never be possible
 * to make a correct node stop. Both see the same: somebody refuses. So:
 *
 * - Only what is answered to our own dialling counts, never what a connection from outside says: a
 *   stranger cannot be dialled, because addresses come from the configuration.
 * - A node that agreed with any peer in this run is not the odd one out, and stays.
 * - More than half of all other members refuse: we are the odd one out.
 * - Fewer refuse, because the others cannot be reached: then the newcomer gives way. It is the one
 *   whose refuser has been running for longer. Peers that have not yet been tried, or that were
 *   just started, get the time of one handshake to come up first.
 * - "Your id is taken" is said after both sides have proven the secret, about a node that has just
 *   answered. It counts at once.
 */
export type Standing =
  | { readonly kind: 'untried' | 'unreachable' | 'agreed' }
  | { readonly kind: 'refused'; readonly refusal: Refusal }

const CONFIGURATION: ReadonlySet<RefusalCode> = new Set([
  'SHOAL_SECRET_WRONG',
  'SHOAL_RING_MISMATCH',
  'SHOAL_VERSION_UNSUPPORTED',
])

/** What a failed handshake on a connection that we dialled says about the peer. */
export function standingOf(refusal: Refusal): Standing {
  // Who cannot prove the secret to us is not a peer of another opinion, but no peer. Versions are
  // compared before the proof, by whoever hears the other first: that is as good as being told.
  const { by, proven, code } = refusal
  const told = by === 'them' || proven || code === 'SHOAL_VERSION_UNSUPPORTED'
  if (code === 'SHOAL_NODE_ID_TAKEN') {
    // Unproven, it is only a claim of whoever sits at that address.
    return proven && by === 'them' ? { kind: 'refused', refusal } : { kind: 'unreachable' }
  }
  if (told && CONFIGURATION.has(code)) return { kind: 'refused', refusal }
  return { kind: 'unreachable' }
}

export interface Grounds<Peer> {
  readonly peer: Peer
  readonly refusal: Refusal
}

/**
 * @param everAgreed  a channel has been up in this run
 * @param settled  this node has been running for longer than a handshake takes
 * @returns  the refusals that end this node, or none
 */
export function judgeRefusals<Peer>(
  others: ReadonlyMap<Peer, Standing>,
  { everAgreed, settled }: { everAgreed: boolean; settled: boolean },
): readonly Grounds<Peer>[] {
  const grounds: Grounds<Peer>[] = []
  let untried = 0
  let unreachable = 0
  for (const [peer, standing] of others) {
    if (standing.kind === 'refused') grounds.push({ peer, refusal: standing.refusal })
    if (standing.kind === 'untried') untried++
    if (standing.kind === 'unreachable') unreachable++
  }
  const taken = grounds.filter(({ refusal }) => refusal.code === 'SHOAL_NODE_ID_TAKEN')
  if (taken.length > 0) return taken
  if (everAgreed || grounds.length === 0) return []
  if (others.size > 1 && grounds.length * 2 > others.size) return grounds

  const complete = untried === 0 && (unreachable === 0 || settled)
  const younger = grounds.some(({ refusal }) => refusal.older)
  return complete && younger ? grounds : []
}
