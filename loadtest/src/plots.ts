/** Which plots a run gives. */
import type { Histogram } from './histogram.ts'
import type { Line, Plot } from './plot.ts'
import { type Series, type Slice, together } from './series.ts'
import type { Reading } from './watch.ts'

const operations = ['get', 'put', 'delete']
const MEBIBYTE = 2 ** 20

/** By the name of the file. */
export function plotsOf(
  series: Series,
  readings: readonly Reading[],
): readonly (readonly [string, Plot])[] {
  const marks = series.faults
  const found: [string, Plot][] = [
    ['throughput', { title: 'Operations', unit: 'per second', lines: throughput(series), marks }],
    [
      'latency',
      { title: 'Latency', unit: 'ms', lines: latency(series), marks, isLogarithmic: true },
    ],
  ]
  const { startMs } = series
  if (startMs !== undefined && readings.length > 1) {
    const cpu = linesOfNodes(cpuShares(readings), startMs)
    const memory = linesOfNodes(memories(readings), startMs)
    found.push(['cpu', { title: 'CPU of the nodes', unit: 'cores', lines: cpu, marks }])
    found.push(['memory', { title: 'Memory of the nodes', unit: 'MiB', lines: memory, marks }])
  }
  return found
}

function lineOf(
  name: string,
  { slices, sliceSeconds }: Series,
  of: (slice: Slice) => number | undefined,
): Line {
  // The last slice is seldom a whole one.
  const whole = slices.slice(0, -1)
  const points = whole.map((slice, index) => [index * sliceSeconds, of(slice)] as const)
  return { name, points }
}

function throughput(series: Series): Line[] {
  const rate = (count: number): number => count / series.sliceSeconds
  const lines = operations
    .filter((op) => series.slices.some((slice) => together(slice, op).count > 0))
    .map((op) => lineOf(op, series, (slice) => rate(together(slice, op).count)))
  return [...lines, lineOf('failed', series, ({ failed }) => rate(failed))]
}

function latency(series: Series): Line[] {
  const names = ['get quorum', 'put quorum'].filter((name) =>
    series.slices.some(({ took }) => took.has(name)),
  )
  const quantile = (share: number) => (histogram: Histogram | undefined) =>
    histogram?.quantile(share)
  return names.flatMap((name) => [
    lineOf(`${name} p50`, series, ({ took }) => quantile(0.5)(took.get(name))),
    lineOf(`${name} p99`, series, ({ took }) => quantile(0.99)(took.get(name))),
  ])
}

type NodeValues = readonly { readonly timeMs: number; readonly values: (number | undefined)[] }[]

function linesOfNodes(readings: NodeValues, startMs: number): Line[] {
  const count = readings[0]?.values.length ?? 0
  return Array.from({ length: count }, (_, node) => ({
    name: `n${node + 1}`,
    points: readings
      .map(({ timeMs, values }) => [(timeMs - startMs) / 1_000, values[node]] as const)
      .filter(([seconds]) => seconds >= 0),
  }))
}

const memories = (readings: readonly Reading[]): NodeValues =>
  readings.map(({ timeMs, nodes }) => ({
    timeMs,
    values: nodes.map((node) => node && node.residentBytes / MEBIBYTE),
  }))

/** Between each two readings. */
function cpuShares(readings: readonly Reading[]): NodeValues {
  return readings.slice(1).map(({ timeMs, nodes }, index) => {
    const before = readings[index]
    const seconds = (timeMs - (before?.timeMs ?? 0)) / 1_000
    const values = nodes.map((node, which) => {
      const old = before?.nodes[which]
      if (node === undefined || old === undefined || node.cpuSeconds < old.cpuSeconds)
        return undefined
      return (node.cpuSeconds - old.cpuSeconds) / seconds
    })
    return { timeMs, values }
  })
}
