import {
  type ContextCodec,
  nextStamp,
  type SessionCodec,
  type Stamp,
  zeroStamp,
} from '@shoal/causality'
import type { BucketProperties, Coordinator } from '@shoal/coordinator'
import { type NodeId, nodeId, type TestEnv } from '@shoal/kernel'
import {
  type KnownRow,
  knownRow,
  type MergeOperation,
  mergeKnownRows,
  type PutOperation,
  type Replica,
} from '@shoal/replica'
import { makeRowKey, partitionOfRowKey, type Ring, rowKeyName } from '@shoal/ring'
import {
  createMemoryDisk,
  createMemoryStore,
  encodeStoredVersion,
  type MemoryDisk,
  type Store,
} from '@shoal/storage'
import type { Checks } from '../src/check/checks.ts'
import type { SimNode } from '../src/cluster/sim-cluster.ts'

export const PARTITIONS = 8

/** What nodes and clients of a rig share. */
export interface RigWorld {
  readonly env: TestEnv
  readonly nodes: readonly RigNode[]
  readonly checks: Checks
  readonly properties: BucketProperties
  readonly contexts: ContextCodec
  readonly sessions: SessionCodec
}

export class RigNode {
  readonly index: number
  readonly id: NodeId
  readonly ring: Ring
  readonly disk: MemoryDisk = createMemoryDisk()
  readonly rows = new Map<string, KnownRow>()
  readonly state = 'up'
  readonly paused = false
  isAlone = false
  life = 1
  /** The process whose actors are in use. */
  #actorLife = 1
  readonly buckets: { of(bucket: string): BucketProperties }
  readonly replica: Replica
  readonly coordinator: Coordinator
  store: Store
  #lastStamp: Stamp = zeroStamp
  readonly #counters = new Map<number, number>()
  /** What the watched coordinator passed on, newest last. */
  readonly taken: { request: unknown; done: (result: never) => void }[] = []
  put: PutOperation | undefined
  merge: MergeOperation | undefined
  readonly rig: RigWorld

  constructor(rig: RigWorld, { index, id, ring }: { index: number; id: NodeId; ring: Ring }) {
    this.rig = rig
    this.index = index
    this.id = nodeId(id)
    this.ring = ring
    this.buckets = { of: () => rig.properties }
    this.store = createMemoryStore(rig.env, { disk: this.disk })
    this.replica = this.#fakeReplica()
    this.coordinator = this.#fakeCoordinator()
  }

  isConnectedTo(_other: NodeId): boolean {
    return !this.isAlone
  }

  watch(checks: Checks): void {
    const self = this as unknown as SimNode
    this.disk.watch({
      wrote: (batch) => checks.wrote(self, batch),
      synced: (batches) => checks.synced(self, batches),
    })
  }

  /** Writes the row of a key, as the pipeline does. */
  keep(rowKey: Buffer, known: KnownRow): void {
    this.rows.set(rowKey.toString('latin1'), known)
    const batch = this.store.batch()
    batch.put('rows', rowKey, known.row)
    const token = rowKey.readBigUInt64BE(0)
    batch.put('versions', rowKeyName(rowKey), encodeStoredVersion(known.version, token))
    this.store.write(batch)
  }

  row(key = 'k'): KnownRow | undefined {
    return this.rows.get(makeRowKey('b', key).toString('latin1'))
  }

  /** Eight bytes that name a process of a node in a partition. */
  actorOf(rowKey: Buffer): Buffer {
    const partition = partitionOfRowKey(rowKey, PARTITIONS)
    return Buffer.from([0, 0, 0, 0, partition, 0, this.index, this.#actorLife])
  }

  nextCounter(rowKey: Buffer): number {
    const partition = partitionOfRowKey(rowKey, PARTITIONS)
    const next = (this.#counters.get(partition) ?? 0) + 1
    this.#counters.set(partition, next)
    return next
  }

  /** The wall clock, and above the last one. */
  nextStamp(): Stamp {
    this.#lastStamp = nextStamp(this.#lastStamp, this.rig.env.clock.wall())
    return this.#lastStamp
  }

  /** Without latency a sync is over when it has begun. */
  sync(): void {
    void this.store.sync()
  }

  /** A power cut and a new process, which takes a new actor unless it is broken. */
  crash(options: { keepsActor?: boolean; survived?: number } = {}): void {
    const { survived } = this.disk.crash({ keepUnsynced: options.survived ?? 0 })
    const self = this as unknown as SimNode
    this.rig.checks.crashed(self, survived)
    this.restart(options)
  }

  restart({ keepsActor = false }: { keepsActor?: boolean } = {}): void {
    this.life++
    if (!keepsActor) {
      this.#actorLife = this.life
      this.#counters.clear()
    }
    this.rows.clear()
    this.store = createMemoryStore(this.rig.env, { disk: this.disk })
    for (let at = 0; at < this.disk.keyCount('rows'); at++) {
      const rowKey = this.disk.keyAt('rows', at) as Buffer
      this.rows.set(
        rowKey.toString('latin1'),
        knownRow(this.disk.current('rows', rowKey) as Buffer),
      )
    }
  }

  #fakeReplica(): Replica {
    const fake = {
      put: (operation: PutOperation) => {
        this.put = operation
      },
      merge: (operation: MergeOperation) => {
        this.merge = operation
      },
      queued: 0,
      segmentDigest: () => 0n,
    }
    return fake as unknown as Replica
  }

  #fakeCoordinator(): Coordinator {
    const take = (request: unknown, done: (result: never) => void): void => {
      this.taken.push({ request, done })
    }
    const fake = {
      read: take,
      write: take,
      list: (request: unknown) =>
        new Promise((resolve) => take(request, resolve as (result: never) => void)),
      figures: { operationsInFlight: 0, repairsInFlight: 0 },
      desk: { env: this.rig.env, speeds: { hedges: 0 } },
    }
    return fake as unknown as Coordinator
  }
}

/** Another replica's copy joins that of a node, as V2 says. */
export function mergeInto(node: RigNode, rowKey: Buffer, incoming: KnownRow): void {
  node.replica.merge({
    kind: 'merge',
    rowKey,
    row: incoming.row,
    heal: false,
    durable: true,
    sink: { merged: () => undefined, durable: () => undefined, refused: () => undefined },
  })
  const local = node.rows.get(rowKey.toString('latin1'))
  const merged = local ? mergeKnownRows(local, incoming, rowKey.readBigUInt64BE(0)) : incoming
  if (merged !== local) node.keep(rowKey, merged)
  node.merge?.sink.merged(merged.version)
}
