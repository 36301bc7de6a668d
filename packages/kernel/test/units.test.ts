import t from 'tap'
import {
  epoch,
  kibibytes,
  mebibytes,
  millis,
  minutes,
  nodeId,
  partition,
  seconds,
  token,
} from '../src/index.ts'

t.test('spans of time are milliseconds underneath', async (t) => {
  t.equal(Number(millis(1.5)), 1.5, 'a fraction stays')
  t.equal(Number(seconds(2)), 2_000)
  t.equal(Number(minutes(5)), 300_000)
  t.equal(minutes(1), seconds(60))
  t.equal(seconds(1), millis(1_000))
})

t.test('sizes count by 1,024', async (t) => {
  t.equal(kibibytes(8), 8_192)
  t.equal(mebibytes(1), kibibytes(1_024))
})

t.test('a unit exists for the compiler only: the value is what was given', async (t) => {
  t.equal(String(nodeId('n1')), 'n1')
  t.equal(token(2n ** 64n - 1n) as bigint, 18_446_744_073_709_551_615n)
  t.equal(Number(partition(255)), 255)
  t.equal(Number(epoch(1)), 1)
  // @ts-expect-error a span of time is not the index of a partition
  const confused: ReturnType<typeof partition> = millis(1)
  t.ok(confused)
})
