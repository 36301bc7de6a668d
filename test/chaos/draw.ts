/** Chance from a seed: each label has a stream of its own, so one more draw shifts no other. */
import { randomFrom } from '../support/load.ts'

export interface Draw {
  /** A whole number, 0 ≤ result < bound. */
  below(bound: number): number
  /** A number, from ≤ result < to. */
  between(from: number, to: number): number
  chance(share: number): boolean
  /** @throws when there is nothing to pick from */
  pick<T>(items: readonly T[]): T
  shuffled<T>(items: readonly T[]): T[]
}

export function drawFrom(...labels: readonly (string | number)[]): Draw {
  const random = randomFrom(hashOf(labels.join('/')))
  const below = (bound: number): number => Math.floor(random() * bound)
  return {
    below,
    between: (from, to) => from + random() * (to - from),
    chance: (share) => random() < share,
    pick: (items) => {
      if (items.length === 0) throw new Error('nothing to pick from')
      return items[below(items.length)] as (typeof items)[number]
    },
    shuffled: (items) => {
      const left = [...items]
      return items.flatMap(() => left.splice(below(left.length), 1))
    },
  }
}

/** FNV-1a. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5
  for (const byte of Buffer.from(text)) hash = Math.imul(hash ^ byte, 0x01000193)
  return hash >>> 0
}
