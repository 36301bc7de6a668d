import type { WrittenBatch } from './memory-batch.ts'

/** The last synced batches, so that a disk can be put back to an earlier moment. */
export class DiskHistory {
  #most = 0
  #batches: WrittenBatch[] = []

  get batches(): readonly WrittenBatch[] {
    return this.#batches
  }

  keep(most: number): void {
    this.#most = most
    this.#trim()
  }

  add(batches: readonly WrittenBatch[]): void {
    if (this.#most === 0) return
    for (const batch of batches) this.#batches.push(batch)
    // Now and then half of them at once: taking one from the front each time moves all others.
    if (this.#batches.length >= 2 * this.#most) this.#trim()
  }

  /** Removes the last `count` batches. @returns them, the newest first */
  takeLast(count: number): WrittenBatch[] {
    return this.#batches.splice(Math.max(0, this.#batches.length - count)).reverse()
  }

  clear(): void {
    this.#batches = []
  }

  #trim(): void {
    this.#batches.splice(0, Math.max(0, this.#batches.length - this.#most))
  }
}
