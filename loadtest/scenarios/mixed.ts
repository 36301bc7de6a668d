/** What an application does: mostly reads, some keys more than others, mostly at a quorum. */
import type { Level } from '../lib/client.ts'
import { probeConvergence } from '../lib/convergence.ts'
import { anyKey, ownKey, skewed, weighed } from '../lib/keys.ts'
import { Ledger } from '../lib/ledger.ts'
import { beside, bucketOf, changing, optionsOf, sizeOf } from '../lib/settings.ts'

export { handleSummary } from '../lib/summary.ts'

const size = sizeOf('mixed')
const KEYS_EACH = 200
const VALUE_BYTES = 1_024

export const options = optionsOf({
  // Up to the rate in a fifth of the time, then steady: cold caches are not what is asked here.
  load: changing(size, 0.25, [
    [0.2, 1],
    [0.8, 1],
  ]),
  size,
  others: { probe: beside('probe', size.seconds) },
  budgets: {
    'get one': { p95: 40, p99: 150 },
    'get quorum': { p95: 60, p99: 200 },
    'get all': { p95: 80, p99: 250 },
    'put one': { p95: 80, p99: 250 },
    'put quorum': { p95: 100, p99: 300 },
    'put all': { p95: 120, p99: 350 },
    'delete quorum': { p95: 100, p99: 300 },
  },
  thresholds: {
    'stale_read{level:quorum}': ['rate==0'],
    'stale_read{level:all}': ['rate==0'],
    quorum_unmet: ['rate<0.001'],
    converged: ['rate>0.99'],
  },
})

const bucket = bucketOf('mixed')
const ledger = new Ledger(bucket)

export function operate(): void {
  const level = weighed<Level>([
    [80, 'quorum'],
    [15, 'one'],
    [5, 'all'],
  ])
  const index = skewed(KEYS_EACH)
  weighed<() => unknown>([
    [55, () => ledger.read({ key: anyKey(size.clients, index), level })],
    [15, () => ledger.read({ key: ownKey(index), level })],
    [27, () => ledger.write({ key: ownKey(index), level }, VALUE_BYTES)],
    [3, () => ledger.remove({ key: ownKey(index), level: 'quorum' })],
  ])()
}

export const probe = (): void => probeConvergence(bucket)
export const verify = (): void => ledger.verify()
