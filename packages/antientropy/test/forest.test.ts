import { limits, type Partition } from '@shoal/kernel'
import fc from 'fast-check'
import t from 'tap'
import { differingGroups, differingSegments, GROUP_SEGMENTS, groupsOf } from '../src/core/groups.ts'
import { Forest, isInForest } from '../src/trees/forest.ts'
import { holds, seed } from './support/holds.ts'

t.comment(`seed ${seed}`)

class Digests {
  readonly #digests = new Map<string, bigint>()

  segmentDigest(partition: Partition, segment: number): bigint {
    return this.#digests.get(`${partition} ${segment}`) ?? 0n
  }

  copyDigests(partition: Partition, first: number, target: Buffer): Buffer {
    for (let at = 0; at < target.length; at += 8) {
      target.writeBigUInt64BE(this.segmentDigest(partition, first + at / 8), at)
    }
    return target
  }

  set(partition: number, segment: number, digest: bigint): void {
    this.#digests.set(`${partition} ${segment}`, digest)
  }
}

const P = 1 as Partition

const filled = fc.array(
  fc.tuple(fc.nat(limits.digestSegments - 1), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })),
  { maxLength: 60 },
)

function digestsOf(entries: readonly (readonly [number, bigint])[]): Digests {
  const digests = new Digests()
  for (const [segment, digest] of entries) digests.set(P, segment, digest)
  return digests
}

/** What an exchange would find different, by way of the trees. */
function differences(own: Forest, theirs: Forest): number[] {
  if (own.roots(P).root.equals(theirs.roots(P).root)) return []
  const groups = groupsOf(differingGroups(own.roots(P).children, theirs.roots(P).children))
  return groups.flatMap((group) =>
    differingSegments(group, own.group(P, group), theirs.group(P, group)),
  )
}

t.test('X8: trees differ exactly where digests do (E1)', async (t) => {
  const property = fc.property(filled, filled, (one, other) => {
    const [own, theirs] = [digestsOf(one), digestsOf([...one, ...other])]
    const expected = Array.from({ length: limits.digestSegments }, (_none, index) => index).filter(
      (segment) => own.segmentDigest(P, segment) !== theirs.segmentDigest(P, segment),
    )
    const found = differences(new Forest(own), new Forest(theirs))
    return found.length === expected.length && found.every((each, at) => each === expected[at])
  })
  t.ok(holds(property, 40))
})

t.test('X8: a forest that was kept up is the forest built anew', async (t) => {
  const property = fc.property(fc.array(filled, { maxLength: 5 }), (rounds) => {
    const digests = new Digests()
    const kept = new Forest(digests)
    return rounds.every((round) => {
      for (const [segment, digest] of round) digests.set(P, segment, digest)
      return kept.roots(P).root.equals(new Forest(digests).roots(P).root)
    })
  })
  t.ok(holds(property, 20))
})

t.test('only what changed is built', async (t) => {
  const digests = new Digests()
  const forest = new Forest(digests)
  forest.roots(P)
  t.equal(forest.built, 0, 'of an empty partition everything is known')
  digests.set(P, 40, 1n)
  forest.roots(P)
  t.equal(forest.built, 2, 'the tree of its group, and the one over the groups')
  forest.roots(P)
  t.equal(forest.built, 2)
  digests.set(P, 41, 1n)
  digests.set(P, 1_000, 1n)
  forest.roots(P)
  t.equal(forest.built, 5)
})

t.test('trees are kept for a bounded number of partitions, and made anew when asked', async (t) => {
  const digests = new Digests()
  const forest = new Forest(digests, 2)
  for (const partition of [0, 1, 2]) digests.set(partition, 3, 7n)
  const first = forest.roots(0 as Partition).root
  forest.roots(1 as Partition)
  forest.roots(2 as Partition)
  const before = forest.built
  t.ok(forest.roots(0 as Partition).root.equals(first))
  t.equal(forest.built, before + 2)
})

t.test('X9: a path proves its own segment and digest, and no other', async (t) => {
  const entries = fc.sample(filled, { seed, numRuns: 1 })[0] as [number, bigint][]
  const digests = digestsOf([...entries, [0, 5n], [1_023, 9n], [512, 3n]])
  const forest = new Forest(digests)
  const bytes = (digest: bigint): Buffer => {
    const buffer = Buffer.alloc(8)
    buffer.writeBigUInt64BE(digest)
    return buffer
  }
  for (const segment of [0, 1, 31, 32, 512, 1_023]) {
    const path = forest.path(P, segment)
    t.ok(path.root.equals(forest.roots(P).root))
    const digest = digests.segmentDigest(P, segment)
    t.ok(isInForest(path, segment, bytes(digest)), `segment ${segment}`)
    t.notOk(isInForest(path, segment, bytes(digest ^ 1n)), 'another digest')
    t.notOk(isInForest(path, segment ^ 1, bytes(digest)), 'another segment')
    t.notOk(isInForest({ ...path, path: path.path.slice(1) }, segment, bytes(digest)), 'cut off')
    const [step] = path.path
    const swapped = [{ left: !step?.left, hash: step?.hash as Buffer }, ...path.path.slice(1)]
    t.notOk(isInForest({ ...path, path: swapped }, segment, bytes(digest)), 'sides swapped')
  }
  t.equal(GROUP_SEGMENTS * 32, limits.digestSegments)
})
