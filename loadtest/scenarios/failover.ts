/** A node is killed in mid-run and started again: clients notice little, and lose nothing. */
import { sleep } from 'k6'
import { disturb } from '../lib/chaos.ts'
import { type Level, write } from '../lib/client.ts'
import { awaitConvergence } from '../lib/convergence.ts'
import { anyKey, ownKey, skewed, weighed } from '../lib/keys.ts'
import { Ledger } from '../lib/ledger.ts'
import { bucketOf, once, optionsOf, sizeOf, steady } from '../lib/settings.ts'

export { handleSummary } from '../lib/summary.ts'

const size = sizeOf('failover')
const KEYS_EACH = 50
const VALUE_BYTES = 1_024

/** When the node is killed and when it is started again, as shares of the time. */
const KILL_AT = 0.25
const START_AT = 0.55
const VICTIM = 'n2'
/** Written while it is down, followed until it has them. */
const DEBTS = 20

export const options = optionsOf({
  load: steady(size),
  size,
  others: { chaos: once('chaos', size.seconds) },
  budgets: {
    'get one': { p95: 150, p99: 1_000 },
    'get quorum': { p95: 200, p99: 1_500 },
    'put one': { p95: 250, p99: 1_500 },
    'put quorum': { p95: 300, p99: 2_500 },
  },
  thresholds: {
    faults: ['count==2'],
    // Only what was under way to the node when it died.
    quorum_unmet: ['rate<0.02'],
    'stale_read{level:quorum}': ['rate<0.001'],
    'converged{phase:restart}': ['rate==1'],
  },
})

const bucket = bucketOf('failover')
const ledger = new Ledger(bucket)

export function operate(): void {
  const level = weighed<Level>([
    [80, 'quorum'],
    [20, 'one'],
  ])
  const index = skewed(KEYS_EACH)
  weighed<() => unknown>([
    [30, () => ledger.read({ key: anyKey(size.clients, index), level })],
    [30, () => ledger.read({ key: ownKey(index), level })],
    [40, () => ledger.write({ key: ownKey(index), level }, VALUE_BYTES)],
  ])()
}

export function chaos(): void {
  const end = Date.now() + size.seconds * 1_000
  sleep(size.seconds * KILL_AT)
  disturb(VICTIM, 'kill')
  const debts = Array.from({ length: DEBTS }, (_, index) => `debt-${index}`).filter(
    (key) => write({ bucket, key, level: 'quorum', context: undefined }, key).outcome === 'done',
  )
  sleep(size.seconds * (START_AT - KILL_AT))
  disturb(VICTIM, 'start')
  const sinceMs = Date.now()
  for (const key of debts) {
    awaitConvergence({ bucket, key, sinceMs, phase: 'restart', giveUpMs: end - sinceMs })
  }
}

export const verify = (): void => ledger.verify()
