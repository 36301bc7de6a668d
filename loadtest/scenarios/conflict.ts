/** Writers that know nothing of each other: siblings come, are merged, and no count is lost. */
import { Counters } from '../lib/counter.ts'
import { evenly } from '../lib/keys.ts'
import { bucketOf, optionsOf, sizeOf, steady } from '../lib/settings.ts'

export { handleSummary } from '../lib/summary.ts'

const size = sizeOf('conflict')
const KEYS = 4
/** Between a read and the write that answers it. */
const THINK_SECONDS = 0.05

export const options = optionsOf({
  load: steady(size),
  size,
  budgets: {
    'get quorum': { p95: 100, p99: 300 },
    'put quorum': { p95: 150, p99: 400 },
  },
  thresholds: {
    'stale_read{level:quorum}': ['rate==0'],
    // There are conflicts, and merging keeps up with them.
    siblings_seen: ['max>1', 'max<50', 'med<8'],
    quorum_unmet: ['rate<0.001'],
  },
})

const counters = new Counters(bucketOf('conflict'))

export function operate(): void {
  counters.raise(`counter-${evenly(KEYS)}`, 'quorum', THINK_SECONDS)
}

export const verify = (): void => counters.verify()
