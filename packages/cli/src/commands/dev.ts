/** `shoal dev`. */
import type { Server } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'
import { bannerLines, pagesOf } from '../dev/banner.ts'
import { startChaos } from '../dev/chaos.ts'
import { type DevFolder, discard, openFolder, settleNodes } from '../dev/folder.ts'
import { Links } from '../dev/links.ts'
import { LocalCluster } from '../dev/local-cluster.ts'
import type { Ending, NodeProcess } from '../dev/node-process.ts'
import {
  CHAOS_PORT_OFFSET,
  DEV_HOST,
  type PlannedNode,
  planCluster,
  planMembers,
} from '../dev/plan.ts'
import { requireFree } from '../dev/ports.ts'
import { type ExitCode, exitCodes } from '../exit-codes.ts'
import { shellLine } from '../format/shell-line.ts'
import { stopSignals } from '../stop-signals.ts'
import type { Io, Output } from '../terminal.ts'

interface Options {
  readonly nodes?: number
  readonly port: number
  readonly data?: string
  readonly chaos?: true
  readonly json?: true
}

const NODES_DEFAULT = 3
const START_TIMEOUT_MS = 30_000
/** For the nodes to find each other; after it the cluster is shown as it is. */
const MEET_TIMEOUT_MS = 8_000
/** Longer than a node gives itself to drain. */
const STOP_TIMEOUT_MS = 15_000

export async function dev(io: Io, more: readonly string[], options: Options): Promise<ExitCode> {
  const { port, json = false } = options
  const folder = await openFolder(options.data)
  let chaos: Chaos | undefined
  try {
    const nodes = await settleNodes(folder, options.nodes, NODES_DEFAULT)
    const members = planMembers(nodes, port)
    const chaosPort = port + CHAOS_PORT_OFFSET
    await requireFree([...members.map((each) => each.port), ...(options.chaos ? [chaosPort] : [])])
    if (options.chaos) chaos = { port: chaosPort, links: await Links.lay(members) }
    const urlBetween = (from: string, to: string) => chaos?.links.urlBetween(from, to)
    const control = options.chaos ? ['--chaos-control', `${DEV_HOST}:${chaosPort}`] : []
    const plans = planCluster({
      ...folder,
      folder: folder.path,
      nodes,
      port,
      more: [...control, ...more],
      urlBetween,
    })
    return await new Dev(io, { plans, folder, chaos, json }).run()
  } finally {
    chaos?.links.close()
    discard(folder)
  }
}

interface Chaos {
  readonly port: number
  readonly links: Links
}

interface Parts {
  readonly plans: readonly PlannedNode[]
  readonly folder: DevFolder
  readonly chaos: Chaos | undefined
  readonly json: boolean
}

class Dev {
  readonly #io: Io
  readonly #parts: Parts
  readonly #cluster: LocalCluster
  readonly #prefixes: ReadonlyMap<string, string>
  #starting = true
  #allDied: () => void = () => {}

  constructor(io: Io, parts: Parts) {
    this.#io = io
    this.#parts = parts
    this.#prefixes = prefixesOf(parts.plans, this.#log)
    this.#cluster = new LocalCluster(
      parts.plans,
      {
        line: (id, line) => this.#log.line(`${this.#prefixes.get(id) ?? id} ${line}`),
        died: (node, ending) => this.#died(node, ending),
      },
      { startTimeoutMs: START_TIMEOUT_MS, stopTimeoutMs: STOP_TIMEOUT_MS },
    )
  }

  /** Where the lines of nodes go: with `--json` standard output holds one document alone. */
  get #log(): Output {
    return this.#parts.json ? this.#io.err : this.#io.out
  }

  async run(): Promise<ExitCode> {
    const signals = stopSignals(() => {
      this.#cluster.killNow()
      discard(this.#parts.folder)
      process.exit(exitCodes.interrupted)
    })
    const allDied = new Promise<void>((resolve) => {
      this.#allDied = resolve
    })
    const { chaos } = this.#parts
    let control: Server | undefined
    try {
      const stopped = signals.asked.then(() => 'stopped' as const)
      const started = await Promise.race([this.#cluster.start(), stopped])
      this.#starting = false
      if (started === 'stopped') return await this.#stop()
      if (started.length > 0) return await this.#giveUp(started)
      const met = await Promise.race([
        this.#cluster.whole(),
        pause(MEET_TIMEOUT_MS, undefined, { ref: false }),
        stopped,
      ])
      if (met === 'stopped') return await this.#stop()
      if (chaos) {
        control = await startChaos({ cluster: this.#cluster, links: chaos.links }, chaos.port)
      }
      await this.#announce()
      const end = await Promise.race([stopped, allDied.then(() => 'died' as const)])
      return end === 'stopped' ? await this.#stop() : exitCodes.failed
    } finally {
      control?.closeAllConnections()
      control?.close()
      signals.release()
    }
  }

  async #announce(): Promise<void> {
    const { plans, folder, chaos, json } = this.#parts
    const tookMs = performance.now()
    const chaosUrl = chaos && `http://${DEV_HOST}:${chaos.port}`
    const nodes = plans.map(({ id, url }) => ({ id, url }))
    if (json) {
      this.#io.out.line(JSON.stringify({ ready: true, nodes, data: folder.path, chaos: chaosUrl }))
      return
    }
    const pages = await pagesOf(plans[0]?.url ?? '')
    const asksForTokens = plans.some(({ parameters }) => parameters.some(isTokensFile))
    const about = { nodes: plans, tookMs, data: folder.path, pages, chaosUrl, asksForTokens }
    const { isTemporary } = folder
    this.#io.out.lines(bannerLines({ ...about, isTemporary }, this.#io.out.paint))
  }

  async #stop(): Promise<ExitCode> {
    this.#log.line('stopping')
    await this.#cluster.stop()
    this.#log.line('stopped')
    return exitCodes.done
  }

  async #giveUp(failed: readonly NodeProcess[]): Promise<ExitCode> {
    const names = failed.map(({ plan }) => plan.id).join(', ')
    this.#io.err.line(this.#io.err.paint.red(`${names} did not come to serve; stopping the others`))
    await this.#cluster.stop()
    return exitOf(failed)
  }

  /** Nodes are not started again by themselves: what ended one should be seen. */
  #died(node: NodeProcess, ending: Ending): void {
    const { err } = this.#io
    const { id, parameters } = node.plan
    err.lines([
      '',
      err.paint.red(`${id} has ended by itself: ${describeEnding(ending)}. Its last lines:`),
      ...node.lastLines.map((line) => `  ${line}`),
    ])
    if (this.#starting) return
    err.lines(['', `start it again: ${shellLine(['shoal', ...parameters])}`, ''])
    if (this.#parts.chaos !== undefined) return
    if (this.#cluster.nodes.every(({ condition }) => condition === 'failed')) {
      err.line(err.paint.red('no node is left'))
      this.#allDied()
    }
  }
}

/** `--tokens-file FILE` or `--tokens-file=FILE`. */
const isTokensFile = (parameter: string): boolean => /^--tokens-file(=|$)/.test(parameter)

/** That of the first node which ended with one that has a meaning. */
function exitOf(failed: readonly NodeProcess[]): ExitCode {
  const known = Object.values(exitCodes).filter((code) => code !== exitCodes.done)
  const told = failed.map(({ ending }) => ending?.code)
  return known.find((code) => told.includes(code)) ?? exitCodes.failed
}

const describeEnding = ({ code, signal }: Ending): string =>
  signal === null ? `exit code ${code ?? 'unknown'}` : `signal ${signal}`

/** `n1  |`, in a colour of the node's own. */
function prefixesOf(plans: readonly PlannedNode[], out: Output): ReadonlyMap<string, string> {
  const { cyan, magenta, blue, green, yellow } = out.paint
  const shades = [cyan, magenta, blue, green, yellow]
  const width = Math.max(...plans.map(({ id }) => id.length))
  return new Map(
    plans.map(({ id }, index) => {
      const shade = shades[index % shades.length] ?? cyan
      return [id, shade(`${id.padEnd(width)} |`)]
    }),
  )
}
