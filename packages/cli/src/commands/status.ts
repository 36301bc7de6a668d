/** `shoal status`. */
import { setTimeout as pause } from 'node:timers/promises'
import type { Client } from '@shoal/client'
import { describeBudget } from '../cluster/budget.ts'
import { withClient } from '../cluster/connection.ts'
import { readCredentials } from '../cluster/credentials.ts'
import { type NodeFigures, readFigures } from '../cluster/figures.ts'
import {
  type ClusterRepairsState,
  readCluster,
  readClusterRepairs,
  readNodes,
  readRing,
} from '../cluster/state.ts'
import { type NodeReport, reportStatus, type StatusReport } from '../cluster/status-report.ts'
import { type ExitCode, exitCodes } from '../exit-codes.ts'
import { describeFailure } from '../failure.ts'
import {
  formatBytes,
  formatCount,
  formatMillis,
  formatPercent,
  plural,
} from '../format/quantities.ts'
import { type Cell, tableLines } from '../format/table.ts'
import type { ClusterOptions } from '../program/parts.ts'
import type { Io, Output, Paint } from '../terminal.ts'

interface Options extends ClusterOptions {
  /** Seconds; `true` when none were given. */
  readonly watch?: number | true
}

const WATCH_DEFAULT_SECONDS = 2

export async function status(io: Io, options: Options): Promise<ExitCode> {
  return withClient(options, async (client) => {
    if (options.watch === undefined) return showOnce(io, client, options)
    const seconds = options.watch === true ? WATCH_DEFAULT_SECONDS : options.watch
    // Ended by Ctrl-C, or by the reader of a pipe.
    for (;;) {
      const lines = await watchLines(io.out, client, options)
      io.out.clear()
      io.out.lines(lines)
      await pause(seconds * 1_000)
    }
  })
}

async function showOnce({ out }: Io, client: Client, options: Options): Promise<ExitCode> {
  const report = await gather(client, options)
  if (options.json) out.json(report)
  else out.lines(statusLines(report, out.paint))
  return report.status === 'unavailable' ? exitCodes.unavailable : exitCodes.done
}

/** A cluster that does not answer is part of what is watched. */
async function watchLines(out: Output, client: Client, options: Options): Promise<string[]> {
  const time = new Date().toISOString()
  try {
    const report = await gather(client, options)
    if (options.json) return [JSON.stringify({ time, ...report })]
    return [out.paint.dim(time), ...statusLines(report, out.paint), '']
  } catch (error) {
    const { message, code } = describeFailure(error)
    if (options.json) return [JSON.stringify({ time, status: 'unavailable', code, message })]
    return [out.paint.dim(time), out.paint.red(`unavailable: ${message}`), '']
  }
}

async function gather(client: Client, options: ClusterOptions): Promise<StatusReport> {
  const timeoutMs = Math.min(options.timeout, FIGURES_TIMEOUT_MS)
  const settings = { ...(await readCredentials(options)), timeoutMs }
  const [cluster, ring, nodes, repairs] = await Promise.all([
    readCluster(client),
    readRing(client),
    readNodes(client),
    readClusterRepairs(client),
  ])
  const answering = nodes.filter(({ state }) => state !== 'down' && state !== 'suspect')
  const asked = await Promise.all(
    answering.map(
      async ({ id, url }): Promise<[string, NodeFigures | undefined]> => [
        id,
        await readFigures(url, settings),
      ],
    ),
  )
  return reportStatus({ cluster, ring, nodes, repairs, figures: new Map(asked) })
}

/**
 * Nodes may stand where this machine does not reach them: the screen must not wait long for that.
 */
const FIGURES_TIMEOUT_MS = 2_000

export function statusLines(report: StatusReport, paint: Paint): string[] {
  const { status: state, verdict, nodes, partitions, replicas, epoch } = report
  const shade = { healthy: paint.green, degraded: paint.yellow, unavailable: paint.red }[state]
  const copies = Math.min(replicas, nodes.length)
  return [
    shade(paint.bold(verdict)),
    '',
    `cluster ${report.cluster}, ${plural(nodes.length, 'node')}, ` +
      `${plural(copies, 'copy', 'copies')} of each key, ${plural(partitions, 'partition')}, ` +
      `epoch ${epoch}, as ${report.askedNode} sees it`,
    '',
    ...tableLines(
      columns,
      nodes.map((node) => nodeRow(node, paint)),
      paint.dim,
    ),
    '',
    `balance: the node furthest from its share is ${formatPercent(report.imbalance)} off`,
    ...repairLines(report.repairs),
    ...warningLines(report, paint),
  ]
}

/** How far copies may be apart (E6), and what their repair may take. */
function repairLines({ debt, nodes, silent }: ClusterRepairsState): string[] {
  const { ageMs, unverified, divergentSegments, hintBytes, oldestHintMs } = debt
  const sum = (of: (node: ClusterRepairsState['nodes'][number]) => number): number =>
    nodes.reduce((total, node) => total + of(node), 0)
  const lost = sum(({ lostPartitions }) => lostPartitions)
  const damaged = sum(({ unhealed }) => unhealed)
  const behind = [
    ...(unverified > 0 ? [`${plural(unverified, 'pair')} not compared yet`] : []),
    ...(divergentSegments > 0 ? [`${plural(divergentSegments, 'segment')} found different`] : []),
    ...(hintBytes > 0
      ? [`${formatBytes(hintBytes)} of hints, the oldest ${formatMillis(oldestHintMs)} old`]
      : []),
    ...(lost > 0 ? [`${plural(lost, 'copy', 'copies')} of partitions lost`] : []),
    ...(damaged > 0 ? [plural(damaged, 'damaged row')] : []),
  ]
  // Of a disk that was lost or is new it is not known what it lacks before it was compared.
  const apart =
    unverified + lost > 0
      ? 'not all of them were compared yet, since a node started or lost its data'
      : `every write older than ${formatMillis(ageMs)} is on all its replicas`
  const known = silent.length === 0 ? '' : `; of ${silent.join(', ')} nothing is known: no answer`
  return [
    `copies: ${apart}${known}`,
    ...(behind.length === 0 ? [] : [`        ${behind.join(', ')}`]),
    `background work: ${budgets(nodes)}`,
    `deleted keys kept: about ${formatCount(sum(({ tombstones }) => tombstones))}, all copies`,
  ]
}

/** Nodes that may do the same are told together. */
function budgets(nodes: ClusterRepairsState['nodes']): string {
  const by = new Map<string, string[]>()
  for (const { node, budget } of nodes) {
    const words = describeBudget(budget)
    by.set(words, [...(by.get(words) ?? []), node])
  }
  return [...by].map(([words, ids]) => `${words} on ${ids.join(', ')}`).join('; ')
}

const columns = [
  { title: 'node' },
  { title: 'state' },
  { title: 'up for', align: 'right' },
  { title: 'load', align: 'right' },
  { title: 'data', align: 'right' },
  { title: 'disk free', align: 'right' },
  { title: 'first', align: 'right' },
  { title: 'copies', align: 'right' },
  { title: 'version' },
  { title: 'zone' },
  { title: 'url' },
] as const

function nodeRow(node: NodeReport, paint: Paint): (Cell | string)[] {
  const answers = node.version !== ''
  const shade = node.state === 'up' ? paint.green : node.state === 'down' ? paint.red : paint.yellow
  return [
    { text: node.id, paint: paint.bold },
    { text: node.state, paint: shade },
    answers ? formatMillis(node.uptimeMs) : '-',
    answers ? formatPercent(node.load) : '-',
    node.diskBytes === null ? '-' : formatBytes(node.diskBytes),
    node.freeBytes === null ? '-' : formatBytes(node.freeBytes),
    formatCount(node.first),
    formatCount(node.copies),
    node.version === '' ? '-' : node.version,
    node.zone === '' ? '-' : node.zone,
    node.url,
  ]
}

function warningLines({ warnings }: StatusReport, paint: Paint): string[] {
  if (warnings.length === 0) return ['no warnings']
  return [
    '',
    ...warnings.flatMap(({ message, fix }) => [
      `${paint.yellow('!')} ${message}`,
      ...(fix === '' ? [] : [`    ${fix}`]),
    ]),
  ]
}
