/** What a run was made on: figures of two machines are not to be compared without saying so. */
import { execFileSync } from 'node:child_process'
import { cpus, loadavg, totalmem } from 'node:os'

export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly memoryGiB: number
  readonly node: string
  readonly k6: string
  readonly commit: string
  readonly date: string
  /** Load average of the last minute, before the run: above 0, others were at work as well. */
  readonly busy: number
}

/** To be asked before the run. */
export function describeMachine(k6: string): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    node: process.version,
    k6: said(k6, 'version').split(' ').slice(0, 2).join(' '),
    commit: said('git', 'rev-parse', '--short', 'HEAD'),
    date: new Date().toISOString().slice(0, 16).replace('T', ' '),
    busy: Math.round((loadavg()[0] ?? 0) * 10) / 10,
  }
}

/** Whether times measured on both mean the same, as far as one can tell from outside. */
export const isSame = (a: Machine, b: Machine): boolean =>
  a.cpu === b.cpu && a.cores === b.cores && a.memoryGiB === b.memoryGiB

export const inWords = (machine: Machine): string => {
  const { cpu, cores, memoryGiB, node, k6, commit, date, busy } = machine
  return (
    `${cores} × ${cpu}, ${memoryGiB} GiB, load average ${busy} before the run; ` +
    `Node ${node}, ${k6}; commit ${commit}; ${date} UTC`
  )
}

function said(command: string, ...parameters: string[]): string {
  try {
    return execFileSync(command, parameters, {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim()
  } catch {
    return 'unknown'
  }
}
