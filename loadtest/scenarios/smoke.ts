/** Every operation at every level, gently: does it work at all? Runs with `npm test`. */
import { check } from 'k6'
import http from 'k6/http'
import type { Level } from '../lib/client.ts'
import { probeConvergence } from '../lib/convergence.ts'
import { Counters } from '../lib/counter.ts'
import { evenly, ownKey, weighed } from '../lib/keys.ts'
import { Ledger } from '../lib/ledger.ts'
import {
  authorization,
  beside,
  bucketOf,
  optionsOf,
  sizeOf,
  steady,
  urls,
} from '../lib/settings.ts'

export { handleSummary } from '../lib/summary.ts'

const size = sizeOf('smoke')
const KEYS = 10
const VALUE_BYTES = 200
/** Wide: this one must not fail because a machine has other things to do. */
const budget = { p95: 1_000, p99: 2_000 }

export const options = optionsOf({
  load: steady(size),
  size,
  others: { probe: beside('probe', size.seconds) },
  budgets: {
    'get one': budget,
    'get quorum': budget,
    'get all': budget,
    'put one': budget,
    'put quorum': budget,
    'put all': budget,
    'delete quorum': budget,
  },
  thresholds: {
    checks: ['rate==1'],
    'stale_read{level:quorum}': ['rate==0'],
    'stale_read{level:all}': ['rate==0'],
    quorum_unmet: ['rate==0'],
    converged: ['rate==1'],
  },
})

const bucket = bucketOf('smoke')
const ledger = new Ledger(bucket)
const counters = new Counters(bucketOf('smoke-shared'))

export function operate(): void {
  const level = weighed<Level>([
    [1, 'one'],
    [2, 'quorum'],
    [1, 'all'],
  ])
  weighed([
    [4, () => put(level)],
    [4, () => get(level)],
    [1, remove],
    [1, raise],
    [1, list],
  ])()
}

function put(level: Level): void {
  const written = ledger.write({ key: ownKey(evenly(KEYS)), level }, VALUE_BYTES)
  check(written, {
    'a write is 204': ({ status }) => status === 204,
    'a write returns a context': ({ context }) => context.startsWith('c1.'),
  })
}

function get(level: Level): void {
  const shown = ledger.read({ key: ownKey(evenly(KEYS)), level })
  check(shown, { 'a read is 200, 300 or 404': ({ ok }) => ok })
}

function remove(): void {
  const removed = ledger.remove({ key: ownKey(evenly(KEYS)), level: 'quorum' })
  check(removed, { 'a delete is 204': ({ status }) => status === 204 })
}

function raise(): void {
  const written = counters.raise(`counter-${evenly(KEYS)}`, 'quorum')
  check(written, { 'a merge is taken': (it) => it?.status === 204 })
}

function list(): void {
  const url = `${urls[evenly(urls.length)]}/v1/kv/${bucket}?limit=5`
  const answer = http.get(url, {
    headers: authorization,
    tags: { name: 'list', op: 'list', level: 'one' },
  })
  check(answer, {
    'a list is 200': ({ status }) => status === 200,
    'a list has at most as many keys as asked for': (it) =>
      (it.json('keys') as unknown as string[]).length <= 5,
  })
}

export const probe = (): void => probeConvergence(bucket)

export function verify(): void {
  ledger.verify()
  counters.verify()
}
