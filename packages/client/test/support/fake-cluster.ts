import { FakeNode } from './fake-node.ts'
import { FakeStore } from './fake-store.ts'

export interface FakeCluster {
  readonly store: FakeStore
  readonly nodes: readonly FakeNode[]
  readonly urls: readonly string[]
  /** The ring as the nodes tell it; partition p is led by node p modulo their number. */
  ringOf(epoch: number): object
  close(): Promise<void>
}

const PARTITIONS = 8

/** A few nodes over one store, with a ring that names them all. */
export async function startFakeCluster(
  count = 3,
  { ring = true }: { ring?: boolean } = {},
): Promise<FakeCluster> {
  const store = new FakeStore()
  const nodes = await Promise.all(
    Array.from({ length: count }, (_, index) => new FakeNode(`n${index + 1}`, store).start()),
  )
  const ringOf = (epoch: number): object => ({
    epoch,
    partitions: PARTITIONS,
    replicas: count,
    members: nodes.map(({ id, url }) => ({ id, url, zone: '', host: '', weight: 1 })),
    table: Array.from({ length: PARTITIONS }, (_, partition) =>
      nodes.map((_node, index) => nodes[(partition + index) % count]!.id),
    ),
  })
  if (ring) for (const node of nodes) node.ring = ringOf(1)
  return {
    store,
    nodes,
    urls: nodes.map(({ url }) => url),
    ringOf,
    close: async () => {
      await Promise.all(nodes.map((node) => node.kill().catch(() => undefined)))
    },
  }
}
