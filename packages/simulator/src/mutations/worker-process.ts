import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { ShoalError } from '@shoal/kernel'
import type { SeedRange, SeedVerdict } from './finding.ts'

const worker = fileURLToPath(new URL('./worker.js', import.meta.url))

/** A run that has not ended after so many real seconds has noticed something: it hangs. */
const STUCK_MS = 600_000

/**
 * Runs seeds in a process of their own, because a bug is there for the life of a process, and may
 * be its end.
 */
export async function runSeeds(
  name: string,
  range: SeedRange,
  tell: (verdict: SeedVerdict) => void,
): Promise<void> {
  for (let from = range.from; from <= range.to; ) {
    const { next, ended, noticed } = await runProcess(name, { ...range, from }, tell)
    if (ended !== undefined) tell({ seed: next, by: ended })
    if (range.stopAtFirst && (noticed || ended !== undefined)) return
    from = ended === undefined ? next : next + 1
  }
}

interface ProcessEnd {
  /** The first seed that nothing was said of. */
  readonly next: number
  /** Why the process ended within that seed; absent when it ended behind it. */
  readonly ended: string | undefined
  readonly noticed: boolean
}

function runProcess(
  name: string,
  range: SeedRange,
  tell: (verdict: SeedVerdict) => void,
): Promise<ProcessEnd> {
  const { from, to, seconds, stopAtFirst } = range
  const parameters = [worker, name, from, to, seconds, stopAtFirst ? 'first' : 'all'].map(String)
  const child = spawn(process.execPath, parameters, { stdio: ['ignore', 'pipe', 'pipe'] })
  let next = from
  let noticed = false
  let stuck = false
  let errors = ''
  const watch = setTimeout(() => {
    stuck = true
    child.kill('SIGKILL')
  }, STUCK_MS)
  createInterface({ input: child.stdout }).on('line', (line) => {
    const verdict: SeedVerdict = JSON.parse(line)
    watch.refresh()
    next = verdict.seed + 1
    noticed ||= verdict.by !== undefined
    tell(verdict)
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors = (errors + text).slice(-2_000)
  })
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => {
      clearTimeout(watch)
      if (code === 2) return reject(new ShoalError('SHOAL_INTERNAL', errors))
      if (stuck) return resolve({ next, ended: 'the run does not end', noticed })
      resolve({ next, ended: code === 0 ? undefined : `crash: ${lastLine(errors)}`, noticed })
    })
  })
}

/** The message of what a process died of. */
function lastLine(errors: string): string {
  const lines = errors.split('\n').filter((line) => /^\w*(Error|Violation)\b/.test(line.trim()))
  return (lines.at(-1) ?? errors.trim().split('\n').at(-1) ?? '').trim().slice(0, 120)
}
