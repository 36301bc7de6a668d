import { isDeepStrictEqual as same } from 'node:util'
import fc from 'fast-check'
import t from 'tap'
import {
  type Bits,
  hasBit,
  highestBit,
  inAtLeast,
  intersection,
  isEmpty,
  members,
  noBits,
  sameBits,
  union,
  withBit,
  within,
  without,
} from '../src/check/bits.ts'

const numbers = fc.uniqueArray(fc.nat({ max: 130 }), { maxLength: 40 })
const bitsOf = (list: readonly number[]): Bits => list.reduce(withBit, noBits)
const sorted = (set: Iterable<number>): number[] => [...set].sort((one, other) => one - other)

t.test('bits are sets', async (t) => {
  fc.assert(
    fc.property(numbers, numbers, (one, other) => {
      const a = bitsOf(one)
      const b = bitsOf(other)
      const both = one.filter((each) => other.includes(each))
      const rest = one.filter((each) => !other.includes(each))
      return (
        same(members(a), sorted(one)) &&
        same(members(union(a, b)), sorted(new Set([...one, ...other]))) &&
        same(members(intersection(a, b)), sorted(both)) &&
        same(members(without(a, b)), sorted(rest)) &&
        within(a, b) === (rest.length === 0) &&
        sameBits(a, b) === same(sorted(one), sorted(other)) &&
        isEmpty(a) === (one.length === 0) &&
        highestBit(a) === (one.length === 0 ? -1 : Math.max(...one)) &&
        one.every((each) => hasBit(a, each))
      )
    }),
    { seed: 20_071_014, numRuns: 300 },
  )
  t.pass('no counterexample')
})

t.test('what is in at least so many of some sets', async (t) => {
  fc.assert(
    fc.property(
      fc.array(numbers, { minLength: 1, maxLength: 7 }),
      fc.integer({ min: 1, max: 8 }),
      (lists, count) => {
        const counts = new Map<number, number>()
        for (const list of lists)
          for (const each of list) counts.set(each, (counts.get(each) ?? 0) + 1)
        const expected = [...counts].filter(([, times]) => times >= count).map(([each]) => each)
        return same(members(inAtLeast(count, lists.map(bitsOf))), sorted(expected))
      },
    ),
    { seed: 20_071_014, numRuns: 200 },
  )
  t.pass('no counterexample')
})
