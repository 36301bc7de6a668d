/** What a person asks for. */
import { parseArgs } from 'node:util'
import { type ScenarioName, type Size, sizes } from '../lib/sizes.ts'

export const scenarios = Object.keys(sizes) as ScenarioName[]

export interface Wanted {
  readonly scenario: ScenarioName
  readonly size: Size
  readonly slack: number
  readonly nodes: number
  /** A cluster that runs already; undefined to start one. */
  readonly urls: readonly string[] | undefined
  readonly chaosUrl: string | undefined
  readonly out: string | undefined
  readonly saveBaseline: boolean
  /** The program. */
  readonly k6: string
}

export const usage = `npm run loadtest -- SCENARIO [options]

Scenarios: ${scenarios.join(', ')}

  --duration TIME     of the load: 90, 90s, 10m or 2h (each scenario has its own)
  --rate N            operations that begin in each second
  --clients N         that take turns
  --slack FACTOR      multiplies the thresholds of latency (1)
  --nodes N           of the cluster that is started (3)
  --url URL,URL,...   a cluster that runs already, instead of starting one
  --chaos-url URL     where it takes orders, for failover
  --out DIR           where the report goes (loadtest/results/SCENARIO)
  --save-baseline     keep the figures for later comparison (loadtest/baselines)
  --k6 PATH           a k6 of your own
`

/** @throws Error in words for the user */
export function readCommandLine(parameters: readonly string[]): Wanted | 'help' {
  const { values, positionals } = parseArgs({
    args: [...parameters],
    allowPositionals: true,
    options: {
      duration: { type: 'string' },
      rate: { type: 'string' },
      clients: { type: 'string' },
      slack: { type: 'string' },
      nodes: { type: 'string' },
      url: { type: 'string' },
      'chaos-url': { type: 'string' },
      out: { type: 'string' },
      'save-baseline': { type: 'boolean' },
      k6: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  })
  if (values.help) return 'help'
  const [scenario, ...more] = positionals
  if (!isScenario(scenario) || more.length > 0) {
    throw new Error(`name one scenario: ${scenarios.join(', ')}`)
  }
  const standard = sizes[scenario]
  const urls = values.url?.split(',').map((url) => url.replace(/\/$/, ''))
  const chaosUrl = values['chaos-url']
  if (scenario === 'failover' && urls !== undefined && chaosUrl === undefined) {
    throw new Error('failover kills a node: --chaos-url tells where that cluster takes orders')
  }
  return {
    scenario,
    size: {
      rate: positive('rate', values.rate) ?? standard.rate,
      seconds: values.duration === undefined ? standard.seconds : secondsOf(values.duration),
      clients: positive('clients', values.clients) ?? standard.clients,
    },
    slack: positive('slack', values.slack, false) ?? 1,
    nodes: positive('nodes', values.nodes) ?? 3,
    urls,
    chaosUrl,
    out: values.out,
    k6: values.k6 ?? 'k6',
    saveBaseline: values['save-baseline'] === true,
  }
}

const isScenario = (text: string | undefined): text is ScenarioName =>
  scenarios.some((name) => name === text)

function secondsOf(text: string): number {
  const [, count, unit = 's'] = /^(\d+)(s|m|h)?$/.exec(text) ?? []
  const seconds = Number(count) * ({ s: 1, m: 60, h: 3_600 }[unit] ?? 1)
  if (!(seconds >= 1)) throw new Error(`--duration ${text}: 90, 90s, 10m or 2h`)
  return seconds
}

function positive(name: string, text: string | undefined, isWhole = true): number | undefined {
  if (text === undefined) return undefined
  const number = Number(text)
  if (number > 0 && (!isWhole || Number.isInteger(number))) return number
  throw new Error(`--${name} ${text}: a ${isWhole ? 'whole ' : ''}number above 0`)
}
