import { believe } from './belief.ts'
import { newsFor } from './news.ts'
import { improve, type Peer, type Probe, show, type Turn, updateOfPeer, worsen } from './state.ts'
import { chooseRelays, isProbed, nextTarget } from './targets.ts'
import { isLiving } from './updates.ts'

/**
 * Finding out who is silent. A member is asked; if it does not answer in time, others are asked to
 * ask it, because the fault may lie between us, or with us. Only when they hear nothing either is
 * it suspected: by this node, as one witness.
 *
 * Routing does not wait for that. From the first unanswered question on, this node avoids the
 * member, until it answers this node itself.
 */
const NEVER = Number.POSITIVE_INFINITY

/** The regular probe: one at a time, one in each period, later when one takes longer. */
export function probeNext(turn: Turn): void {
  const { state, now } = turn
  const { due, settings } = state
  askUnheardAgain(turn)
  const target = nextTarget(state)
  if (target === undefined) {
    due.probe = now + settings.probePeriod
    return
  }
  due.probe = NEVER
  startProbe(turn, target, 'regular')
}

/** Who does not answer us is asked in each period, as far as there is room, not once in a round. */
function askUnheardAgain({ state }: Turn): void {
  const { unheard, urgent, settings } = state
  const room = Math.max(0, settings.probesInFlight - urgent.size)
  for (const peer of [...unheard].slice(0, room)) {
    urgent.add(peer)
    // Last of all the next time.
    unheard.delete(peer)
    unheard.add(peer)
  }
}

export function probeUrgent(turn: Turn): void {
  const { urgent, probes, settings } = turn.state
  for (const peer of urgent) {
    if (probes.size >= settings.probesInFlight) return
    if (turn.now - peer.probedAt < settings.urgentPause || isProbed(turn.state, peer)) continue
    urgent.delete(peer)
    startProbe(turn, peer, isLiving(peer) ? 'urgent' : 'knock')
  }
}

/** Somebody thought dead is asked whether it is: it would not know whom to contradict. */
export function knock(turn: Turn): void {
  const { state, now } = turn
  const { due, gone, random, settings } = state
  due.knock = now + settings.knockPeriod
  let skip = random.below(gone.size)
  for (const peer of gone) {
    if (skip-- > 0) continue
    state.urgent.add(peer)
    return
  }
}

function startProbe(turn: Turn, target: Peer, kind: Probe['kind']): void {
  const { state, now, effects } = turn
  const { settings } = state
  const patience = 1 + state.health
  const directUntil = now + settings.probeTimeout * patience
  const until = kind === 'knock' ? directUntil : now + settings.probePeriod * patience
  const sequence = ++state.sequence
  target.probedAt = now
  const unused = { directEnded: false, relaysAsked: false, asked: 0, nacks: 0, silences: 0 }
  const { incarnation } = target
  const times = { begun: now, directUntil, until }
  state.probes.set(sequence, { sequence, target, incarnation, kind, ...times, ...unused })
  const updates = newsFor(turn, target)
  effects.push({ kind: 'ping', to: target.id, sequence, timeout: until - now, updates })
}

/** What the target answered, itself or through a relay. */
export function reachedTarget(turn: Turn, probe: Probe): void {
  endProbe(turn, probe)
  improve(turn.state)
}

/** A relay lives, and does not hear the target either. */
export function countNack(turn: Turn, probe: Probe): void {
  probe.nacks++
  settle(turn, probe)
}

/** The question to the target, or to a relay, ended without an answer. */
export function countSilence(turn: Turn, probe: Probe, byTarget: boolean): void {
  if (byTarget) {
    probe.directEnded = true
    missed(turn, probe)
  } else {
    probe.silences++
  }
  if (turn.state.probes.has(probe.sequence)) settle(turn, probe)
}

export function runProbes(turn: Turn): void {
  for (const probe of turn.state.probes.values()) {
    if (turn.now >= probe.until) conclude(turn, probe)
    else if (turn.now >= probe.directUntil && !probe.relaysAsked) missed(turn, probe)
  }
}

/** The target has not answered us: avoid it, and ask others. */
function missed(turn: Turn, probe: Probe): void {
  const { target, kind } = probe
  target.silent = true
  show(turn, target)
  if (kind === 'knock') endProbe(turn, probe)
  else if (!probe.relaysAsked) askRelays(turn, probe)
}

function askRelays(turn: Turn, probe: Probe): void {
  const { state, now, effects } = turn
  const { sequence, target } = probe
  probe.relaysAsked = true
  const timeout = probe.until - now
  for (const relay of chooseRelays(state, target)) {
    probe.asked++
    const updates = newsFor(turn, relay)
    effects.push({ kind: 'askRelay', to: relay.id, target: target.id, sequence, timeout, updates })
  }
}

/** Over before its time when nobody is left who could still say something. */
function settle(turn: Turn, probe: Probe): void {
  const { directEnded, relaysAsked, asked, nacks, silences } = probe
  if (directEnded && relaysAsked && nacks + silences === asked) conclude(turn, probe)
}

function conclude(turn: Turn, probe: Probe): void {
  const { state } = turn
  const { target, asked, nacks } = probe
  endProbe(turn, probe)
  if (probe.kind === 'knock') return
  worsen(state)
  if (nacks < asked) worsen(state)
  // What it has said since is no less true for our not having heard it.
  if (!isLiving(target) || target.incarnation !== probe.incarnation) return
  const witnesses = [state.self.id]
  believe(turn, { ...updateOfPeer(target), state: 'suspect', witnesses }, 'gossip')
}

export function endProbe({ state, now }: Turn, probe: Probe): void {
  state.probes.delete(probe.sequence)
  if (probe.kind !== 'regular') return
  state.due.probe = Math.max(probe.begun + state.settings.probePeriod, now)
}
