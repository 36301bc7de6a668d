import { invariant } from '@shoal/kernel'

/**
 * The versions of recently used keys, so that most writes and digest reads need no disk.
 *
 * A Map of Buffers costs several hundred bytes a key and a long garbage collection. This is one
 * slab of equal slots, four to a set: nothing is allocated to store, nothing is chased to evict. A
 * hit is copied out: a view of a slot would change under its reader when the next key of the same
 * group takes the slot.
 *
 * Slot: u32 tick of last use, u16 length of row key, u16 length of version, row key, version.
 */
export class VersionCache {
  readonly #slab: Buffer
  readonly #setMask: number
  #tick = 1
  #hits = 0
  #misses = 0

  /**
   * @param bytes size of the slab; rounded down to a power of two of sets. 0 switches the cache off
   */
  constructor(bytes: number) {
    let sets = 1
    while (sets * 2 * SET_BYTES <= bytes) sets *= 2
    const fits = sets * SET_BYTES <= bytes
    this.#slab = fits ? Buffer.alloc(sets * SET_BYTES) : Buffer.alloc(0)
    this.#setMask = fits ? sets - 1 : -1
  }

  get hits(): number {
    return this.#hits
  }

  get misses(): number {
    return this.#misses
  }

  get bytes(): number {
    return this.#slab.length
  }

  /** A copy of the version, or undefined when it is not here, which says nothing about the disk. */
  get(rowKey: Buffer): Buffer | undefined {
    const slot = this.#find(rowKey)
    if (slot < 0) {
      this.#misses++
      return undefined
    }
    this.#hits++
    this.#touch(slot)
    const versionAt = slot + HEADER_BYTES + rowKey.length
    const length = this.#slab.readUInt16BE(slot + 6)
    const copy = Buffer.allocUnsafe(length)
    this.#slab.copy(copy, 0, versionAt, versionAt + length)
    return copy
  }

  set(rowKey: Buffer, version: Buffer): void {
    if (this.#setMask < 0) return
    const known = this.#find(rowKey)
    if (HEADER_BYTES + rowKey.length + version.length > SLOT_BYTES) {
      // Too large to keep. What was kept of this key is no longer true.
      if (known >= 0) this.#empty(known)
      return
    }
    const slot = known >= 0 ? known : this.#oldestSlot(rowKey)
    invariant(version.length > 0, 'a stored version has bytes')
    this.#touch(slot)
    this.#slab.writeUInt16BE(rowKey.length, slot + 4)
    this.#slab.writeUInt16BE(version.length, slot + 6)
    rowKey.copy(this.#slab, slot + HEADER_BYTES)
    version.copy(this.#slab, slot + HEADER_BYTES + rowKey.length)
  }

  delete(rowKey: Buffer): void {
    const slot = this.#find(rowKey)
    if (slot >= 0) this.#empty(slot)
  }

  #empty(slot: number): void {
    this.#slab.fill(0, slot, slot + HEADER_BYTES)
  }

  #find(rowKey: Buffer): number {
    if (this.#setMask < 0) return -1
    const first = this.#setOf(rowKey)
    for (let slot = first; slot < first + SET_BYTES; slot += SLOT_BYTES) {
      if (this.#slab.readUInt16BE(slot + 4) !== rowKey.length) continue
      const keyAt = slot + HEADER_BYTES
      if (this.#slab.readInt32BE(keyAt + 4) !== rowKey.readInt32BE(4)) continue
      if (rowKey.compare(this.#slab, keyAt, keyAt + rowKey.length) === 0) return slot
    }
    return -1
  }

  #oldestSlot(rowKey: Buffer): number {
    const first = this.#setOf(rowKey)
    let oldest = first
    let oldestTick = Number.POSITIVE_INFINITY
    for (let slot = first; slot < first + SET_BYTES; slot += SLOT_BYTES) {
      const tick = this.#slab.readUInt32BE(slot)
      if (tick < oldestTick) {
        oldest = slot
        oldestTick = tick
      }
    }
    return oldest
  }

  /** The low bits of the token: its high bits are the partition, of which one node may hold few. */
  #setOf(rowKey: Buffer): number {
    return (rowKey.readUInt32BE(4) & this.#setMask) * SET_BYTES
  }

  #touch(slot: number): void {
    // After 2^32 uses ticks start over; for a while eviction is no longer by age, and nothing else.
    this.#tick = this.#tick === 0xffff_ffff ? 1 : this.#tick + 1
    this.#slab.writeUInt32BE(this.#tick, slot)
  }
}

const HEADER_BYTES = 8
/** Room for a key of about 60 bytes with a version of three actors and one value. */
const SLOT_BYTES = 192
const SLOTS_PER_SET = 4
const SET_BYTES = SLOT_BYTES * SLOTS_PER_SET
