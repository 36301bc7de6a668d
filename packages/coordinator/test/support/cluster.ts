import { createContextCodec, createSessionCodec } from '@shoal/causality'
import { createTestEnv, millis, type NodeId, nodeId, ShoalError, type TestEnv } from '@shoal/kernel'
import { answerAsReplica, type OwedRows, Replica } from '@shoal/replica'
import { createRing, foundRing, partitionOfRowKey, type Ring } from '@shoal/ring'
import { createMemoryStore, type MemoryStore } from '@shoal/storage'
import { createMemoryNetwork, type MemoryNetwork, type Peers } from '@shoal/transport'
import { decodeMerge } from '@shoal/wire'
import { Coordinator } from '../../src/coordinator.ts'
import type { Hints } from '../../src/ports.ts'
import type {
  BucketProperties,
  Consistency,
  ReadAnswer,
  ReadRequest,
  WriteAnswer,
  WriteRequest,
} from '../../src/requests.ts'

export interface TestNode {
  readonly id: NodeId
  readonly store: MemoryStore
  readonly replica: Replica
  readonly coordinator: Coordinator
  readonly peers: Peers
  /** Whom it owes which row (by its key in hexadecimal), and whether by the batch of the row. */
  readonly owed: { readonly rowKey: string; readonly to: NodeId; readonly inBatch: boolean }[]
  /** Partitions that it lost. */
  readonly lost: Set<number>
}

export const defaultBucket: BucketProperties = {
  n: 3,
  consistency: { level: 'quorum', strict: false },
  conflicts: 'siblings',
  blindWrites: 'overwrite',
  ttl: 0,
  maxSiblings: 50,
  mode: 'leaderless',
}

/**
 * A whole cluster in one process on a clock that moves when told: real cores and drivers, no disk,
 * no sockets.
 */
export class TestCluster {
  readonly env: TestEnv
  readonly network: MemoryNetwork
  readonly nodes = new Map<NodeId, TestNode>()
  readonly #buckets = new Map<string, BucketProperties>()
  readonly #ids: readonly NodeId[]
  readonly #ringOf: (self: NodeId) => Ring

  private constructor(ids: readonly NodeId[], seed: number) {
    this.env = createTestEnv({ seed })
    this.network = createMemoryNetwork(this.env)
    this.#ids = ids
    const record = foundRing({
      secretDigest: 'test',
      members: ids.map((id, index) => ({ id, url: `http://127.0.0.1:${4_100 + index}` })),
      partitions: 8,
      replicas: 3,
    })
    this.#ringOf = (self) => createRing(record, self)
  }

  /** @param hints  whether nodes note what they owe others; without it nobody stands in */
  static async start(count: number, { seed = 1, hints = false } = {}): Promise<TestCluster> {
    const ids = Array.from({ length: count }, (_none, index) => nodeId(`n${index + 1}`))
    const cluster = new TestCluster(ids, seed)
    for (const id of ids) await cluster.#startNode(id, hints)
    await cluster.until(() =>
      ids.every((id) => ids.every((other) => id === other || cluster.node(id).peers.isUp(other))),
    )
    return cluster
  }

  setBucket(name: string, properties: Partial<BucketProperties>): void {
    this.#buckets.set(name, { ...defaultBucket, ...properties })
  }

  node(id: NodeId | string): TestNode {
    const node = this.nodes.get(id as NodeId)
    if (!node) throw new Error(`no node ${id}`)
    return node
  }

  /** Cuts a node off from all others, both ways, and lets everyone notice. */
  async isolate(id: string): Promise<void> {
    const self = nodeId(id)
    for (const other of this.#ids) {
      if (other === self) continue
      this.network.cut(self, other)
      this.network.cut(other, self)
    }
    await this.until(() =>
      this.#ids.every((other) => other === self || !this.node(other).peers.isUp(self)),
    )
  }

  async rejoin(id: string): Promise<void> {
    const self = nodeId(id)
    for (const other of this.#ids) {
      if (other === self) continue
      this.network.heal(self, other)
      this.network.heal(other, self)
    }
    await this.until(() =>
      this.#ids.every((other) => other === self || this.node(other).peers.isUp(self)),
    )
  }

  async get(
    at: string,
    key: string,
    options: Partial<ReadRequest> & { level?: Consistency['level'] } = {},
  ): Promise<ReadAnswer | ShoalError> {
    const { level, ...rest } = options
    return this.#await<ReadAnswer>((done) =>
      this.node(at).coordinator.read(
        {
          bucket: 'b',
          key,
          session: '',
          timeout: millis(2_000),
          explain: false,
          ...(level ? { consistency: { level, strict: false } } : {}),
          ...rest,
        },
        done,
      ),
    )
  }

  async put(
    at: string,
    key: string,
    value: string,
    options: Partial<WriteRequest> & { level?: Consistency['level'] } = {},
  ): Promise<WriteAnswer | ShoalError> {
    const { level, ...rest } = options
    return this.#await<WriteAnswer>((done) =>
      this.node(at).coordinator.write(
        {
          operation: 'put',
          bucket: 'b',
          key,
          session: '',
          timeout: millis(2_000),
          explain: false,
          context: '',
          idempotencyKey: '',
          body: Buffer.from(value),
          contentType: 'text/plain',
          contentEncoding: '',
          ttl: 0,
          ...(level ? { consistency: { level, strict: false } } : {}),
          ...rest,
        },
        done,
      ),
    )
  }

  delete(
    at: string,
    key: string,
    options: Partial<WriteRequest> = {},
  ): Promise<WriteAnswer | ShoalError> {
    return this.put(at, key, '', {
      operation: 'delete',
      body: Buffer.alloc(0),
      contentType: '',
      ...options,
    })
  }

  /** Runs the cluster until something holds, at most a minute of its time. */
  async until(holds: () => boolean): Promise<void> {
    const began = this.env.clock.elapsed()
    for (let step = 1; this.env.clock.elapsed() - began < 60_000; step = Math.min(step + 0.2, 25)) {
      await this.#turn()
      if (holds()) return
      this.env.advance(millis(step))
    }
    throw new Error('it did not come about within a minute of cluster time')
  }

  /** Runs the cluster for some of its time. */
  async run(ms: number): Promise<void> {
    const step = Math.max(1, ms / 200)
    for (let passed = 0; passed < ms; passed += step) {
      await this.#turn()
      this.env.advance(millis(step))
    }
    await this.#turn()
  }

  async #await<T>(
    start: (done: (result: T | ShoalError) => void) => void,
  ): Promise<T | ShoalError> {
    let result: T | ShoalError | undefined
    start((given) => {
      if (result !== undefined) throw new Error('a request ended twice')
      result = given
    })
    if (result !== undefined) throw new Error('a request ended inside its own call')
    await this.until(() => result !== undefined)
    return result as unknown as T | ShoalError
  }

  /** Promises first, then what they put into the next turn, until both are at rest. */
  async #turn(): Promise<void> {
    for (let round = 0; round < 4; round++) {
      for (let hop = 0; hop < 20; hop++) await Promise.resolve()
      this.env.drainTurns()
    }
    if (this.env.halted) throw this.env.halted
  }

  async #startNode(id: NodeId, hints: boolean): Promise<void> {
    const { env } = this
    const ring = this.#ringOf(id)
    const store = createMemoryStore(env)
    const owed: TestNode['owed'] = []
    const lost = new Set<number>()
    const countsToReads = (partition: number): boolean => !lost.has(partition)
    const standing = hints ? { owed: owedRows(ring, owed) } : {}
    const opening = Replica.open({ env, store, partitions: ring.partitions, ...standing })
    let replica: Replica | undefined
    opening.then((opened) => {
      replica = opened
    })
    await this.until(() => replica !== undefined)
    if (!replica) throw new Error('the replica did not open')
    const peers = this.network.join({ self: id, epoch: () => ring.epoch })
    const secrets = { key: Buffer.alloc(16, 7), clusterId: ring.record.clusterId }
    const contexts = createContextCodec(secrets)
    const coordinator = new Coordinator({
      env,
      self: id,
      ring: () => ring,
      replica,
      peers,
      buckets: { of: (name) => this.#buckets.get(name) ?? defaultBucket },
      contexts,
      sessions: createSessionCodec(secrets, contexts),
      settings: { durability: 'fsync' },
      ...(hints ? { hints: hintsInto(owed) } : {}),
      lost: { countsToReads },
    })
    const served = replica
    peers.onQuestion((question) => {
      if (answerAsReplica(served, question, { countsToReads })) return
      coordinator.answer(question)
    })
    void peers.start()
    this.nodes.set(id, { id, store, replica, coordinator, peers, owed, lost })
  }
}

/** What a stand-in owes with its batch. */
function owedRows(ring: Ring, owed: TestNode['owed']): OwedRows {
  let staged: TestNode['owed'] = []
  return {
    add: (_batch, { rowKey, primaries }) => {
      const list = ring.preferenceList(partitionOfRowKey(rowKey, ring.partitions))
      const targets = list.filter((_node, place) => (primaries & (1 << place)) !== 0)
      for (const to of targets) staged.push({ rowKey: rowKey.toString('hex'), to, inBatch: true })
    },
    written: () => {
      owed.push(...staged)
      staged = []
    },
    discarded: () => {
      staged = []
    },
  }
}

const hintsInto = (owed: TestNode['owed']): Hints => ({
  owe: (to, message) => {
    const rowKey = decodeMerge(message).rowKey.toString('hex')
    owed.push({ rowKey, to, inBatch: false })
  },
  owed: (rowKey) => owed.filter((each) => each.rowKey === rowKey.toString('hex')).length,
})

export const bodies = (answer: ReadAnswer | ShoalError): string[] => {
  if (answer instanceof ShoalError) throw answer
  return answer.values.map(({ body }) => body.toString()).sort()
}

export function succeeded<T>(answer: T | ShoalError): T {
  if (answer instanceof ShoalError) throw answer
  return answer
}

export function failed<T>(answer: T | ShoalError): ShoalError {
  if (answer instanceof ShoalError) return answer
  throw new Error(`a refusal was expected, not ${JSON.stringify(answer)}`)
}
