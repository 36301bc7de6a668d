/** Ports of this machine, and the clocks of the cluster. */

import type { Client } from '@shoal/client'
import { limits } from '@shoal/kernel'
import { type ConnectionOptions, withClient } from '../cluster/connection.ts'
import { readCredentials } from '../cluster/credentials.ts'
import { type ClockReading, readClock } from '../cluster/figures.ts'
import { type NodeState, readNodes } from '../cluster/state.ts'
import { splitWarning } from '../cluster/status-report.ts'
import { isFree } from '../dev/ports.ts'
import { describeFailure } from '../failure.ts'
import { formatMillis } from '../format/quantities.ts'
import { type Finding, failure, ok, warning } from './finding.ts'

const ASK_TIMEOUT_MS = 2_000

export async function examinePort(host: string, port: number): Promise<Finding> {
  const check = 'port'
  const address = `${host}:${port}`
  if (await isFree(port, host)) return ok(check, `${address} is free`)
  const reached = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host
  const settings = { token: undefined, ca: undefined, timeoutMs: ASK_TIMEOUT_MS }
  const clock = await readClock(`http://${bracketed(reached)}:${port}`, settings)
  if (clock !== undefined) return ok(check, `a node serves on ${address}`)
  return failure(
    check,
    `${address} is taken, or not an address of this machine`,
    `find out by what: ss -ltnp 'sport = :${port}'; or choose another address`,
  )
}

const bracketed = (host: string): string => (host.includes(':') ? `[${host}]` : host)

export async function examineCluster(options: ConnectionOptions): Promise<Finding[]> {
  try {
    const nodes = await withClient(options, (client: Client) => readNodes(client))
    const settings = { ...(await readCredentials(options)), timeoutMs: options.timeout }
    const silent = nodes.filter(isSilent).map(({ id }) => id)
    const reached = `${nodes.length - silent.length} of ${nodes.length} nodes are up`
    const cluster =
      silent.length === 0
        ? ok('cluster', reached)
        : warning('cluster', reached, `look at ${silent.join(', ')}: run shoal doctor there`)
    const clocks = await Promise.all(nodes.map((node) => examineClock(node, settings)))
    return [
      cluster,
      ...nodes.flatMap(judgeProblems),
      ...clocks.filter((each) => each !== undefined),
    ]
  } catch (error) {
    const { message, hint } = describeFailure(error)
    return [failure('cluster', message, hint)]
  }
}

/** What a node says is wrong with it: lost data, damaged rows, a full disk. */
export const judgeProblems = ({ id, problems = [] }: NodeState): Finding[] =>
  problems.map((problem) => {
    const { message, fix } = splitWarning(problem)
    return warning(`node ${id}`, message, fix)
  })

const isSilent = ({ state }: NodeState): boolean => state === 'down' || state === 'suspect'

async function examineClock(
  node: NodeState,
  settings: Parameters<typeof readClock>[1],
): Promise<Finding | undefined> {
  if (isSilent(node)) return undefined
  const { id, url } = node
  const reading = await readClock(url, settings)
  if (reading !== undefined) return judgeSkew(id, reading)
  return warning(`clock of ${id}`, `${url} does not answer from here`, 'check the network between')
}

const SKEW_WARN_MS = 1_000

/** Only what the reading is sure of counts. */
export function judgeSkew(id: string, { aheadMs, errorMs }: ClockReading): Finding {
  const check = `clock of ${id}`
  const sure = Math.max(0, Math.abs(aheadMs) - errorMs)
  const side = aheadMs > 0 ? 'ahead of' : 'behind'
  if (sure < SKEW_WARN_MS) return ok(check, `within ${formatMillis(errorMs + sure)} of this one`)
  const found = `${formatMillis(sure)} or more ${side} this one`
  const advice = 'synchronise the clocks: timedatectl set-ntp true, on both machines'
  return sure > limits.clockAheadMax ? failure(check, found, advice) : warning(check, found, advice)
}
