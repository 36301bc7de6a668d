import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { connect } from '@shoal/client'
import { benchPipeline } from '@shoal/storage/bench'
import { benchChannel } from '@shoal/transport/bench'
import { type LoadResult, runLoad } from './load.ts'
import { cpuMicros } from './processes.ts'
import { etcdPuts, shoalGets, shoalPreload, shoalPuts } from './requests.ts'
import { type Servers, until } from './servers.ts'

export interface Figures {
  readonly perSecond: number
  readonly cpuMicros: number
  readonly p50: number
  readonly p99: number
  readonly failed: number
}

const CONNECTIONS = 64
const done = (status: number): boolean => status === 200 || status === 204

async function load(
  servers: Servers,
  request: () => Buffer | undefined,
  options: { seconds: number; connections?: number; rate?: number },
): Promise<Figures> {
  const before = servers.cpuMicros()
  const result = await runLoad({
    targets: servers.targets,
    connections: options.connections ?? CONNECTIONS,
    seconds: options.seconds,
    request,
    accept: done,
    ...(options.rate ? { rate: options.rate } : {}),
  })
  return figuresOf(result, servers.cpuMicros() - before)
}

function figuresOf(result: LoadResult, cpu: number): Figures {
  return {
    perSecond: result.done / result.seconds,
    cpuMicros: cpu / result.done,
    p50: result.latency.percentile(0.5),
    p99: result.latency.percentile(0.99),
    failed: result.failed,
  }
}

export const measurePuts = (servers: Servers, seconds: number): Promise<Figures> =>
  load(servers, shoalPuts(), { seconds })

/**
 * The same load on each node however many there are, below what the machine can do. At full load
 * the comparison would say how twelve processes share two cores, not what a larger ring costs.
 */
export const measureAtRate = (
  servers: Servers,
  options: { readonly seconds: number; readonly perNode: number },
): Promise<Figures> =>
  load(servers, shoalPuts(), {
    seconds: options.seconds,
    connections: 4 * servers.targets.length,
    rate: options.perNode * servers.targets.length,
  })

/** Each key is written once before, so that every read hits. */
export async function measureGets(servers: Servers, seconds: number): Promise<Figures> {
  await load(servers, shoalPreload(), { seconds: 120 })
  await load(servers, shoalGets(), { seconds: Math.min(seconds, 3) })
  return load(servers, shoalGets(), { seconds })
}

export const measureEtcd = (servers: Servers, seconds: number): Promise<Figures> =>
  load(servers, etcdPuts(), { seconds })

export const measureIdle = (servers: Servers, seconds: number): Promise<Figures> =>
  load(servers, shoalPuts(), { seconds, connections: 1 })

/**
 * Event-loop delay p99, in ms, of the worst node while the cluster works at 70 % of what it can do.
 */
export async function measureLoopDelay(
  servers: Servers,
  capacity: number,
  seconds: number,
): Promise<number> {
  await Promise.all(servers.targets.map(({ port }) => readMetric(port, LOOP_DELAY)))
  await load(servers, shoalPuts(), { seconds, rate: capacity * 0.7 })
  const delays = await Promise.all(servers.targets.map(({ port }) => readMetric(port, LOOP_DELAY)))
  return Math.max(...delays) * 1_000
}

const LOOP_DELAY = 'shoal_event_loop_delay_p99_seconds'

export async function readMetric(port: number, name: string): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
  const line = text.split('\n').find((each) => each.startsWith(`${name} `))
  return Number(line?.slice(name.length + 1) ?? Number.NaN)
}

/** Rows in a group, as the replicas of a cluster made them since they started. */
export async function groupSize(servers: Servers): Promise<number> {
  let operations = 0
  let groups = 0
  for (const { port } of servers.targets) {
    operations += await readMetric(port, 'shoal_replica_operations_total')
    groups += await readMetric(port, 'shoal_replica_groups_total')
  }
  return operations / groups
}

export interface BareParts {
  readonly http: number
  readonly row: number
  readonly roundTrip: number
  /** A row whose version was in the version cache, as nearly all are in the cluster. */
  readonly cachedRow: number
  /** One HTTP request, three rows, two round trips. */
  readonly sum: number
}

/** The parts of a PUT by themselves, at the group size that the cluster had. */
export async function measureBareParts(group: number, seconds: number): Promise<BareParts> {
  const http = await measureBareHttp(seconds)
  const rows = { groups: [Math.round(group)], operations: 60_000 }
  const [pipeline] = await benchPipeline(rows)
  const [cached] = await benchPipeline({ ...rows, readVersions: false })
  const inFlight = Math.max(1, Math.round((CONNECTIONS * 2) / 6))
  const [channel] = await benchChannel({ inFlight: [inFlight], millisPerRow: seconds * 1_000 })
  const row = pipeline?.cpuMicrosPerOperation ?? Number.NaN
  const roundTrip = channel?.cpuMicros ?? Number.NaN
  const cachedRow = cached?.cpuMicrosPerOperation ?? Number.NaN
  return { http, row, cachedRow, roundTrip, sum: http + 3 * row + 2 * roundTrip }
}

/** fastify alone, a PUT of 1 KiB that is thrown away. */
async function measureBareHttp(seconds: number): Promise<number> {
  const script = fileURLToPath(new URL('../../../node/dist/bench/http-server.js', import.meta.url))
  const server: ChildProcess = fork(script, ['fastify'])
  try {
    const [url] = (await once(server, 'message')) as [string]
    const target = { host: '127.0.0.1', port: Number(new URL(url).port) }
    const run = (each: number): Promise<LoadResult> =>
      runLoad({
        targets: [target],
        connections: CONNECTIONS,
        seconds: each,
        request: shoalPuts(),
        accept: done,
      })
    await run(1)
    const before = cpuMicros(server.pid as number)
    const { done: requests } = await run(seconds)
    return (cpuMicros(server.pid as number) - before) / requests
  } finally {
    server.kill()
  }
}

/** PUTs through the client package with its batching, 256 at a time. */
export async function measureClient(servers: Servers, seconds: number): Promise<Figures> {
  const seeds = servers.targets.map(({ host, port }) => `http://${host}:${port}`)
  const client = connect(seeds, { batching: true })
  const body = Buffer.alloc(1_024, 'v')
  const until = performance.now() + seconds * 1_000
  const before = servers.cpuMicros()
  const began = performance.now()
  let count = 0
  let failed = 0
  try {
    await Promise.all(
      Array.from({ length: 256 }, async () => {
        while (performance.now() < until) {
          const key = `key-${Math.floor(Math.random() * 20_000)}`
          await client.put('bench', key, body).then(
            () => count++,
            () => failed++,
          )
        }
      }),
    )
    const took = (performance.now() - began) / 1_000
    const cpu = (servers.cpuMicros() - before) / count
    return { perSecond: count / took, cpuMicros: cpu, p50: 0, p99: 0, failed }
  } finally {
    await client.close()
  }
}

export interface Failover {
  readonly failed: number
  /** From the blow until throughput is back at 70 % of what it was, in milliseconds. */
  readonly dipMillis: number
}

/**
 * One node is killed, or frozen, under load through the client. Counts what the caller saw fail.
 */
export async function measureFailover(
  servers: Servers,
  blow: 'SIGKILL' | 'SIGSTOP',
  seconds: number,
): Promise<Failover> {
  const seeds = servers.targets.map(({ host, port }) => `http://${host}:${port}`)
  const client = connect(seeds)
  const began = performance.now()
  const blowAt = began + (seconds * 1_000) / 3
  const until = began + seconds * 1_000
  const slots = new Array<number>(Math.ceil((seconds * 1_000) / SLOT_MS)).fill(0)
  let failed = 0
  const timer = setTimeout(() => servers.signal(servers.targets.length - 1, blow), blowAt - began)
  try {
    await Promise.all(
      Array.from({ length: 32 }, async () => {
        while (performance.now() < until) {
          const key = `key-${Math.floor(Math.random() * 20_000)}`
          await client.put('bench', key, 'value').catch(() => {
            failed++
          })
          const slot = Math.floor((performance.now() - began) / SLOT_MS)
          if (slot < slots.length) slots[slot] = (slots[slot] as number) + 1
        }
      }),
    )
  } finally {
    clearTimeout(timer)
    await client.close()
  }
  return { failed, dipMillis: dipOf(slots, Math.floor((blowAt - began) / SLOT_MS)) }
}

const SLOT_MS = 100

function dipOf(slots: readonly number[], blowSlot: number): number {
  const before = slots.slice(Math.max(0, blowSlot - 20), blowSlot)
  const usual = before.reduce((sum, count) => sum + count, 0) / before.length
  const after = slots.slice(blowSlot)
  // Back means: from here on a half second in a row at 70 %.
  const back = after.findIndex((_count, at) => {
    const window = after.slice(at, at + 5)
    return window.reduce((sum, count) => sum + count, 0) / window.length >= usual * 0.7
  })
  return back < 0 ? Number.POSITIVE_INFINITY : back * SLOT_MS
}

/** Resident memory of each node with a million keys of 100 bytes. */
export async function measureMemory(servers: Servers, keys: number): Promise<number> {
  const seeds = servers.targets.map(({ host, port }) => `http://${host}:${port}`)
  const client = connect(seeds, { batching: true })
  const body = Buffer.alloc(100, 'v')
  let next = 0
  try {
    await Promise.all(
      Array.from({ length: 512 }, async () => {
        while (next < keys) await client.put('memory', `key-${next++}`, body)
      }),
    )
  } finally {
    await client.close()
  }
  const resident = servers.residentBytes()
  return resident.reduce((sum, bytes) => sum + bytes, 0) / resident.length / 1_048_576
}

export async function waitForAll(servers: Servers): Promise<void> {
  await until(async () => {
    const states = await Promise.all(
      servers.targets.map(async ({ port }) => {
        const health = await fetch(`http://127.0.0.1:${port}/healthz`)
        return (await health.json()) as { nodesUp: number }
      }),
    )
    return states.every(({ nodesUp }) => nodesUp === servers.targets.length)
  })
}
