import { emptyClock, versionClock } from '@shoal/causality'
import {
  createTestEnv,
  type Millis,
  millis,
  type NodeId,
  nodeId,
  type Partition,
  type TestEnv,
} from '@shoal/kernel'
import { answerAsReplica, Replica } from '@shoal/replica'
import { createRing, foundRing, makeRowKey, type Ring, rowKeyName } from '@shoal/ring'
import { createMemoryDisk, createMemoryStore, type MemoryDisk, type Store } from '@shoal/storage'
import { createMemoryNetwork, type MemoryNetwork, type Peers } from '@shoal/transport'
import { questionHeaderBytes } from '@shoal/wire'
import type { ExchangeEnding } from '../../src/core/exchange-machine.ts'
import {
  AntiEntropy,
  type AntiEntropyEvent,
  type AntiEntropySettings,
  BackgroundBudget,
  type RepairRange,
  type RepairReport,
} from '../../src/index.ts'
import { type ExchangePlan, ExchangeRun } from '../../src/shell/exchange-run.ts'
import { KeyLister } from '../../src/shell/key-lister.ts'
import { Forest } from '../../src/trees/forest.ts'
import { CorrectableReplica } from './correctable-replica.ts'

export interface TestNode {
  readonly id: NodeId
  readonly disk: MemoryDisk
  readonly store: Store
  readonly replica: Replica
  readonly local: CorrectableReplica
  readonly peers: Peers
  readonly budget: BackgroundBudget
  readonly antiEntropy: AntiEntropy
  readonly events: AntiEntropyEvent[]
}

export interface ClusterOptions {
  readonly nodes?: number
  readonly partitions?: number
  readonly seed?: number
  readonly settings?: AntiEntropySettings
  /** Nodes do not compare themselves until told. */
  readonly idle?: boolean
  readonly inject?: (label: string) => boolean
  /** How long the disk takes to read. */
  readonly readLatency?: Millis
}

export interface Exchanged extends ExchangeEnding {
  readonly doubted: readonly number[]
  /** Bytes of all messages meanwhile, both ways, frames included. */
  readonly bytes: number
  readonly messages: readonly Sent[]
}

export type TestPlan = Omit<ExchangePlan, 'peer'> & {
  readonly peer: string
  /** Whom to ask instead of the network. */
  readonly peers?: Pick<Peers, 'ask' | 'isUp'>
}

/** Of a question, which is the longer one. */
const FRAME_BYTES = questionHeaderBytes

export interface Sent {
  readonly from: NodeId
  readonly to: NodeId
  readonly kind: number
  readonly bytes: number
}

/** Nodes with replicas and anti-entropy and nothing else, on a clock that moves when told. */
export class TestCluster {
  readonly env: TestEnv
  readonly network: MemoryNetwork
  readonly nodes = new Map<string, TestNode>()
  readonly sent: Sent[] = []
  readonly #options: ClusterOptions
  readonly #ids: readonly NodeId[]
  readonly #ringOf: (self: NodeId) => Ring

  private constructor(options: ClusterOptions) {
    this.#options = options
    const { seed = 1, inject } = options
    this.env = createTestEnv({ seed, ...(inject ? { inject } : {}) })
    this.network = createMemoryNetwork(
      this.env,
      {},
      { sent: (from, to, kind, bytes) => void this.sent.push({ from, to, kind, bytes }) },
    )
    const count = options.nodes ?? 2
    this.#ids = Array.from({ length: count }, (_none, index) => nodeId(`n${index + 1}`))
    const record = foundRing({
      secretDigest: 'test',
      members: this.#ids.map((id, index) => ({ id, url: `http://127.0.0.1:${4_100 + index}` })),
      partitions: options.partitions ?? 8,
      replicas: 3,
    })
    this.#ringOf = (self) => createRing(record, self)
  }

  static async start(options: ClusterOptions = {}): Promise<TestCluster> {
    const cluster = new TestCluster(options)
    for (const id of cluster.#ids) await cluster.boot(id)
    await cluster.untilConnected()
    return cluster
  }

  node(id: string): TestNode {
    const node = this.nodes.get(id)
    if (!node) throw new Error(`no node ${id}`)
    return node
  }

  untilConnected(): Promise<void> {
    const all = [...this.nodes.values()]
    return this.until(() =>
      all.every(({ id, peers }) => all.every((other) => other.id === id || peers.isUp(other.id))),
    )
  }

  /** Starts a node on its disk, on a new one, or on one given. */
  async boot(
    id: string,
    disk: MemoryDisk = createMemoryDisk(),
    options: { readonly lost?: boolean } = {},
  ): Promise<TestNode> {
    const { env } = this
    const self = nodeId(id)
    const ring = this.#ringOf(self)
    const { readLatency = millis(0) } = this.#options
    const store = createMemoryStore(env, { disk, readLatency })
    const replica = await this.settled(Replica.open({ env, store, partitions: ring.partitions }))
    const local = new CorrectableReplica(replica, store, ring.partitions)
    const peers = this.network.join({ self, epoch: () => ring.epoch })
    const budget = new BackgroundBudget({ env, p99: () => undefined })
    const events: AntiEntropyEvent[] = []
    const antiEntropy = await this.settled(
      AntiEntropy.open({
        ...{ env, store, replica: local, peers, budget },
        placement: () => ring,
        tell: (event) => void events.push(event),
        ...(this.#options.settings ? { settings: this.#options.settings } : {}),
      }),
    )
    peers.onQuestion((question) => {
      if (!antiEntropy.answer(question)) answerAsReplica(replica, question)
    })
    peers.onChange((peer, up) => {
      if (up) antiEntropy.peerUp(peer)
    })
    void peers.start()
    if (options.lost) {
      await this.settled(antiEntropy.markLost(ring.partitionsOf(self), 'the disk is new'))
    }
    if (!this.#options.idle) antiEntropy.start()
    const node = {
      ...{ id: self, disk, store, replica, local, peers, budget, antiEntropy, events },
    }
    this.nodes.set(id, node)
    return node
  }

  /** The process ends at once; what was not synced is lost. */
  crash(id: string): MemoryDisk {
    const { disk, antiEntropy, budget } = this.node(id)
    this.network.crash(nodeId(id))
    disk.crash({ keepUnsynced: 0 })
    antiEntropy.stop()
    budget.close()
    this.nodes.delete(id)
    return disk
  }

  /** A client write that only this node knows of. */
  put(id: string, key: string, value: string, context?: Buffer): Promise<Buffer> {
    return this.settled(this.putSoon(id, key, value, context))
  }

  /** As `put`, for who drives the clock elsewhere. */
  putSoon(id: string, key: string, value: string, context?: Buffer): Promise<Buffer> {
    const { replica } = this.node(id)
    return new Promise((resolve, reject) => {
      let version: Buffer
      replica.put({
        kind: 'put',
        rowKey: makeRowKey('b', key),
        tombstone: false,
        body: Buffer.from(value),
        contentType: 'text/plain',
        contentEncoding: '',
        context: context ? versionClock(context) : emptyClock,
        seen: undefined,
        checked: undefined,
        blind: 'overwrite',
        expiry: 0,
        request: undefined,
        siblingsMax: 50,
        durable: true,
        sink: {
          written: (written) => {
            version = written.version
          },
          durable: () => resolve(version),
          refused: (code) => reject(new Error(code)),
        },
      })
    })
  }

  /** The row a node holds, as it lies on its disk. */
  rowAt(id: string, key: string): Buffer | undefined {
    return this.node(id).disk.current('rows', makeRowKey('b', key))
  }

  /** Merges a row into a node's replica, as a write or a repair would. */
  merge(id: string, rowKey: Buffer, row: Buffer): Promise<void> {
    const { replica } = this.node(id)
    return this.settled(
      new Promise((resolve, reject) => {
        const sink = {
          merged: () => undefined,
          durable: resolve,
          refused: (code: string) => reject(new Error(code)),
        }
        replica.merge({ kind: 'merge', rowKey, row, heal: false, durable: true, sink })
      }),
    )
  }

  /** All rows of a node, as text that can be compared. */
  rowsOf(id: string): Map<string, string> {
    const { disk } = this.node(id)
    const rows = new Map<string, string>()
    for (let index = 0; index < disk.keyCount('rows'); index++) {
      const key = disk.keyAt('rows', index) as Buffer
      rows.set(
        rowKeyName(key).toString('latin1'),
        (disk.current('rows', key) as Buffer).toString('latin1'),
      )
    }
    return rows
  }

  ringOf(id: string): Ring {
    return this.#ringOf(nodeId(id))
  }

  /** Runs until this has come about, at most `within` of the cluster's time. */
  async until(holds: () => boolean, within: Millis = millis(60_000)): Promise<void> {
    const began = this.env.clock.elapsed()
    const most = Math.max(100, within / 1_000)
    for (let step = 1; this.env.clock.elapsed() - began < within; step = Math.min(step + 1, most)) {
      await this.#turn()
      if (holds()) return
      this.env.advance(millis(step))
    }
    throw new Error(`it did not come about within ${within} ms of cluster time`)
  }

  async settled<T>(work: Promise<T>, within?: Millis): Promise<T> {
    let end: { value: T } | { error: unknown } | undefined
    work.then(
      (value) => {
        end = { value }
      },
      (error: unknown) => {
        end = { error }
      },
    )
    await this.until(() => end !== undefined, within)
    if (end && 'error' in end) throw end.error
    return (end as unknown as { value: T }).value
  }

  /** One exchange alone, begun by one node with another, or with what stands in for it. */
  exchange(from: string, plan: TestPlan): Promise<Exchanged> {
    const { store, local: replica, budget } = this.node(from)
    const { env } = this
    const { partitions } = this.#ringOf(nodeId(from))
    const { peers = this.node(from).peers, peer, ...rest } = plan
    const doubted: number[] = []
    const desk = {
      ...{ env, replica, peers, budget, partitions },
      forest: new Forest(replica),
      lister: new KeyLister({ env, store, replica, partitions }),
      doubt: (_partition: Partition, segments: readonly number[]) => void doubted.push(...segments),
    }
    const before = this.sent.length
    return this.settled(
      new Promise((resolve) => {
        new ExchangeRun(desk, { ...rest, peer: nodeId(peer) }, (ending) => {
          const messages = this.sent.slice(before)
          const bytes = messages.reduce((sum, message) => sum + message.bytes + FRAME_BYTES, 0)
          resolve({ ...ending, doubted, bytes, messages })
        })
      }),
      millis(600_000),
    )
  }

  /** Every partition of one node with another. */
  async exchangeAll(from: string, peer: string): Promise<Exchanged[]> {
    const endings: Exchanged[] = []
    for (const partition of this.#ringOf(nodeId(from)).partitionsOf(nodeId(from))) {
      endings.push(await this.exchange(from, { partition, peer }))
    }
    return endings
  }

  async repair(id: string, range: RepairRange = {}): Promise<RepairReport> {
    const { repairs } = this.node(id).antiEntropy
    const { id: job } = repairs.start(range)
    await this.settled(repairs.whenEnded(job), millis(3_600_000))
    return repairs.find(job) as RepairReport
  }

  async run(ms: number): Promise<void> {
    const step = Math.max(1, ms / 100)
    for (let passed = 0; passed < ms; passed += step) {
      await this.#turn()
      this.env.advance(millis(step))
    }
    await this.#turn()
  }

  async #turn(): Promise<void> {
    for (let round = 0; round < 6; round++) {
      for (let hop = 0; hop < 30; hop++) await Promise.resolve()
      this.env.drainTurns()
    }
    if (this.env.halted) throw this.env.halted
  }
}
