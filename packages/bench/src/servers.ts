import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Target } from './load.ts'
import { cpuMicros, residentBytes } from './processes.ts'

/** Server processes on loopback in a folder of their own, ended with `stop`. */
export interface Servers {
  readonly targets: readonly Target[]
  /** CPU time of all processes, all their threads, in microseconds. */
  cpuMicros(): number
  residentBytes(): number[]
  pids(): number[]
  signal(index: number, name: NodeJS.Signals): void
  restart(index: number): Promise<void>
  stop(): Promise<void>
}

interface Command {
  readonly file: string
  readonly args: readonly string[]
  /** Text on its output that says it serves. Absent: who starts it asks until it answers. */
  readonly ready?: string
}

/** Three or more Shoal nodes, the way `shoal start` runs them. */
export async function startShoal(count: number): Promise<Servers> {
  const script = fileURLToPath(new URL('./node-process.js', import.meta.url))
  const base = await freeBlock(count)
  const servers = await start(count, base, (index, folder) => ({
    file: process.execPath,
    args: [script, String(index + 1), String(count), String(base), folder],
    ready: 'ready',
  }))
  await until(async () => {
    const healths = await Promise.all(
      servers.targets.map(({ port }) => fetch(`http://127.0.0.1:${port}/healthz`)),
    )
    const states = await Promise.all(healths.map((health) => health.json()))
    return states.every((state) => (state as { nodesUp: number }).nodesUp === count)
  })
  return servers
}

/** Three etcd members, asked through their HTTP gateway. */
export async function startEtcd(): Promise<Servers> {
  const count = 3
  const base = await freeBlock(count * 2)
  const peer = (index: number): string => `http://127.0.0.1:${base + count + index}`
  const members = Array.from({ length: count }, (_none, index) => `e${index}=${peer(index)}`)
  const servers = await start(count, base, (index, folder) => {
    const client = `http://127.0.0.1:${base + index}`
    return {
      file: 'etcd',
      args: [
        ...['--name', `e${index}`, '--data-dir', join(folder, `e${index}`)],
        ...['--listen-client-urls', client, '--advertise-client-urls', client],
        ...['--listen-peer-urls', peer(index), '--initial-advertise-peer-urls', peer(index)],
        ...['--initial-cluster', members.join(','), '--initial-cluster-state', 'new'],
        ...['--log-level', 'error'],
      ],
    }
  })
  await until(async () => {
    const answers = await Promise.all(
      servers.targets.map(({ port }) => fetch(`http://127.0.0.1:${port}/health`)),
    )
    const states = await Promise.all(answers.map((answer) => answer.json()))
    return states.every((state) => (state as { health: string }).health === 'true')
  })
  return servers
}

async function start(
  count: number,
  base: number,
  commandOf: (index: number, folder: string) => Command,
): Promise<Servers> {
  const folder = mkdtempSync(join(tmpdir(), 'shoal-bench-'))
  const children: ChildProcess[] = []
  const launch = async (index: number): Promise<void> => {
    const { file, args, ready } = commandOf(index, folder)
    // Only those who say `ready` are ours; what others log is theirs.
    const child = spawn(file, args, {
      stdio: ['ignore', 'pipe', ready === undefined ? 'ignore' : 'inherit'],
      // As `shoal dev` and the unit files start nodes.
      env: { MALLOC_ARENA_MAX: '1', ...process.env },
    })
    children[index] = child
    if (ready === undefined) return
    await new Promise<void>((resolve, reject) => {
      child.stdout?.on('data', (chunk: Buffer) => {
        if (chunk.includes(ready)) resolve()
      })
      child.once('exit', (code) => reject(new Error(`${file} ended with ${code}`)))
    })
  }
  await Promise.all(Array.from({ length: count }, (_none, index) => launch(index)))
  const pids = (): number[] => children.map((child) => child.pid as number)
  return {
    targets: Array.from({ length: count }, (_none, index) => ({
      host: '127.0.0.1',
      port: base + index,
    })),
    cpuMicros: () => pids().reduce((sum, pid) => sum + cpuMicros(pid), 0),
    residentBytes: () => pids().map(residentBytes),
    pids,
    signal: (index, name) => void children[index]?.kill(name),
    restart: launch,
    stop: async () => {
      await Promise.all(children.map(ended))
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve()
  return new Promise((resolve) => {
    const impatient = setTimeout(() => child.kill('SIGKILL'), 15_000)
    child.once('exit', () => {
      clearTimeout(impatient)
      resolve()
    })
    child.kill('SIGCONT')
    child.kill('SIGTERM')
  })
}

/** A first port of `count` free ones in a row. */
async function freeBlock(count: number): Promise<number> {
  for (let attempt = 0; attempt < 50; attempt++) {
    const base = 20_000 + Math.floor(Math.random() * 20_000)
    const free = await Promise.all(Array.from({ length: count }, (_none, at) => isFree(base + at)))
    if (free.every(Boolean)) return base
  }
  throw new Error(`no ${count} free ports in a row`)
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}

/** Asks until it holds, at most half a minute. */
export function until(holds: () => Promise<boolean>): Promise<void> {
  const began = performance.now()
  return new Promise((resolve, reject) => {
    const ask = (): void => {
      void holds()
        .catch(() => false)
        .then((held) => {
          if (held) resolve()
          else if (performance.now() - began < 30_000) setTimeout(ask, 50)
          else reject(new Error('it did not come about within 30 s'))
        })
    }
    ask()
  })
}
