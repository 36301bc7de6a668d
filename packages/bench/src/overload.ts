/**
 * `npm run bench -- overload`: more is offered than can be done. What is answered at twice the
 * capacity, beside the most that is ever answered, in one run of one cluster.
 *
 *     npm run bench -- overload [--seconds 8] [--rounds 3] [--times 0.5,1,1.5,2,3] [--write]
 */
import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { runLoad } from './load.ts'
import { type OpenLoadResult, runOpenLoad } from './open-load.ts'
import { separateFrom } from './processes.ts'
import { describeMachine } from './report.ts'
import { shoalPuts } from './requests.ts'
import { type Servers, startShoal } from './servers.ts'

const { values: flags } = parseArgs({
  options: {
    seconds: { type: 'string', default: '8' },
    rounds: { type: 'string', default: '3' },
    times: { type: 'string', default: '0.5,1,1.5,2,3' },
    write: { type: 'boolean', default: false },
  },
})
const seconds = Number(flags.seconds)
const rounds = Number(flags.rounds)
const times = flags.times.split(',').map(Number)

/** Requests under way in all, were there no bound on the servers. */
const CONNECTIONS = 6_000
const CLOSED_CONNECTIONS = 192

interface Step {
  readonly times: number
  readonly offered: number
  readonly result: OpenLoadResult
  /** CPU of all nodes in that time, in cores. */
  readonly cores: number
}

const say = (line: string): void => void process.stdout.write(`${line}\n`)

async function main(): Promise<void> {
  say(describeMachine())
  const servers = await startShoal(3)
  const apart = separateFrom(servers.pids())
  say(apart ? APART : TOGETHER)
  try {
    const capacity = await warmCapacity(servers)
    say(`closed loop, ${CLOSED_CONNECTIONS} connections: ${capacity.toFixed(0)} PUT/s\n`)
    const steps: Step[] = []
    for (let round = 0; round < rounds; round++) {
      for (const factor of times) {
        const step = await offer(servers, factor, capacity)
        say(describeStep(step))
        steps.push(step)
      }
    }
    const table = formatSteps(steps, capacity)
    say(`\n${table}`)
    if (flags.write) writeFileSync('docs/overload.md', page(table, apart))
    process.exitCode = isKept(steps) ? 0 : 1
  } finally {
    await servers.stop()
  }
}

/** Node compiles what runs often while it runs: the capacity is what does not grow any more. */
async function warmCapacity(servers: Servers): Promise<number> {
  let capacity = await closedLoop(servers, seconds)
  for (let round = 0; round < WARM_ROUNDS_MAX; round++) {
    const before = capacity
    capacity = await closedLoop(servers, seconds)
    if (capacity < before * STILL_GROWING) break
  }
  return capacity
}

const WARM_ROUNDS_MAX = 8
const STILL_GROWING = 1.05

async function closedLoop(servers: Servers, lasting: number): Promise<number> {
  const { done, seconds: took } = await runLoad({
    targets: servers.targets,
    connections: CLOSED_CONNECTIONS,
    seconds: lasting,
    request: shoalPuts(),
    accept: (status) => status === 204,
  })
  return done / took
}

async function offer(servers: Servers, factor: number, capacity: number): Promise<Step> {
  const before = servers.cpuMicros()
  const result = await runOpenLoad({
    targets: servers.targets,
    seconds,
    rate: capacity * factor,
    request: shoalPuts(),
    connections: CONNECTIONS,
  })
  const cores = (servers.cpuMicros() - before) / (result.seconds * 1e6)
  return { times: factor, offered: capacity * factor, result, cores }
}

const goodput = ({ result }: Step): number => result.met / result.seconds

function describeStep(step: Step): string {
  const { result, offered, cores } = step
  const { shed, failed, notSent, latency, seconds: took } = result
  return [
    `${step.times} × (${offered.toFixed(0)}/s):`.padEnd(18),
    `${goodput(step).toFixed(0)}/s met, ${(shed / took).toFixed(0)}/s refused,`,
    `${failed} failed, ${notSent} not sent;`,
    `p50 ${latency.percentile(0.5).toFixed(0)}, p99 ${latency.percentile(0.99).toFixed(0)} ms;`,
    `${cores.toFixed(2)} cores`,
  ].join(' ')
}

const median = (values: readonly number[]): number =>
  [...values].sort((one, other) => one - other)[Math.floor(values.length / 2)] ?? Number.NaN

const ofFactor = (steps: readonly Step[], factor: number): Step[] =>
  steps.filter((step) => step.times === factor)

/** The most that was met, of the medians: one lucky round is no peak. */
const peakOf = (steps: readonly Step[]): number =>
  Math.max(...times.map((factor) => median(ofFactor(steps, factor).map(goodput))))

const KEPT = 0.8
const P99_MAX_MS = 1_000

function isKept(steps: readonly Step[]): boolean {
  const twice = ofFactor(steps, 2)
  const p99 = median(twice.map(({ result }) => result.latency.percentile(0.99)))
  return median(twice.map(goodput)) >= KEPT * peakOf(steps) && p99 <= P99_MAX_MS
}

function formatSteps(steps: readonly Step[], capacity: number): string {
  const peak = peakOf(steps)
  const head = [
    ...['offered', 'met a second', 'of the peak', 'refused', 'failed'],
    ...['p50', 'p99', 'p99 of a refusal', 'cores'],
  ]
  const rows = times.map((factor) => {
    const some = ofFactor(steps, factor)
    const of = (read: (step: Step) => number): number => median(some.map(read))
    const met = of(goodput)
    const refused = of(({ result }) => result.shed / (result.met + result.shed + result.failed))
    return [
      `${factor} × capacity`,
      met.toFixed(0),
      `${((100 * met) / peak).toFixed(0)} %`,
      `${(100 * refused).toFixed(0)} %`,
      of(({ result }) => result.failed).toFixed(0),
      `${of(({ result }) => result.latency.percentile(0.5)).toFixed(0)} ms`,
      `${of(({ result }) => result.latency.percentile(0.99)).toFixed(0)} ms`,
      `${of(({ result }) => result.refusal.percentile(0.99)).toFixed(0)} ms`,
      of(({ cores }) => cores).toFixed(2),
    ]
  })
  const lines = [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`)
  const kept = isKept(steps) ? 'kept' : 'missed'
  return [
    `Capacity: ${capacity.toFixed(0)} durable quorum PUT a second in a closed loop of ` +
      `${CLOSED_CONNECTIONS} connections. Medians of ${rounds} rounds of ${seconds} s.`,
    '',
    ...lines,
    '',
    `At twice the capacity at least ${100 * KEPT} % of the peak is met, with a p99 of at most ` +
      `${P99_MAX_MS} ms: ${kept}.`,
  ].join('\n')
}

const APART = 'The nodes have all CPUs but one, and the load generator has that one.'
const TOGETHER =
  'The generator takes its share of the same CPUs, and more of it the more it offers.'

const page = (table: string, apart: boolean): string => `# Overload, measured

Made by \`npm run bench -- overload --write\`: three nodes and the load generator on one machine.
Requests of 1 KiB are due at a steady rate and do not wait for each other, on ${CONNECTIONS}
connections that were opened before.
${apart ? APART : TOGETHER}
*cores* is what the nodes took.

${describeMachine()}.

${table}
`

await main()
