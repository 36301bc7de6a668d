import { type Env, invariant, millis, nodeId, type Random, ShoalError } from '@shoal/kernel'
import { foundRing } from '@shoal/ring'
import { createMemoryNetwork, noFaults } from '@shoal/transport'
import type { Observer } from '../check/observer.ts'
import { HashChain } from '../kernel/hash-chain.ts'
import type { Recorder } from '../kernel/recorder.ts'
import { eventKinds, type Owner, Scheduler } from '../kernel/scheduler.ts'
import { Dice } from '../kernel/sim-process.ts'
import type { FaultEvent } from '../plan/plan.ts'
import { Calls } from './calls.ts'
import { Faults } from './faults.ts'
import { Links } from './links.ts'
import { Machine } from './machine.ts'
import type { SimCluster, SimClusterPlan, SimFigures } from './sim-cluster.ts'
import type { ClientEnd, ClientRequest, SimNode } from './sim-node.ts'
import { Watchers } from './watchers.ts'
import { Injections, type World } from './world.ts'

export interface SimClusterOptions {
  /** Called before the first node boots, so that watchers miss nothing. */
  readonly begin?: (cluster: SimCluster) => void
  /** Writes down what happens, to be compared with another run. */
  readonly recorder?: Recorder
}

/** A cluster whose nodes are up, know each other and know the buckets of the plan. */
export async function createSimCluster(
  plan: SimClusterPlan,
  options: SimClusterOptions = {},
): Promise<SimCluster> {
  const cluster = new Cluster(plan, options)
  options.begin?.(cluster)
  await cluster.start()
  return cluster
}

/** What a start, and a stop of everything, may take of virtual time. */
const START_MAX = 60_000
/** An error that nobody caught may be one of a process that has died since. */
const EVENTS_AFTER_DEATH = 10_000

class Cluster implements SimCluster {
  readonly nodes: readonly Machine[]
  readonly #plan: SimClusterPlan
  readonly #world: World
  readonly #calls: Calls
  readonly #faults: Faults
  #failure: { readonly error: unknown } | undefined
  #lastDeath = 0

  constructor(plan: SimClusterPlan, { recorder }: SimClusterOptions) {
    const { seed, cluster } = plan
    const chain = new HashChain()
    const dice = new Dice(seed)
    const scheduler: Scheduler = new Scheduler({
      seed,
      chain,
      draws: () => dice.draws,
      onError: (error, owner) => this.#thrown(error, owner),
      isOfTheDead: (reason) =>
        reason instanceof ShoalError && scheduler.events - this.#lastDeath < EVENTS_AFTER_DEATH,
      ...(recorder ? { onEvent: (event) => recorder.add(event, chain.value) } : {}),
    })
    const base = {
      ...noFaults,
      delayMin: millis(cluster.linkDelayMin),
      delayMax: millis(cluster.linkDelayMax),
    }
    const network = createMemoryNetwork(outsideEnv(scheduler, dice), base, {
      sent: (_from, _to, kind, bytes) => {
        chain.mix(kind)
        chain.mix(bytes)
      },
    })
    const fail = (error: unknown): void => this.#fail(error)
    const ids = Array.from({ length: cluster.nodes }, (_none, index) => nodeId(`n${index + 1}`))
    this.#plan = plan
    this.#world = {
      scheduler,
      chain,
      dice,
      network,
      fail,
      died: () => {
        this.#lastDeath = scheduler.events
      },
      plan: cluster,
      watchers: new Watchers(fail),
      injections: new Injections(plan.injections),
      figures: { boots: 0, halts: 0, faults: new Map() },
      founded: foundRing({
        secretDigest: 'simulated',
        members: ids.map((id, index) => ({ id, url: `http://127.0.0.1:${4_100 + index}` })),
        partitions: cluster.partitions,
        replicas: cluster.replicas,
      }),
    }
    this.nodes = ids.map((id, index) => new Machine(this.#world, index, id))
    this.#calls = new Calls(this.#world)
    this.#faults = new Faults(this.#world, this.nodes, new Links(network, ids, base))
  }

  get hash(): string {
    return this.#world.chain.value
  }

  get figures(): SimFigures {
    const { figures, scheduler, injections } = this.#world
    return { ...figures, events: scheduler.events, injected: injections.counts }
  }

  now(): number {
    return this.#world.scheduler.now
  }

  after(delay: number, work: () => void): void {
    this.#world.scheduler.add(delay, eventKinds.outside, undefined, work)
  }

  random(label: string): Random {
    return this.#world.dice.stream(`outside ${label}`)
  }

  observe(observer: Observer): void {
    this.#world.watchers.add(observer)
  }

  call(node: number, request: ClientRequest, done: (end: ClientEnd) => void): void {
    this.#calls.call(this.#machine(node), request, done)
  }

  applyFault(fault: FaultEvent): void {
    this.#faults.begin(fault)
  }

  heal(): void {
    this.#world.injections.isOn = false
    this.#faults.endAll()
    for (const machine of this.nodes) {
      if (machine.state === 'down') machine.boot()
      else if (machine.state === 'stopping') machine.bootAfterStop(0)
    }
    this.#world.watchers.tell('healed')
  }

  async run(until: number): Promise<void> {
    await this.#world.scheduler.run(until)
    this.#throwFailure()
  }

  async start(): Promise<void> {
    for (const machine of this.nodes) machine.boot()
    await this.#runUntil('all nodes are up', () => this.#isWhole)
    await this.#setBuckets()
    this.#world.injections.isOn = true
  }

  async finish(): Promise<void> {
    this.heal()
    await this.#runUntil('all nodes are up', () => this.nodes.every(({ state }) => state === 'up'))
    for (const machine of this.nodes) machine.stop()
    await this.#runUntil('all nodes have stopped', () =>
      this.nodes.every(({ state }) => state === 'down'),
    )
    const { scheduler } = this.#world
    await this.run(scheduler.now + START_MAX)
    const left = [...scheduler.waiting()].filter(({ owner }) => owner?.alive !== false)
    invariant(left.length === 0, 'a stopped cluster has nothing left to do', () =>
      left.map(({ due, kind, owner }) => ({ due, kind, node: owner?.index })),
    )
  }

  get #isWhole(): boolean {
    return this.nodes.every(
      (machine) =>
        machine.state === 'up' &&
        this.nodes.every((other) => other === machine || machine.isConnectedTo(other.id)),
    )
  }

  /** As a person would: through one node, and every node follows. */
  async #setBuckets(): Promise<void> {
    let left = this.#plan.buckets.length
    const registry = this.#machine(0).buckets
    const process = this.#machine(0).process
    invariant(registry !== undefined && process !== undefined, 'the first node is up')
    const wanted = new Map<string, string>()
    for (const { name, properties } of this.#plan.buckets) {
      const whole = { ...registry.defaults, ...properties }
      wanted.set(name, sorted(whole))
      process.wire.after(millis(0), () => {
        registry.put(name, whole).then(
          () => left--,
          (error: unknown) => this.#fail(error),
        )
      })
    }
    const isKnown = ({ buckets }: SimNode): boolean =>
      [...wanted].every(([name, whole]) => sorted(buckets?.of(name) ?? {}) === whole)
    await this.#runUntil(
      'every node knows the buckets',
      () => left === 0 && this.nodes.every(isKnown),
    )
  }

  async #runUntil(what: string, holds: () => boolean): Promise<void> {
    const { scheduler } = this.#world
    await scheduler.run(scheduler.now + START_MAX, holds)
    this.#throwFailure()
    invariant(holds(), `within a minute ${what}`)
  }

  #machine(index: number): Machine {
    const machine = this.nodes[index]
    invariant(machine !== undefined, 'a node has an index below their number', () => index)
    return machine
  }

  #thrown(error: unknown, owner: Owner | undefined): void {
    this.#fail(error)
    if (owner) this.#machine(owner.index).halt(error)
  }

  #fail(error: unknown): void {
    this.#failure ??= { error }
  }

  #throwFailure(): void {
    const failure = this.#failure
    this.#failure = undefined
    if (failure) throw failure.error
  }
}

const sorted = (properties: object): string =>
  JSON.stringify(Object.entries(properties).sort(([one], [other]) => (one < other ? -1 : 1)))

/** Of the network, which belongs to no node. */
function outsideEnv(scheduler: Scheduler, dice: Dice): Env {
  const streams = new Map<string, Random>()
  return {
    clock: {
      elapsed: () => millis(scheduler.now),
      wall: () => millis(scheduler.now),
      after: (delay, wake) => scheduler.add(delay, eventKinds.outside, undefined, wake),
    },
    random: (label) => {
      const known = streams.get(label) ?? dice.stream(label)
      streams.set(label, known)
      return known
    },
    nextTurn: (work) => void scheduler.add(0, eventKinds.outside, undefined, work),
    inject: () => false,
    halt: (reason) => {
      throw reason
    },
  }
}
