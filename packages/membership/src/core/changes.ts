import { invariant, type NodeId } from '@shoal/kernel'
import type { RingStamp } from '@shoal/wire'
import { tell, wakeGossip } from './belief.ts'
import { compareSoon } from './comparing.ts'
import type { SwimMember } from './events.ts'
import { gossipRound } from './news.ts'
import { endProbe } from './probing.ts'
import { sendsOf } from './settings.ts'
import { createPeer, livingOf, show, type Turn, updateOfSelf } from './state.ts'
import { isLiving } from './updates.ts'

/** What happens to this node itself, without anybody having said something. */
const NEVER = Number.POSITIVE_INFINITY

export function changeChannel(turn: Turn, node: NodeId, up: boolean): void {
  const { state } = turn
  const peer = state.peers.get(node)
  if (peer === undefined || peer.channelUp === up) return
  peer.channelUp = up
  if (up) peer.silent = false
  // A channel that fell may be a process that ended; one that rose, one that is back.
  if (!state.leaving && (up ? peer.state !== 'alive' : isLiving(peer))) state.urgent.add(peer)
  if (up && state.due.compare === NEVER) compareSoon(turn)
  show(turn, peer)
}

export function avoid(turn: Turn, node: NodeId): void {
  const { state } = turn
  const peer = state.peers.get(node)
  if (peer === undefined) return
  peer.silent = true
  if (!state.leaving && isLiving(peer)) state.urgent.add(peer)
  show(turn, peer)
}

/** From now on this node only answers, and others need not find out that it is gone. */
export function leave(turn: Turn): void {
  const { state } = turn
  if (state.leaving) return
  state.leaving = true
  state.urgent.clear()
  state.probes.clear()
  state.comparison = undefined
  Object.assign(state.due, { probe: NEVER, knock: NEVER, compare: NEVER })
  tell(turn, updateOfSelf(state))
  gossipRound(turn)
}

export function changeRing(turn: Turn, ring: RingStamp, members: readonly SwimMember[]): void {
  const { state } = turn
  const { epoch } = state.ring
  invariant(ring.epoch >= epoch, 'epochs never go back (I9)', () => ({ epoch, ring }))
  if (ring.epoch === epoch) {
    invariant(ring.digest === state.ring.digest, 'one content per epoch (I9)')
    return
  }
  state.ring = ring
  state.ringFetch = undefined
  const wanted = new Set(members.map(({ id }) => id))
  for (const peer of state.peers.values()) if (!wanted.has(peer.id)) forget(turn, peer.id)
  for (const member of members) {
    if (member.id === state.self.id) continue
    const peer = state.peers.get(member.id) ?? createPeer(member, turn.elapsed)
    state.peers.set(peer.id, Object.assign(peer, { zone: member.zone, host: member.host }))
    show(turn, peer)
  }
  state.order = [...state.peers.values()]
  state.turn = 0
  state.ringSends = sendsOf(state.settings, livingOf(state))
  wakeGossip(turn)
}

function forget(turn: Turn, node: NodeId): void {
  const { state } = turn
  const peer = state.peers.get(node)
  if (peer === undefined) return
  state.peers.delete(node)
  state.rumours.delete(node)
  for (const set of [state.gone, state.unheard, state.suspects, state.urgent]) set.delete(peer)
  for (const probe of state.probes.values()) if (probe.target === peer) endProbe(turn, probe)
  if (state.comparison?.with === peer) state.comparison = undefined
}
