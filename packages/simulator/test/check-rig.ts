import { createContextCodec, createSessionCodec } from '@shoal/causality'
import type { BucketProperties, ListRequest } from '@shoal/coordinator'
import { createTestEnv, nodeId, type TestEnv } from '@shoal/kernel'
import { createRing, foundRing, makeRowKey, rowKeyName } from '@shoal/ring'
import { Checks } from '../src/check/checks.ts'
import type { SimCluster } from '../src/cluster/sim-cluster.ts'
import { PARTITIONS, RigNode, type RigWorld } from './check-rig-node.ts'
import {
  type ReadOptions,
  RigList,
  RigRead,
  RigWrite,
  type WriteOptions,
} from './check-rig-requests.ts'

/**
 * A few nodes that do what they are told, right or wrong, under the eyes of the checks. Clocks and
 * rows are made by the real functions; everything that decides is in the test.
 */
const CLUSTER = '00112233445566aa'

export interface RigOptions {
  readonly nodes?: number
  readonly replicas?: number
  readonly properties?: Partial<BucketProperties>
  readonly injections?: Record<string, number>
}

export class Rig implements RigWorld {
  readonly env: TestEnv = createTestEnv()
  readonly nodes: RigNode[]
  readonly checks: Checks
  /** What the checks have said, the rule only. */
  readonly found: string[] = []
  readonly messages: string[] = []
  readonly properties: BucketProperties
  readonly contexts = createContextCodec({ key: Buffer.alloc(16, 7), clusterId: CLUSTER })
  readonly sessions = createSessionCodec(
    { key: Buffer.alloc(16, 7), clusterId: CLUSTER },
    this.contexts,
  )

  constructor({ nodes = 3, replicas = 3, properties, injections = {} }: RigOptions = {}) {
    this.properties = {
      n: replicas,
      consistency: { level: 'quorum', strict: false },
      conflicts: 'siblings',
      blindWrites: 'overwrite',
      ttl: 0,
      maxSiblings: 50,
      mode: 'leaderless',
      ...properties,
    }
    const record = foundRing({
      secretDigest: 'rig',
      members: Array.from({ length: nodes }, (_none, index) => ({
        id: nodeId(`n${index}`),
        url: `http://n${index}`,
      })),
      partitions: PARTITIONS,
      replicas,
    })
    this.nodes = record.members.map(
      ({ id }, index) => new RigNode(this, { index, id, ring: createRing(record, id) }),
    )
    let events = 0
    const cluster = {
      nodes: this.nodes,
      now: () => this.env.clock.elapsed(),
      // Each thing that happens is an event of its own.
      figures: {
        get events(): number {
          return events++
        },
      },
    }
    this.checks = new Checks({
      cluster: cluster as unknown as SimCluster,
      plan: { injections, faults: [] },
      fail: (rule, message) => {
        this.found.push(rule)
        this.messages.push(message)
      },
    })
    for (const node of this.nodes) node.watch(this.checks)
  }

  node(index: number): RigNode {
    return this.nodes[index] as RigNode
  }

  /** A client asks a node to write. Nothing happens before the test says so. */
  write(at: number, options: WriteOptions): RigWrite {
    return new RigWrite(this, this.node(at), options)
  }

  /** A write that goes as it should: minted, merged by the others, on all disks, acknowledged. */
  writeWell(at: number, options: WriteOptions & { to?: readonly number[] }): RigWrite {
    const write = this.write(at, options)
    write.mint()
    const others = options.to ?? this.nodes.map(({ index }) => index)
    for (const other of others) if (other !== at) write.deliver(other)
    for (const node of this.nodes) node.sync()
    write.answer()
    return write
  }

  read(at: number, options: ReadOptions = {}): RigRead {
    return new RigRead(this, this.node(at), options)
  }

  list(at: number, options: Partial<ListRequest> = {}): RigList {
    return new RigList(this, this.node(at), options)
  }

  rowKey(key = 'k'): Buffer {
    return makeRowKey('b', key)
  }

  context(clock: Buffer, key = 'k'): string {
    return this.contexts.encode(clock, rowKeyName(makeRowKey('b', key)))
  }
}
