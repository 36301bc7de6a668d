import { invariant, type NodeId, type Random } from '@shoal/kernel'
import type { MemberState, MembershipHeader, MemberUpdate, RingStamp } from '@shoal/wire'
import type { SwimEffect, SwimMember } from './events.ts'
import type { Rumours } from './rumours.ts'
import type { SwimSettings } from './settings.ts'
import { compareSaid, isLiving, nothingSaid, updateOf } from './updates.ts'

/**
 * All that one node knows of the others.
 *
 * It is changed in place: a copy of a thousand members for each of many messages a second would
 * cost more than everything else. Nobody but `stepSwim` changes it, and what a step does is a
 * function of the state, the time and the event alone; chance comes from the stream in it.
 *
 * Times in it are *awake* times: the elapsed clock without the times during which this process
 * stood still. Nobody can be blamed for silence while we were not listening.
 */
export interface SwimState {
  readonly self: SwimMember
  /** Names this start of the process. */
  readonly run: number
  readonly settings: SwimSettings
  readonly random: Random
  /** Raised by nobody else. */
  incarnation: number
  /** 0: well. Each point makes this node more patient with others. */
  health: number
  leaving: boolean
  /** Every other member of the ring. */
  readonly peers: Map<NodeId, Peer>
  /** The same, in the order in which they are probed. */
  order: Peer[]
  /** The next in that order. */
  turn: number
  /** Thought dead or gone. */
  readonly gone: Set<Peer>
  /** Thought alive or suspect, but not heard by this node itself. */
  readonly unheard: Set<Peer>
  readonly suspects: Set<Peer>
  /** To be probed as soon as there is room. */
  readonly urgent: Set<Peer>
  readonly probes: Map<number, Probe>
  /** Probes made for others. */
  readonly relayed: Map<number, Relayed>
  sequence: number
  readonly rumours: Rumours
  ring: RingStamp
  /** How often the ring is still to be told even where there is no other news. */
  ringSends: number
  ringFetch: { readonly from: NodeId; readonly until: number } | undefined
  comparison: Comparison | undefined
  readonly due: Due
  /** Time this process stood still, so far. */
  stood: number
  /** Whether the timers were put off once since they last ran. */
  patient: boolean
  /** When the next of the timers is due. */
  wakeAt: number
}

/** What runs by itself, and when next. */
export interface Due {
  probe: number
  gossip: number
  /** When the last round of gossip was. */
  gossiped: number
  compare: number
  knock: number
}

export interface Peer extends SwimMember {
  zone: string
  host: string
  state: MemberState
  incarnation: number
  run: number
  suspicion: Suspicion | undefined
  channelUp: boolean
  /** The last thing that this node asked of it was not answered. */
  silent: boolean
  /** When it was probed last. */
  probedAt: number
  /** What routing was told last. */
  shown: MemberState
  /** When, on the elapsed clock. */
  shownSince: number
  /** The epoch about which we differ, once that was told. */
  disputedEpoch: number
}

export interface Suspicion {
  readonly witnesses: Set<NodeId>
  readonly begun: number
  /** What the cluster was when it began. */
  readonly living: number
  readonly wanted: number
  until: number
}

export interface Probe {
  readonly sequence: number
  readonly target: Peer
  /** Of the target when the probe began. */
  readonly incarnation: number
  /** A knock at the door of one thought dead has no consequences when nobody opens. */
  readonly kind: 'regular' | 'urgent' | 'knock'
  readonly begun: number
  /** When relays are asked. */
  readonly directUntil: number
  readonly until: number
  /** The question to the target itself is over. */
  directEnded: boolean
  relaysAsked: boolean
  asked: number
  nacks: number
  silences: number
}

export interface Relayed {
  readonly question: number
  readonly for: NodeId
  readonly until: number
}

export interface Comparison {
  readonly with: Peer
  readonly until: number
  readonly heard: Map<NodeId, MemberUpdate>
}

/** One step: the state, when it is, and what is to be done. */
export interface Turn {
  readonly state: SwimState
  /** Awake time. */
  readonly now: number
  /** On the elapsed clock. */
  readonly elapsed: number
  readonly effects: SwimEffect[]
}

export function createPeer({ id, zone, host }: SwimMember, elapsed: number): Peer {
  return {
    ...{ id, zone, host, ...nothingSaid },
    suspicion: undefined,
    channelUp: false,
    silent: false,
    probedAt: Number.NEGATIVE_INFINITY,
    shown: 'suspect',
    shownSince: elapsed,
    disputedEpoch: 0,
  }
}

export const headerOf = ({ incarnation, run, ring }: SwimState): MembershipHeader => ({
  incarnation,
  run,
  ring,
})

/** Nodes thought alive or suspect, this one included. */
export const livingOf = ({ peers, gone }: SwimState): number => peers.size - gone.size + 1

export const updateOfPeer = (peer: Peer): MemberUpdate =>
  updateOf(peer.id, peer, peer.suspicion?.witnesses)

/** Of this node itself: until it leaves, nobody knows better that it lives. */
export function updateOfSelf({ self, incarnation, run, leaving }: SwimState): MemberUpdate {
  return updateOf(self.id, { state: leaving ? 'left' : 'alive', incarnation, run })
}

/** All that this node could tell another. */
export function* knowledgeOf(state: SwimState): Generator<MemberUpdate> {
  yield updateOfSelf(state)
  for (const peer of state.peers.values()) {
    if (compareSaid(peer, nothingSaid) > 0) yield updateOfPeer(peer)
  }
}

/** What routing is to think: a member that this node does not hear is suspect to it at once. */
export function standingOf(peer: Peer): MemberState {
  if (peer.state !== 'alive') return peer.state
  return peer.channelUp && !peer.silent ? 'alive' : 'suspect'
}

/** To be called after each change of a peer: keeps the sets, and tells routing. */
export function show({ state, elapsed, effects }: Turn, peer: Peer): void {
  const living = isLiving(peer)
  keep(state.gone, peer, !living)
  keep(state.suspects, peer, peer.state === 'suspect')
  keep(state.unheard, peer, living && !(peer.channelUp && !peer.silent))
  invariant((peer.state === 'suspect') === (peer.suspicion !== undefined), 'suspects have a term')
  const before = peer.shown
  const standing = standingOf(peer)
  if (standing === before) return
  peer.shown = standing
  peer.shownSince = elapsed
  effects.push({ kind: 'changed', node: peer.id, before })
}

function keep<T>(set: Set<T>, member: T, wanted: boolean): void {
  if (wanted) set.add(member)
  else set.delete(member)
}

export function worsen(state: SwimState): void {
  state.health = Math.min(state.settings.healthMax, state.health + 1)
}

export function improve(state: SwimState): void {
  state.health = Math.max(0, state.health - 1)
}
