/** A cluster for the time of a run: real nodes as processes on this machine. */
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

export interface Cluster {
  readonly urls: readonly string[]
  readonly chaosUrl: string | undefined
  stop(): Promise<void>
}

const shoal = fileURLToPath(new URL('../../../packages/cli/bin/shoal.js', import.meta.url))
const STARTS_MAX = 5
const PORT_LOWEST = 20_000
const PORTS = 12_000
const LINES_KEPT = 20

/** @param chaos  costs a hop between nodes, so only where it is needed */
export async function startCluster(nodes: number, chaos: boolean): Promise<Cluster> {
  for (let starts = 1; ; starts++) {
    const port = PORT_LOWEST + Math.floor(Math.random() * PORTS)
    try {
      return await startAt(port, nodes, chaos)
    } catch (error) {
      // Somebody else may have the ports.
      if (starts === STARTS_MAX || !(error as Error).message.includes('taken')) throw error
    }
  }
}

interface Ready {
  readonly nodes: readonly { readonly url: string }[]
  readonly chaos?: string
}

function startAt(port: number, nodes: number, chaos: boolean): Promise<Cluster> {
  const parameters = ['dev', '--json', '--port', String(port), '--nodes', String(nodes)]
  if (chaos) parameters.push('--chaos')
  const child = spawn(process.execPath, [shoal, ...parameters], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: ownEnvironment(),
    // Ctrl-C is for us: the cluster is stopped when the load has ended.
    detached: true,
  })
  const ended = new Promise<void>((resolve) => {
    child.once('close', () => resolve())
  })
  const last: string[] = []
  createInterface({ input: child.stderr }).on('line', (line) => {
    last.push(line)
    if (last.length > LINES_KEPT) last.shift()
  })
  const stop = (): Promise<void> => {
    child.kill('SIGTERM')
    return ended
  }
  return new Promise((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      const { nodes: serving, chaos: chaosUrl } = JSON.parse(line) as Ready
      resolve({ urls: serving.map(({ url }) => url), chaosUrl, stop })
    })
    child.once('error', reject)
    child.once('close', () => {
      reject(new Error(`the cluster did not start:\n${last.join('\n')}`))
    })
  })
}

/** Settings for nodes of somebody else are not for these. */
const ownEnvironment = (): NodeJS.ProcessEnv =>
  Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('SHOAL_')))
