/** One node as a user starts it: a process. */
import { type ChildProcess, spawn } from 'node:child_process'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { fileURLToPath } from 'node:url'
import { type Answer, ask, type Question } from './http.ts'

export const repository = fileURLToPath(new URL('../../..', import.meta.url))

/** `SHOAL_TEST_SCRIPT` names the command of another build. */
export const script =
  process.env.SHOAL_TEST_SCRIPT ?? join(repository, 'packages', 'cli', 'bin', 'shoal.js')

const START_TIMEOUT_MS = 60_000
const LOG_CHARS_MAX = 200_000
const SHEDDING_MS = 10_000

export interface Ending {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export interface NodePlan {
  readonly id: string
  readonly url: string
  readonly data: string
  /** Everything after `shoal start`: names and values, and at the end a flag without one. */
  readonly parameters: readonly string[]
  /** A command that runs the process elsewhere by becoming it, such as `ip netns exec NAME`. */
  readonly runner?: readonly string[]
}

/** What a test process started and has not yet seen end. Its own end takes them along. */
const alive = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of alive) child.kill('SIGKILL')
})

export class NodeProcess {
  readonly plan: NodePlan
  /** Everything it printed, over all its lives. */
  log = ''
  #child: ChildProcess | undefined
  #ended: Promise<Ending> = Promise.resolve({ code: 0, signal: null })
  #ready: Promise<boolean> = Promise.resolve(false)
  #exitedAt = 0
  #serving = false

  constructor(plan: NodePlan) {
    this.plan = plan
  }

  get id(): string {
    return this.plan.id
  }

  get url(): string {
    return this.plan.url
  }

  get isAlive(): boolean {
    return this.#child !== undefined
  }

  /** It has said so, and not ended since. */
  get isServing(): boolean {
    return this.#serving && this.isAlive
  }

  get pid(): number | undefined {
    return this.#child?.pid
  }

  /** When its last life ended, as `performance.now()` tells. */
  get exitedAt(): number {
    return this.#exitedAt
  }

  /** Whether its present life came to serve, once that is known. */
  get ready(): Promise<boolean> {
    return this.#ready
  }

  /** How its present or last life ended. */
  get ended(): Promise<Ending> {
    return this.#ended
  }

  /** Until it says that it serves. Rejects with what it printed when it ends before. */
  async start(): Promise<this> {
    this.launch()
    if (await this.#ready) return this
    throw new Error(`${this.id} did not come to serve:\n${this.log}`)
  }

  /** Starts the process and waits for nothing. `more` replaces parameters of the same name. */
  launch(more: readonly string[] = []): this {
    const { runner = [] } = this.plan
    const [command, ...words] = [...runner, process.execPath, script, 'start'] as const
    const child = spawn(command ?? process.execPath, [...words, ...this.#parameters(more)], {
      // A group of its own, so that Ctrl-C reaches the test alone, which ends its nodes.
      detached: true,
      // Over the channel the node would notice if this process were killed.
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      env: environment(),
    })
    alive.add(child)
    this.#child = child
    this.log += `--- ${this.id} starts at ${new Date().toISOString()}, pid ${child.pid}\n`
    const life = { printed: '' }
    this.#serving = false
    const served = new Promise<boolean>((resolve) => {
      for (const stream of [child.stdout, child.stderr]) {
        stream?.setEncoding('utf8').on('data', (text: string) => {
          life.printed += text
          this.#note(text)
          if (!/\bready\b[^\n]*https?:\/\//.test(life.printed)) return
          this.#serving = true
          resolve(true)
        })
      }
    })
    child.once('exit', () => {
      this.#serving = false
      this.#exitedAt = performance.now()
    })
    this.#ended = new Promise((resolve) => {
      child.once('close', (code, signal) => {
        alive.delete(child)
        if (this.#child === child) this.#child = undefined
        this.#note(`--- ${this.id} ended: code ${code}, signal ${signal}\n`)
        resolve({ code, signal })
      })
    })
    const timer = setTimeout(() => child.kill('SIGKILL'), START_TIMEOUT_MS)
    this.#ready = Promise.race([served, this.#ended.then(() => false)]).finally(() =>
      clearTimeout(timer),
    )
    return this
  }

  #parameters(more: readonly string[]): string[] {
    const replaced = new Set(more.filter((_, index) => index % 2 === 0))
    const kept: string[] = []
    for (let at = 0; at < this.plan.parameters.length; at += 2) {
      const pair = this.plan.parameters.slice(at, at + 2)
      if (!replaced.has(pair[0] ?? '')) kept.push(...pair)
    }
    return [...kept, ...more]
  }

  #note(text: string): void {
    this.log = (this.log + text).slice(-LOG_CHARS_MAX)
  }

  /**
   * One request. A node that sheds load has done nothing, and on a busy machine any node may: then
   * it is asked again, so that only tests of overload meet it.
   */
  async ask(path: string, question: Question = {}): Promise<Answer> {
    const due = performance.now() + SHEDDING_MS
    for (;;) {
      const answer = await ask(this.url, path, question)
      const isShed = answer.status === 503 && answer.text.includes('SHOAL_OVERLOADED')
      if (!isShed || performance.now() > due) return answer
    }
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal)
  }

  /** Asks it to end and waits until it has. */
  stop(): Promise<Ending> {
    return this.#endBy('SIGTERM')
  }

  /** As a crash: nothing is drained, nothing written any more. */
  kill(): Promise<Ending> {
    return this.#endBy('SIGKILL')
  }

  #endBy(signal: NodeJS.Signals): Promise<Ending> {
    this.signal(signal)
    return this.#ended
  }

  /** Its disk is replaced by a new one. */
  emptyData(): void {
    rmSync(this.plan.data, { recursive: true, force: true })
  }

  freeze(): void {
    this.signal('SIGSTOP')
  }

  thaw(): void {
    this.signal('SIGCONT')
  }
}

/** Nothing of ours may configure what we test. */
export function environment(more: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(
    ([name]) => !/^(SHOAL_|TAP|NODE_OPTIONS$|NODE_V8_COVERAGE$)/.test(name),
  )
  return { ...Object.fromEntries(kept), ...more }
}
