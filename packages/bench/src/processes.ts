import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { cpus } from 'node:os'

/** CPU time of a process, all its threads, in microseconds. Linux only. */
export function cpuMicros(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const ticks = Number(fields[11]) + Number(fields[12])
  return (ticks * 1e6) / TICKS_PER_SECOND
}

/** Resident memory of a process in bytes. */
export function residentBytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1')
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * 1_024
}

const TICKS_PER_SECOND = 100

/**
 * Gives this process the last CPU for itself and others the rest: load that is made on the CPUs
 * that answer it takes away from what it measures. False where `taskset` or a second CPU is
 * missing.
 */
export function separateFrom(pids: readonly number[]): boolean {
  const last = cpus().length - 1
  if (last < 1) return false
  const pin = (list: string, pid: number): boolean =>
    spawnSync('taskset', ['-a', '-c', '-p', list, String(pid)]).status === 0
  const rest = last === 1 ? '0' : `0-${last - 1}`
  return pin(String(last), process.pid) && pids.every((pid) => pin(rest, pid))
}
