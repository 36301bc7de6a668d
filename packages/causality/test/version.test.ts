import fc from 'fast-check'
import t from 'tap'
import {
  clockLength,
  describeVersion,
  expiryOf,
  flagsAt,
  HEADER_BYTES,
  hasSiblings,
  headerReason,
  indexOfDot,
  indexOfRequest,
  isDeleted,
  isTombstone,
  liveCount,
  liveHeaderAt,
  modifiedOf,
  requestAt,
  stampMillis,
  stampOf,
  validateVersion,
  versionClock,
  visibleCount,
} from '../src/index.ts'
import { ACTORS, holds, SEED, someState } from './arbitraries.ts'
import {
  byDot,
  type Dot,
  dot,
  encodeClock,
  encodeDot,
  encodeHeader,
  encodeVersion,
  type Header,
  type State,
} from './oracle.ts'

t.comment(`seed ${SEED}`)
const runs = { seed: SEED, numRuns: 1_000 }
const NOW = 1_700_002_000_000
const one = dot(ACTORS[1]!, 3)
const two = dot(ACTORS[3]!, 1)
const three = dot(ACTORS[4]!, 8)
const value: Header = {
  tombstone: false,
  stampHi: 0x18bcfe56,
  stampLo: 0x80010002,
  request: '00000000000000aa',
  expiry: 0,
}
const tombstone = { ...value, tombstone: true }
const expiring = { ...value, expiry: NOW }

const stateOf = (...live: [Dot, Header][]): State => ({
  seen: new Set(live.map(([of]) => of)),
  live: new Map(live),
})

t.test('every part of a live header is read back', async (t) => {
  holds(
    t,
    fc.property(someState, (state) => {
      const version = encodeVersion(state)
      const live = [...state.live].sort(([a], [b]) => byDot(a, b))
      return (
        validateVersion(version) === undefined &&
        liveCount(version) === live.length &&
        versionClock(version).equals(encodeClock(state.seen)) &&
        live.every(([of, header], index) => {
          const at = liveHeaderAt(version, index)
          const { hi, lo } = stampOf(version, at)
          const request = version.toString('hex', requestAt(at), requestAt(at) + 8)
          return (
            version.subarray(at, at + HEADER_BYTES).equals(encodeHeader(of, header)) &&
            isTombstone(version, at) === header.tombstone &&
            hi === header.stampHi &&
            lo === header.stampLo &&
            modifiedOf(version, at) === stampMillis({ hi, lo }) &&
            expiryOf(version, at) === header.expiry &&
            request === header.request &&
            indexOfDot(version, encodeDot(of), 0) === index
          )
        })
      )
    }),
    runs,
  )
})

t.test('what a client sees is the live entries but tombstones and expired ones', async (t) => {
  holds(
    t,
    fc.property(someState, fc.nat(2 ** 32 - 1), (state, later) => {
      const version = encodeVersion(state)
      const now = 1_700_000_000_000 + later
      const visible = [...state.live.values()].filter(
        ({ tombstone, expiry }) => !tombstone && (expiry === 0 || expiry > now),
      ).length
      return (
        visibleCount(version, now) === visible &&
        isDeleted(version, now) === (visible === 0) &&
        hasSiblings(version, now) === visible > 1
      )
    }),
    runs,
  )
})

t.test('a tombstone beside a value reads as the value', async (t) => {
  const version = encodeVersion(stateOf([one, tombstone], [two, value]))
  t.equal(visibleCount(version, NOW), 1)
  t.notOk(hasSiblings(version, NOW))
  t.notOk(isDeleted(version, NOW))
})

t.test('a value has expired from its very millisecond on (D2)', async (t) => {
  const version = encodeVersion(stateOf([one, expiring]))
  t.notOk(isDeleted(version, NOW - 1))
  t.ok(isDeleted(version, NOW))
})

t.test('a request is found by its hash (V10), and a dot by its bytes', async (t) => {
  const version = encodeVersion(
    stateOf([one, value], [two, { ...value, request: '00000000000000bb' }]),
  )
  const request = Buffer.from('ffff00000000000000bbff', 'hex')
  t.equal(indexOfRequest(version, request, 2), 1)
  t.equal(indexOfRequest(version, request, 0), -1)
  t.equal(indexOfDot(version, Buffer.concat([Buffer.alloc(5), encodeDot(two)]), 5), 1)
  t.equal(indexOfDot(version, encodeDot(three), 0), -1)
})

t.test('the object form is what people read', async (t) => {
  t.same(describeVersion(encodeVersion(stateOf([one, { ...tombstone, expiry: NOW }]))), {
    clock: [{ actor: ACTORS[1], base: 0, extras: [3] }],
    live: [
      {
        dot: `${ACTORS[1]}:3`,
        tombstone: true,
        modifiedMs: 0x18bcfe568001,
        request: '00000000000000aa',
        expiryMs: NOW,
      },
    ],
  })
})

t.test('validation names what is wrong with a version', async (t) => {
  const fine = encodeVersion(stateOf([one, value], [two, value]))
  const clock = clockLength(fine)
  const changed = (change: (bytes: Buffer) => void): Buffer => {
    const bytes = Buffer.from(fine)
    change(bytes)
    return bytes
  }
  const header = encodeHeader(three, value)
  const swapped = Buffer.concat([
    fine.subarray(0, clock + 2),
    fine.subarray(clock + 2 + HEADER_BYTES),
    fine.subarray(clock + 2, clock + 2 + HEADER_BYTES),
  ])
  const wrong: [string, Buffer, RegExp][] = [
    ['no bytes', Buffer.alloc(0), /cut off/],
    ['a clock alone', fine.subarray(0, clock), /cut off/],
    ['half a count', fine.subarray(0, clock + 1), /cut off/],
    [
      'nothing live',
      changed((b) => b.writeUInt16BE(0, clock)).subarray(0, clock + 2),
      /live entry/,
    ],
    ['a byte missing', fine.subarray(0, -1), /wrong length/],
    ['a byte too many', Buffer.concat([fine, Buffer.alloc(1)]), /wrong length/],
    ['a wrong count', changed((b) => b.writeUInt16BE(1, clock)), /wrong length/],
    ['entries swapped', swapped, /out of order/],
    [
      'an unknown flag',
      changed((b) => b.fill(2, flagsAt(clock + 2), flagsAt(clock + 2) + 1)),
      /flag/,
    ],
    ['an expiry too large', changed((b) => b.fill(255, clock + 2 + 33, clock + 2 + 41)), /expiry/],
    ['a counter of 0', changed((b) => b.fill(0, clock + 10, clock + 18)), /counter/],
    ['an unknown dot', changed((b) => header.copy(b, clock + 2 + HEADER_BYTES)), /does not know/],
  ]
  t.equal(validateVersion(fine), undefined)
  for (const [what, bytes, reason] of wrong) t.match(validateVersion(bytes), reason, what)
  t.equal(headerReason(header, 0), undefined)
})

t.test('validation never throws on garbage', async (t) => {
  const garbage = fc.oneof(
    fc.uint8Array({ maxLength: 120 }).map((bytes) => Buffer.from(bytes)),
    fc.tuple(someState, fc.nat(400), fc.integer({ min: 0, max: 255 })).map(([state, at, byte]) => {
      const bytes = encodeVersion(state)
      bytes[at % bytes.length] = byte
      return bytes
    }),
  )
  let refused = 0
  holds(
    t,
    fc.property(garbage, (bytes) => {
      if (validateVersion(bytes) !== undefined) refused++
    }),
    { ...runs, numRuns: 4_000 },
  )
  t.ok(refused > 2_000, `${refused} refused`)
})
