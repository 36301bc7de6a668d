import fc from 'fast-check'
import t from 'tap'
import { bit, countOf, judge, type Tally } from '../src/core/judge.ts'

const tally = (given: Partial<Tally>): Tally => ({
  need: 2,
  needDurable: 0,
  acknowledged: 0,
  durable: 0,
  pending: 0,
  expired: false,
  ...given,
})

t.test('a set has as many members as it has bits', async (t) => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 30 - 1 }), (set) => {
      return countOf(set) === [...set.toString(2)].filter((digit) => digit === '1').length
    }),
    { seed: 20_071_014 },
  )
  t.equal(bit(3), 8)
})

t.test('an operation is met at its need, not before', async (t) => {
  t.equal(judge(tally({ acknowledged: 0b001, pending: 0b110 })), 'undecided')
  t.equal(judge(tally({ acknowledged: 0b011, pending: 0b100 })), 'met')
})

t.test('written is not durable: both needs have to be met (K2, Q2)', async (t) => {
  const written = tally({ needDurable: 2, acknowledged: 0b111, durable: 0b001, pending: 0b110 })
  t.equal(judge(written), 'undecided')
  t.equal(judge({ ...written, durable: 0b011, pending: 0b100 }), 'met')
  t.equal(judge({ ...written, pending: 0b000 }), 'impossible', 'nobody is left to make it durable')
})

t.test('an operation is impossible as soon as those left cannot make its need', async (t) => {
  t.equal(judge(tally({ acknowledged: 0b001, pending: 0b000 })), 'impossible')
  t.equal(judge(tally({ acknowledged: 0b000, pending: 0b001 })), 'impossible')
})

t.test('time ends only what is undecided', async (t) => {
  t.equal(judge(tally({ acknowledged: 0b001, pending: 0b010, expired: true })), 'timed-out')
  t.equal(judge(tally({ acknowledged: 0b011, expired: true })), 'met')
  t.equal(judge(tally({ acknowledged: 0b001, expired: true })), 'impossible')
})
