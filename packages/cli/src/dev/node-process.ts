/** One node of a local cluster: a child process running `shoal start`. */
import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { LastLines } from './last-lines.ts'
import type { PlannedNode } from './plan.ts'

export type Condition =
  | 'starting'
  | 'running'
  | 'paused'
  | 'stopping'
  | 'killing'
  | 'stopped'
  | 'killed'
  | 'failed'

export const actions = ['start', 'stop', 'kill', 'pause', 'resume'] as const
export type Action = (typeof actions)[number]

/** In which conditions an action makes sense. */
export const allowedIn: Record<Action, readonly Condition[]> = {
  start: ['stopped', 'killed', 'failed'],
  stop: ['starting', 'running', 'paused'],
  kill: ['starting', 'running', 'paused', 'stopping'],
  pause: ['running'],
  resume: ['paused'],
}

/** How a process ended. */
export interface Ending {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export interface NodeWatcher {
  line(id: string, line: string): void
  /** The node ended and nobody had asked it to. */
  died(node: NodeProcess, ending: Ending): void
}

export interface ProcessSettings {
  /** Node's own parameters and the script; ours by default, another in tests. */
  readonly command?: readonly string[]
  readonly startTimeoutMs: number
  /** From SIGTERM to SIGKILL. */
  readonly stopTimeoutMs: number
}

/**
 * What a node sends to the process that started it: once it serves, and once it finds the cluster
 * healthy.
 */
export type ToldParent =
  | { readonly kind: 'ready'; readonly url: string }
  | { readonly kind: 'whole' }

const shoal = fileURLToPath(new URL('../../../bin/shoal.js', import.meta.url))

export class NodeProcess {
  readonly plan: PlannedNode
  readonly #watcher: NodeWatcher
  readonly #settings: ProcessSettings
  #condition: Condition = 'stopped'
  #child: ChildProcess | undefined
  #lines: LastLines | undefined
  #ending: Ending | undefined
  #whole: Promise<void> = Promise.resolve()
  #ended: Promise<Ending> = Promise.resolve({ code: 0, signal: null })

  constructor(plan: PlannedNode, watcher: NodeWatcher, settings: ProcessSettings) {
    this.plan = plan
    this.#watcher = watcher
    this.#settings = settings
  }

  get condition(): Condition {
    return this.#condition
  }

  get pid(): number | undefined {
    return this.#isAlive ? this.#child?.pid : undefined
  }

  /** The last lines it printed, oldest first. */
  get lastLines(): readonly string[] {
    return this.#lines?.last ?? []
  }

  /** How it ended last. */
  get ending(): Ending | undefined {
    return this.#ending
  }

  /** Settles when it has found the cluster healthy in its present life. */
  get whole(): Promise<void> {
    return this.#whole
  }

  get #isAlive(): boolean {
    return !allowedIn.start.includes(this.#condition)
  }

  /** @returns whether it serves; `false` when it ended first, or took too long and was killed */
  async start(): Promise<boolean> {
    const child = this.#spawn()
    const told = (kind: ToldParent['kind']): Promise<true> =>
      new Promise((resolve) => {
        child.on('message', (message: Partial<ToldParent>) => {
          if (message.kind === kind) resolve(true)
        })
      })
    const ready = told('ready')
    this.#whole = told('whole').then(() => {})
    const ended = this.#ended.then(() => false)
    const timer = setTimeout(() => child.kill('SIGKILL'), this.#settings.startTimeoutMs)
    const serves = await Promise.race([ready, ended])
    clearTimeout(timer)
    if (serves && this.#condition === 'starting') this.#condition = 'running'
    return serves
  }

  #spawn(): ChildProcess {
    const { command = [shoal] } = this.#settings
    const child = spawn(process.execPath, [...command, ...this.plan.parameters], {
      // A group of its own: Ctrl-C is for us, and we stop the nodes in good order. Should we
      // vanish, the channel closes and the node stops by itself.
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      env: childEnvironment(process.env),
    })
    const lines = new LastLines((line) => this.#watcher.line(this.plan.id, line))
    for (const stream of [child.stdout, child.stderr]) if (stream) lines.follow(stream)
    this.#child = child
    this.#lines = lines
    this.#condition = 'starting'
    this.#ended = new Promise((resolve) => {
      // Not `exit`: by `close` its last lines have been read.
      child.once('close', (code, signal) => resolve(this.#endedAs({ code, signal })))
      child.once('error', () => resolve(this.#endedAs({ code: null, signal: null })))
    })
    return child
  }

  #endedAs(ending: Ending): Ending {
    const before = this.#condition
    if (!this.#isAlive) return ending
    this.#ending = ending
    if (before === 'stopping') this.#condition = 'stopped'
    else if (before === 'killing') this.#condition = 'killed'
    else {
      this.#condition = 'failed'
      this.#watcher.died(this, ending)
    }
    return ending
  }

  /** Lets it drain and waits for its end; kills it when it takes too long. */
  async stop(): Promise<Ending> {
    const child = this.#child
    if (child === undefined || !this.#isAlive) return this.#ended
    this.#condition = 'stopping'
    child.kill('SIGTERM')
    // A process that is frozen, by us or by somebody else, hears nothing.
    child.kill('SIGCONT')
    const timer = setTimeout(() => child.kill('SIGKILL'), this.#settings.stopTimeoutMs)
    const ending = await this.#ended
    clearTimeout(timer)
    return ending
  }

  /** As a power cut of the process: no drain, nothing written any more. */
  async kill(): Promise<Ending> {
    this.killNow()
    return this.#ended
  }

  killNow(): void {
    if (!this.#isAlive) return
    this.#condition = 'killing'
    this.#child?.kill('SIGKILL')
  }

  /** Freezes it: its connections stay open and nothing answers. */
  pause(): void {
    if (this.#child?.kill('SIGSTOP')) this.#condition = 'paused'
  }

  resume(): void {
    if (this.#child?.kill('SIGCONT')) this.#condition = 'running'
  }
}

/** What is settled for each node by its parameters must not come from our environment as well. */
function childEnvironment(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const settled = /^SHOAL_(NODE_ID|LISTEN|PEER_LISTEN|DATA|PEERS|SECRET|SECRET_FILE|CONFIG)$/
  const kept = Object.entries(environment).filter(([name]) => !settled.test(name))
  // One arena for all threads: a node with a million keys takes 204 MiB instead of 230 to 264, at
  // the same CPU time.
  return { MALLOC_ARENA_MAX: '1', ...Object.fromEntries(kept) }
}
