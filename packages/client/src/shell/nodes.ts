import type { Candidate } from '../core/call.ts'
import { orderCandidates } from '../core/route.ts'
import { Node, type NodeParts, type WatchSettings } from './node.ts'

/** What a client thinks of one node, for people. */
export interface NodeStatus {
  readonly url: string
  readonly state: 'up' | 'down' | 'resting'
  /** Mean of recent answers in milliseconds; undefined when there were none. */
  readonly latencyMs: number | undefined
  readonly inFlight: number
}

/** All nodes this client deals with, by URL. */
export class Nodes {
  readonly #parts: NodeParts
  readonly #settings: WatchSettings
  readonly #nodes = new Map<string, Node>()

  constructor(parts: NodeParts, settings: WatchSettings) {
    this.#parts = parts
    this.#settings = settings
  }

  of(url: string): Node {
    let node = this.#nodes.get(url)
    if (node === undefined) {
      node = new Node(url, this.#parts, this.#settings)
      this.#nodes.set(url, node)
    }
    return node
  }

  order(primaries: readonly string[], others: Iterable<string>): readonly Candidate[] {
    const now = this.#parts.env.clock.elapsed()
    return orderCandidates(primaries, others, (url) => {
      const health = this.#nodes.get(url)?.health
      return { usable: health?.usable(now) ?? true, latency: health?.latency(now) }
    })
  }

  /** Lets go of nodes that are no longer of the cluster; what is under way there may end. */
  retain(urls: ReadonlySet<string>): void {
    for (const [url, node] of this.#nodes) {
      if (urls.has(url)) continue
      this.#nodes.delete(url)
      // Its connections close by themselves when they fall idle, should this fail.
      node.close().catch(() => undefined)
    }
  }

  status(): readonly NodeStatus[] {
    const now = this.#parts.env.clock.elapsed()
    return [...this.#nodes.values()].map(({ url, health, inFlight }) => ({
      url,
      state: health.down ? 'down' : health.usable(now) ? 'up' : 'resting',
      latencyMs: health.latency(now),
      inFlight,
    }))
  }

  async close(): Promise<void> {
    await Promise.all([...this.#nodes.values()].map((node) => node.close()))
  }

  async destroy(): Promise<void> {
    await Promise.all([...this.#nodes.values()].map((node) => node.destroy()))
  }
}
