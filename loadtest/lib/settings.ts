/**
 * What a run is told, by environment variables; `npm run loadtest` sets them. Without any, a script
 * meets the cluster of `npm start` at its own rate: `k6 run loadtest/scenarios/mixed.ts`.
 */
import type { Options, Scenario } from 'k6/options'
import { type ScenarioName, type Size, sizes } from './sizes.ts'

const listOf = (text: string): readonly string[] => text.split(',').filter((part) => part !== '')

const numberOf = (text: string | undefined, otherwise: number): number =>
  text === undefined || text === '' ? otherwise : Number(text)

/** Every node; a client may ask any of them. */
export const urls = listOf(
  __ENV.SHOAL_URLS ?? 'http://127.0.0.1:4100,http://127.0.0.1:4101,http://127.0.0.1:4102',
)

/** For a cluster that asks who its clients are. */
export const authorization: Readonly<Record<string, string>> = __ENV.SHOAL_TOKEN
  ? { Authorization: `Bearer ${__ENV.SHOAL_TOKEN}` }
  : {}

/** Where `shoal dev --chaos` takes orders. */
export const chaosUrl = __ENV.SHOAL_CHAOS_URL ?? 'http://127.0.0.1:4200'

/**
 * Buckets of one run are its own, so that a second run on the same data finds nothing old. The name
 * is given: each client reads this file for itself, and all must come to the same.
 */
const run = __ENV.SHOAL_RUN ?? 'by-hand'
export const bucketOf = (purpose: string): string => `load-${purpose}-${run}`

/** Where the summary goes as JSON; printed as text when there is no such place. */
export const summaryFile = __ENV.SHOAL_SUMMARY

/** Latency thresholds are multiplied by this: more than 1 on a machine that others use too. */
const slack = numberOf(__ENV.SHOAL_SLACK, 1)

/** What this run asks of the cluster. */
export function sizeOf(scenario: ScenarioName): Size {
  const { rate, seconds, clients } = sizes[scenario]
  return {
    rate: numberOf(__ENV.SHOAL_RATE, rate),
    seconds: numberOf(__ENV.SHOAL_SECONDS, seconds),
    clients: numberOf(__ENV.SHOAL_CLIENTS, clients),
  }
}

/** For what is under way when the load ends. */
const GRACE_SECONDS = 5

/** At a constant rate. */
export const steady = ({ rate, seconds, clients }: Size, exec = 'operate'): Scenario => ({
  executor: 'constant-arrival-rate',
  rate,
  timeUnit: '1s',
  duration: `${seconds}s`,
  preAllocatedVUs: clients,
  maxVUs: clients,
  gracefulStop: `${GRACE_SECONDS}s`,
  exec,
})

/**
 * At rates that change.
 *
 * @param stages  share of the time, and share of the rate at its end
 */
export const changing = (
  { rate, seconds, clients }: Size,
  startShare: number,
  stages: readonly (readonly [number, number])[],
): Scenario => ({
  executor: 'ramping-arrival-rate',
  startRate: Math.max(1, Math.round(rate * startShare)),
  timeUnit: '1s',
  stages: stages.map(([time, share]) => ({
    duration: `${Math.round(seconds * time * 1_000)}ms`,
    target: Math.max(1, Math.round(rate * share)),
  })),
  preAllocatedVUs: clients,
  maxVUs: clients,
  gracefulStop: `${GRACE_SECONDS}s`,
  exec: 'operate',
})

/** One client beside the load, again and again. */
export const beside = (exec: string, seconds: number): Scenario => ({
  executor: 'constant-vus',
  vus: 1,
  duration: `${seconds}s`,
  gracefulStop: `${GRACE_SECONDS}s`,
  exec,
})

/** One client beside the load, for something that happens once. */
export const once = (exec: string, seconds: number): Scenario => ({
  executor: 'per-vu-iterations',
  vus: 1,
  iterations: 1,
  maxDuration: `${seconds + GRACE_SECONDS}s`,
  gracefulStop: '0s',
  exec,
})

/**
 * Once for each client, when all else has ended. k6 gives the same clients out again, with what
 * they remember, as long as every one of them is asked for: so it counts those beside the load.
 */
const verification = (clients: number, seconds: number): Scenario => ({
  executor: 'per-vu-iterations',
  vus: clients,
  iterations: 1,
  startTime: `${seconds + GRACE_SECONDS + 1}s`,
  maxDuration: '120s',
  gracefulStop: '0s',
  exec: 'verify',
})

/** A threshold on the time that operations take, milliseconds. */
interface Budget {
  readonly p95: number
  readonly p99: number
}

/** Of the iterations: more means that there were too few clients for this rate. */
const DROPPED_SHARE_MAX = 0.01

/** By `operation level`, as `put quorum`. */
export type Budgets = Readonly<Record<string, Budget>>

interface Plan {
  readonly load: Scenario
  readonly size: Size
  /** Beside the load, by name; one client each. */
  readonly others?: Readonly<Record<string, Scenario>>
  readonly budgets: Budgets
  readonly thresholds?: Readonly<Record<string, string[]>>
}

/** Whatever the load is: nothing acknowledged is lost, and every client has looked. */
export function optionsOf({ load, size, others = {}, budgets, thresholds = {} }: Plan): Options {
  const all = size.clients + Object.keys(others).length
  return {
    // Without `url`: each key would make series of its own.
    systemTags: ['name', 'method', 'status', 'scenario', 'error_code'],
    summaryTrendStats: ['avg', 'min', 'med', 'p(95)', 'p(99)', 'max', 'count'],
    scenarios: { load, ...others, verify: verification(all, size.seconds) },
    thresholds: {
      lost_ack: ['count==0'],
      acks_checked: ['count>0'],
      unverified: ['count==0'],
      dropped_iterations: [`count<=${Math.ceil(size.rate * size.seconds * DROPPED_SHARE_MAX)}`],
      ...latencyThresholds(budgets),
      ...thresholds,
    },
  }
}

/** Of the load alone: what is read to verify it comes all at once. */
function latencyThresholds(budgets: Budgets): Record<string, string[]> {
  const found: Record<string, string[]> = {}
  for (const [name, { p95, p99 }] of Object.entries(budgets)) {
    const [op, level] = name.split(' ')
    const about = `{scenario:load,op:${op},level:${level}}`
    found[`op_ms${about}`] = [`p(95)<${p95 * slack}`, `p(99)<${p99 * slack}`]
    found[`op_failed${about}`] = ['rate<0.01']
  }
  return found
}
