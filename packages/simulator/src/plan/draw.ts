import { createSeededRandom, invariant } from '@shoal/kernel'

/** Chance for one item of a plan. */
export interface Draw {
  /** 0 ≤ result < 1. */
  fraction(): number
  chance(probability: number): boolean
  /** A whole number, both ends included. */
  between(least: number, most: number): number
  /** A whole number; one between 1 and 10 is as likely as one between 10 and 100. */
  spread(least: number, most: number): number
  pick<T>(choices: readonly T[]): T
  /** Picks by weight. A weight of 0 is never picked. */
  weighted<T>(choices: readonly (readonly [T, number])[]): T
}

const PRECISION = 2 ** 32

/**
 * The stream of one item: a function of seed, label and index and of nothing else. So an item stays
 * as it is when others are left out or added.
 */
export function drawFor(seed: number, label: string, index = 0): Draw {
  const random = createSeededRandom(`${seed}:${label}:${index}`)
  const fraction = (): number => random.below(PRECISION) / PRECISION
  return {
    fraction,
    chance: (probability) => fraction() < probability,
    between: (least, most) => least + random.below(most - least + 1),
    spread: (least, most) => Math.round(least * (most / least) ** fraction()),
    pick: (choices) => {
      invariant(choices.length > 0, 'there is something to choose from')
      return choices[random.below(choices.length)] as (typeof choices)[number]
    },
    weighted: (choices) => {
      const total = choices.reduce((sum, [, weight]) => sum + weight, 0)
      invariant(total > 0, 'some choice has a weight')
      let left = fraction() * total
      for (const [choice, weight] of choices) {
        left -= weight
        if (weight > 0 && left < 0) return choice
      }
      return (choices.findLast(([, weight]) => weight > 0) as readonly [never, number])[0]
    },
  }
}
