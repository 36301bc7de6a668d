/** What is made of k6's samples, without k6. */
import t from 'tap'
import { type Baseline, compare } from '../src/baseline.ts'
import { readCommandLine } from '../src/command-line.ts'
import { Histogram } from '../src/histogram.ts'
import { drawPlot } from '../src/plot.ts'
import { plotsOf } from '../src/plots.ts'
import { formatReport } from '../src/report.ts'
import { Series } from '../src/series.ts'
import { cpuSecondsOf } from '../src/watch.ts'

const header =
  'metric_name,timestamp,metric_value,error_code,method,name,scenario,status,extra_tags,metadata'
const tookAt = (seconds: number, ms: number, tags = 'level=quorum&op=get'): string =>
  `op_ms,${1_000_000 + seconds * 1_000},${ms},,,,load,,${tags},`

t.test('samples are gathered by second, operation and level', async (t) => {
  const series = new Series(10)
  const lines = [
    header,
    tookAt(0, 1),
    tookAt(0.5, 100, 'op=put&level=one'),
    tookAt(2.1, 3),
    `op_failed,1002200,1,,,,load,,op=get&level=quorum,`,
    `faults,1002500,1,,,,chaos,,action=kill&node=n2,`,
    `op_ms,1002500,900,,,,verify,,op=get&level=quorum,`,
  ]
  for (const line of lines) series.take(line)
  t.equal(series.slices.length, 3)
  t.equal(series.slices[0]?.took.get('put one')?.count, 1)
  t.equal(series.slices[2]?.took.get('get quorum')?.count, 1, 'the verification is no load')
  t.equal(series.slices[2]?.failed, 1)
  t.same(series.faults, [{ atSeconds: 2.5, what: 'kill n2' }])
})

t.test('a long run has no more slices than a plot can show', async (t) => {
  t.equal(new Series(7_200).sliceSeconds, 60)
})

t.test('quantiles are right within a twentieth', async (t) => {
  const histogram = new Histogram()
  for (let ms = 1; ms <= 1_000; ms++) histogram.add(ms)
  for (const share of [0.5, 0.95, 0.99]) {
    const error = (histogram.quantile(share) ?? 0) / (share * 1_000)
    t.ok(error > 0.95 && error < 1.06, `${share}: ${error}`)
  }
  t.equal(new Histogram().quantile(0.5), undefined)
})

t.test('a plot breaks its line where there is nothing, and escapes what it is told', async (t) => {
  const points = [
    [0, 1],
    [1, undefined],
    [2, 4],
  ] as const
  const svg = drawPlot({ title: 'a < b', unit: 'ms', lines: [{ name: 'x', points }] })
  t.match(svg, /d="M[\d.]+ [\d.]+M[\d.]+ [\d.]+"/)
  t.match(svg, 'a &lt; b')
  t.notMatch(svg, /NaN|undefined|Infinity/)
})

t.test('plots of a run in which nothing happened can be drawn', async (t) => {
  for (const [name, plot] of plotsOf(new Series(5), [])) {
    t.notMatch(drawPlot(plot), /NaN|undefined|Infinity/, name)
  }
})

t.test('the CPU time of a node that started again is not negative', async (t) => {
  const at = (cpuSeconds: number | undefined) => ({
    timeMs: 0,
    nodes: [cpuSeconds === undefined ? undefined : { cpuSeconds, residentBytes: 1 }],
  })
  t.equal(cpuSecondsOf([at(10), at(12), at(undefined), at(1), at(2)]), 4)
})

const run = (figures: Record<string, number>, cpu = 'a'): Baseline => ({
  scenario: 'mixed',
  machine: {
    cpu,
    cores: 2,
    memoryGiB: 4,
    node: 'v20',
    k6: 'k6 v1',
    commit: 'c',
    date: 'd',
    busy: 0,
  },
  load: { rate: 10, seconds: 5, nodes: 3 },
  figures,
})

t.test('a baseline is compared by ratios, with the machine named', async (t) => {
  const comparison = compare(run({ x: 2, old: 1 }), run({ x: 5, fresh: 1 }, 'b'))
  t.same(comparison.rows, [{ name: 'x', before: 2, now: 5, ratio: 2.5 }])
  t.match(comparison.cautions, [/another machine/])
  t.same(compare(run({}), run({})).cautions, [])
  const text = formatReport({
    run: run({}),
    summary: {
      metrics: {
        lost_ack: { values: { count: 1, rate: 1 }, thresholds: { 'count==0': { ok: false } } },
        acks_checked: { values: { count: 7, rate: 1 } },
      },
    },
    plots: [['Latency', 'latency.svg']],
    comparison: { ...comparison, with: run({}) },
  })
  t.match(text, '**1 of 1 thresholds did not hold:** `lost_ack` count==0')
  t.match(text, 'Of 7 acknowledged writes that nothing replaced, 1 were lost.')
  t.match(text, '| x | 2 | 5 | **2.50** |')
  t.match(text, '![Latency](latency.svg)')
})

t.test('the command line', async (t) => {
  const read = (...parameters: string[]) => readCommandLine(parameters)
  t.match(read('mixed'), { scenario: 'mixed', size: { rate: 200, seconds: 60 }, nodes: 3 })
  t.match(read('soak', '--duration', '2h', '--rate', '5'), { size: { rate: 5, seconds: 7_200 } })
  t.equal(read('--help'), 'help')
  const faults: [string[], RegExp][] = [
    [[], /name one scenario: smoke, /],
    [['nothing'], /name one scenario/],
    [['mixed', '--rate=-1'], /--rate -1/],
    [['mixed', '--duration=5 minutes'], /--duration 5 minutes/],
    [['failover', '--url', 'http://a'], /--chaos-url/],
    [['mixed', '--what'], /--what/],
  ]
  for (const [parameters, message] of faults) t.throws(() => read(...parameters), { message })
})
