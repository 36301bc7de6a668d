import { createTestEnv, millis, type NodeId, nodeId, type TestEnv } from '@shoal/kernel'
import { answerAsReplica, Replica, type Written } from '@shoal/replica'
import { createRing, foundRing, makeRowKey } from '@shoal/ring'
import { createMemoryStore, type MemoryStore } from '@shoal/storage'
import { createMemoryNetwork, type MemoryNetwork } from '@shoal/transport'
import t from 'tap'
import { Handoff } from '../src/index.ts'
import { hop } from './support/rig.ts'

const ids = ['n1', 'n2', 'n3'].map(nodeId)

interface Node {
  readonly store: MemoryStore
  readonly replica: Replica
  readonly handoff: Handoff
}

/** Real replicas, real peers, real rings: the shapes fit, and what arrives is the row. */
class Cluster {
  readonly env: TestEnv = createTestEnv({ seed: 4 })
  readonly network: MemoryNetwork = createMemoryNetwork(this.env)
  readonly nodes = new Map<NodeId, Node>()

  static async start(): Promise<Cluster> {
    const cluster = new Cluster()
    const record = foundRing({
      secretDigest: 'test',
      members: ids.map((id, index) => ({ id, url: `http://127.0.0.1:${4_200 + index}` })),
      partitions: 8,
      replicas: 3,
    })
    for (const self of ids) {
      const { env } = cluster
      const ring = createRing(record, self)
      const store = createMemoryStore(env)
      const replica = await cluster.ended(Replica.open({ env, store, partitions: 8 }))
      const peers = cluster.network.join({ self, epoch: () => ring.epoch })
      peers.onQuestion((question) => void answerAsReplica(replica, question))
      await cluster.ended(peers.start())
      const parts = { env, store, self, placement: () => ring, rows: replica }
      const opening = Handoff.open({ ...parts, targets: peers, liveness: peers })
      const handoff = await cluster.ended(opening)
      handoff.start()
      cluster.nodes.set(self, { store, replica, handoff })
    }
    await cluster.run(1_000)
    return cluster
  }

  node(name: string): Node {
    return this.nodes.get(nodeId(name)) as Node
  }

  cut(name: string, isCut: boolean): void {
    const self = nodeId(name)
    for (const other of ids) {
      if (other === self) continue
      const act = (isCut ? this.network.cut : this.network.heal).bind(this.network)
      act(self, other)
      act(other, self)
    }
  }

  async ended<T>(promise: Promise<T>): Promise<T> {
    let end: { value: T } | undefined
    promise.then((value) => {
      end = { value }
    })
    while (!end) await this.run(1)
    return end.value
  }

  async run(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 5) {
      this.env.advance(millis(5))
      await hop()
    }
    if (this.env.halted) throw this.env.halted
  }

  put(name: string, key: string, value: string): Promise<Written> {
    const put = new Promise<Written>((resolve, reject) => {
      this.node(name).replica.put({
        kind: 'put',
        rowKey: makeRowKey('b', key),
        tombstone: false,
        body: Buffer.from(value),
        contentType: 'text/plain',
        contentEncoding: '',
        context: undefined,
        seen: undefined,
        checked: undefined,
        blind: 'overwrite',
        expiry: 0,
        request: undefined,
        siblingsMax: 50,
        durable: false,
        sink: { written: resolve, durable: () => undefined, refused: reject },
      })
    })
    return this.ended(put)
  }

  rowOf(name: string, key: string): Promise<Buffer | undefined> {
    const { replica } = this.node(name)
    const read = new Promise<Buffer | undefined>((resolve, reject) => {
      replica.read(makeRowKey('b', key), { row: resolve, failed: reject })
    })
    return this.ended(read)
  }
}

t.test(
  'writes that a node missed reach it when the channel is back, and copies are equal',
  async (t) => {
    const cluster = await Cluster.start()
    const { handoff } = cluster.node('n1')
    cluster.cut('n3', true)
    await cluster.run(6_000)
    for (let index = 0; index < 300; index++) {
      const key = `k${index % 200}`
      const { message } = await cluster.put('n1', key, `value ${index}`)
      handoff.owe(nodeId('n3'), message)
    }
    const job = handoff.sync()
    t.equal(job.total, 200)
    await cluster.run(3_000)
    t.equal(handoff.figures().total, 200)
    cluster.cut('n3', false)
    t.equal(await cluster.ended(job.ended), 'done')
    for (let index = 0; index < 200; index++) {
      const mine = await cluster.rowOf('n1', `k${index}`)
      t.ok(mine?.equals((await cluster.rowOf('n3', `k${index}`)) ?? Buffer.alloc(0)))
    }
    t.equal(handoff.figures().total, 0)
  },
)

t.test('a damaged copy of the target is replaced by what it is owed', async (t) => {
  const cluster = await Cluster.start()
  const { handoff } = cluster.node('n1')
  const target = cluster.node('n3')
  const first = await cluster.put('n1', 'k', 'first')
  handoff.owe(nodeId('n3'), first.message)
  await cluster.run(3_000)
  const rowKey = makeRowKey('b', 'k')
  const random = cluster.env.random('rot')
  target.store.disk.corrupt('rows', rowKey, random)
  target.store.disk.corrupt('versions', rowKey.subarray(8), random)
  const second = await cluster.put('n1', 'k', 'second')
  handoff.owe(nodeId('n3'), second.message)
  await cluster.run(5_000)
  t.equal(handoff.figures().total, 0)
  const mine = await cluster.rowOf('n1', 'k')
  t.ok(mine?.equals((await cluster.rowOf('n3', 'k')) ?? Buffer.alloc(0)))
})
