/**
 * `npm run loadtest -- SCENARIO`: starts a cluster, runs k6 against it, writes a report. Exit
 * codes: 0 all thresholds held, 1 some did not, 2 the command is wrong, 3 the run broke off.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Baseline, compare, readBaseline, writeBaseline } from './baseline.ts'
import { type Cluster, startCluster } from './cluster.ts'
import { readCommandLine, usage, type Wanted } from './command-line.ts'
import { runK6 } from './k6.ts'
import { describeMachine, type Machine } from './machine.ts'
import { drawPlot } from './plot.ts'
import { plotsOf } from './plots.ts'
import { Progress } from './progress.ts'
import { formatReport } from './report.ts'
import { Series } from './series.ts'
import { operationRows, type Summary } from './summary.ts'
import { cpuSecondsOf, type Reading, residentBytesMaxOf, Watch } from './watch.ts'

const home = fileURLToPath(new URL('../../', import.meta.url))
const MEBIBYTE = 2 ** 20
/** As many as such measures have. */
const DIGITS = 3

async function main(): Promise<number> {
  const wanted = readWanted()
  if (wanted === undefined) return 2
  if (wanted === 'help') {
    process.stdout.write(usage)
    return 0
  }
  return await run(wanted)
}

function readWanted(): Wanted | 'help' | undefined {
  try {
    return readCommandLine(process.argv.slice(2))
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n\n${usage}`)
    return undefined
  }
}

async function run(wanted: Wanted): Promise<number> {
  const { scenario, nodes, urls, chaosUrl } = wanted
  const out = resolve(wanted.out ?? join(home, 'results', scenario))
  rmSync(join(out, 'summary.json'), { force: true })
  mkdirSync(out, { recursive: true })
  const machine = describeMachine(wanted.k6)
  const cluster: Cluster =
    urls === undefined
      ? await startCluster(nodes, scenario === 'failover')
      : { urls, chaosUrl, stop: () => Promise.resolve() }
  try {
    return await load({ wanted, out, cluster, machine })
  } finally {
    await cluster.stop()
  }
}

interface Parts {
  readonly wanted: Wanted
  readonly out: string
  readonly cluster: Cluster
  readonly machine: Machine
}

async function load(parts: Parts): Promise<number> {
  const { wanted, cluster } = parts
  const { seconds } = wanted.size
  const series = new Series(seconds)
  const progress = new Progress(series, seconds)
  const watch = new Watch(cluster.urls, series.sliceSeconds)
  const started = runK6({
    k6: wanted.k6,
    script: join(home, 'scenarios', `${wanted.scenario}.ts`),
    environment: environmentFor(parts),
    onSample: (line) => series.take(line),
    onMessage: (line) => process.stderr.write(`${line}\n`),
  })
  const interrupt = (): void => started.interrupt()
  for (const signal of stopSignals) process.on(signal, interrupt)
  try {
    const held = await started.ended
    await watch.stop()
    report(parts, series, duringLoad(watch.readings, series, seconds))
    return held ? 0 : 1
  } finally {
    progress.stop()
    await watch.stop()
    for (const signal of stopSignals) process.off(signal, interrupt)
  }
}

/** Without the wait and the verification that follow the load. */
function duringLoad(
  readings: readonly Reading[],
  { startMs = 0 }: Series,
  seconds: number,
): readonly Reading[] {
  const end = startMs + seconds * 1_000
  return readings.filter(({ timeMs }) => timeMs >= startMs && timeMs <= end)
}

const stopSignals = ['SIGINT', 'SIGTERM'] as const

function environmentFor({ wanted, out, cluster }: Parts): Record<string, string> {
  const { rate, seconds, clients } = wanted.size
  return {
    SHOAL_URLS: cluster.urls.join(','),
    SHOAL_RUN: Date.now().toString(36),
    SHOAL_SUMMARY: join(out, 'summary.json'),
    SHOAL_RATE: String(rate),
    SHOAL_SECONDS: String(seconds),
    SHOAL_CLIENTS: String(clients),
    SHOAL_SLACK: String(wanted.slack),
    ...(cluster.chaosUrl === undefined ? {} : { SHOAL_CHAOS_URL: cluster.chaosUrl }),
  }
}

function report(
  { wanted, out, cluster, machine }: Parts,
  series: Series,
  readings: readonly Reading[],
): void {
  const { scenario, size } = wanted
  const summary = JSON.parse(readFileSync(join(out, 'summary.json'), 'utf8')) as Summary
  const load = { rate: size.rate, seconds: size.seconds, nodes: cluster.urls.length }
  const figures = figuresOf(summary, readings)
  const run: Baseline = { scenario, machine, load, figures }
  const plots = plotsOf(series, readings).map(([name, plot]) => {
    writeFileSync(join(out, `${name}.svg`), drawPlot(plot))
    return [plot.title, `${name}.svg`] as const
  })
  const kept = join(home, 'baselines', `${scenario}.json`)
  const before = readBaseline(kept)
  const comparison = before && { ...compare(before, run), with: before }
  const text = formatReport({ run, summary, plots, comparison })
  writeFileSync(join(out, 'report.md'), text)
  writeFileSync(join(out, 'run.json'), `${JSON.stringify(run, undefined, 2)}\n`)
  if (wanted.saveBaseline) writeBaseline(kept, run)
  const [, verdict = ''] = text.split('\n\n')
  process.stdout.write(`${verdict}\n${relative(process.cwd(), join(out, 'report.md'))}\n`)
}

/** What a baseline keeps: less is better for each. */
function figuresOf(summary: Summary, readings: readonly Reading[]): Record<string, number> {
  const rows = operationRows(summary)
  const operations = rows.reduce((sum, { count }) => sum + count, 0)
  const figures: Record<string, number> = {}
  const digits = (value: number): number => Number(value.toPrecision(DIGITS))
  for (const { name, p50, p99 } of rows) {
    figures[`${name} p50, ms`] = digits(p50)
    figures[`${name} p99, ms`] = digits(p99)
  }
  const cpuSeconds = cpuSecondsOf(readings)
  if (cpuSeconds > 0) {
    figures['CPU of the nodes per operation, ms'] = digits((cpuSeconds * 1_000) / operations)
    figures['most memory of a node, MiB'] = digits(residentBytesMaxOf(readings) / MEBIBYTE)
  }
  return figures
}

try {
  process.exitCode = await main()
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`)
  process.exitCode = 3
}
