import type { AntiEntropy, BackgroundBudget } from '@shoal/antientropy'
import type { Handoff } from '@shoal/handoff'
import { millis } from '@shoal/kernel'
import type { Registry } from 'prom-client'
import { hintsOf } from './hints-view.ts'
import { MetricMaker } from './metric-maker.ts'

/**
 * How far copies may be apart, and what is done about it: what this node owes others, and how it
 * compares with them. Read when somebody asks.
 */
export function registerRepairMetrics(
  registry: Registry,
  parts: {
    readonly antiEntropy: AntiEntropy
    readonly budget: BackgroundBudget
    /** Undefined where it is switched off; its figures are then 0. */
    readonly handoff: Handoff | undefined
  },
): void {
  const make = new MetricMaker(registry)
  registerHints(make, parts.handoff)
  registerExchanges(make, parts)
}

function registerHints(make: MetricMaker, handoff: Handoff | undefined): void {
  const total = make.total.bind(make)
  const level = make.level.bind(make)
  const owed = () => hintsOf(handoff)
  const count = () => handoff?.counters()
  level('shoal_hints', 'Writes kept for nodes that missed them.', () => owed().total)
  level('shoal_hint_bytes', 'Bytes of the rows that they missed.', () => owed().bytes)
  level('shoal_hint_oldest_age_seconds', 'Age of the oldest of them.', () => owed().oldestMs / 1e3)
  level(
    'shoal_hint_dirty_partitions',
    'Partitions left to comparison because hints were too many or too old.',
    () => owed().targets.reduce((sum, { dirtyPartitions }) => sum + dirtyPartitions, 0),
  )
  total('shoal_hints_stored_total', 'Writes kept so far.', () => count()?.stored ?? 0)
  total('shoal_hints_delivered_total', 'Of these, delivered.', () => count()?.delivered ?? 0)
  total(
    'shoal_hints_delivered_bytes_total',
    'Bytes of those delivered.',
    () => count()?.deliveredBytes ?? 0,
  )
  total(
    'shoal_hints_lost_total',
    'Hints given up; comparison repairs what they held.',
    () => count()?.lost ?? 0,
  )
}

function registerExchanges(
  make: MetricMaker,
  { antiEntropy, budget, handoff }: Parameters<typeof registerRepairMetrics>[1],
): void {
  const total = make.total.bind(make)
  const level = make.level.bind(make)
  const figures = () => antiEntropy.figures()
  const debt = () => {
    const { bytes, oldestMs } = hintsOf(handoff)
    return antiEntropy.debt({ bytes, oldest: millis(oldestMs) })
  }
  level(
    'shoal_repair_debt_seconds',
    'Every write older than this is known to be on all its replicas.',
    () => debt().debt / 1e3,
  )
  level(
    'shoal_repair_unverified_pairs',
    'Partitions not yet compared with a peer since this node or that one started.',
    () => debt().unverified,
  )
  level(
    'shoal_repair_divergent_segments',
    'Segments of partitions that differed when last compared.',
    () => debt().divergentSegments,
  )
  level('shoal_repair_exchanging', 'Comparisons under way.', () => figures().exchanging)
  total('shoal_repair_exchanges_total', 'Comparisons ended.', () => figures().exchanges)
  total('shoal_repair_rows_pulled_total', 'Rows got by comparing.', () => figures().pulled)
  total('shoal_repair_rows_pushed_total', 'Rows given by comparing.', () => figures().pushed)
  total('shoal_repair_rows_healed_total', 'Damaged rows replaced.', () => figures().healed)
  level(
    'shoal_repair_unhealed_rows',
    'Damaged rows that no replica could give so far.',
    () => figures().unhealed,
  )
  level(
    'shoal_repair_lost_partitions',
    'Partitions that do not count to reads until they are filled again.',
    () => figures().lost,
  )
  level(
    'shoal_background_bytes_per_second',
    'What hints, comparisons and checks may move now.',
    () => budget.figures().rate,
  )
  level('shoal_background_paused', '1 while somebody has paused them.', () =>
    Number(budget.figures().paused),
  )
}
