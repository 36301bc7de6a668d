/** `shoal ring`. */
import { type Holding, holdingsOf, imbalanceOf } from '../cluster/balance.ts'
import { withClient } from '../cluster/connection.ts'
import { type RingState, readRing } from '../cluster/state.ts'
import { type ExitCode, exitCodes } from '../exit-codes.ts'
import { formatCount, formatPercent, plural } from '../format/quantities.ts'
import { tableLines } from '../format/table.ts'
import type { ClusterOptions } from '../program/parts.ts'
import type { Io, Paint } from '../terminal.ts'

interface Options extends ClusterOptions {
  readonly table?: true
}

export async function ring({ out }: Io, options: Options): Promise<ExitCode> {
  const state = await withClient(options, readRing)
  if (options.json) out.json(state)
  else out.lines([...ringLines(state, out.paint), ...(options.table ? tableOf(state) : [])])
  return exitCodes.done
}

export function ringLines(state: RingState, paint: Paint): string[] {
  const { epoch, partitions, replicas, members } = state
  const holdings = holdingsOf(state)
  const copies = Math.min(replicas, members.length)
  const columns = [
    { title: 'node' },
    { title: 'first', align: 'right' },
    { title: 'copies', align: 'right' },
    { title: 'of its share', align: 'right' },
    { title: 'weight', align: 'right' },
    { title: 'zone' },
    { title: 'host' },
    { title: 'url' },
  ] as const
  const rows = holdings.map(({ id, first, copies, due, weight, zone, host, url }) => [
    { text: id, paint: paint.bold },
    formatCount(first),
    formatCount(copies),
    due > 0 ? formatPercent(copies / due) : '',
    String(weight),
    zone === '' ? '-' : zone,
    host === '' ? '-' : host,
    url,
  ])
  return [
    `epoch ${epoch}, ${plural(partitions, 'partition')}, ` +
      `${plural(copies, 'copy', 'copies')} of each on ${plural(members.length, 'node')}`,
    '',
    ...tableLines(columns, rows, paint.dim),
    '',
    ...zoneLines(holdings),
    `furthest from its share: ${formatPercent(imbalanceOf(holdings))}`,
  ]
}

/** Empty unless there is more than one zone. */
function zoneLines(holdings: readonly Holding[]): string[] {
  const zones = [...new Set(holdings.map(({ zone }) => zone))]
  if (zones.length <= 1) return []
  const parts = zones.map((zone) => {
    const inside = holdings.filter((each) => each.zone === zone)
    const copies = inside.reduce((sum, each) => sum + each.copies, 0)
    const name = zone === '' ? '(none)' : zone
    return `${name} ${plural(inside.length, 'node')}, ${plural(copies, 'copy', 'copies')}`
  })
  return [`zones: ${parts.join('; ')}`]
}

const tableOf = ({ table }: RingState): string[] => [
  '',
  ...table.map((set, partition) => `${String(partition).padStart(5)}  ${set.join('  ')}`),
]
