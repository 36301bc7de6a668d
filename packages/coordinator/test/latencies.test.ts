import fc from 'fast-check'
import t from 'tap'
import { Latencies } from '../src/core/latencies.ts'

t.test('the p99 is told within a sixth, and never too low', async () => {
  const times = fc.array(fc.double({ min: 0, max: 60_000, noNaN: true }), { minLength: 1 })
  fc.assert(
    fc.property(times, (took) => {
      const latencies = new Latencies()
      for (const each of took) latencies.add(each, true)
      const sorted = [...took].sort((one, other) => one - other)
      const exact = sorted[sorted.length - 1 - Math.floor(sorted.length / 100)] as number
      const p99 = latencies.takeP99() as number
      return p99 >= exact && p99 <= exact * 1.16 + 0.05
    }),
    { seed: 20_071_014, numRuns: 300 },
  )
})

t.test('it is that of the requests since the last look', async (t) => {
  const latencies = new Latencies()
  latencies.add(500, true)
  t.ok((latencies.takeP99() as number) >= 500)
  t.equal(latencies.takeP99(), undefined, 'of none there is none')
  for (let request = 0; request < 200; request++) latencies.add(request === 7 ? 900 : 2, true)
  t.ok((latencies.takeP99() as number) < 3, 'one slow request in 200 is not the p99')
})

t.test('the quickest is that of reads or writes, whichever is worse', async (t) => {
  const latencies = new Latencies()
  for (const took of [3, 1, 900]) latencies.add(took, true)
  t.equal(latencies.takeQuickest(), 1)
  for (const took of [400, 300]) latencies.add(took, false)
  latencies.add(2, true)
  t.equal(latencies.takeQuickest(), 300, 'quick reads do not hide a disk that is not')
  t.equal(latencies.takeQuickest(), undefined)
  t.same([latencies.takeMet(), latencies.takeMet()], [6, 0])
})
