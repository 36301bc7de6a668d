/** `shoal repair`. */
import { setTimeout as pause } from 'node:timers/promises'
import { describeBudget } from '../cluster/budget.ts'
import { withClient } from '../cluster/connection.ts'
import {
  beginRepair,
  changeBudget,
  type JobState,
  type NodeState,
  type RepairsState,
  readJob,
  readNodes,
  readRepairs,
  readRing,
} from '../cluster/state.ts'
import { type ExitCode, exitCodes } from '../exit-codes.ts'
import { formatCount, formatMillis, formatPercent } from '../format/quantities.ts'
import { tableLines } from '../format/table.ts'
import type { ClusterOptions } from '../program/parts.ts'
import type { Io, Paint } from '../terminal.ts'

interface Options extends ClusterOptions {
  readonly bucket?: string
  readonly partition?: number
  readonly wait?: true
  readonly status?: true
  readonly pause?: true
  readonly resume?: true
}

interface Of<T> {
  readonly node: string
  readonly state: T
}

const LOOK_EVERY_MS = 500

export async function repair({ out }: Io, options: Options): Promise<ExitCode> {
  const nodes = await nodesFor(options)
  if (options.status || options.pause || options.resume) {
    const states = await onEach(nodes, options, (client) => {
      if (options.pause) return changeBudget(client, 'pause')
      return options.resume ? changeBudget(client, 'resume') : readRepairs(client)
    })
    if (options.json) out.json(states.map(({ node, state }) => ({ node, ...state })))
    else out.lines(repairLines(states, out.paint))
    return exitCodes.done
  }
  const jobs = await onEach(nodes, options, async (client) => {
    let job = await beginRepair(client, options)
    while (options.wait && (job.state === 'running' || job.state === 'paused')) {
      await pause(LOOK_EVERY_MS)
      job = await readJob(client, job.id)
    }
    return job
  })
  if (options.json) out.json(jobs.map(({ node, state }) => ({ node, ...state })))
  else out.lines(jobLines(jobs, out.paint))
  return jobs.some(({ state }) => state.state === 'failed') ? exitCodes.failed : exitCodes.done
}

/** Each node repairs its own copies; those that are down cannot. */
function nodesFor(options: Options): Promise<readonly NodeState[]> {
  return withClient(options, async (client) => {
    const up = (await readNodes(client)).filter(({ state }) => state !== 'down')
    const { partition } = options
    if (partition === undefined) return up
    const holders = (await readRing(client)).table[partition]
    return holders ? up.filter(({ id }) => holders.includes(id)) : up
  })
}

function onEach<T>(
  nodes: readonly NodeState[],
  options: Options,
  work: (client: Parameters<Parameters<typeof withClient>[1]>[0]) => Promise<T>,
): Promise<Of<T>[]> {
  return Promise.all(
    nodes.map(async ({ id, url }) => ({
      node: id,
      state: await withClient({ ...options, url }, work),
    })),
  )
}

export function jobLines(jobs: readonly Of<JobState>[], paint: Paint): string[] {
  const columns = [
    { title: 'node' },
    { title: 'state' },
    { title: 'done', align: 'right' },
    { title: 'time left', align: 'right' },
    { title: 'so far' },
  ] as const
  const rows = jobs.map(({ node, state: { state, progress, etaMs, detail } }) => [
    { text: node, paint: paint.bold },
    { text: state, paint: state === 'failed' ? paint.red : paint.green },
    formatPercent(progress),
    etaMs === undefined ? '-' : formatMillis(etaMs),
    detail,
  ])
  return tableLines(columns, rows, paint.dim)
}

export function repairLines(states: readonly Of<RepairsState>[], paint: Paint): string[] {
  const columns = [
    { title: 'node' },
    { title: 'equal since', align: 'right' },
    { title: 'not compared', align: 'right' },
    { title: 'fetched', align: 'right' },
    { title: 'sent', align: 'right' },
    { title: 'healed', align: 'right' },
    { title: 'damaged', align: 'right' },
    { title: 'lost partitions', align: 'right' },
    { title: 'tombstones', align: 'right' },
    { title: 'budget', align: 'right' },
    { title: 'quiet hours, UTC' },
  ] as const
  const rows = states.map(({ node, state }) => [
    { text: node, paint: paint.bold },
    formatMillis(state.debt.ageMs),
    formatCount(state.debt.unverified),
    formatCount(state.pulled),
    formatCount(state.pushed),
    formatCount(state.healed),
    { text: formatCount(state.unhealed), paint: state.unhealed > 0 ? paint.red : plain },
    {
      text: formatCount(state.lostPartitions.length),
      paint: state.lostPartitions.length > 0 ? paint.yellow : plain,
    },
    formatCount(state.tombstones),
    describeBudget(state.budget),
    state.budget.quietHours.join(', ') || '-',
  ])
  const jobs = states.flatMap(({ node, state }) =>
    state.jobs.map((job) => ({ node, state: job })).slice(0, 1),
  )
  return [
    ...tableLines(columns, rows, paint.dim),
    ...(jobs.length === 0 ? [] : ['', ...jobLines(jobs, paint)]),
  ]
}

const plain = (text: string): string => text
