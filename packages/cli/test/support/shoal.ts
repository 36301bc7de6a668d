/** Runs the command as a user does: as a process. */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { createServer } from 'node:net'
import { fileURLToPath } from 'node:url'

export const script = fileURLToPath(new URL('../../../bin/shoal.js', import.meta.url))

export interface Ran {
  readonly code: number | string | null
  readonly stdout: string
  readonly stderr: string
}

export interface RunOptions {
  readonly input?: string | Uint8Array
  readonly env?: Record<string, string>
}

/** To its end, with nothing of our own environment that could change what it does. */
export function shoal(parameters: readonly string[], options: RunOptions = {}): Promise<Ran> {
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [script, ...parameters],
      { env: cleanEnvironment(options.env), timeout: 60_000 },
      (error, stdout, stderr) =>
        resolve({ code: error ? (error.code ?? null) : 0, stdout, stderr }),
    )
    child.stdin?.end(options.input ?? '')
  })
}

export function cleanEnvironment(more: Record<string, string> = {}): Record<string, string> {
  const kept = Object.entries(process.env).filter(([name]) => !name.startsWith('SHOAL_'))
  return { ...(Object.fromEntries(kept) as Record<string, string>), ...more }
}

/** A long-running command, with its output so far. */
export class Running {
  readonly child: ChildProcess
  readonly ended: Promise<number | null>
  output = ''
  #waiting: { text: string | RegExp; resolve: () => void }[] = []

  constructor(parameters: readonly string[], env: Record<string, string> = {}) {
    this.child = spawn(process.execPath, [script, ...parameters], {
      env: cleanEnvironment(env),
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.setEncoding('utf8').on('data', (chunk: string) => {
        this.output += chunk
        this.#waiting = this.#waiting.filter(({ text, resolve }) => {
          if (!this.#has(text)) return true
          resolve()
          return false
        })
      })
    }
    this.ended = new Promise((resolve) => {
      this.child.once('close', (code) => resolve(code))
    })
  }

  #has(text: string | RegExp): boolean {
    return typeof text === 'string' ? this.output.includes(text) : text.test(this.output)
  }

  /** Until it has printed this. Rejects with its output when it ends before. */
  async shows(text: string | RegExp): Promise<void> {
    if (this.#has(text)) return
    const shown = new Promise<'shown'>((resolve) => {
      this.#waiting.push({ text, resolve: () => resolve('shown') })
    })
    if ((await Promise.race([shown, this.ended])) === 'shown' || this.#has(text)) return
    throw new Error(`ended without showing ${text}:\n${this.output}`)
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    this.child.kill(signal)
    return this.ended
  }
}

/** The first of `count` ports in a row that were free a moment ago, and the one 100 above it. */
export async function freePorts(count: number): Promise<number> {
  for (;;) {
    const first = 20_000 + Math.floor(Math.random() * 12_000)
    const wanted = [...Array.from({ length: count }, (_, index) => first + index), first + 100]
    const free = await Promise.all(wanted.map(isFree))
    if (free.every(Boolean)) return first
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}
