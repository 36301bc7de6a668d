import type { NodeId } from '@shoal/kernel'
import type { MembershipHeader, MemberUpdate } from '@shoal/wire'
import { compareSoon } from './comparing.ts'
import { heedRing } from './ring-watch.ts'
import { spread } from './rumours.ts'
import { confirmationsWanted, suspicionSpan } from './settings.ts'
import { type Peer, show, type Turn, updateOfPeer, updateOfSelf, worsen } from './state.ts'
import { compareSaid, isLiving, nothingSaid } from './updates.ts'

/** A greater incarnation is nobody's: it would leave its owner no room to contradict. */
const INCARNATION_MAX = 2 ** 52

export type Belief = 'news' | 'known' | 'outdated'

/**
 * How news reached us. Directly: what a node says of itself, and what two nodes compare; most
 * others know that already.
 */
export type Via = 'gossip' | 'direct'

/**
 * Takes in a message: what its sender says of others, and of itself.
 *
 * @returns what of that was outdated, as this node knows it
 */
export function hear(
  turn: Turn,
  from: NodeId,
  header: MembershipHeader,
  updates: readonly MemberUpdate[],
  via: Via = 'gossip',
): MemberUpdate[] {
  const { peers } = turn.state
  const { incarnation, run, ring } = header
  heedRing(turn, from, ring)
  const corrections: MemberUpdate[] = []
  for (const update of updates) {
    if (believe(turn, update, via) !== 'outdated') continue
    const peer = peers.get(update.node)
    corrections.push(peer ? updateOfPeer(peer) : updateOfSelf(turn.state))
  }
  const sender = peers.get(from)
  if (sender !== undefined) {
    const wasGone = !isLiving(sender)
    believe(turn, { node: from, state: 'alive', incarnation, run, witnesses: [] }, 'direct')
    // Who was cut off for so long knows what we do not.
    if (wasGone && isLiving(sender)) compareSoon(turn)
  }
  return corrections
}

/** Keeps the newer of what is said and what was known. Unknown members are none of ours. */
export function believe(turn: Turn, update: MemberUpdate, via: Via): Belief {
  const { state } = turn
  if (update.incarnation > INCARNATION_MAX) return 'known'
  if (update.node === state.self.id) return contradict(turn, update)
  const peer = state.peers.get(update.node)
  if (peer === undefined) return 'known'
  const newer = compareSaid(update, peer)
  if (newer < 0) return 'outdated'
  if (newer === 0) return update.state === 'suspect' ? confirm(turn, peer, update) : 'known'

  // At the start of a cluster everyone hears of everyone for the first time: that is no news.
  const isDull =
    via === 'direct' && update.state === 'alive' && compareSaid(peer, nothingSaid) === 0
  peer.state = update.state
  peer.incarnation = update.incarnation
  peer.run = update.run
  peer.suspicion = update.state === 'suspect' ? suspicionOf(turn, update.witnesses) : undefined
  if (!isDull) tell(turn, updateOfPeer(peer))
  show(turn, peer)
  return 'news'
}

function suspicionOf({ state, now }: Turn, witnesses: readonly NodeId[]) {
  const { settings, peers, gone } = state
  const living = peers.size - gone.size + 1
  const wanted = confirmationsWanted(settings, living)
  const had = witnesses.length - 1
  const until = now + suspicionSpan(settings, { living, wanted, had })
  return { witnesses: new Set(witnesses), begun: now, living, wanted, until }
}

/** Each further witness shortens the term. As many as are wanted are kept, the first ones. */
function confirm(turn: Turn, peer: Peer, { witnesses: told }: MemberUpdate): Belief {
  const { suspicion } = peer
  if (suspicion === undefined) return 'known'
  const { witnesses, begun, living, wanted } = suspicion
  const { settings } = turn.state
  const before = witnesses.size
  for (const witness of told) if (witnesses.size <= settings.confirmations) witnesses.add(witness)
  if (witnesses.size === before) return 'known'
  const had = witnesses.size - 1
  suspicion.until = begun + suspicionSpan(settings, { living, wanted, had })
  tell(turn, updateOfPeer(peer))
  return 'news'
}

/**
 * Somebody speaks of this node. What is not older than its own word, and not its own word, is
 * overruled by a higher incarnation: a rumour of its death, or what others remember of the process
 * that had this id before. An older rumour is answered by saying again what holds.
 */
function contradict(turn: Turn, update: MemberUpdate): Belief {
  const { state, effects } = turn
  if (state.leaving) return 'known'
  const isOwnWord = update.state === 'alive' && update.run === state.run
  if (update.incarnation < state.incarnation || isOwnWord) {
    if (update.state === 'alive') return 'known'
    if (!state.rumours.has(state.self.id)) tell(turn, updateOfSelf(state))
    return 'outdated'
  }
  state.incarnation = update.incarnation + 1
  if (update.state === 'suspect' || update.state === 'dead') worsen(state)
  tell(turn, updateOfSelf(state))
  effects.push({ kind: 'refuted', said: update.state, incarnation: state.incarnation })
  return 'outdated'
}

/** Tells others, in the next round of gossip and along with probes. */
export function tell(turn: Turn, update: MemberUpdate): void {
  spread(turn.state.rumours, update)
  wakeGossip(turn)
}

/** A round is due: at once, but for what may come with it, unless the last one was just now. */
export function wakeGossip({ state, now }: Turn): void {
  const { due, settings } = state
  if (due.gossip !== Number.POSITIVE_INFINITY) return
  due.gossip = Math.max(now + settings.gossipDelay, due.gossiped + settings.gossipPeriod)
}
