/** k6 as a process, its samples read while it runs. */
import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'

export interface K6Parts {
  /** The program. */
  readonly k6: string
  readonly script: string
  readonly environment: Readonly<Record<string, string>>
  /** A line of CSV. */
  onSample(line: string): void
  /** A line for the user. */
  onMessage(line: string): void
}

/** What k6 says when it ends. */
const THRESHOLDS_FAILED = 99

export interface K6Run {
  /** Whether the thresholds held. Rejects when k6 broke off, and there may be no summary. */
  readonly ended: Promise<boolean>
  interrupt(): void
}

export function runK6({ k6, script, environment, onSample, onMessage }: K6Parts): K6Run {
  // No report to its makers, no control server of its own, nothing on the terminal.
  const quiet = ['--quiet', '--no-usage-report', '--address=', '--no-color', '--log-format=raw']
  const child = spawn(k6, ['run', ...quiet, '--out', 'csv=-', script], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...environment, K6_CSV_TIME_FORMAT: 'unix_milli' },
    detached: true,
  })
  const samples = createInterface({ input: child.stdout })
  samples.on('line', onSample)
  createInterface({ input: child.stderr }).on('line', (line) => {
    if (!isExpected(line)) onMessage(line)
  })
  return { ended: endOf(child), interrupt: () => child.kill('SIGINT') }
}

/** A request that fails is counted; when a node is down, there are thousands. */
const isExpected = (line: string): boolean => line.startsWith('Request Failed')

function endOf(child: ChildProcess): Promise<boolean> {
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => {
      if (code === 0) resolve(true)
      else if (code === THRESHOLDS_FAILED) resolve(false)
      else reject(new Error(`k6 ended with ${signal ?? `code ${code}`}`))
    })
  })
}
