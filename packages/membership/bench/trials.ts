import type { SwimEffect } from '../src/core/events.ts'
import { type SimNode, World, type WorldOptions } from './world.ts'

/** What is measured of a detector: times in milliseconds of virtual time. */
export interface Times {
  readonly median: number
  readonly p99: number
  readonly max: number
  readonly count: number
}

export function timesOf(values: readonly number[]): Times {
  const sorted = [...values].sort((one, other) => one - other)
  const at = (share: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN
  return { median: at(0.5), p99: at(0.99), max: at(1), count: sorted.length }
}

type Trial = Omit<WorldOptions, 'sent' | 'stepped'>

const SETTLE_MS = 5_000

/**
 * How long a piece of news takes to reach everyone: one node contradicts a rumour, and all others
 * are to know.
 */
export function measureSpread(options: Trial, rounds: number): number[] {
  const world = new World(options)
  world.run(SETTLE_MS)
  const times: number[] = []
  for (let round = 0; round < rounds; round++) {
    const [teller, other] = two(world)
    const begun = world.now
    const { self, incarnation, run } = teller.swim
    const witnesses = [other.member.id]
    world.step(teller, {
      kind: 'noted',
      from: other.member.id,
      header: { incarnation: other.swim.incarnation, run: other.swim.run, ring: other.swim.ring },
      updates: [{ node: self.id, state: 'suspect', incarnation, run, witnesses }],
    })
    const wanted = teller.swim.incarnation
    const uninformed = new Set(world.nodes)
    uninformed.delete(teller)
    const informed = (): boolean => {
      for (const node of uninformed) {
        if ((node.swim.peers.get(self.id)?.incarnation ?? 0) >= wanted) uninformed.delete(node)
      }
      return uninformed.size === 0
    }
    world.runUntil(informed, begun + 30_000, 10)
    times.push(world.now - begun)
    world.run(world.now + SETTLE_MS)
  }
  return times
}

function two({ nodes, random }: World): [SimNode, SimNode] {
  const one = random.below(nodes.length)
  const other = (one + 1 + random.below(nodes.length - 1)) % nodes.length
  return [nodes[one] as SimNode, nodes[other] as SimNode]
}

export interface CrashTimes {
  /** From the crash until some node suspects, as the protocol has it. */
  readonly suspected: number
  /** Until the last node has declared it dead. */
  readonly declared: number
  /** Until the last node's routing avoids it. */
  readonly avoided: number
  /** From the restart until the last node thinks it alive. */
  readonly back: number
}

/** One node after the other crashes, is declared dead by all, and comes back as a new process. */
export function measureCrashes(options: Trial, rounds: number, told: boolean): CrashTimes[] {
  const world = new World(options)
  world.run(SETTLE_MS)
  return Array.from({ length: rounds }, () => crashOnce(world, told))
}

function crashOnce(world: World, told: boolean): CrashTimes {
  const [victim] = two(world)
  const { id } = victim.member
  const others = world.nodes.filter((node) => node !== victim)
  const begun = world.now
  const since = (holds: () => boolean, every: number): number => {
    const from = world.now
    world.runUntil(holds, from + 120_000, every)
    return world.now - from
  }
  const all = (holds: (node: SimNode) => boolean): (() => boolean) => {
    const left = new Set(others)
    return () => {
      for (const node of left) {
        if (!holds(node)) return false
        left.delete(node)
      }
      return true
    }
  }
  world.crash(victim, { told })
  const avoided = watch(all((node) => node.swim.peers.get(id)?.shown !== 'alive'))
  const suspected = since(() => others.some((node) => world.thinks(node, victim) !== 'alive'), 10)
  const dead = all((node) => world.thinks(node, victim) === 'dead')
  since(() => avoided(world.now - begun) && dead(), 20)
  const declared = world.now - begun
  world.run(world.now + SETTLE_MS)
  // Below what the others remember: it has to learn that first.
  world.restart(victim)
  const back = since(
    all((node) => node.swim.peers.get(id)?.shown === 'alive'),
    20,
  )
  world.run(world.now + SETTLE_MS)
  return { suspected, declared, avoided: avoided.at, back }
}

function watch(holds: () => boolean): { (now: number): boolean; at: number } {
  const watched = (now: number): boolean => {
    if (Number.isNaN(watched.at) && holds()) watched.at = now
    return !Number.isNaN(watched.at)
  }
  watched.at = Number.NaN
  return watched
}

export interface StallOptions extends Trial {
  readonly hours: number
  /** How long a process stands still. */
  readonly stall: number
  /** How often that happens to one node, on the average. */
  readonly stallEvery: number
}

export interface Calm {
  readonly hours: number
  readonly stalls: number
  /** A node declared dead by some node while its process was there. */
  readonly falseDeaths: number
  /** How often a node began to be suspected by some node. */
  readonly suspicions: number
  readonly refutations: number
  /** At the end, pairs in which one does not think the other alive. */
  readonly stillWrong: number
  readonly messagesPerNodeSecond: number
}

/** Hours in which nobody dies: messages are lost and processes stand still. */
export function measureCalm(options: StallOptions): Calm {
  const { hours, stall, stallEvery } = options
  let [stalls, falseDeaths, suspicions, refutations] = [0, 0, 0, 0]
  const stepped = (node: SimNode, effects: readonly SwimEffect[]): void => {
    for (const effect of effects) {
      if (effect.kind === 'refuted') refutations++
      if (effect.kind !== 'changed') continue
      const state = node.swim.peers.get(effect.node)?.state
      if (state === 'dead') falseDeaths++
      else if (state === 'suspect') suspicions++
    }
  }
  const world = new World({ ...options, stepped })
  const end = hours * 3_600_000
  const stallLater = (node: SimNode): void => {
    const gap = -Math.log((1 + world.random.below(1_000_000)) / 1_000_001) * stallEvery
    if (world.now + gap >= end) return
    world.after(gap, () => {
      stalls++
      world.stall(node, stall)
      world.after(stall, () => stallLater(node))
    })
  }
  if (stall > 0) for (const node of world.nodes) stallLater(node)
  world.run(end)
  world.loss = 0
  world.run(end + 60_000)
  const stillWrong = world.nodes.reduce(
    (sum, { swim }) =>
      sum + [...swim.peers.values()].filter(({ shown }) => shown !== 'alive').length,
    0,
  )
  const nodeSeconds = world.nodes.length * (hours * 3_600 + 60)
  const messagesPerNodeSecond = world.messages / nodeSeconds
  return { hours, stalls, falseDeaths, suspicions, refutations, stillWrong, messagesPerNodeSecond }
}
