import { type Clock, type Env, invariant, type NodeId } from '@shoal/kernel'
import type { Peers } from '../peers.ts'
import { type Faults, noFaults } from './direction.ts'
import { MemoryPeers, type NodeHost } from './memory-peers.ts'
import { Pair, type PairHost } from './pair.ts'

export interface MemoryNode {
  readonly self: NodeId
  readonly epoch: () => number
  /** The clock and turns of this node, when they are not those of the network. */
  readonly env?: Env
  /**
   * The clock of the network, on which what happens at this node happens as something of its own
   * process. Absent: the clock of `env`.
   */
  readonly wire?: Clock
}

export interface MemoryNetworkOptions {
  /** Told of each message that is sent. Looks and never acts. */
  readonly sent?: (from: NodeId, to: NodeId, kind: number, bytes: number) => void
}

/**
 * A network inside one process, for simulation: the Peers port with the same windows, timeouts and
 * failures as over sockets, and with faults that a seed replays. All time and chance come from the
 * Env.
 */
export interface MemoryNetwork {
  /** Adds a node, or a new run of one that has stopped or crashed. */
  join(node: MemoryNode): Peers
  /** Faults from one node to another, or, without names, everywhere else. */
  setFaults(faults: Partial<Faults>, from?: NodeId, to?: NodeId): void
  /** Nothing from `from` arrives at `to` any more. Neither is told; both notice the silence. */
  cut(from: NodeId, to: NodeId): void
  heal(from: NodeId, to: NodeId): void
  /** Resets the channel; both ends know at once and connect again. */
  sever(one: NodeId, other: NodeId): void
  /** The node neither sends nor hears, as when its process is stopped. */
  pause(node: NodeId): void
  resume(node: NodeId): void
  /**
   * The process of the node ends. Its Peers object calls nobody any more. Its peers learn of it at
   * once, or, where the whole machine is gone `silently`, when it has been silent for too long.
   */
  crash(node: NodeId, options?: { readonly silently?: boolean }): void
}

export function createMemoryNetwork(
  env: Env,
  faults: Partial<Faults> = {},
  options: MemoryNetworkOptions = {},
): MemoryNetwork {
  return new Network(env, { ...noFaults, ...faults }, options)
}

class Network implements MemoryNetwork, NodeHost, PairHost {
  readonly env: Env
  readonly #nodes = new Map<NodeId, MemoryPeers>()
  readonly #pairs = new Map<NodeId, Map<NodeId, Pair>>()
  readonly #faults = new Map<string, Faults>()
  readonly #paused = new Set<NodeId>()
  readonly #sent: MemoryNetworkOptions['sent']
  #default: Faults

  constructor(env: Env, faults: Faults, { sent }: MemoryNetworkOptions) {
    this.env = env
    this.#default = faults
    this.#sent = sent
  }

  join({ self, epoch, env = this.env, wire = env.clock }: MemoryNode): Peers {
    invariant(!this.nodeOf(self)?.isRunning, 'a node joins once at a time', () => self)
    const others = [...this.#nodes.keys()].filter((id) => id !== self)
    const node = new MemoryPeers({ host: this, env, wire, self, epoch })
    this.#nodes.set(self, node)
    const pairs = this.#pairs.get(self) ?? new Map<NodeId, Pair>()
    this.#pairs.set(self, pairs)
    for (const other of others) {
      if (pairs.has(other)) continue
      const pair = new Pair(this, self, other)
      pairs.set(other, pair)
      this.#pairs.get(other)?.set(self, pair)
    }
    return node
  }

  setFaults(faults: Partial<Faults>, from?: NodeId, to?: NodeId): void {
    if (from === undefined || to === undefined) this.#default = { ...this.#default, ...faults }
    else this.#faults.set(`${from} ${to}`, { ...this.faults(from, to), ...faults })
  }

  cut(from: NodeId, to: NodeId): void {
    this.pairOf(from, to)?.cut(from, true)
  }

  heal(from: NodeId, to: NodeId): void {
    this.pairOf(from, to)?.cut(from, false)
  }

  sever(one: NodeId, other: NodeId): void {
    this.pairOf(one, other)?.fall('the connection was reset')
  }

  pause(node: NodeId): void {
    this.#paused.add(node)
    this.considerAll(node)
  }

  resume(node: NodeId): void {
    this.#paused.delete(node)
    this.considerAll(node)
  }

  crash(node: NodeId, { silently = false } = {}): void {
    const peers = this.#nodes.get(node)
    this.#nodes.delete(node)
    peers?.crash({ silently })
  }

  sent(from: NodeId, to: NodeId, kind: number, bytes: number): void {
    this.#sent?.(from, to, kind, bytes)
  }

  pairsOf(node: NodeId): Iterable<Pair> {
    return this.#pairs.get(node)?.values() ?? []
  }

  pairOf(node: NodeId, peer: NodeId): Pair | undefined {
    return this.#pairs.get(node)?.get(peer)
  }

  considerAll(node: NodeId): void {
    for (const pair of this.pairsOf(node)) pair.consider()
  }

  faults(from: NodeId, to: NodeId): Faults {
    return this.#faults.get(`${from} ${to}`) ?? this.#default
  }

  nodeOf(id: NodeId): MemoryPeers | undefined {
    return this.#nodes.get(id)
  }

  isPaused(id: NodeId): boolean {
    return this.#paused.has(id)
  }
}
