import t from 'tap'
import {
  confirmationsWanted,
  defaultSettings,
  sendsOf,
  suspicionSpan,
  syncPeriodOf,
} from '../src/core/settings.ts'

const span = (living: number, had: number): number =>
  suspicionSpan(defaultSettings, {
    living,
    wanted: confirmationsWanted(defaultSettings, living),
    had,
  })

t.test('a suspicion lasts four seconds to six times that, longer in larger clusters', async (t) => {
  t.same(
    [10, 100, 1_000].map((living) => span(living, 3)),
    [4_000, 8_000, 12_000],
  )
  t.same(
    [10, 100, 1_000].map((living) => span(living, 0)),
    [24_000, 48_000, 72_000],
  )
  t.same(
    [0, 1, 2, 3].map((had) => span(10, had)),
    [24_000, 14_000, 8_151, 4_000],
  )
  t.equal(span(10, 7), 4_000, 'more confirmations than wanted change nothing')
})

t.test('where confirmations cannot be had, none are waited for', async (t) => {
  t.same(
    [1, 2, 3, 4].map((living) => confirmationsWanted(defaultSettings, living)),
    [0, 0, 0, 0],
  )
  t.equal(confirmationsWanted(defaultSettings, 5), 3)
  t.same(
    [1, 2, 3, 4].map((living) => span(living, 0)),
    [4_000, 4_000, 4_000, 4_000],
  )
})

t.test('news are told eight times the logarithm of the cluster', async (t) => {
  t.same(
    [3, 9, 10, 99, 100, 999, 1_000].map((living) => sendsOf(defaultSettings, living)),
    [...[8, 8, 16, 16, 24, 24, 32]],
  )
})

t.test('the full comparison is as frequent in the cluster, however large it is', async (t) => {
  const period = (living: number) => syncPeriodOf(defaultSettings, living) / 1_000
  t.same([1, 32, 33, 64, 65, 1_000].map(period), [30, 30, 60, 60, 120, 960])
})
