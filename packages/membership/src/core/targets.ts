import type { Random } from '@shoal/kernel'
import type { Peer, SwimState } from './state.ts'
import { isLiving } from './updates.ts'

/**
 * The next to be probed: everyone in turn, in an order that is shuffled anew after each round, so
 * that a dead node is found within a bounded time and two nodes do not probe in step.
 */
export function nextTarget(state: SwimState): Peer | undefined {
  for (let tries = state.order.length; tries > 0; tries--) {
    if (state.turn === 0) shuffle(state.order, state.random)
    const peer = state.order[state.turn]
    state.turn = (state.turn + 1) % state.order.length
    if (peer && isLiving(peer) && !isProbed(state, peer)) return peer
  }
  return undefined
}

export function isProbed({ probes }: SwimState, peer: Peer): boolean {
  for (const { target } of probes.values()) if (target === peer) return true
  return false
}

/**
 * Some of those that are accepted, uniformly, as long as they are many; where they are few, all of
 * them are found nevertheless.
 */
export function sample(state: SwimState, count: number, accepts: (peer: Peer) => boolean): Peer[] {
  const { order, random } = state
  const found = new Set<Peer>()
  for (let tries = 4 * count; tries > 0 && found.size < count; tries--) {
    const peer = order[random.below(order.length)]
    if (peer && accepts(peer)) found.add(peer)
  }
  const from = random.below(order.length)
  for (let step = 0; step < order.length && found.size < count; step++) {
    const peer = order[(from + step) % order.length]
    if (peer && accepts(peer)) found.add(peer)
  }
  return [...found]
}

/** Who is asked to probe for us: heard by us, each in another zone as far as there are zones. */
export function chooseRelays(state: SwimState, target: Peer): Peer[] {
  const { relays } = state.settings
  const accepts = (peer: Peer): boolean => peer !== target && peer.shown === 'alive'
  const candidates = sample(state, 4 * relays, accepts)
  const zones = new Set<string>()
  const chosen: Peer[] = []
  for (const peer of candidates) {
    if (chosen.length === relays) break
    if (zones.has(placeOf(peer))) continue
    zones.add(placeOf(peer))
    chosen.push(peer)
  }
  const rest = candidates.filter((peer) => !chosen.includes(peer))
  return [...chosen, ...rest.slice(0, relays - chosen.length)]
}

/** A zone, or the machine where nobody named zones. */
const placeOf = ({ id, zone, host }: Peer): string => zone || host || id

function shuffle(peers: Peer[], random: Random): void {
  for (let left = peers.length; left > 1; left--) {
    const picked = random.below(left)
    const last = peers[left - 1] as Peer
    peers[left - 1] = peers[picked] as Peer
    peers[picked] = last
  }
}
