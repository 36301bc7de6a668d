import { limits } from '@shoal/kernel'
import fc from 'fast-check'
import t from 'tap'
import {
  addDot,
  clockActors,
  clockContains,
  clockEntries,
  clockLength,
  compareClocks,
  counterOf,
  dotText,
  emptyClock,
  joinClocks,
  raiseBase,
  validateClock,
} from '../src/index.ts'
import { ACTORS, holds, SEED, someActor, someDot, someDots } from './arbitraries.ts'
import {
  actorOf,
  compact,
  counterOfDot,
  type Dot,
  decodeClock,
  dot,
  encodeClock,
  encodeDot,
  join,
  orderOf,
  upTo,
} from './oracle.ts'

t.comment(`seed ${SEED}`)
const runs = { seed: SEED, numRuns: 2_000 }
const actorBytes = (actor: string): Buffer => Buffer.from(actor, 'hex')
const clockOf = (...dots: Dot[]): Buffer => encodeClock(new Set(dots))
/** The clock in the middle of other bytes, to see that offsets are kept. */
const embedded = (clock: Buffer): Buffer =>
  Buffer.concat([Buffer.alloc(7, 0xee), clock, Buffer.alloc(5, 0xdd)])

t.test('a clock written out as a set and packed again is the same bytes', async (t) => {
  holds(
    t,
    fc.property(someDots, (dots) => {
      const clock = encodeClock(dots)
      return (
        orderOf(decodeClock(clock), dots) === 'equal' &&
        validateClock(embedded(clock), 7, 7 + clock.length) === clock.length
      )
    }),
    runs,
  )
})

t.test('contains agrees with the set, for every dot there is', async (t) => {
  holds(
    t,
    fc.property(someDots, someDot, (dots, of) => {
      const clock = embedded(encodeClock(dots))
      const bytes = Buffer.concat([Buffer.alloc(3), encodeDot(of)])
      return clockContains(clock, 7, bytes, 3) === dots.has(of)
    }),
    runs,
  )
})

t.test('comparing agrees with inclusion of sets', async (t) => {
  const seen = new Set<string>()
  const agrees = (a: Set<Dot>, b: Set<Dot>): boolean => {
    const order = compareClocks(embedded(encodeClock(a)), 7, encodeClock(b), 0)
    seen.add(order)
    return order === orderOf(a, b)
  }
  holds(t, fc.property(someDots, someDots, agrees), runs)
  holds(
    t,
    fc.property(someDots, someDots, (a, b) => agrees(a, join(a, b)) && agrees(join(a, b), a)),
    runs,
  )
  t.same([...seen].sort(), ['after', 'before', 'concurrent', 'equal'])
})

t.test('joining is the union of sets, canonical, and leaves its arguments alone', async (t) => {
  holds(
    t,
    fc.property(someDots, someDots, (a, b) => {
      const [one, other] = [encodeClock(a), encodeClock(b)]
      const joined = joinClocks(one, other)
      const untouched = one.equals(encodeClock(a)) && other.equals(encodeClock(b))
      return untouched && joined.equals(encodeClock(join(a, b)))
    }),
    runs,
  )
})

t.test('a clock may be joined with what follows it in a version', async (t) => {
  const long = Buffer.concat([clockOf(dot(ACTORS[0]!, 1)), Buffer.alloc(43, 9)])
  t.same(joinClocks(long, emptyClock), clockOf(dot(ACTORS[0]!, 1)))
  t.same(joinClocks(emptyClock, long), clockOf(dot(ACTORS[0]!, 1)))
})

t.test('adding a dot adds that dot, raising a base adds all up to it', async (t) => {
  holds(
    t,
    fc.property(someDots, someDot, (dots, of) => {
      const clock = encodeClock(dots)
      const actor = actorBytes(actorOf(of))
      const added = addDot(clock, actor, counterOfDot(of))
      const raised = raiseBase(clock, actor, counterOfDot(of))
      return (
        added.equals(encodeClock(join(dots, [of]))) &&
        raised.equals(encodeClock(join(dots, upTo(actorOf(of), counterOfDot(of)))))
      )
    }),
    runs,
  )
})

t.test('the highest counter of an actor is found among bases and extras', async (t) => {
  holds(
    t,
    fc.property(someDots, someActor, (dots, actor) => {
      const counters = [...dots].filter((of) => actorOf(of) === actor).map(counterOfDot)
      return (
        counterOf(embedded(encodeClock(dots)), actorBytes(actor), 7) === Math.max(0, ...counters)
      )
    }),
    runs,
  )
})

t.test('the object form lists actors with base and extras', async (t) => {
  holds(
    t,
    fc.property(someDots, (dots) => {
      const { bases, extras } = compact(dots)
      const entries = clockEntries(embedded(encodeClock(dots)), 7)
      const based = entries.filter(({ base }) => base > 0).map(({ actor, base }) => [actor, base])
      const single = entries.flatMap((entry) => entry.extras.map((at) => dot(entry.actor, at)))
      return String(based) === String(bases) && String(single) === String(extras)
    }),
    { ...runs, numRuns: 300 },
  )
  t.equal(dotText(encodeDot(dot(ACTORS[2]!, 7)), 0), '7f00000000000001:7')
})

t.test('the empty clock knows nothing and lies within every other', async (t) => {
  t.equal(emptyClock.toString('hex'), '00000000')
  t.equal(clockLength(emptyClock), 4)
  t.equal(clockActors(emptyClock), 0)
  t.equal(clockActors(clockOf(dot(ACTORS[0]!, 1), dot(ACTORS[1]!, 1), dot(ACTORS[2]!, 5))), 2)
  t.equal(compareClocks(emptyClock, 0, clockOf(dot(ACTORS[0]!, 3)), 0), 'before')
  t.equal(compareClocks(emptyClock, 0, emptyClock, 0), 'equal')
})

t.test('counters beyond 32 bits are exact', async (t) => {
  const actor = actorBytes(ACTORS[1]!)
  for (const counter of [2 ** 32 - 1, 2 ** 32, 2 ** 32 + 1, Number.MAX_SAFE_INTEGER - 1]) {
    const base = raiseBase(emptyClock, actor, counter)
    t.equal(validateClock(base, 0, base.length), 20)
    t.equal(counterOf(base, actor), counter)
    t.equal(counterOf(addDot(base, actor, counter + 1), actor), counter + 1)
    t.same(
      clockEntries(addDot(base, actor, counter + 1)),
      [{ actor: ACTORS[1], base: counter + 1, extras: [] }],
      'touching the base',
    )
    t.equal(compareClocks(base, 0, raiseBase(base, actor, counter + 1), 0), 'before')
    const lone = addDot(emptyClock, actor, counter + 1)
    t.same(clockEntries(lone), [{ actor: ACTORS[1], base: 0, extras: [counter + 1] }])
    t.equal(compareClocks(base, 0, lone, 0), 'concurrent')
    t.ok(joinClocks(lone, base).equals(raiseBase(emptyClock, actor, counter + 1)))
  }
})

t.test('a counter or actor of the wrong kind is a bug of the caller', async (t) => {
  const actor = actorBytes(ACTORS[1]!)
  for (const counter of [0, -1, 1.5, 2 ** 53, Number.NaN]) {
    t.throws(() => addDot(emptyClock, actor, counter), { name: 'InvariantViolation' })
  }
  t.throws(() => raiseBase(emptyClock, actor.subarray(1), 1), { name: 'InvariantViolation' })
})

t.test('a clock of thousands of actors and extras is joined and searched', async (t) => {
  const wide = (from: number, step: number): Set<Dot> =>
    new Set(
      Array.from({ length: 2_000 }, (_none, index) => from + index * step).flatMap((number) => {
        const actor = number.toString(16).padStart(16, '0')
        return [dot(actor, 1), dot(actor, 3 + (number % 2))]
      }),
    )
  const [a, b] = [wide(0, 2), wide(1_000, 3)]
  const joined = joinClocks(encodeClock(a), encodeClock(b))
  t.ok(joined.equals(encodeClock(join(a, b))))
  t.equal(compareClocks(encodeClock(a), 0, joined, 0), 'before')
  t.ok([...b].every((of) => clockContains(joined, 0, encodeDot(of), 0)))
})

t.test('validation names what is wrong with a clock', async (t) => {
  const [a, b] = [ACTORS[0]!, ACTORS[3]!]
  const raw = (bases: Dot[], extras: Dot[]): Buffer => {
    const head = Buffer.alloc(4)
    head.writeUInt16BE(bases.length, 0)
    head.writeUInt16BE(extras.length, 2)
    return Buffer.concat([head, ...bases.map(encodeDot), ...extras.map(encodeDot)])
  }
  const wrong: [string, Buffer, RegExp][] = [
    ['no bytes', Buffer.alloc(0), /cut off/],
    ['three bytes', Buffer.alloc(3), /cut off/],
    ['entries missing', raw([dot(a, 1)], []).subarray(0, 19), /cut off/],
    ['actors descending', raw([dot(b, 1), dot(a, 1)], []), /out of order/],
    ['an actor twice', raw([dot(a, 1), dot(a, 2)], []), /out of order/],
    ['extras descending', raw([], [dot(a, 9), dot(a, 5)]), /out of order/],
    ['an extra twice', raw([], [dot(a, 5), dot(a, 5)]), /out of order/],
    ['a base of 0', raw([dot(a, 0)], []), /outside 1/],
    ['an extra of 0', raw([], [dot(a, 0)]), /outside 1/],
    ['a counter of 2^53', raw([dot(a, 2 ** 53)], []), /outside 1/],
    ['an extra within the base', raw([dot(a, 5)], [dot(a, 5)]), /belongs to a base/],
    ['an extra touching the base', raw([dot(a, 5)], [dot(a, 6)]), /belongs to a base/],
    ['an extra 1 without base', raw([], [dot(a, 1)]), /belongs to a base/],
    ['too many actors', Buffer.from('10010000', 'hex'), new RegExp(`${limits.clockActorsMax}`)],
    ['too many extras', Buffer.from('00001001', 'hex'), new RegExp(`${limits.clockExtrasMax}`)],
  ]
  for (const [what, bytes, reason] of wrong) {
    t.match(validateClock(bytes, 0, bytes.length), reason, what)
  }
  const fine = raw([dot(a, 5)], [dot(a, 7), dot(b, 2)])
  t.equal(validateClock(fine, 0, fine.length), fine.length)
  t.match(validateClock(fine, 0, fine.length - 1), /cut off/, 'an end before the end')
  t.equal(validateClock(fine, 0, fine.length + 99), fine.length, 'an end beyond the buffer')
})

t.test('validation never throws on garbage, and accepts only canonical bytes', async (t) => {
  const garbage = fc.oneof(
    fc.uint8Array({ maxLength: 80 }).map((bytes) => Buffer.from(bytes)),
    fc.tuple(someDots, fc.nat(200), fc.integer({ min: 0, max: 255 })).map(([dots, at, byte]) => {
      const bytes = Buffer.from(encodeClock(dots))
      bytes[at % bytes.length] = byte
      return bytes
    }),
  )
  let accepted = 0
  holds(
    t,
    fc.property(garbage, (bytes) => {
      const length = validateClock(bytes, 0, bytes.length)
      if (typeof length === 'string') return true
      const small = clockEntries(bytes).every(({ base }) => base < 1_000)
      accepted += small ? 1 : 0
      return !small || encodeClock(decodeClock(bytes)).equals(bytes.subarray(0, length))
    }),
    { ...runs, numRuns: 5_000 },
  )
  t.ok(accepted > 500, `${accepted} accepted`)
})
