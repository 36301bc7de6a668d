import fc from 'fast-check'
import t from 'tap'
import { liveCount, liveHeaderAt, mergeVersions, relate, validateVersion } from '../src/index.ts'
import { ACTORS, headerOf, holds, SEED, someState } from './arbitraries.ts'
import { byDot, type Dot, dot, encodeVersion, mergeStates, type State, upTo } from './oracle.ts'

t.comment(`seed ${SEED}`)
const runs = { seed: SEED, numRuns: 4_000 }
const [A, B, C] = ACTORS as [string, string, string, string, string]

/** Two states of which the second often grew out of the first: what replicas really compare. */
const somePair: fc.Arbitrary<[State, State]> = fc
  .tuple(someState, someState, fc.nat(5))
  .map(([one, other, kind]): [State, State] => {
    const joined = mergeStates(one, other)
    const usable = joined.live.size > 0
    if (kind === 1 && usable) return [one, joined]
    if (kind === 2 && usable) return [joined, other]
    if (kind === 4) return [one, one]
    if (kind === 3) return [one, { seen: joined.seen, live: other.live }]
    return [one, other]
  })

const contradicts = (a: State, b: State): boolean => mergeStates(a, b).live.size === 0

t.test('merging agrees with rule V2 on sets, and says where each value lies', async (t) => {
  holds(
    t,
    fc.property(somePair, ([a, b]) => {
      fc.pre(!contradicts(a, b))
      const expected = mergeStates(a, b)
      const { version, sources } = mergeVersions(encodeVersion(a), encodeVersion(b))
      const dots = [...expected.live.keys()].sort(byDot)
      return (
        version.equals(encodeVersion(expected)) &&
        validateVersion(version) === undefined &&
        sources.length === dots.length &&
        dots.every((of, index) => sources[index] === (a.live.has(of) ? 0 : 1))
      )
    }),
    runs,
  )
})

t.test('relating foretells what merging yields', async (t) => {
  const met = new Map<string, number>()
  holds(
    t,
    fc.property(somePair, ([a, b]) => {
      const [local, incoming] = [encodeVersion(a), encodeVersion(b)]
      const relation = relate(local, incoming)
      met.set(relation, (met.get(relation) ?? 0) + 1)
      if (contradicts(a, b)) return relation === 'mix'
      const merged = encodeVersion(mergeStates(a, b))
      const [keeps, takes] = [merged.equals(local), merged.equals(incoming)]
      if (keeps && takes) return relation === 'same'
      if (keeps) return relation === 'keep'
      return relation === (takes ? 'take' : 'mix')
    }),
    runs,
  )
  for (const relation of ['same', 'keep', 'take', 'mix']) {
    t.ok((met.get(relation) ?? 0) > 50, `${relation} ${met.get(relation)} times`)
  }
})

t.test('merging is commutative, associative and idempotent, byte for byte', async (t) => {
  const merge = (a: Buffer, b: Buffer): Buffer => mergeVersions(a, b).version
  holds(
    t,
    fc.property(someState, someState, someState, (x, y, z) => {
      fc.pre(![mergeStates(x, y), mergeStates(y, z)].some(({ live }) => live.size === 0))
      fc.pre(mergeStates(mergeStates(x, y), z).live.size > 0)
      const [a, b, c] = [encodeVersion(x), encodeVersion(y), encodeVersion(z)]
      const ab = merge(a, b)
      return (
        ab.equals(merge(b, a)) &&
        merge(ab, c).equals(merge(a, merge(b, c))) &&
        merge(a, a).equals(a) &&
        merge(ab, b).equals(ab)
      )
    }),
    runs,
  )
})

const state = (seen: Iterable<Dot>, ...live: Dot[]): Buffer =>
  encodeVersion({ seen: new Set(seen), live: new Map(live.map((of) => [of, headerOf(of)])) })

t.test('a newer state is taken, an older one leaves things as they are', async (t) => {
  const before = state(upTo(A, 2), dot(A, 2))
  const after = state(upTo(A, 3), dot(A, 3))
  t.equal(relate(before, after), 'take')
  t.equal(relate(after, before), 'keep')
  t.equal(relate(after, Buffer.from(after)), 'same')
  t.equal(relate(after, after), 'same')
})

t.test('concurrent values become siblings, on both sides the same', async (t) => {
  const one = state(upTo(A, 2), dot(A, 2))
  const other = state([...upTo(A, 1), ...upTo(B, 1)], dot(B, 1))
  t.equal(relate(one, other), 'mix')
  const { version, sources } = mergeVersions(one, other)
  t.same(version, state([...upTo(A, 2), ...upTo(B, 1)], dot(A, 2), dot(B, 1)))
  t.same([...sources], [0, 1])
  t.same([...mergeVersions(other, one).sources], [1, 0])
})

t.test('a wider clock alone does not decide', async (t) => {
  // The incoming clock covers all of ours, yet it still holds a value that we know to be
  // overwritten.
  const local = state(upTo(A, 2), dot(A, 2))
  const incoming = state([...upTo(A, 2), dot(B, 1)], dot(A, 1), dot(B, 1))
  t.equal(relate(local, incoming), 'mix')
  t.equal(relate(incoming, local), 'mix')
  t.same(mergeVersions(local, incoming).version, state([...upTo(A, 2), dot(B, 1)], dot(B, 1)))
})

t.test('one of two siblings was overwritten elsewhere', async (t) => {
  const siblings = state([...upTo(A, 1), ...upTo(B, 1)], dot(A, 1), dot(B, 1))
  const resolved = state([...upTo(A, 1), ...upTo(B, 1), ...upTo(C, 1)], dot(B, 1), dot(C, 1))
  t.equal(relate(siblings, resolved), 'take')
  t.equal(relate(resolved, siblings), 'keep')
})

t.test('many siblings merge in order', async (t) => {
  const dots = (from: number): Dot[] =>
    Array.from({ length: 60 }, (_none, index) => dot(A, from + 2 * index))
  const [odd, even] = [state(dots(11), ...dots(11)), state(dots(10), ...dots(10))]
  t.equal(relate(odd, Buffer.from(odd)), 'same', 'longer than a loop compares')
  const { version, sources } = mergeVersions(odd, even)
  t.equal(liveCount(version), 120)
  t.equal(validateVersion(version), undefined)
  t.same([...sources.subarray(0, 4)], [1, 0, 1, 0])
  t.equal(version.readUInt32BE(liveHeaderAt(version, 1) + 12), 11)
})

t.test('one dot with two values is refused, whoever asks (V1)', async (t) => {
  const header = (stampLo: number) => ({ ...headerOf(dot(A, 1)), stampLo })
  const version = (stampLo: number, ...seen: Dot[]): Buffer =>
    encodeVersion({ seen: new Set(seen), live: new Map([[dot(A, 1), header(stampLo)]]) })
  const refused = { code: 'SHOAL_ROWS_CONTRADICT', message: /0000000000000000:1/ }
  const local = version(1, dot(A, 1))
  t.throws(() => relate(local, version(2, dot(A, 1))), refused)
  t.throws(() => relate(local, version(2, dot(A, 1), dot(B, 1))), refused)
  t.throws(() => relate(version(2, dot(A, 1), dot(B, 1)), local), refused)
  t.throws(() => mergeVersions(local, version(2, dot(A, 1))), refused)
})

t.test('copies that deny each other every value are refused', async (t) => {
  const one = state(upTo(A, 2), dot(A, 1))
  const other = state(upTo(A, 2), dot(A, 2))
  t.equal(relate(one, other), 'mix')
  t.throws(() => mergeVersions(one, other), { code: 'SHOAL_ROWS_CONTRADICT' })
})
