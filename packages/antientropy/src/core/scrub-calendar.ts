import { type Millis, millis, type Partition } from '@shoal/kernel'

/**
 * When each partition is read and checked next (E4). By wall time, because a week is longer than
 * most processes live; a clock that jumped back makes a scrub early, never late.
 */
export class ScrubCalendar {
  readonly #interval: Millis
  readonly #last = new Map<Partition, Millis>()

  constructor(interval: Millis) {
    this.#interval = interval
  }

  /** @param at  Unix time at which the partition was last checked to its end */
  scrubbed(partition: Partition, at: Millis): void {
    this.#last.set(partition, at)
  }

  /**
   * A partition of which nothing is known is taken to have been checked some time ago, by chance:
   * else all of them would be due at once.
   */
  hold(partitions: readonly Partition[], wall: Millis, chance: () => number): void {
    const held = new Set(partitions)
    for (const partition of this.#last.keys()) {
      if (!held.has(partition)) this.#last.delete(partition)
    }
    for (const partition of partitions) {
      const last = this.#last.get(partition)
      if (last !== undefined && last <= wall) continue
      this.#last.set(partition, millis(wall - chance() * this.#interval))
    }
  }

  /** The partition that has waited longest, and when it is due; undefined when none is held. */
  next(): { readonly partition: Partition; readonly dueAt: Millis } | undefined {
    let first: { partition: Partition; dueAt: Millis } | undefined
    for (const [partition, last] of this.#last) {
      const dueAt = millis(last + this.#interval)
      if (first === undefined || dueAt < first.dueAt) first = { partition, dueAt }
    }
    return first
  }
}
