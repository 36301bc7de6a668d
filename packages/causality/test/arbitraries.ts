import fc from 'fast-check'
import { type Dot, dot, encodeDot, type Header, join, type State, upTo } from './oracle.ts'

/** Printed by every property test, so that a failure can be run again. */
export const SEED = 20_071_014

/** Asserts a property, and counts as one assertion of the test however many runs it makes. */
export function holds(
  t: { pass(message: string): unknown },
  property: fc.IRawProperty<unknown>,
  options: { seed: number; numRuns: number },
): void {
  fc.assert(property, options)
  t.pass(`${options.numRuns} runs`)
}

/** Few, so that they meet often; some differ in one byte only, some have high bits set. */
export const ACTORS = [
  '0000000000000000',
  '00000000000000ff',
  '7f00000000000001',
  '8000000000000001',
  'ffffffffffffffff',
]
const COUNTERS_MAX = 9

export const someActor = fc.constantFrom(...ACTORS)
export const someDot: fc.Arbitrary<Dot> = fc
  .tuple(someActor, fc.integer({ min: 1, max: COUNTERS_MAX }))
  .map(([actor, counter]) => dot(actor, counter))

/** Sets of dots with long bases, gaps and lone extras. */
export const someDots: fc.Arbitrary<Set<Dot>> = fc
  .tuple(
    fc.array(fc.tuple(someActor, fc.integer({ min: 1, max: 6 })), { maxLength: 4 }),
    fc.array(someDot, { maxLength: 6 }),
  )
  .map(([bases, extras]) =>
    join(
      bases.flatMap(([actor, base]) => upTo(actor, base)),
      extras,
    ),
  )

/** V1: what stands under a dot is a function of the dot. */
export function headerOf(of: Dot): Header {
  const mix = encodeDot(of).reduce((sum, byte) => (Math.imul(sum, 31) + byte) >>> 0, 7)
  return {
    tombstone: mix % 3 === 0,
    stampHi: mix,
    stampLo: Math.imul(mix, 17) >>> 0,
    request: mix % 4 === 0 ? '0000000000000000' : mix.toString(16).padStart(16, '0'),
    expiry: mix % 5 === 0 ? 1_700_000_000_000 + mix : 0,
  }
}

/** Any well-formed state, also such that no run of the protocol would reach. */
export const someState: fc.Arbitrary<State> = fc
  .tuple(someDots, someDot, fc.infiniteStream(fc.boolean()))
  .map(([dots, certain, coins]) => {
    const seen = join(dots, [certain])
    const live = [...seen].filter((of) => of === certain || coins.next().value === true)
    return { seen, live: new Map(live.map((of) => [of, headerOf(of)])) }
  })
