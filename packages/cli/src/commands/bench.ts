/** `shoal bench`. */
import { Load } from '../bench/load.ts'
import { type BenchFigures, type KindFigures, Tally } from '../bench/tally.ts'
import { withClient } from '../cluster/connection.ts'
import { parseConsistency } from '../cluster/consistency.ts'
import { type ExitCode, exitCodes } from '../exit-codes.ts'
import { formatCount, formatMillis, formatPercent } from '../format/quantities.ts'
import { tableLines } from '../format/table.ts'
import type { ClusterOptions } from '../program/parts.ts'
import type { Io, Output, Paint } from '../terminal.ts'

interface Options extends ClusterOptions {
  readonly seconds: number
  readonly connections: number
  readonly valueBytes: number
  readonly readRatio: number
  readonly keys: number
  readonly bucket: string
  readonly consistency?: string
}

export async function bench(io: Io, options: Options): Promise<ExitCode> {
  const consistency = parseConsistency(options.consistency)
  const { connections } = options
  const figures = await withClient(
    options,
    async (client) => {
      await client.ready()
      const tally = new Tally()
      const load = new Load(client, { ...options, consistency }, tally)
      await load.fill()
      return measure(io.err, { load, tally, seconds: options.seconds })
    },
    // What the cluster answers is to be seen, not what a patient client makes of it.
    { connections, retries: 0, hedge: false },
  )
  if (options.json) io.out.json({ ...settingsOf(options), ...figures })
  else io.out.lines(benchLines(figures, options, io.out.paint))
  return figures.reads.count + figures.writes.count > 0 ? exitCodes.done : exitCodes.unavailable
}

const settingsOf = ({ connections, valueBytes, readRatio, keys, bucket }: Options) => ({
  connections,
  valueBytes,
  readRatio,
  keys,
  bucket,
})

async function measure(
  err: Output,
  { load, tally, seconds }: { load: Load; tally: Tally; seconds: number },
): Promise<BenchFigures> {
  const begun = performance.now()
  const end = setTimeout(() => load.stop(), seconds * 1_000)
  const stop = (): void => load.stop()
  // Ctrl-C ends the load early, not the report.
  process.once('SIGINT', stop)
  const progress = showProgress(err, tally, seconds)
  try {
    await load.run()
    return tally.figures(performance.now() - begun)
  } finally {
    clearTimeout(end)
    clearInterval(progress)
    process.off('SIGINT', stop)
    if (progress !== undefined) await err.write('\r\u001b[K')
  }
}

/** One line that is written over each second, on terminals only. */
function showProgress(err: Output, tally: Tally, seconds: number): NodeJS.Timeout | undefined {
  if (!err.isTerminal) return undefined
  let second = 0
  let before = 0
  return setInterval(() => {
    second++
    const rate = tally.operations - before
    before = tally.operations
    const failed = tally.failed > 0 ? `, ${formatCount(tally.failed)} failed` : ''
    void err.write(`\r\u001b[K${second} of ${seconds} s  ${formatCount(rate)} a second${failed}`)
  }, 1_000)
}

const columns = [
  { title: '' },
  { title: 'count', align: 'right' },
  { title: 'a second', align: 'right' },
  { title: 'mean', align: 'right' },
  { title: 'p50', align: 'right' },
  { title: 'p90', align: 'right' },
  { title: 'p99', align: 'right' },
  { title: 'p99.9', align: 'right' },
  { title: 'max', align: 'right' },
] as const

export function benchLines(
  figures: BenchFigures,
  { connections, valueBytes }: Pick<Options, 'connections' | 'valueBytes'>,
  paint: Paint,
): string[] {
  const { reads, writes, perSecond, seconds, errors, failed } = figures
  const rows = [
    ['reads', ...kindCells(reads)],
    ['writes', ...kindCells(writes)],
  ]
  const found =
    reads.count === 0 ? '' : `, ${formatPercent(reads.found / reads.count)} of reads found`
  const codes = Object.entries(errors).map(([code, count]) => `  ${formatCount(count)}  ${code}`)
  return [
    `${paint.bold(`${formatCount(perSecond)} operations a second`)} over ` +
      `${formatMillis(seconds * 1_000)}, ${connections} at a time, ` +
      `values of ${formatCount(valueBytes)} bytes${found}`,
    '',
    ...tableLines(columns, rows, paint.dim),
    '',
    failed === 0 ? 'no errors' : paint.red(`${formatCount(failed)} failed`),
    ...codes,
  ]
}

function kindCells({ count, perSecond, latencyMs }: KindFigures): string[] {
  const counts = [formatCount(count), formatCount(perSecond)]
  if (latencyMs === null) return [...counts, '-', '-', '-', '-', '-', '-']
  const { mean, p50, p90, p99, p999, max } = latencyMs
  return [...counts, ...[mean, p50, p90, p99, p999, max].map(formatMillis)]
}
