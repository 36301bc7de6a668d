import { createSeededRandom, type NodeId, nodeId } from '@shoal/kernel'
import type { MemberState, MembershipHeader, MemberUpdate } from '@shoal/wire'
import type { SwimEffect, SwimEvent, SwimMember } from '../../src/core/events.ts'
import { defaultSettings, type SwimSettings } from '../../src/core/settings.ts'
import type { Peer, SwimState } from '../../src/core/state.ts'
import { createSwim, stepSwim, wakeAfter } from '../../src/core/swim.ts'

export const seed = Number(process.env.SHOAL_SEED ?? 20_071_014)

export const ring = { epoch: 1, digest: '0123456789abcdef' }

export const member = (index: number, zones = 3): SwimMember => ({
  id: nodeId(`n${index}`),
  zone: zones === 0 ? '' : `z${index % zones}`,
  host: '',
})

export const members = (count: number, zones = 3): SwimMember[] =>
  Array.from({ length: count }, (_, index) => member(index, zones))

/** Any event; a header and no updates where none are given. */
type Loose = { readonly kind: string; readonly [part: string]: unknown }

/** One machine, its time, and what it has asked for. */
export class Rig {
  readonly state: SwimState
  now = 0
  effects: readonly SwimEffect[] = []

  constructor(options: {
    nodes?: number
    zones?: number
    settings?: Partial<SwimSettings>
    channels?: boolean
    seed?: number
    incarnation?: number
  }) {
    const { nodes = 10, zones = 3, settings = {}, channels = true, incarnation = 5 } = options
    const all = members(nodes, zones)
    this.state = createSwim({
      self: all[0] as SwimMember,
      members: all,
      ring,
      run: 77,
      incarnation,
      random: createSeededRandom(`rig ${options.seed ?? seed}`),
      settings: { ...defaultSettings, ...settings },
      elapsed: 0,
    })
    if (!channels) return
    for (const { id: peer } of all.slice(1)) this.step({ kind: 'channelChanged', peer, up: true })
  }

  get self(): NodeId {
    return this.state.self.id
  }

  peer(index: number): Peer {
    const peer = this.state.peers.get(nodeId(`n${index}`))
    if (peer === undefined) throw new Error(`n${index} is no member`)
    return peer
  }

  /** What another node says of itself. */
  header(index: number, parts: Partial<MembershipHeader> = {}): MembershipHeader {
    return { incarnation: 3, run: 100 + index, ring, ...parts }
  }

  step(event: Loose): readonly SwimEffect[] {
    const from = Number(String(event.from ?? 'n1').slice(1))
    const full = { header: this.header(from), updates: [], question: 1, missing: false, ...event }
    this.effects = stepSwim(this.state, this.now, full as unknown as SwimEvent)
    return this.effects
  }

  /** Lets time pass, the timer firing when it is due, and gathers all effects. */
  advance(by: number, seen?: (effect: SwimEffect, at: number) => void): SwimEffect[] {
    const until = this.now + by
    const effects: SwimEffect[] = []
    for (let at = wakeAfter(this.state); at <= until; at = wakeAfter(this.state)) {
      this.now = Math.max(this.now, at)
      for (const effect of this.step({ kind: 'woke' })) {
        effects.push(effect)
        seen?.(effect, this.now)
      }
    }
    this.now = until
    return effects
  }

  /** Everyone answers what it is asked, except those named. */
  advanceAnswered(by: number, silent: readonly NodeId[] = []): SwimEffect[] {
    return this.advance(by, (effect) => {
      if (effect.kind !== 'ping' || silent.includes(effect.to)) return
      this.pong(effect)
    })
  }

  pong({ to, sequence }: { to: NodeId; sequence: number }, reached = true): readonly SwimEffect[] {
    return this.step({ kind: 'ponged', from: to, sequence, reached })
  }

  say(
    index: number,
    state: MemberState,
    parts: Partial<MemberUpdate> & { readonly from?: number } = {},
  ): readonly SwimEffect[] {
    const { from = 1, ...rest } = parts
    const update = updateFor(index, state, rest)
    return this.step({ kind: 'gossiped', from: nodeId(`n${from}`), updates: [update] })
  }
}

export function updateFor(
  index: number,
  state: MemberState,
  parts: Partial<MemberUpdate> = {},
): MemberUpdate {
  const witnesses = state === 'suspect' ? [nodeId('n9')] : []
  return { node: nodeId(`n${index}`), state, incarnation: 3, run: 100 + index, witnesses, ...parts }
}

export const only = <Kind extends SwimEffect['kind']>(
  effects: readonly SwimEffect[],
  kind: Kind,
): Extract<SwimEffect, { readonly kind: Kind }>[] =>
  effects.filter(
    (effect): effect is Extract<SwimEffect, { readonly kind: Kind }> => effect.kind === kind,
  )
