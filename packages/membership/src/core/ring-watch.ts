import type { NodeId } from '@shoal/kernel'
import type { RingStamp } from '@shoal/wire'
import type { Turn } from './state.ts'

/** How long the answer to one fetch is waited for before another node may be asked. */
const FETCH_MS = 2_000

/**
 * Every message says which ring its sender has. A newer one is fetched, from one node at a time; an
 * older one is of no interest, its owner learns of ours. Two rings of one epoch must not be (I9):
 * that is told once for each peer and epoch, and neither is touched.
 */
export function heedRing({ state, now, effects }: Turn, from: NodeId, theirs: RingStamp): void {
  const { ring, ringFetch } = state
  if (theirs.epoch < ring.epoch) return
  if (theirs.epoch > ring.epoch) {
    if (ringFetch !== undefined && now < ringFetch.until) return
    state.ringFetch = { from, until: now + FETCH_MS }
    effects.push({ kind: 'fetchRing', from, ring: theirs })
    return
  }
  const peer = state.peers.get(from)
  if (theirs.digest === ring.digest || peer === undefined) return
  if (peer.disputedEpoch === theirs.epoch) return
  peer.disputedEpoch = theirs.epoch
  effects.push({ kind: 'ringDisputed', by: from, theirs })
}

/** A fetch that changed nothing is tried again after a while, with whoever speaks then. */
const RETRY_MS = 1_000

export function endRingFetch({ state, now }: Turn, from: NodeId): void {
  const { ringFetch } = state
  if (ringFetch?.from !== from) return
  state.ringFetch = { from, until: now + RETRY_MS }
}
