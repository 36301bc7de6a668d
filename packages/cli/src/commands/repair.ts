/** `shoal repair`. */
import { setTimeout as pause } from 'node:timers/promises'
import type { Client } from '@shoal/client'
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
import { describeFailure } from '../failure.ts'
import { formatCount, formatMillis, formatPercent } from '../format/quantities.ts'
import { tableLines } from '../format/table.ts'
import type { ClusterOptions } from '../program/parts.ts'
import type { Io, Output, Paint } from '../terminal.ts'

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
    const answers = await onEach(nodes, options, (client) => {
      if (options.pause) return changeBudget(client, 'pause')
      return options.resume ? changeBudget(client, 'resume') : readRepairs(client)
    })
    show(out, options, answers, repairLines)
    return exitOf(answers)
  }
  const answers = await onEach(nodes, options, async (client) => {
    let job = await beginRepair(client, options)
    while (options.wait && (job.state === 'running' || job.state === 'paused')) {
      await pause(LOOK_EVERY_MS)
      job = await readJob(client, job.id)
    }
    return job
  })
  show(out, options, answers, jobLines)
  const isDone = answers.told.every(({ state }) => state.state !== 'failed')
  return isDone ? exitOf(answers) : exitCodes.failed
}

/** Each node repairs its own copies. */
function nodesFor(options: Options): Promise<readonly NodeState[]> {
  return withClient(options, async (client) => {
    const nodes = await readNodes(client)
    const { partition } = options
    if (partition === undefined) return nodes
    const holders = (await readRing(client)).table[partition]
    return holders ? nodes.filter(({ id }) => holders.includes(id)) : nodes
  })
}

/** What nodes answered, and those of which nothing is known. */
export interface Answers<T> {
  readonly told: readonly Of<T>[]
  readonly silent: readonly Silent[]
}

interface Silent {
  readonly node: string
  readonly why: string
  /** Undefined for one that was not asked: it is down. */
  readonly error?: unknown
}

/** @throws the first failure, when no node answered */
async function onEach<T>(
  nodes: readonly NodeState[],
  options: Options,
  work: (client: Client) => Promise<T>,
): Promise<Answers<T>> {
  const ask = async ({ id: node, url, state }: NodeState): Promise<Of<T> | Silent> => {
    if (state === 'down') return { node, why: 'it is down' }
    try {
      return { node, state: await withClient({ ...options, url }, work) }
    } catch (error) {
      return { node, why: describeFailure(error).message, error }
    }
  }
  const answers = await Promise.all(nodes.map(ask))
  const told = answers.filter((answer) => 'state' in answer)
  const silent = answers.filter((answer) => 'why' in answer)
  const failed = silent.find(({ error }) => error !== undefined)
  if (told.length === 0 && failed !== undefined) throw failed.error
  return { told, silent }
}

/** A node that is down is no failure: it is repaired when it is back. */
const exitOf = ({ silent }: Answers<unknown>): ExitCode =>
  silent.some(({ error }) => error !== undefined) ? exitCodes.failed : exitCodes.done

function show<T extends object>(
  out: Output,
  { json }: Options,
  { told, silent }: Answers<T>,
  linesOf: (told: readonly Of<T>[], paint: Paint) => string[],
): void {
  if (json) {
    const left = silent.map(({ node, why }) => ({ node, silent: why }))
    out.json([...told.map(({ node, state }) => ({ node, ...state })), ...left])
    return
  }
  out.lines([...linesOf(told, out.paint), ...silentLines(silent, out.paint)])
}

export const silentLines = (silent: readonly Silent[], paint: Paint): string[] =>
  silent.length === 0
    ? []
    : ['', ...silent.map(({ node, why }) => paint.yellow(`not ${node}: ${why}`))]

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
