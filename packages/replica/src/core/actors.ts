import { invariant, type Millis, type Partition, type Random } from '@shoal/kernel'

/**
 * Actor ids and their counters (A1, A2).
 *
 * The obvious id, the node's name, lost data in other stores: a node that forgot its counters after
 * a crash issued old dots again, and honest writes looked already seen. So an actor is a random
 * incarnation of (node, partition). It lives as long as this process can prove that no counter was
 * lost, and a new one is minted at the first doubt.
 */
export interface Actor {
  /** 8 random bytes. Never changed in place: views of it travel. */
  readonly id: Buffer
  /** The last counter issued. Counters run over all keys of the partition. */
  counter: number
}

/** The clean-shutdown marker, and what is needed to believe it. */
export interface KeptActors {
  readonly marker: Buffer
  /** Unix time of this start. */
  readonly now: Millis
  /** An older marker proves nothing: the disk under it may be a copy put back. */
  readonly ageMax: Millis
}

const ACTOR_BYTES = 8
const ENTRY_BYTES = 2 + ACTOR_BYTES + 8
const HEADER_BYTES = 1 + 8
const NONE: readonly Partition[] = []
const MARKER_VERSION = 2

export class Actors {
  readonly #random: Random
  readonly #byPartition = new Map<Partition, Actor>()
  #minted = 0
  #rotated = 0
  readonly #behind = new Set<Partition>()

  /** Whether a marker was believed: then actors go on (A2). */
  readonly areKept: boolean

  /** @param kept  absent after an unclean stop (A2) */
  constructor(random: Random, kept?: KeptActors) {
    this.#random = random
    this.areKept = kept !== undefined && this.#restore(kept)
  }

  /** Incarnations minted since this process started. */
  get minted(): number {
    return this.#minted
  }

  /** Those of them that replaced one in use. */
  get rotated(): number {
    return this.#rotated
  }

  /** The actor of a partition; minted at its first coordinated write. */
  of(partition: Partition): Actor {
    return this.#byPartition.get(partition) ?? this.#mint(partition)
  }

  /** Issues the next counter. Each is issued once, in order, and never again (A1). */
  next(partition: Partition): Actor {
    const actor = this.of(partition)
    actor.counter++
    invariant(actor.counter <= Number.MAX_SAFE_INTEGER, 'a counter stays a safe integer')
    return actor
  }

  /** The id under which a clock may betray that we forgot something, if we have one yet. */
  peek(partition: Partition): Actor | undefined {
    return this.#byPartition.get(partition)
  }

  /**
   * A clock showed our own actor ahead of us: this disk is older than what others saw of it (A2).
   * From here on this node writes as somebody new.
   */
  foundBehind(partition: Partition): void {
    this.rotate(partition)
    this.#behind.add(partition)
  }

  /** Partitions found behind since the last call: what was on this disk once is not (Q6). */
  takeBehind(): readonly Partition[] {
    if (this.#behind.size === 0) return NONE
    const behind = [...this.#behind]
    this.#behind.clear()
    return behind
  }

  /** From here on this node writes to the partition as somebody new. */
  rotate(partition: Partition): Actor {
    if (this.#byPartition.has(partition)) this.#rotated++
    return this.#mint(partition)
  }

  /** Forgets the actor of a partition that this node no longer owns. */
  release(partition: Partition): void {
    this.#byPartition.delete(partition)
  }

  /**
   * All counters, for the clean-shutdown marker.
   *
   * @param now  Unix time of the stop
   */
  encode(now: Millis): Buffer {
    const marker = Buffer.alloc(HEADER_BYTES + this.#byPartition.size * ENTRY_BYTES)
    marker[0] = MARKER_VERSION
    marker.writeDoubleBE(now, 1)
    let at = HEADER_BYTES
    for (const [partition, { id, counter }] of this.#byPartition) {
      marker.writeUInt16BE(partition, at)
      id.copy(marker, at + 2)
      marker.writeBigUInt64BE(BigInt(counter), at + 2 + ACTOR_BYTES)
      at += ENTRY_BYTES
    }
    return marker
  }

  #restore({ marker, now, ageMax }: KeptActors): boolean {
    // A marker in a form we do not know is no proof: start as after a crash.
    const known = marker[0] === MARKER_VERSION && (marker.length - HEADER_BYTES) % ENTRY_BYTES === 0
    if (!known) return false
    const age = now - marker.readDoubleBE(1)
    if (!(age >= 0 && age <= ageMax)) return false
    for (let at = HEADER_BYTES; at < marker.length; at += ENTRY_BYTES) {
      const id = Buffer.from(marker.subarray(at + 2, at + 2 + ACTOR_BYTES))
      const counter = Number(marker.readBigUInt64BE(at + 2 + ACTOR_BYTES))
      this.#byPartition.set(marker.readUInt16BE(at) as Partition, { id, counter })
    }
    return true
  }

  #mint(partition: Partition): Actor {
    const actor = { id: Buffer.from(this.#random.bytes(ACTOR_BYTES)), counter: 0 }
    this.#byPartition.set(partition, actor)
    this.#minted++
    return actor
  }
}
