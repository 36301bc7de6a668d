/**
 * What anti-entropy costs: copies of many keys, some of them made different on one replica, with
 * hints and read repair switched off. Real engines and real disks in one process, joined by a
 * network in memory that counts what crosses it.
 *
 *     node packages/node/dist/bench/repair.js [--keys 1000000] [--different 1000]
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import type { AntiEntropyEvent } from '@shoal/antientropy'
import { createSystemEnv, limits, millis, minutes, nodeId, type Partition } from '@shoal/kernel'
import { foundRing, makeRowKey, partitionOfRowKey, type RingRecord } from '@shoal/ring'
import { type Batch, openRocksStore, type Store } from '@shoal/storage'
import { createMemoryNetwork } from '@shoal/transport'
import { mergeHeaderBytes, questionHeaderBytes } from '@shoal/wire'
import { type Engine, openEngine, startEngine, stopEngine } from '../src/engine.ts'

export interface RepairCase {
  readonly keys: number
  readonly different: number
  readonly partitions: number
}

export interface RepairFigures {
  /** Rows that each replica had to get, and those that changed there. */
  readonly owed: Readonly<Record<string, number>>
  readonly changed: Readonly<Record<string, number>>
  /** Keys looked at by all comparisons, each once for each pair of replicas that met over it. */
  readonly keysRead: number
  readonly segmentsRead: number
  readonly exchanges: number
  readonly bytes: number
  readonly seconds: number
  /** Whether all segment digests of all replicas are equal at the end. */
  readonly equal: boolean
  /** Bytes of messages, frames included, of one comparison of one equal partition. */
  readonly cleanExchangeBytes: number
}

const LOOK_EVERY = millis(20)
const IDS = ['n1', 'n2', 'n3'].map(nodeId)
type Node = Engine & {
  readonly events: AntiEntropyEvent[]
  /** Row keys written since somebody forgot them. */
  readonly written: Set<string>
}

/** Makes copies, makes some of them different, lets the nodes find them, and looks. */
export async function measureRepair(wanted: RepairCase): Promise<RepairFigures> {
  // Timers of a node alone keep no process alive.
  const alive = setInterval(() => undefined, 1_000)
  const folder = await mkdtemp(join(tmpdir(), 'shoal-repair-'))
  const cluster = await Cluster.open(folder, wanted.partitions)
  try {
    await cluster.fill(wanted.keys)
    const owed = await cluster.makeDifferent(wanted)
    cluster.forgetChanges()
    const began = performance.now()
    const sentBefore = cluster.bytes
    await cluster.compareAll()
    const seconds = (performance.now() - began) / 1_000
    const bytes = cluster.bytes - sentBefore
    const changed = cluster.changes()
    const ends = cluster.ends()
    return {
      ...{ owed, changed, bytes, seconds },
      exchanges: ends.length,
      keysRead: ends.reduce((sum, { keys }) => sum + keys, 0),
      segmentsRead: ends.reduce((sum, { segments }) => sum + segments, 0),
      equal: cluster.isEqual(),
      cleanExchangeBytes: await cluster.cleanExchange(),
    }
  } finally {
    await cluster.close()
    await rm(folder, { recursive: true })
    clearInterval(alive)
  }
}

class Cluster {
  readonly nodes: Node[] = []
  readonly #founded: RingRecord
  readonly #partitions: number
  bytes = 0

  static async open(folder: string, partitions: number): Promise<Cluster> {
    const cluster = new Cluster(partitions)
    const env = createSystemEnv(fail)
    const network = createMemoryNetwork(
      env,
      {},
      {
        sent: (_from, _to, _kind, bytes) => {
          cluster.bytes += bytes + questionHeaderBytes
        },
      },
    )
    const founded = cluster.#founded
    for (const id of IDS) {
      const events: AntiEntropyEvent[] = []
      const written = new Set<string>()
      const store = await openRocksStore({
        ...{ env, directory: join(folder, id), cluster: founded.clusterId, node: id },
      })
      const engine = await openEngine({
        env,
        store: watched(store, written),
        founded,
        tokenKey: Buffer.alloc(16, 1),
        settings: {
          ...{ nodeId: id, durability: 'memory', versionCacheBytes: 0 },
          bucketDefaults: {
            ...{ consistency: { level: 'quorum', strict: false }, conflicts: 'siblings' },
            ...{ blindWrites: 'overwrite', ttl: 0, maxSiblings: limits.siblingsMaxDefault },
          },
          ...{ membership: false, handoff: false, readRepair: false, antiEntropy: false },
          exchange: { exchangeInterval: minutes(600) },
        },
        status: () => {
          throw new Error('nobody asks')
        },
        connect: (ring) => network.join({ self: id, epoch: () => ring.epoch }),
        onEvent: (event) => {
          if (event.source === 'antientropy') events.push(event.event)
        },
      })
      cluster.nodes.push({ ...engine, events, written })
    }
    for (const node of cluster.nodes) await startEngine(node)
    const { nodes } = cluster
    await until(() =>
      nodes.every(({ peers, ring }) => IDS.every((id) => id === ring.self || peers.isUp(id))),
    )
    return cluster
  }

  private constructor(partitions: number) {
    this.#partitions = partitions
    this.#founded = foundRing({
      secretDigest: 'bench',
      members: IDS.map((id, index) => ({ id, url: `http://127.0.0.1:${4_100 + index}` })),
      ...{ partitions, replicas: 3 },
    })
  }

  /** The same rows on all replicas. */
  async fill(keys: number): Promise<void> {
    const [first, ...others] = this.nodes as [Node, ...Node[]]
    const BATCH = 8_000
    for (let from = 0; from < keys; from += BATCH) {
      const batch = Array.from({ length: Math.min(BATCH, keys - from) }, (_none, index) =>
        nameOf(from + index),
      )
      const rows = await Promise.all(batch.map((key) => put(first, key)))
      await Promise.all(
        others.flatMap((node) => batch.map((key, at) => merge(node, key, rows[at] as Buffer))),
      )
    }
  }

  /**
   * A quarter each: newer on the third replica, older there, missing there, and different on both
   * sides.
   *
   * @returns the writes that each replica has to get
   */
  async makeDifferent({ keys, different }: RepairCase): Promise<Record<string, number>> {
    const [one, two, three] = this.nodes as [Node, Node, Node]
    const step = Math.floor(keys / different)
    const owed = { n1: 0, n2: 0, n3: 0 }
    for (let index = 0; index < different; index++) {
      const key = index % 4 === 2 ? `new ${index}` : nameOf(index * step)
      if (index % 4 !== 0) {
        await merge(two, key, await put(one, key))
        owed.n3++
      }
      if (index % 4 === 0 || index % 4 === 3) {
        await put(three, key)
        owed.n1++
        owed.n2++
      }
    }
    return owed
  }

  /** Every pair of replicas of every partition, as the nodes do by themselves. */
  async compareAll(): Promise<void> {
    for (const { events } of this.nodes) events.length = 0
    for (const { antiEntropy } of this.nodes) antiEntropy.start()
    await until(() => this.nodes.every(({ antiEntropy }) => antiEntropy.figures().unverified === 0))
    await until(() => this.nodes.every(({ antiEntropy }) => antiEntropy.figures().exchanging === 0))
  }

  ends(): Extract<AntiEntropyEvent, { kind: 'exchangeEnded' }>[] {
    return this.nodes.flatMap(({ events }) =>
      events.filter((event) => event.kind === 'exchangeEnded'),
    )
  }

  forgetChanges(): void {
    for (const { written } of this.nodes) written.clear()
  }

  changes(): Record<string, number> {
    return Object.fromEntries(this.nodes.map(({ ring, written }) => [ring.self, written.size]))
  }

  isEqual(): boolean {
    const [first, ...others] = this.nodes as [Node, ...Node[]]
    for (let at = 0; at < this.#partitions * limits.digestSegments; at++) {
      const partition = Math.floor(at / limits.digestSegments) as Partition
      const segment = at % limits.digestSegments
      const digest = first.replica.segmentDigest(partition, segment)
      const isSame = others.every(
        ({ replica }) => replica.segmentDigest(partition, segment) === digest,
      )
      if (!isSame) return false
    }
    return true
  }

  async cleanExchange(): Promise<number> {
    const [first, second] = this.nodes as [Node, Node]
    first.events.length = 0
    const before = this.bytes
    const partition = partitionOfRowKey(makeRowKey('b', nameOf(0)), this.#partitions)
    first.antiEntropy.markDirty(partition, second.ring.self)
    await until(() => first.events.some(({ kind }) => kind === 'exchangeEnded'))
    return this.bytes - before
  }

  async close(): Promise<void> {
    for (const node of this.nodes) await stopEngine(node)
  }
}

const fail = (reason: Error): never => {
  throw reason
}

const nameOf = (index: number): string => `key ${index}`

/** A blind write at one replica, told to nobody. */
function put({ replica }: Node, key: string): Promise<Buffer> {
  const rowKey = makeRowKey('b', key)
  return new Promise((resolve, reject) => {
    replica.put({
      ...{ kind: 'put', rowKey, tombstone: false, body: Buffer.alloc(100, key) },
      ...{ contentType: 'text/plain', contentEncoding: '', context: undefined, seen: undefined },
      ...{ checked: undefined, blind: 'overwrite', expiry: 0, request: undefined },
      ...{ siblingsMax: limits.siblingsMaxDefault, durable: false },
      sink: {
        written: ({ message }) => resolve(message.subarray(mergeHeaderBytes(rowKey.length))),
        durable: () => undefined,
        refused: (code) => reject(new Error(code)),
      },
    })
  })
}

function merge({ replica }: Node, key: string, row: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    replica.merge({
      ...{ kind: 'merge', rowKey: makeRowKey('b', key), row, heal: false, durable: false },
      sink: {
        merged: () => resolve(),
        durable: () => undefined,
        refused: (code) => reject(new Error(code)),
      },
    })
  })
}

/** Notes the keys of all rows that are written. */
function watched(store: Store, written: Set<string>): Store {
  const batch = (): Batch => {
    const made = store.batch()
    const put = made.put.bind(made)
    made.put = (column, key, value) => {
      if (column === 'rows') written.add(Buffer.from(key).toString('latin1'))
      put(column, key, value)
    }
    return made
  }
  return new Proxy(store, {
    get: (target, name) => {
      if (name === 'batch') return batch
      const member: unknown = Reflect.get(target, name, target)
      return typeof member === 'function' ? member.bind(target) : member
    },
  })
}

async function until(holds: () => boolean): Promise<void> {
  const { clock } = createSystemEnv(fail)
  while (!holds()) await new Promise<void>((resolve) => void clock.after(LOOK_EVERY, resolve))
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      keys: { type: 'string', default: '1000000' },
      different: { type: 'string', default: '1000' },
    },
  })
  const keys = Number(values.keys)
  const different = Number(values.different)
  const figures = await measureRepair({ keys, different, partitions: limits.partitionsDefault })
  const share = (count: number): string => `${((count / keys) * 100).toFixed(2)} %`
  const lines = [
    `${keys} keys on 3 replicas, ${different} of them made different on one`,
    'no hints, no read repair',
    `had to get    ${JSON.stringify(figures.owed)}`,
    `changed       ${JSON.stringify(figures.changed)}`,
    `all equal     ${figures.equal}`,
    `keys read     ${figures.keysRead}, ${share(figures.keysRead)} of all; goal below 2 %`,
    `segments read ${figures.segmentsRead}`,
    `comparisons   ${figures.exchanges} in ${figures.seconds.toFixed(1)} s`,
    `bytes moved   ${figures.bytes}`,
    `clean one     ${figures.cleanExchangeBytes} bytes; goal at most 1024`,
  ]
  for (const line of lines) process.stdout.write(`${line}\n`)
  const isMet =
    figures.equal && figures.keysRead < keys * 0.02 && figures.cleanExchangeBytes <= 1_024
  process.exitCode = isMet ? 0 : 1
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main()
