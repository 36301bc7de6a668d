/**
 * CPU time of the client per call, against a trivial server in a process of its own, beside the
 * bare HTTP library doing the same requests. One line per way of calling.
 *
 *     node packages/client/dist/bench/client.js [seconds per line] [calls at a time]
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { Pool } from 'undici'
import { connect } from '../src/index.ts'

const seconds = Number(process.argv[2] ?? 3)
const parallel = Number(process.argv[3] ?? 64)
const value = Buffer.alloc(1_024, 'v')

const server = spawn(process.execPath, [new URL('trivial-server.js', import.meta.url).pathname], {
  stdio: ['pipe', 'pipe', 'inherit'],
})
const lines = createInterface({ input: server.stdout as NodeJS.ReadableStream })
const nextLine = async (): Promise<string> => String((await once(lines, 'line'))[0])
const url = await nextLine()

async function serverCpu(child: ChildProcess): Promise<number> {
  const line = nextLine()
  child.stdin?.write('?\n')
  return Number(await line)
}

type Work = (index: number) => Promise<unknown>

async function measure(name: string, work: Work): Promise<void> {
  await run(work, 0.5)
  const serverBefore = await serverCpu(server)
  const before = process.cpuUsage()
  const started = performance.now()
  const calls = await run(work, seconds)
  const wall = performance.now() - started
  const { user, system } = process.cpuUsage(before)
  const serverUsed = (await serverCpu(server)) - serverBefore
  const cells = [
    name.padEnd(34),
    `${((user + system) / calls).toFixed(1)}`.padStart(8),
    `${(serverUsed / calls).toFixed(1)}`.padStart(8),
    `${Math.round((calls * 1_000) / wall)}`.padStart(9),
  ]
  console.log(cells.join(' '))
}

/** Keeps `parallel` calls going; returns how many ended. */
async function run(work: Work, forSeconds: number): Promise<number> {
  const end = performance.now() + forSeconds * 1_000
  let calls = 0
  const worker = async (): Promise<void> => {
    while (performance.now() < end) await work(calls++)
  }
  await Promise.all(Array.from({ length: parallel }, worker))
  return calls
}

const keys = Array.from({ length: 10_000 }, (_, index) => `user:${index}`)
const keyOf = (index: number): string => keys[index % keys.length] as string

const pool = new Pool(url, { connections: 64 })
const bare = async (method: 'GET' | 'PUT', index: number): Promise<void> => {
  const path = `/v1/kv/b/${keyOf(index)}`
  const { body } = await pool.request({ method, path, body: method === 'PUT' ? value : null })
  await body.arrayBuffer()
}
const client = connect(url, { routing: 'seeds' })
const { pipeline } = client
const session = client.session()

const heading = ['CPU in µs per call'.padEnd(34), '  client', '  server', '  calls/s']
console.log(`${parallel} at a time, 1 KiB values, ${seconds} s each, node ${process.version}`)
console.log(heading.join(' '))
await measure('undici request, PUT', (index) => bare('PUT', index))
await measure('undici request, GET', (index) => bare('GET', index))
await measure('put', (index) => client.put('b', keyOf(index), value))
await measure('get', (index) => client.get('b', keyOf(index)))
await measure('get and read the value', async (index) => {
  const read = await client.get('b', keyOf(index))
  return read.kind === 'value' && read.value.bytes()
})
await measure('put in a session', (index) => session.put('b', keyOf(index), value))
await measure('put through the pipeline', (index) => pipeline.put('b', keyOf(index), value))
await measure('get through the pipeline', (index) => pipeline.get('b', keyOf(index)))

await client.close()
await pool.close()
lines.close()
server.stdin?.end()
