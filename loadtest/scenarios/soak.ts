/** Hours of tides: what grows and does not come back shows here. */
import type { Level } from '../lib/client.ts'
import { probeConvergence } from '../lib/convergence.ts'
import { Counters } from '../lib/counter.ts'
import { anyKey, evenly, ownKey, skewed, weighed } from '../lib/keys.ts'
import { Ledger } from '../lib/ledger.ts'
import { beside, bucketOf, changing, optionsOf, sizeOf } from '../lib/settings.ts'

export { handleSummary } from '../lib/summary.ts'

const size = sizeOf('soak')
const KEYS_EACH = 500
const COUNTERS = 50
const VALUE_BYTES = 1_024
const TIDES = 4

export const options = optionsOf({
  load: changing(
    size,
    0.3,
    Array.from({ length: TIDES }, () => [
      [0.5 / TIDES, 1] as const,
      [0.5 / TIDES, 0.3] as const,
    ]).flat(),
  ),
  size,
  others: { probe: beside('probe', size.seconds) },
  budgets: {
    'get one': { p95: 60, p99: 250 },
    'get quorum': { p95: 80, p99: 300 },
    'put one': { p95: 100, p99: 350 },
    'put quorum': { p95: 120, p99: 400 },
    'delete quorum': { p95: 120, p99: 400 },
  },
  thresholds: {
    'stale_read{level:quorum}': ['rate==0'],
    quorum_unmet: ['rate<0.001'],
    converged: ['rate>0.99'],
  },
})

const bucket = bucketOf('soak')
const ledger = new Ledger(bucket)
const counters = new Counters(bucketOf('soak-shared'))

export function operate(): void {
  const level = weighed<Level>([
    [85, 'quorum'],
    [15, 'one'],
  ])
  const index = skewed(KEYS_EACH)
  weighed<() => unknown>([
    [50, () => ledger.read({ key: anyKey(size.clients, index), level })],
    [10, () => ledger.read({ key: ownKey(index), level })],
    [25, () => ledger.write({ key: ownKey(index), level }, VALUE_BYTES)],
    [5, () => ledger.remove({ key: ownKey(index), level: 'quorum' })],
    [10, () => counters.raise(`counter-${evenly(COUNTERS)}`, 'quorum')],
  ])()
}

export const probe = (): void => probeConvergence(bucket)

export function verify(): void {
  ledger.verify()
  counters.verify()
}
