import type { BucketProperties } from '@shoal/coordinator'
import type { Partition } from '@shoal/kernel'
import { hash64, makeRowKey, partitionOfRowKey, splitName } from '@shoal/ring'
import type { SimCluster, SimNode } from '../cluster/sim-cluster.ts'
import { type Bits, isEmpty, noBits, union, without } from './bits.ts'
import { Findings } from './findings.ts'
import { type Fault, KeyHistory, noState, type State } from './history.ts'
import { Operations } from './operations.ts'

/** One node's copy of one key: what its disk holds, in both layers. */
export interface Copy {
  /** As every read of the disk sees it. */
  cached: State
  /** As it is after a power cut. */
  durable: State
  /** What the pipeline knows while it works on a group: `cached`, and what was told since. */
  running: Bits
  /** Changed behind the store's back and not written since. */
  damaged: boolean
  /** Which of its two records that was. Where one is whole the node knows what it held. */
  rowDamaged: boolean
  versionDamaged: boolean
  /** Virtual time of the last damage, also of the whole disk; −1 for never. */
  damagedAt: number
  /** When all that it held was last lost: with the disk, or both its records; −1 for never. */
  lostAt: number
}

/** All that is known of one key. */
export interface Key {
  /** Bucket, zero byte, key: latin-1 text of its bytes. */
  readonly name: string
  readonly bucket: string
  readonly key: string
  readonly token: bigint
  readonly rowKey: Buffer
  readonly partition: Partition
  /** Indices of the nodes that should hold it. */
  readonly primaries: readonly number[]
  readonly history: KeyHistory
  /** By index of the node. */
  readonly copies: Copy[]
  /** Damage to any copy so far. */
  damages: number
  /**
   * A write used a context that names less than its client had seen: the answer to a blind write
   * that was repeated, given by a replica that no longer knew what the first try had seen. Until
   * the copies meet, values stand beside such a write that it should have replaced.
   */
  open: boolean
  /**
   * A disk lied about it in a way that no checksum shows: it gave an older state for the newest, or
   * took a write and kept the old one. Or an operator put back the disk of a node that had stopped
   * cleanly, and the node writes on where that one stopped. Then its actor may deny what it wrote
   * in between, and nothing is promised of the key.
   */
  doubted: boolean
  /** What strict reads have shown, by the R they asked for, with the damage there was then. */
  readonly shown: Map<number, { events: Bits; damages: number }>
}

export interface WorldParts {
  readonly cluster: SimCluster
  readonly fail: (rule: string, message: string) => void
  readonly questionsRepeat: boolean
}

/** What the checks know of the whole cluster. */
export class World {
  readonly findings: Findings
  readonly operations: Operations
  /** By node and partition: when the node last lost for good what it had written there. */
  readonly forgotten = new Map<string, number>()
  readonly keys = new Map<string, Key>()
  /** Keys of each bucket, in no order. */
  readonly buckets = new Map<string, Key[]>()
  readonly #lostBuckets = new Set<string>()
  readonly #byText = new Map<string, Map<string, Key>>()
  readonly #cluster: SimCluster
  /** By node: when its power was cut last. */
  readonly #crashedAt = new Map<number, number>()
  readonly #indices: ReadonlyMap<string, number>
  #registry: SimNode['buckets']

  constructor({ cluster, fail, questionsRepeat }: WorldParts) {
    this.#cluster = cluster
    this.findings = new Findings(() => cluster.now(), fail)
    this.operations = new Operations(this.findings, questionsRepeat)
    this.#indices = new Map(cluster.nodes.map(({ id, index }) => [id, index]))
  }

  /** A violation that concerns one key; of a doubted one nothing is a violation. */
  fail(key: Key, invariant: string, message: string): void {
    if (key.doubted) this.findings.checked('oddities of doubted keys')
    else this.findings.add(invariant, message)
  }

  doubt(key: Key): void {
    if (!key.doubted) this.findings.checked('keys doubted')
    key.doubted = true
  }

  /**
   * A disk was damaged or replaced. Where no copy of a bucket's properties is left, nodes with a
   * new disk take it for a default one, and nothing is promised of its keys.
   */
  doubtLostBuckets(): void {
    for (const properties of this.buckets.get(SYSTEM_BUCKET) ?? []) {
      const { key: bucket, primaries, copies } = properties
      if (this.#lostBuckets.has(bucket)) continue
      const isHeld = primaries.some((node) => {
        const { damaged, cached } = copies[node] as Copy
        return !damaged && cached.live.length > 0
      })
      if (isHeld) continue
      this.findings.checked('buckets lost')
      this.#lostBuckets.add(bucket)
      for (const key of this.buckets.get(bucket) ?? []) this.doubt(key)
    }
  }

  get nodes(): readonly SimNode[] {
    return this.#cluster.nodes
  }

  /** Counts events of the simulation. */
  get events(): number {
    return this.#cluster.figures.events
  }

  now(): number {
    return this.#cluster.now()
  }

  indexOf(id: string): number {
    return this.#indices.get(id) ?? -1
  }

  crashed(node: number): void {
    this.#crashedAt.set(node, this.now())
  }

  /** Virtual time of its last power cut; −1 for never. */
  crashedAt(node: number): number {
    return this.#crashedAt.get(node) ?? -1
  }

  booted(node: SimNode): void {
    // The first one: what a person set is not changed here, and a node with a new disk does not
    // know it.
    this.#registry ??= node.buckets
  }

  properties(bucket: string): BucketProperties | undefined {
    return this.#registry?.of(bucket)
  }

  keyOf(bucket: string, key: string): Key {
    let keys = this.#byText.get(bucket)
    if (!keys) {
      keys = new Map()
      this.#byText.set(bucket, keys)
    }
    let known = keys.get(key)
    if (!known) {
      known = this.keyNamed(Buffer.from(`${bucket}\0${key}`).toString('latin1'))
      keys.set(key, known)
    }
    return known
  }

  /** @param name  latin-1 text of bucket, zero byte, key */
  keyNamed(name: string): Key {
    let key = this.keys.get(name)
    if (!key) {
      key = this.#makeKey(name)
      this.keys.set(name, key)
      const others = this.buckets.get(key.bucket)
      if (others) others.push(key)
      else this.buckets.set(key.bucket, [key])
    }
    return key
  }

  #makeKey(name: string): Key {
    const bytes = Buffer.from(name, 'latin1')
    const { bucket, key } = splitName(bytes)
    const rowKey = makeRowKey(bucket, key)
    const { ring } = this.nodes[0] as SimNode
    const partition = partitionOfRowKey(rowKey, ring.partitions)
    const n = this.properties(bucket)?.n ?? ring.copies
    const primaries = ring.preferenceList(partition).slice(0, n)
    return {
      name,
      bucket,
      key,
      token: hash64(bytes),
      rowKey,
      partition,
      primaries: primaries.map((id) => this.indexOf(id)),
      history: new KeyHistory(),
      copies: this.nodes.map(() => emptyCopy()),
      damages: 0,
      open: false,
      doubted: this.#lostBuckets.has(bucket),
      shown: new Map(),
    }
  }
}

/** Holds the properties of buckets, under their names. */
const SYSTEM_BUCKET = '_shoal.buckets'

export const undamaged = { damaged: false, rowDamaged: false, versionDamaged: false } as const

export function emptyCopy(): Copy {
  return {
    cached: noState,
    durable: noState,
    running: noBits,
    ...undamaged,
    damagedAt: -1,
    lostAt: -1,
  }
}

/** Whether a node has no channel to any other. */
export const isAlone = (node: SimNode, nodes: readonly SimNode[]): boolean =>
  nodes.every((other) => other === node || !node.isConnectedTo(other.id))

/** `bucket/key`, for people. */
export const keyText = ({ bucket, key }: Key): string => `${bucket}/${key}`

export function hurt(key: Key, node: number, at: number): void {
  const copy = key.copies[node] as Copy
  copy.damagedAt = at
  key.damages++
}

/**
 * What the platters of a key's primaries hold for certain, in their order. A copy whose records are
 * both damaged is replaced by what another has, which may be less.
 */
export const platters = ({ primaries, copies }: Key): Bits[] =>
  primaries.map((node) => {
    const { cached, durable, rowDamaged, versionDamaged } = copies[node] as Copy
    if (rowDamaged && versionDamaged) return noBits
    const replaced = without(durable.events, cached.events)
    return isEmpty(replaced) ? durable.events : without(durable.events, replaced)
  })

/** Everything that any disk holds of a key, in its first layer. */
export function heldAnywhere({ copies }: Key): Bits {
  return copies.reduce((held, { cached }) => union(held, cached.events), noBits)
}

/** What a context that names less may bring about, until the copies of the key have met. */
export const isExcused = ({ open }: Key, { invariant }: Fault): boolean =>
  open && (invariant === 'V5' || invariant === 'I6')
