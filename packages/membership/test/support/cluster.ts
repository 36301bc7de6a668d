import { createTestEnv, millis, type NodeId, nodeId, type TestEnv } from '@shoal/kernel'
import { decodeRing, encodeRing, foundRing, hash64, hex64, type RingRecord } from '@shoal/ring'
import { createMemoryNetwork, type IncomingQuestion, type Peers } from '@shoal/transport'
import { Membership, type MembershipEvent, type Rings } from '../../src/index.ts'

export interface ClusterNode {
  readonly id: NodeId
  readonly peers: Peers
  readonly membership: Membership
  readonly rings: TestRings
  readonly events: MembershipEvent[]
}

export interface TestRings extends Rings {
  ring: RingRecord
  readonly offers: { readonly record: RingRecord; readonly from: NodeId }[]
  /** Takes what is offered. */
  takes: boolean
}

/** A record that succeeds another, with the same members. */
export function successorOf(ring: RingRecord, change: (content: Buffer) => void = () => {}) {
  const content = encodeRing(ring).subarray(0, -8)
  content.writeUIntBE(ring.epoch + 1, 14, 6)
  content.write(ring.digest, 20, 'hex')
  change(content)
  return decodeRing(Buffer.concat([content, Buffer.from(hex64(hash64(content)), 'hex')]))
}

/** Drivers over a network in memory, on one test clock. */
export function openCluster(count: number, seed = 1) {
  const env = createTestEnv({ seed })
  const network = createMemoryNetwork(env)
  const ids = Array.from({ length: count }, (_, index) => nodeId(`n${index}`))
  const founded = foundRing({
    secretDigest: 'test',
    members: ids.map((id, index) => ({ id, url: `http://h${index}:1`, zone: `z${index % 3}` })),
    partitions: 8,
    replicas: 3,
  })
  const nodes = new Map<NodeId, ClusterNode>()
  let runs = 0

  const join = (id: NodeId, rest?: (question: IncomingQuestion) => void): ClusterNode => {
    const peers = network.join({ self: id, epoch: () => 1 })
    const events: MembershipEvent[] = []
    const rings = createRings(founded, () => membership)
    const runId = new Uint8Array(16).fill(++runs)
    const membership = new Membership({
      ...{ env, self: id, runId, peers, rings },
      onEvent: (event) => void events.push(event),
    })
    peers.onQuestion((question) => {
      if (rest) rest(question)
      else membership.answer(question)
    })
    void peers.start()
    membership.start()
    const node = { id, peers, membership, rings, events }
    nodes.set(id, node)
    return node
  }
  for (const id of ids) join(id)

  return {
    env,
    network,
    founded,
    join,
    node: (index: number) => nodes.get(nodeId(`n${index}`)) as ClusterNode,
    others: (index: number) => [...nodes.values()].filter(({ id }) => id !== `n${index}`),
    advance: (by: number) => env.advance(millis(by)),
    until: (holds: () => boolean, within: number): number => waitFor(env, holds, within),
    crash: (index: number): void => {
      const id = nodeId(`n${index}`)
      nodes.get(id)?.membership.close()
      nodes.delete(id)
      network.crash(id)
    },
  }
}

/** @returns how long it took, or NaN */
function waitFor(env: TestEnv, holds: () => boolean, within: number): number {
  const begun = env.clock.elapsed()
  while (!holds()) {
    if (env.clock.elapsed() - begun >= within) return Number.NaN
    env.advance(millis(10))
  }
  return env.clock.elapsed() - begun
}

function createRings(founded: RingRecord, membership: () => Membership): TestRings {
  return {
    ring: founded,
    clusterId: founded.clusterId,
    offers: [],
    takes: true,
    get stamp() {
      return { epoch: this.ring.epoch, digest: this.ring.digest }
    },
    get members() {
      return this.ring.members
    },
    record() {
      return encodeRing(this.ring)
    },
    offer(record, from) {
      this.offers.push({ record, from })
      if (!this.takes) return
      this.ring = record
      membership().ringChanged()
    },
  }
}
