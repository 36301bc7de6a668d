/**
 * What the HTTP face costs by itself: CPU time of the server process for each request, over a store
 * that answers at once from memory, beside bare fastify and bare Node in the same run. The load
 * comes from this process and is not counted.
 *
 *     node packages/node/dist/bench/http.js [--seconds=3] [--rounds=3] [--profile=DIR]
 *
 * 64 connections, values of 1 KiB. Compare ratios: how long a request takes depends on what else
 * the machine does, and the rounds take turns so that all three see the same of it.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { parseArgs } from 'node:util'
import autocannon from 'autocannon'

const CONNECTIONS = 64
const VALUE_BYTES = 1_024
const kinds = ['ours', 'fastify', 'node'] as const
const methods = ['PUT', 'GET'] as const

const { values: flags } = parseArgs({
  options: {
    seconds: { type: 'string', default: '3' },
    rounds: { type: 'string', default: '3' },
    profile: { type: 'string' },
  },
})

interface Running {
  readonly kind: (typeof kinds)[number]
  readonly server: ChildProcess
  readonly url: string
}

interface Cpu {
  readonly user: number
  readonly system: number
}

async function start(kind: (typeof kinds)[number]): Promise<Running> {
  const profiled = kind === 'ours' && flags.profile !== undefined
  const execArgv = profiled ? ['--cpu-prof', `--cpu-prof-dir=${flags.profile}`] : []
  const server = fork(new URL('http-server.js', import.meta.url), [kind], { execArgv })
  const [url] = (await once(server, 'message')) as [string]
  return { kind, server, url }
}

async function cpuOf(server: ChildProcess): Promise<Cpu> {
  const answer = once(server, 'message') as Promise<[Cpu]>
  server.send('cpu')
  return (await answer)[0]
}

function load(url: string, method: (typeof methods)[number], duration: number) {
  const headers = { consistency: 'quorum' }
  const body = Buffer.alloc(VALUE_BYTES, '"')
  const write = { body, headers: { ...headers, 'content-type': 'application/json' } }
  return autocannon({
    url: `${url}/v1/kv/carts/user-42`,
    method,
    connections: CONNECTIONS,
    duration,
    ...(method === 'PUT' ? write : { headers }),
  })
}

/** Microseconds of CPU time of the server for each request. */
async function measure({ server, url }: Running, method: (typeof methods)[number]) {
  await load(url, method, 1)
  const before = await cpuOf(server)
  const { requests, non2xx, errors } = await load(url, method, Number(flags.seconds))
  const after = await cpuOf(server)
  const user = (after.user - before.user) / requests.total
  const system = (after.system - before.system) / requests.total
  return { user, system, failed: non2xx + errors }
}

const median = (numbers: readonly number[]): number =>
  [...numbers].sort((one, other) => one - other)[Math.floor(numbers.length / 2)] ?? Number.NaN

const running = await Promise.all(kinds.map(start))
for (const method of methods) {
  const found = new Map<string, { user: number; system: number }[]>(kinds.map((kind) => [kind, []]))
  for (let round = 0; round < Number(flags.rounds); round++) {
    for (const one of running) {
      const measured = await measure(one, method)
      found.get(one.kind)?.push(measured)
      if (measured.failed > 0) console.log(`${one.kind} ${method}: ${measured.failed} failed`)
    }
  }
  const total = (kind: string): number =>
    median((found.get(kind) ?? []).map(({ user, system }) => user + system))
  for (const [kind, all] of found) {
    const user = median(all.map((one) => one.user)).toFixed(1)
    const system = median(all.map((one) => one.system)).toFixed(1)
    const ratio = (total(kind) / total('fastify')).toFixed(2)
    const micros = total(kind).toFixed(1)
    console.log(
      `${method} ${kind.padEnd(8)} ${micros} µs  ${ratio} × fastify  ` +
        `(user ${user}, system ${system})`,
    )
  }
}
for (const { server } of running) {
  server.send('stop')
  await once(server, 'exit')
}
