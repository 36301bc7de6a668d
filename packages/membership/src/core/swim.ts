import { invariant, type NodeId, type Random, unreachable } from '@shoal/kernel'
import type { RingStamp } from '@shoal/wire'
import { believe, hear } from './belief.ts'
import { avoid, changeChannel, changeRing, leave } from './changes.ts'
import { answerComparison, beginComparison, endComparison, noteCompared } from './comparing.ts'
import type { SwimEffect, SwimEvent, SwimMember } from './events.ts'
import { gossipRound, newsFor, replyTo } from './news.ts'
import {
  countNack,
  countSilence,
  knock,
  probeNext,
  probeUrgent,
  reachedTarget,
  runProbes,
} from './probing.ts'
import { endRelayed, relay, runRelayed } from './relaying.ts'
import { endRingFetch } from './ring-watch.ts'
import { defaultSettings, type SwimSettings } from './settings.ts'
import { createPeer, type SwimState, show, type Turn, updateOfPeer, worsen } from './state.ts'

/**
 * SWIM with Lifeguard as a machine: what happened goes in, what is to be done comes out. It knows
 * no clock, no sockets and no promises, so that a thousand of them run in one process and a seed
 * replays each.
 *
 * Asking everybody all the time is the obvious answer, and costs more the more nodes there are; one
 * node deciding alone that another is dead is the cheap one, and wrong whenever the fault is its
 * own. Here each node asks one other in each second, others are asked before anybody is blamed,
 * a suspicion is told to all including the suspect, and becomes a death only after it had time to
 * contradict. How each node finds itself (late timers, failed probes, blame) makes it slower to
 * blame others.
 */
export interface SwimOptions {
  readonly self: SwimMember
  /** All members of the ring, with or without this node. */
  readonly members: readonly SwimMember[]
  readonly ring: RingStamp
  /** Names this start of the process: not 0. */
  readonly run: number
  /**
   * Where this run begins to count. Above that of the last run as a rule, so that others take the
   * new process for what it is at once; where it is not, this node learns so from them and raises
   * it.
   */
  readonly incarnation: number
  readonly random: Random
  readonly settings?: SwimSettings
  /** Now, on the elapsed clock. */
  readonly elapsed: number
}

const NEVER = Number.POSITIVE_INFINITY

export function createSwim(options: SwimOptions): SwimState {
  const { self, members, ring, run, incarnation, random, elapsed } = options
  const settings = options.settings ?? defaultSettings
  invariant(run > 0, 'a run has a name')
  const peers = members
    .filter(({ id }) => id !== self.id)
    .map((member) => createPeer(member, elapsed))
  const state: SwimState = {
    ...{ self, run, settings, random, incarnation, ring },
    health: 0,
    leaving: false,
    peers: new Map(peers.map((peer) => [peer.id, peer])),
    order: peers,
    turn: 0,
    gone: new Set(),
    unheard: new Set(peers),
    suspects: new Set(),
    urgent: new Set(),
    probes: new Map(),
    relayed: new Map(),
    sequence: 0,
    rumours: new Map(),
    ringSends: 0,
    ringFetch: undefined,
    comparison: undefined,
    due: {
      probe: elapsed + random.below(settings.probePeriod),
      gossip: NEVER,
      gossiped: elapsed - settings.gossipPeriod,
      compare: NEVER,
      knock: elapsed + random.below(settings.knockPeriod),
    },
    stood: 0,
    patient: false,
    wakeAt: NEVER,
  }
  state.wakeAt = Math.max(elapsed, nextDue(state, elapsed))
  return state
}

/**
 * When the machine wants to be woken, on the elapsed clock. Infinite: not by itself. Up to a
 * millisecond late, so that no rounding wakes it just before its time, again and again.
 */
export const wakeAfter = ({ wakeAt, stood }: SwimState): number => Math.floor(wakeAt + stood) + 1

/**
 * One step.
 *
 * @param elapsed  now; never goes back
 * @returns        what is to be done, in order
 */
export function stepSwim(
  state: SwimState,
  elapsed: number,
  event: SwimEvent,
): readonly SwimEffect[] {
  const turn = begin(state, elapsed)
  handle(turn, event)
  if (turn.now >= state.wakeAt) runDue(turn)
  if (state.urgent.size > 0) probeUrgent(turn)
  state.wakeAt = Math.max(turn.now, nextDue(state, turn.now))
  return turn.effects
}

/**
 * Takes out the time during which this process stood still, which shows in a timer that comes late.
 * All that is due is put off by it, and once by a little more: answers and contradictions wait in
 * the sockets and are to be read before anybody is judged. Only once, or a process that is always
 * late would never judge.
 */
function begin(state: SwimState, elapsed: number): Turn {
  const { settings, wakeAt } = state
  const late = elapsed - state.stood - wakeAt
  if (late > settings.lagMax) {
    state.patient = !state.patient
    state.stood += late + (state.patient ? settings.lagMax : 0)
    worsen(state)
  } else if (late >= 0) {
    state.patient = false
  }
  return { state, now: elapsed - state.stood, elapsed, effects: [] }
}

function handle(turn: Turn, event: SwimEvent): void {
  switch (event.kind) {
    case 'woke':
      return
    case 'channelChanged':
      return changeChannel(turn, event.peer, event.up)
    case 'requestFailed':
      return avoid(turn, event.peer)
    case 'leaving':
      return leave(turn)
    case 'ringChanged':
      return changeRing(turn, event.ring, event.members)
    case 'ringFetched':
      return endRingFetch(turn, event.from)
    case 'answeredBadly':
    case 'unanswered':
      return endQuestion(turn, event)
    case 'compareFailed':
      if (turn.state.comparison?.with.id === event.from) turn.state.comparison = undefined
      return
    default:
      return handleMessage(turn, event)
  }
}

type MessageEvent = Extract<SwimEvent, { readonly header: unknown }>

function handleMessage(turn: Turn, event: MessageEvent): void {
  const { state, effects } = turn
  const { from, header, updates } = event
  const compared = event.kind === 'compared' || (event.kind === 'gossiped' && event.missing)
  const corrections = hear(turn, from, header, updates, compared ? 'direct' : 'gossip')
  switch (event.kind) {
    case 'pinged': {
      const news = newsFor(turn, state.peers.get(from), corrections)
      effects.push({ kind: 'answerPong', question: event.question, reached: true, updates: news })
      return
    }
    case 'relayAsked':
      return relay(turn, event)
    case 'gossiped': {
      const reply = replyTo(state, state.peers.get(from), corrections)
      effects.push({ kind: 'answerNoted', question: event.question, updates: reply })
      return
    }
    case 'compareAsked':
      return answerComparison(turn, event.question, event.digest)
    case 'ponged':
      return endQuestion(turn, event)
    case 'noted':
      return heardFrom(turn, from)
    case 'compared':
      heardFrom(turn, from)
      noteCompared(turn, from, updates)
      if (event.last) endComparison(turn, from, event.same)
      return
    default:
      unreachable(event)
  }
}

/** It answered this node itself. */
function heardFrom(turn: Turn, from: NodeId): void {
  const peer = turn.state.peers.get(from)
  if (peer === undefined || !peer.silent) return
  peer.silent = false
  show(turn, peer)
}

/** The end of a ping or of a request to a relay, this node's own or one made for another. */
function endQuestion(
  turn: Turn,
  event: Extract<SwimEvent, { readonly kind: 'ponged' | 'answeredBadly' | 'unanswered' }>,
): void {
  const { from, sequence } = event
  if (event.kind !== 'unanswered') heardFrom(turn, from)
  const probe = turn.state.probes.get(sequence)
  if (probe === undefined) {
    endRelayed(turn, sequence, event.kind !== 'unanswered')
    return
  }
  const byTarget = from === probe.target.id
  if (event.kind === 'unanswered') countSilence(turn, probe, byTarget)
  else if (byTarget || (event.kind === 'ponged' && event.reached)) reachedTarget(turn, probe)
  else if (event.kind === 'ponged') countNack(turn, probe)
  else countSilence(turn, probe, false)
}

function runDue(turn: Turn): void {
  const { state, now } = turn
  const { due } = state
  for (const peer of state.suspects) {
    if (peer.suspicion !== undefined && now >= peer.suspicion.until) {
      believe(turn, { ...updateOfPeer(peer), state: 'dead', witnesses: [] }, 'gossip')
    }
  }
  runProbes(turn)
  runRelayed(turn)
  if (now >= due.probe) probeNext(turn)
  if (state.gone.size > 0 && now >= due.knock) knock(turn)
  if (now >= due.compare) beginComparison(turn)
  if (now >= due.gossip) gossipRound(turn)
}

function nextDue(state: SwimState, now: number): number {
  const { due, gone, suspects, probes, relayed, urgent, settings } = state
  let next = Math.min(due.probe, due.gossip, due.compare)
  if (gone.size > 0) next = Math.min(next, due.knock)
  if (urgent.size > 0) next = Math.min(next, now + settings.urgentPause)
  for (const { suspicion } of suspects) next = Math.min(next, suspicion?.until ?? NEVER)
  for (const { relaysAsked, directUntil, until } of probes.values()) {
    next = Math.min(next, relaysAsked ? until : directUntil)
  }
  for (const { until } of relayed.values()) next = Math.min(next, until)
  return next
}
