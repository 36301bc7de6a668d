import { limits } from '@shoal/kernel'
import fc from 'fast-check'
import t from 'tap'
import {
  compareStamps,
  isStampAhead,
  nextStamp,
  observeStamp,
  readStamp,
  type Stamp,
  stampMillis,
  stampMillisAt,
  stampOfMillis,
  writeStamp,
  zeroStamp,
} from '../src/index.ts'
import { holds, SEED } from './arbitraries.ts'

t.comment(`seed ${SEED}`)
const runs = { seed: SEED, numRuns: 2_000 }
const WALL = 1_700_000_000_123

const someStamp = fc
  .tuple(fc.nat(0xffff_fffe), fc.nat(0xffff_ffff))
  .map(([hi, lo]): Stamp => ({ hi, lo }))
const someWall = fc.nat(2 ** 48 - 1)
/** The same 64 bits as one number. */
const wide = ({ hi, lo }: Stamp): bigint => (BigInt(hi) << 32n) | BigInt(lo)

t.test('stamps agree with 64-bit numbers: order, milliseconds, successor', async (t) => {
  const sign = (order: number | bigint): number => (order > 0 ? 1 : order < 0 ? -1 : 0)
  holds(
    t,
    fc.property(someStamp, someStamp, someWall, (a, b, wall) => {
      const next = nextStamp(a, wall)
      const wallWide = BigInt(wall) << 16n
      return (
        sign(compareStamps(a, b)) === sign(wide(a) - wide(b)) &&
        stampMillis(a) === Number(wide(a) >> 16n) &&
        wide(stampOfMillis(wall)) === wallWide &&
        wide(next) === (wallWide > wide(a) ? wallWide : wide(a) + 1n)
      )
    }),
    runs,
  )
})

t.test('stamps are written as 8 bytes and read back', async (t) => {
  holds(
    t,
    fc.property(someStamp, (stamp) => {
      const bytes = Buffer.alloc(11)
      writeStamp(bytes, 2, stamp)
      return (
        bytes.readBigUInt64BE(2) === wide(stamp) &&
        compareStamps(readStamp(bytes, 2), stamp) === 0 &&
        stampMillisAt(bytes, 2) === stampMillis(stamp)
      )
    }),
    runs,
  )
})

t.test(
  'stamps of one node rise while its wall clock stands still, goes back and jumps',
  async (t) => {
    holds(
      t,
      fc.property(fc.array(fc.integer({ min: -5, max: 3_600_000 }), { maxLength: 40 }), (steps) => {
        let wall = WALL
        let last = zeroStamp
        return steps.every((step) => {
          wall += step < 0 ? step * 10_000 : step % 2
          const next = nextStamp(last, wall)
          const rose = compareStamps(next, last) > 0 && stampMillis(next) >= wall
          last = next
          return rose
        })
      }),
      { ...runs, numRuns: 500 },
    )
  },
)

t.test('a full counter runs over into the milliseconds', async (t) => {
  const full = { hi: stampOfMillis(WALL).hi, lo: stampOfMillis(WALL).lo + 0xffff }
  t.equal(stampMillis(full), WALL)
  t.equal(stampMillis(nextStamp(full, WALL)), WALL + 1)
  t.same(nextStamp({ hi: 5, lo: 0xffff_ffff }, 0), { hi: 6, lo: 0 })
  t.throws(() => nextStamp({ hi: 0xffff_ffff, lo: 0xffff_ffff }, 0), { name: 'InvariantViolation' })
})

t.test('a node follows the stamps it sees', async (t) => {
  const seen = stampOfMillis(WALL + 30_000)
  const { stamp, clamped } = observeStamp(stampOfMillis(WALL), seen, WALL)
  t.same(stamp, seen)
  t.notOk(clamped)
  t.ok(compareStamps(nextStamp(stamp, WALL), seen) > 0)
  t.same(observeStamp(seen, stampOfMillis(WALL), WALL).stamp, seen, 'never back')
})

t.test('a peer 60 s ahead is believed, one further ahead is clamped (V12)', async (t) => {
  const edge = stampOfMillis(WALL + limits.clockAheadMax)
  t.same(observeStamp(zeroStamp, edge, WALL), { stamp: edge, clamped: false })
  const beyond = stampOfMillis(WALL + limits.clockAheadMax + 1)
  t.same(observeStamp(zeroStamp, beyond, WALL), { stamp: edge, clamped: true })
  t.notOk(isStampAhead(edge, WALL))
  t.ok(isStampAhead(beyond, WALL))
  const ahead = stampOfMillis(WALL + 3_600_000)
  t.same(observeStamp(ahead, beyond, WALL).stamp, ahead, 'own stamps are never taken back')
})

t.test('a wall clock off the scale is brought onto it', async (t) => {
  t.same(stampOfMillis(-5), zeroStamp)
  t.equal(stampMillis(stampOfMillis(Number.POSITIVE_INFINITY)), 2 ** 48 - 1)
  t.equal(stampMillis(stampOfMillis(12.9)), 12)
  t.throws(() => stampOfMillis(Number.NaN), { name: 'InvariantViolation' })
})
