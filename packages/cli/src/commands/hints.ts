/** `shoal hints`. */
import { setTimeout as pause } from 'node:timers/promises'
import type { Client } from '@shoal/client'
import { withClient } from '../cluster/connection.ts'
import { beginHintSync, type HintsState, readHints, readJob, readNodes } from '../cluster/state.ts'
import { type ExitCode, exitCodes } from '../exit-codes.ts'
import { formatBytes, formatCount, formatMillis, plural } from '../format/quantities.ts'
import { tableLines } from '../format/table.ts'
import type { ClusterOptions } from '../program/parts.ts'
import type { Io, Paint } from '../terminal.ts'

interface Options extends ClusterOptions {
  readonly wait?: true
}

const LOOK_EVERY_MS = 200

export async function hints({ out }: Io, options: Options): Promise<ExitCode> {
  return withClient(options, async (client) => {
    const delivered = options.wait ? await waitForHints(client, options) : true
    const state = await readHints(client)
    if (options.json) out.json(state)
    else out.lines(hintLines(state, out.paint))
    return delivered ? exitCodes.done : exitCodes.failed
  })
}

/** Each node waits for its own. False when hints were given up and left to anti-entropy. */
async function waitForHints(client: Client, options: Options): Promise<boolean> {
  const nodes = (await readNodes(client)).filter(({ state }) => state === 'up')
  const ends = nodes.map(({ url }) =>
    withClient({ ...options, url }, async (node) => {
      let job = await beginHintSync(node)
      while (job.state === 'running' || job.state === 'paused') {
        await pause(LOOK_EVERY_MS)
        job = await readJob(node, job.id)
      }
      return job.state === 'done'
    }),
  )
  return (await Promise.all(ends)).every((done) => done)
}

export function hintLines({ total, bytes, oldestMs, targets, silent }: HintsState, paint: Paint) {
  const columns = [
    { title: 'owed to' },
    { title: 'hints', align: 'right' },
    { title: 'bytes', align: 'right' },
    { title: 'oldest', align: 'right' },
    { title: 'partitions left to repair', align: 'right' },
  ] as const
  const rows = targets.map(({ node, count, bytes, oldestMs, dirtyPartitions }) => [
    { text: node, paint: paint.bold },
    formatCount(count),
    formatBytes(bytes),
    formatMillis(oldestMs),
    formatCount(dirtyPartitions),
  ])
  const summary =
    total === 0
      ? 'nothing is owed'
      : `${plural(total, 'hint')}, ${formatBytes(bytes)}, the oldest ${formatMillis(oldestMs)} old`
  return [
    summary,
    ...(rows.length === 0 ? [] : ['', ...tableLines(columns, rows, paint.dim)]),
    ...(silent.length === 0 ? [] : ['', paint.yellow(`did not answer: ${silent.join(', ')}`)]),
  ]
}
