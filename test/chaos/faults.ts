/** Does what a plan says, at its time. */
import { flipBits, storeFiles } from '../support/flip-bits.ts'
import type { ChaosCluster } from './cluster.ts'
import { drawFrom } from './draw.ts'
import { pause } from './pause.ts'
import type { Fault, FaultKind, Round } from './plan.ts'

const FLIPS_MAX = 8

type Deed = (cluster: ChaosCluster, fault: Fault, until: () => Promise<void>) => Promise<void>

/**
 * Runs the faults of a round; resolves when the last one is over.
 *
 * @param signal  ends all waiting: what is under way is then over at once
 */
export async function runFaults(
  cluster: ChaosCluster,
  { faults }: Round,
  { signal, told }: { signal: AbortSignal; told(fault: Fault): void },
): Promise<void> {
  await Promise.all(
    faults.map(async (fault) => {
      await pause(fault.at, signal)
      if (signal.aborted) return
      told(fault)
      await deeds[fault.kind](cluster, fault, () => pause(fault.lasts, signal))
    }),
  )
}

const deeds: Readonly<Record<FaultKind, Deed>> = {
  kill: (cluster, { nodes }, until) =>
    eachLocked(cluster, nodes, async (place) => {
      await cluster.kill(place)
      await until()
      await cluster.start(place)
    }),

  pause: (cluster, { nodes }, until) =>
    eachLocked(cluster, nodes, async (place) => {
      cluster.node(place).freeze()
      await until()
      cluster.node(place).thaw()
    }),

  roll: async (cluster, { nodes }) => {
    for (const place of nodes) {
      await cluster.locked(place, async () => {
        await cluster.stop(place)
        await cluster.start(place)
      })
      await cluster.settled()
    }
  },

  partition: async ({ network }, { links }, until) => {
    network.cut(links)
    await until()
    network.mend(links)
  },

  slow: async ({ network }, { links, manner }, until) => {
    network.slow(links, Number(/(\d+) ms/.exec(manner)?.[1] ?? 0))
    await until()
    network.mend(links)
  },

  reset: async ({ network }, { links }, until) => {
    network.reset(links)
    await until()
  },

  'disk-full': async (cluster, { nodes: [place = 0] }, until) => {
    cluster.excuse(place)
    cluster.disk?.fillUp()
    await until()
    cluster.disk?.empty()
    // It has refused writes all the while, or ended because its disk failed.
    await cluster.locked(place, () => cluster.start(place))
  },

  flip: (cluster, fault, until) =>
    eachLocked(cluster, fault.nodes, async (place) => {
      cluster.excuse(place)
      await endBy(cluster, place, fault.manner)
      const draw = drawFrom('flip', fault.at, fault.lasts)
      const flips = 1 + draw.below(FLIPS_MAX)
      const random = (): number => draw.between(0, 1)
      flipBits(storeFiles(cluster.node(place).plan.data), { flips, random })
      await until()
      await cluster.start(place)
    }),

  wipe: (cluster, { nodes, manner }, until) =>
    eachLocked(cluster, nodes, async (place) => {
      await endBy(cluster, place, manner)
      cluster.node(place).emptyData()
      await until()
      await cluster.start(place)
    }),
}

async function eachLocked(
  cluster: ChaosCluster,
  places: readonly number[],
  work: (place: number) => Promise<void>,
): Promise<void> {
  await Promise.all(places.map((place) => cluster.locked(place, () => work(place))))
}

const endBy = (cluster: ChaosCluster, place: number, manner: string): Promise<void> =>
  manner === 'stopped' ? cluster.stop(place) : cluster.kill(place)
