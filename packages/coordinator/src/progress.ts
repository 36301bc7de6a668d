import type { Env, Millis, NodeId, Partition, ReplicaReport } from '@shoal/kernel'
import { bit } from './core/judge.ts'
import type { Place } from './place.ts'
import type {
  EffectiveConsistency,
  Follower,
  KeyRequest,
  RequestReport,
  TraceEvent,
} from './requests.ts'

/**
 * What each candidate did for one request, for errors and traces. Notes cost two array writes; text
 * is made only for those who ask.
 */
export class Progress implements RequestReport {
  readonly #env: Env
  /** Candidates: primaries, and behind them whoever was enlisted to stand in for one. */
  nodes: readonly NodeId[]
  /** How many of them are primaries. */
  readonly primaries: number
  readonly began: Millis
  readonly partition: Partition
  readonly consistency: EffectiveConsistency
  readonly #states: (string | undefined)[]
  readonly #times: number[]
  readonly #events: TraceEvent[] | undefined
  readonly #follower: Follower | undefined

  constructor(
    env: Env,
    { nodes, partition }: Pick<Place, 'nodes' | 'partition'>,
    consistency: EffectiveConsistency,
    { explain, follower }: Pick<KeyRequest, 'explain' | 'follower'>,
  ) {
    this.#env = env
    this.partition = partition
    this.consistency = consistency
    this.nodes = nodes
    this.primaries = nodes.length
    this.began = env.clock.elapsed()
    this.#states = new Array(nodes.length)
    this.#times = new Array(nodes.length).fill(0)
    this.#events = explain ? [] : undefined
    this.#follower = follower
  }

  /** Makes these candidates too. @returns their places, as a set */
  enlist(standIns: readonly NodeId[]): number {
    const fresh = standIns.filter((node) => !this.nodes.includes(node))
    if (fresh.length > 0) this.nodes = [...this.nodes, ...fresh]
    for (const _node of fresh) this.#times.push(0)
    return standIns.reduce((set, node) => set | bit(this.nodes.indexOf(node)), 0)
  }

  /** What may never answer is known to have been asked. Told to traces as an event. */
  asked(candidate: number): void {
    this.#states[candidate] = ASKED
    if (this.#events || this.#follower) this.#tell(candidate, ASKED)
  }

  #tell(candidate: number, event: string): void {
    const node = this.nodes[candidate]
    if (node === undefined) return
    this.mark(node, event)
    this.#follower?.happened(node, event)
  }

  /** What goes with every question to a peer. */
  get carried(): Uint8Array | undefined {
    return this.#follower?.carried
  }

  /** As many have answered as were asked for. */
  reached(): void {
    this.#follower?.reached()
  }

  /** @param state  a word people understand, or an error code */
  note(candidate: number, state: string, detail = ''): void {
    const at = this.#env.clock.elapsed() - this.began
    this.#states[candidate] = state
    this.#times[candidate] = at
    const node = this.nodes[candidate]
    if (node === undefined) return
    this.#events?.push({ at: round(at), node, event: state, detail })
    this.#follower?.happened(node, state)
  }

  /** An event of the coordinator itself. */
  mark(node: NodeId, event: string, detail = ''): void {
    if (!this.#events) return
    this.#events.push({ at: round(this.#env.clock.elapsed() - this.began), node, event, detail })
  }

  get events(): readonly TraceEvent[] | undefined {
    return this.#events
  }

  reports(): ReplicaReport[] {
    return this.nodes.map((node, candidate) => ({
      node,
      role: candidate < this.primaries ? 'primary' : 'fallback',
      state: this.#states[candidate] ?? 'not-asked',
      ms: round(this.#times[candidate] ?? 0),
    }))
  }
}

/** The state of a replica that was asked and has not answered. */
const ASKED = 'asked'

const round = (ms: number): number => Math.round(ms * 1_000) / 1_000
