/** One key that everybody reads and some write: three nodes have all the work. */
import { Counters } from '../lib/counter.ts'
import { weighed } from '../lib/keys.ts'
import { bucketOf, optionsOf, sizeOf, steady } from '../lib/settings.ts'

export { handleSummary } from '../lib/summary.ts'

const size = sizeOf('hot-key')
const KEY = 'hot'

export const options = optionsOf({
  load: steady(size),
  size,
  budgets: {
    'get one': { p95: 60, p99: 200 },
    'get quorum': { p95: 80, p99: 250 },
    'put quorum': { p95: 150, p99: 400 },
  },
  thresholds: {
    'stale_read{level:quorum}': ['rate==0'],
    siblings_seen: ['max<=20'],
    quorum_unmet: ['rate<0.001'],
  },
})

const counters = new Counters(bucketOf('hot'))

export function operate(): void {
  weighed<() => unknown>([
    [45, () => counters.read(KEY, 'quorum')],
    [45, () => counters.read(KEY, 'one')],
    [10, () => counters.raise(KEY, 'quorum')],
  ])()
}

export const verify = (): void => counters.verify()
