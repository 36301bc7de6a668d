import { access } from './access.svelte.ts'
import { type Cluster, getJson, type NodeState, type Ring } from './api.ts'
import { Poll } from './poll.svelte.ts'

/** What most pages show of the cluster, asked once for all of them. */
export class ClusterWatch {
  readonly cluster = new Poll(knock, 2_000, { knocks: true })
  readonly nodes = new Poll(() => getJson<NodeState[]>('/v1/nodes'), 2_000)
  readonly ring = new Poll(() => getJson<Ring>('/v1/ring'), 10_000)

  get ids(): string[] {
    return (this.ring.value?.members ?? []).map(({ id }) => id)
  }

  /** One colour for each node, the same on all pages. */
  colour(node: string): string {
    const at = this.ids.indexOf(node)
    if (at < 0) return 'var(--quiet)'
    // The golden angle keeps neighbours apart, however many there are.
    return `oklch(var(--node-light) 0.13 ${Math.round((at * 137.5 + 230) % 360)})`
  }
}

async function knock(): Promise<Cluster> {
  const cluster = await getJson<Cluster>('/v1/cluster')
  access.isOpen = true
  return cluster
}
