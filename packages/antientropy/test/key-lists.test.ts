import fc from 'fast-check'
import t from 'tap'
import { compareLists, type KeyList } from '../src/core/key-lists.ts'
import { holds, seed } from './support/holds.ts'

t.comment(`seed ${seed}`)

/** A small world: key n is the one byte n, ten of them in a segment; a version is a byte too. */
type Copy = ReadonlyMap<number, number>
const segmentOf = (rowKey: Buffer): number => Math.floor((rowKey[0] as number) / 10)
const DAMAGED = 0

const copies: fc.Arbitrary<Copy> = fc
  .uniqueArray(fc.tuple(fc.nat(99), fc.nat(3)), { selector: ([key]) => key, maxLength: 60 })
  .map((entries) => new Map(entries))
const segmentSets = fc.uniqueArray(fc.nat(9), { maxLength: 3 })

function list(copy: Copy, after: number, limit: number, unreadable: readonly number[]): KeyList {
  const keys = [...copy.keys()]
    .filter((key) => key > after && !unreadable.includes(Math.floor(key / 10)))
    .sort((one, other) => one - other)
  const page = keys.slice(0, limit)
  const entries = page.map((key) => {
    const version = copy.get(key) as number
    const damaged = version === DAMAGED
    return { rowKey: Buffer.of(key), digest: Buffer.alloc(8, damaged ? 0 : version), damaged }
  })
  return { entries, finished: page.length === keys.length, unreadable }
}

t.test('X10: page by page, every key that differs is found, once, and no other', async (t) => {
  const property = fc.property(
    copies,
    copies,
    fc.infiniteStream(fc.integer({ min: 1, max: 9 })),
    segmentSets,
    segmentSets,
    (own, theirs, sizes, ownLost, theirsLost) => {
      const isListed = (copy: Copy, lost: readonly number[], key: number) =>
        copy.has(key) && !lost.includes(Math.floor(key / 10))
      const expected = Array.from({ length: 100 }, (_none, key) => key).filter((key) => {
        const [mine, other] = [isListed(own, ownLost, key), isListed(theirs, theirsLost, key)]
        if (!mine && !other) return false
        const equal = mine && other && own.get(key) === theirs.get(key) && own.get(key) !== DAMAGED
        return !equal
      })
      const found: number[] = []
      let after = -1
      for (;;) {
        const { differences, next } = compareLists(
          list(own, after, sizes.next().value as number, ownLost),
          list(theirs, after, sizes.next().value as number, theirsLost),
          segmentOf,
        )
        found.push(...differences.map(({ rowKey }) => rowKey[0] as number))
        if (next === undefined) break
        if ((next[0] as number) <= after) return false
        after = next[0] as number
      }
      return found.length === expected.length && found.every((key, at) => key === expected[at])
    },
  )
  t.ok(holds(property, 500))
})

t.test('what each side holds is told apart', async (t) => {
  const own = new Map([
    [1, 1],
    [2, 1],
    [3, DAMAGED],
    [11, 1],
  ])
  const theirs = new Map([
    [2, 2],
    [3, 3],
    [4, DAMAGED],
    [11, 2],
    [12, 1],
  ])
  const { differences } = compareLists(list(own, -1, 99, [1]), list(theirs, -1, 99, []), segmentOf)
  t.same(
    differences.map((each) => [each.rowKey[0], each.own, each.theirs]),
    [
      [1, 'held', 'absent'],
      [2, 'held', 'held'],
      [3, 'damaged', 'held'],
      [4, 'absent', 'damaged'],
      [11, 'unknown', 'held'],
      [12, 'unknown', 'held'],
    ],
  )
})
