import fc from 'fast-check'
import t from 'tap'
import {
  addDot,
  answerContext,
  clockEntries,
  counterOf,
  emptyClock,
  HEADER_BYTES,
  isTombstone,
  liveCount,
  liveHeaderAt,
  overwriteContext,
  putVersion,
  relate,
  validateVersion,
  versionClock,
  type Write,
} from '../src/index.ts'
import { ACTORS, headerOf, holds, SEED, someActor, someDots, someState } from './arbitraries.ts'
import {
  actorOf,
  byDot,
  counterOfDot,
  type Dot,
  dot,
  encodeClock,
  encodeHeader,
  encodeVersion,
  putState,
  type State,
  upTo,
} from './oracle.ts'

t.comment(`seed ${SEED}`)
const runs = { seed: SEED, numRuns: 4_000 }
const [A, B, C] = ACTORS as [string, string, string, string, string]

function writeOf(actor: string, counter: number): Write {
  const { tombstone, stampHi, stampLo, request, expiry } = headerOf(dot(actor, counter))
  return {
    actor: Buffer.from(actor, 'hex'),
    counter,
    tombstone,
    stamp: { hi: stampHi, lo: stampLo },
    request: Buffer.from(request, 'hex'),
    expiry,
  }
}

const stateOf = (seen: Iterable<Dot>, ...live: Dot[]): State => ({
  seen: new Set(seen),
  live: new Map(live.map((of) => [of, headerOf(of)])),
})

/** A counter that nobody has seen of this actor; on other keys some were used in between. */
const fresh = (actor: string, gap: number, ...known: Iterable<Dot>[]): number =>
  gap +
  Math.max(
    0,
    ...known.flatMap((dots) => [...dots].filter((of) => actorOf(of) === actor).map(counterOfDot)),
  )

t.test('a put agrees with rule V3 on sets', async (t) => {
  const someLocal = fc.option(someState, { nil: undefined, freq: 6 })
  holds(
    t,
    fc.property(
      someLocal,
      someDots,
      fc.nat(2),
      someActor,
      fc.integer({ min: 1, max: 3 }),
      (local, dots, kind, actor, gap) => {
        // No context, any context, and one that covers what is there.
        const context =
          kind === 0 ? undefined : kind === 1 ? dots : new Set([...dots, ...(local?.seen ?? [])])
        const counter = fresh(actor, gap, local?.seen ?? [], context ?? [])
        const before = local && encodeVersion(local)
        const clock = context && encodeClock(context)
        const put = putVersion(before, clock, writeOf(actor, counter))
        const header = headerOf(dot(actor, counter))
        const expected = putState(local, context ?? new Set(), { actor, counter, header })
        const old = [...(local?.live.keys() ?? [])].sort(byDot)
        const kept = old.flatMap((of, index) => (context?.has(of) ? [] : [index]))
        return (
          put.version.equals(encodeVersion(expected)) &&
          validateVersion(put.version) === undefined &&
          String(put.kept) === String(kept) &&
          put.header.equals(encodeHeader(dot(actor, counter), header)) &&
          (before === undefined || before.equals(encodeVersion(local as State)))
        )
      },
    ),
    runs,
  )
})

t.test('a blind overwrite replaces what this replica knows', async (t) => {
  holds(
    t,
    fc.property(someState, someActor, (local, actor) => {
      const before = encodeVersion(local)
      const counter = fresh(actor, 1, local.seen)
      const context = overwriteContext(before)
      const put = putVersion(before, context, writeOf(actor, counter))
      const same = putVersion(before, versionClock(before), writeOf(actor, counter))
      return liveCount(put.version) === 1 && put.version.equals(same.version)
    }),
    { ...runs, numRuns: 500 },
  )
  t.equal(overwriteContext(undefined), undefined)
})

t.test('an older event that arrives after the write finds itself overwritten', async (t) => {
  const older = encodeVersion(stateOf(upTo(A, 1), dot(A, 1)))
  const put = putVersion(undefined, versionClock(older), writeOf(B, 4))
  t.equal(relate(put.version, older), 'keep')
})

t.test(
  'a delete drops what its context contains, a concurrent value survives it (D1)',
  async (t) => {
    const dots = [dot(A, 1), dot(B, 1)]
    const values = dots.map((of) => [of, { ...headerOf(of), tombstone: false }] as const)
    const local = encodeVersion({ seen: new Set(dots), live: new Map(values) })
    const put = putVersion(local, encodeClock(new Set([dot(A, 1)])), {
      ...writeOf(C, 1),
      tombstone: true,
    })
    t.same(put.kept, [1])
    t.notOk(isTombstone(put.version, liveHeaderAt(put.version, 0)))
    t.ok(
      isTombstone(put.version, liveHeaderAt(put.version, 1)),
      'and its tombstone stays beside it',
    )
  },
)

t.test('the new value takes its place among kept siblings', async (t) => {
  const local = stateOf([dot(A, 3), dot(C, 2)], dot(A, 3), dot(C, 2))
  const put = putVersion(encodeVersion(local), undefined, writeOf(B, 9))
  t.same(put.kept, [0, 1])
  t.equal(liveCount(put.version), 3)
  const at = liveHeaderAt(put.version, 1)
  t.same(put.version.subarray(at, at + HEADER_BYTES), put.header)
})

t.test(
  'the answer is the context and the new dot, never what was kept beside it (V5)',
  async (t) => {
    const local = encodeVersion(stateOf(upTo(A, 1), dot(A, 1)))
    const write = writeOf(A, 2)
    const put = putVersion(local, undefined, write)
    const answer = answerContext(undefined, put, write)
    t.same(clockEntries(answer), [{ actor: A, base: 0, extras: [2] }], 'the sibling stays unseen')
    const next = writeOf(A, 3)
    t.same(putVersion(put.version, answer, next).kept, [0], 'and survives the next write')
  },
)

t.test('the answer covers the same events whichever way it is made', async (t) => {
  const write = writeOf(A, 5)
  const local = encodeVersion(stateOf([...upTo(A, 2), ...upTo(B, 1)], dot(A, 2)))
  const context = encodeClock(new Set([...upTo(A, 2), ...upTo(B, 1)]))
  const put = putVersion(local, context, write)
  t.same(answerContext(context, put, write), versionClock(put.version))
  t.same(clockEntries(addDot(context, write.actor, 5)).at(0), { actor: A, base: 2, extras: [5] })
})

t.test('a client that only writes does not grow its context', async (t) => {
  let version: Buffer | undefined
  let context: Buffer | undefined
  for (let counter = 3; counter < 3_000; counter += 3) {
    const write = writeOf(counter % 2 === 0 ? A : B, counter)
    const put = putVersion(version, context, write)
    context = answerContext(context, put, write)
    version = put.version
  }
  t.equal(context?.length, 36)
})

t.test('a counter that anyone already knows is never issued again (A1)', async (t) => {
  const local = encodeVersion(stateOf([...upTo(A, 2), dot(A, 7)], dot(A, 7)))
  const rule = { name: 'InvariantViolation', message: /above all that anyone knows/ }
  t.throws(() => putVersion(local, undefined, writeOf(A, 7)), rule)
  t.throws(() => putVersion(local, overwriteContext(local), writeOf(A, 1)), rule)
  t.throws(() => putVersion(undefined, versionClock(local), writeOf(A, 6)), rule)
  t.doesNotThrow(() => putVersion(local, emptyClock, writeOf(A, 8)))
  t.equal(counterOf(local, Buffer.from(A, 'hex')), 7, 'a caller can see it coming (A2)')
})

t.test('a write with parts of the wrong size is a bug of the caller', async (t) => {
  const write = writeOf(A, 1)
  const bug = { name: 'InvariantViolation' }
  const put = (part: Partial<Write>) => () =>
    putVersion(undefined, undefined, { ...write, ...part })
  t.throws(put({ actor: Buffer.alloc(7) }), bug)
  t.throws(put({ request: Buffer.alloc(9) }), bug)
  t.throws(put({ counter: 0 }), bug)
  t.throws(put({ counter: 1.5 }), bug)
  t.throws(put({ expiry: -1 }), bug)
  t.throws(put({ expiry: 2 ** 53 }), bug)
})
