/** Values from 64 KiB to the largest a node takes by default: memory, windows, write stalls. */
import { evenly, ownKey, weighed } from '../lib/keys.ts'
import { Ledger } from '../lib/ledger.ts'
import { bucketOf, optionsOf, sizeOf, steady } from '../lib/settings.ts'

export { handleSummary } from '../lib/summary.ts'

const size = sizeOf('large-values')
const KEYS_EACH = 5
const KIBIBYTE = 1_024

export const options = optionsOf({
  load: steady(size),
  size,
  budgets: {
    'get quorum': { p95: 400, p99: 1_000 },
    'put quorum': { p95: 800, p99: 2_000 },
  },
  thresholds: {
    'stale_read{level:quorum}': ['rate==0'],
    quorum_unmet: ['rate<0.001'],
  },
})

const ledger = new Ledger(bucketOf('large'))

export function operate(): void {
  const operation = { key: ownKey(evenly(KEYS_EACH)), level: 'quorum' } as const
  const bytes = weighed([
    [6, 64 * KIBIBYTE],
    [3, 256 * KIBIBYTE],
    [1, 1_024 * KIBIBYTE],
  ])
  weighed<() => unknown>([
    [1, () => ledger.write(operation, bytes)],
    [1, () => ledger.read(operation)],
  ])()
}

export const verify = (): void => ledger.verify()
