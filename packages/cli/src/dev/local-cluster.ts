/** A few nodes on this machine, started and stopped together. */
import { NodeProcess, type NodeWatcher, type ProcessSettings } from './node-process.ts'
import type { PlannedNode } from './plan.ts'

export class LocalCluster {
  readonly nodes: readonly NodeProcess[]

  constructor(plans: readonly PlannedNode[], watcher: NodeWatcher, settings: ProcessSettings) {
    this.nodes = plans.map((plan) => new NodeProcess(plan, watcher, settings))
  }

  find(id: string): NodeProcess | undefined {
    return this.nodes.find(({ plan }) => plan.id === id)
  }

  /** @returns the nodes that did not come to serve; empty when all do */
  async start(): Promise<readonly NodeProcess[]> {
    const serving = await Promise.all(this.nodes.map((node) => node.start()))
    return this.nodes.filter((_, index) => !serving[index])
  }

  /**
   * A node serves before it has reached its peers, and counts to strict reads when its new disk has
   * been compared with theirs. Settles when all nodes find the cluster healthy.
   */
  async whole(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.whole))
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.stop()))
  }

  killNow(): void {
    for (const node of this.nodes) node.killNow()
  }
}
