import type { MemberUpdate } from '@shoal/wire'
import { pick } from './rumours.ts'
import { sendsOf } from './settings.ts'
import { livingOf, type Peer, type SwimState, type Turn, updateOfPeer } from './state.ts'
import { sample } from './targets.ts'
import { isLiving } from './updates.ts'

/**
 * What goes along with a message to one member: first what is thought of it, unless it is thought
 * alive, so that it can contradict; then what answers its own news; then rumours.
 */
export function newsFor(
  { state }: Turn,
  to: Peer | undefined,
  corrections: readonly MemberUpdate[] = [],
): MemberUpdate[] {
  const { gossipUpdates: max } = state.settings
  const own = replyTo(state, to, corrections)
  const sends = sendsOf(state.settings, livingOf(state))
  const rumours = pick(state.rumours, { max: max - own.length, copies: 1, sends })
  if (own.length === 0) return rumours
  const named = new Set(own.map(({ node }) => node))
  return [...own, ...rumours.filter(({ node }) => !named.has(node))]
}

/** The same without rumours, for one who has just told some. */
export function replyTo(
  { settings }: SwimState,
  to: Peer | undefined,
  corrections: readonly MemberUpdate[],
): MemberUpdate[] {
  const first = to !== undefined && to.state !== 'alive' ? [updateOfPeer(to)] : []
  return [...first, ...corrections].slice(0, settings.gossipUpdates)
}

/** One round: the same news to some members drawn by lot. None without news. */
export function gossipRound(turn: Turn): void {
  const { state, now, effects } = turn
  const { settings, rumours, due } = state
  due.gossip = Number.POSITIVE_INFINITY
  if (rumours.size === 0 && state.ringSends <= 0) return
  due.gossiped = now
  due.gossip = now + settings.gossipPeriod
  const others = sample(state, settings.gossipFanOut, (peer) => isLiving(peer) && peer.channelUp)
  if (others.length === 0) return
  const sends = sendsOf(settings, livingOf(state))
  const max = settings.gossipUpdates
  const updates = pick(rumours, { max, copies: others.length, sends })
  state.ringSends = Math.max(0, state.ringSends - others.length)
  for (const { id } of others) effects.push({ kind: 'gossip', to: id, updates, missing: false })
}
