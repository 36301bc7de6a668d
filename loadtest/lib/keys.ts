/** Which keys a load touches, and what it writes. */
import { randomBytes } from 'k6/crypto'
import { b64encode } from 'k6/encoding'
import exec from 'k6/execution'

/** This client's number: 1 and up, the same for the whole run. */
export const client = (): number => exec.vu.idInTest

/** A key that only this client writes. */
export const ownKey = (index: number): string => `c${client()}-${index}`

/** A key of any client. */
export const anyKey = (clients: number, index: number): string =>
  `c${1 + Math.floor(Math.random() * clients)}-${index}`

export const evenly = (count: number): number => Math.floor(Math.random() * count)

/**
 * A few much more often than most: the chance of rank r is nearly in proportion to 1/r (Zipf's law
 * with exponent 1), which is the inverse of its distribution taken as a continuous one.
 */
export const skewed = (count: number): number =>
  Math.min(count - 1, Math.floor((count + 1) ** Math.random()) - 1)

/** One of several by their weights. */
export function weighed<T>(choices: readonly (readonly [number, T])[]): T {
  const sum = choices.reduce((total, [weight]) => total + weight, 0)
  let left = Math.random() * sum
  for (const [weight, choice] of choices) {
    left -= weight
    if (left < 0) return choice
  }
  const last = choices.at(-1)
  if (last === undefined) throw new Error('nothing to choose from')
  return last[1]
}

const NOISE_CHARACTERS = 4_096
let noise = ''

/** Text that does not compress, of this length; made once for each client. */
export function padding(length: number): string {
  if (noise === '') noise = b64encode(randomBytes((NOISE_CHARACTERS * 3) / 4), 'rawstd')
  return noise.repeat(Math.ceil(length / NOISE_CHARACTERS)).slice(0, length)
}
