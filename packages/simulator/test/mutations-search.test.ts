import t from 'tap'
import type { Finding, SeedRange } from '../src/mutations/finding.ts'
import { search, searchOn } from '../src/mutations/search.ts'
import { formatPlantedBugs } from '../src/mutations/table.ts'

const options = {
  seeds: 20,
  sample: 5,
  sampleSeconds: 30,
  seconds: 120,
  date: '2026-01-02',
  commit: 'abc',
}

/** A simulation that notices the bug at these seeds. */
const noticing =
  (seeds: readonly number[], ranges: SeedRange[] = []) =>
  async (
    _name: string,
    range: SeedRange,
    tell: (verdict: { seed: number; by?: string }) => void,
  ): Promise<void> => {
    ranges.push(range)
    for (let seed = range.from; seed <= range.to; seed++) {
      const found = seeds.includes(seed)
      tell(found ? { seed, by: `I${seed}` } : { seed })
      if (found && range.stopAtFirst) return
    }
  }

t.test('the sample is run to its end and counted', async (t) => {
  const ranges: SeedRange[] = []
  const finding = await search('a', options, noticing([2, 4, 5, 9], ranges))
  t.match(finding, { found: 3, sample: 5, seconds: 30, first: 2, by: 'I2' })
  t.equal(ranges.length, 1)
})

t.test('a bug that the sample misses is searched with longer runs, to the first', async (t) => {
  const ranges: SeedRange[] = []
  const finding = await search('a', options, noticing([9, 11], ranges))
  t.match(finding, { found: 0, sample: 5, first: 9, by: 'I9' })
  t.same(ranges[1], { from: 6, to: 20, seconds: 120, stopAtFirst: true })
})

t.test('a bug that nothing notices has no first seed', async (t) => {
  t.match(await search('a', options, noticing([21])), { found: 0, first: 0, by: '' })
})

t.test('a search goes on where it ended', async (t) => {
  const ranges: SeedRange[] = []
  const before = await search('a', { ...options, seeds: 7 }, noticing([9]))
  t.match(before, { tried: 7, first: 0 })
  const after = await searchOn(before, options, noticing([9], ranges))
  t.match(after, { found: 0, sample: 5, tried: 9, first: 9, by: 'I9' })
  t.match(ranges, [{ from: 8, to: 20, seconds: 120, stopAtFirst: true }])
  t.equal(await searchOn(after, options, noticing([1], ranges)), after, 'not behind a find')
  t.equal(ranges.length, 1)
})

t.test('the page says what noticed each bug, and which were not run', async (t) => {
  const bug = { rule: 'V1', harm: 'Harm.', file: 'f', find: 'a', replace: 'b' }
  const finding: Finding = { ...options, name: 'one', found: 3, tried: 5, first: 2, by: 'I3' }
  const text = formatPlantedBugs(
    [
      { ...bug, name: 'one' },
      { ...bug, name: 'two' },
    ],
    new Map([['one', finding]]),
  )
  t.match(text, '| one | V1 | Harm. | 3 of 5, 120 s | 2 | I3 | 2026-01-02 abc |')
  t.match(text, '| two | V1 | Harm. | not run |')
  t.match(text, '2 bugs are planted; of 1 that were run, 1 were noticed')
})
