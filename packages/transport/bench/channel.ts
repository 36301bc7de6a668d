import { type ChildProcess, fork } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { performance } from 'node:perf_hooks'
import { fileURLToPath } from 'node:url'
import { createSystemEnv, millis, nodeId, seconds } from '@shoal/kernel'
import { type AnswerSink, createPeers, type NetworkPeers } from '../src/index.ts'

/**
 * The peer channel alone: two processes on loopback, questions of 1 KiB, answers of a few bytes.
 * What is counted is the CPU time of both processes together for one question with its answer.
 */
export interface ChannelBenchRow {
  readonly inFlight: number
  readonly questions: number
  /** Microseconds of CPU, user and system, both processes, for one round trip. */
  readonly cpuMicros: number
  readonly perSecond: number
  /** Microseconds from `ask` to `answered`, the mean. */
  readonly latencyMicros: number
}

export interface ChannelBenchOptions {
  readonly inFlight?: readonly number[]
  readonly questionBytes?: number
  readonly answerBytes?: number
  /** Measured time for each row. */
  readonly millisPerRow?: number
}

const ASKER = nodeId('asker')
const ANSWERER = nodeId('answerer')
const THIS_FILE = fileURLToPath(import.meta.url)

interface Node {
  readonly peers: NetworkPeers
  readonly server: Server
  readonly url: string
}

/** Both nodes know where the answerer listens; only the asker dials. */
async function startNode(self: typeof ASKER, answererUrl: string | undefined): Promise<Node> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const other = self === ASKER ? ANSWERER : ASKER
  const peers = createPeers({
    env: createSystemEnv((reason) => {
      throw reason
    }),
    self,
    runId: randomBytes(16),
    secret: 'bench',
    clusterId: 'bench',
    // Port 9 discards: the answerer does not know the asker's address and is found by it.
    members: [{ id: other, url: answererUrl ?? 'http://127.0.0.1:9' }],
    ring: { epoch: () => 1, summary: Buffer.from('bench'), compare: () => [] },
    onFatal: (error) => {
      throw error
    },
  })
  server.on('upgrade', peers.acceptUpgrade)
  return { peers, server, url }
}

/** The child: answers every question, and tells its CPU time when asked. */
async function answer(answerBytes: number): Promise<void> {
  const { peers, url } = await startNode(ANSWERER, undefined)
  const body = Buffer.alloc(answerBytes)
  peers.onQuestion((question) => question.answer(1, body))
  await peers.start()
  process.on('message', () => process.send?.({ cpu: cpuMicros() }))
  process.on('disconnect', () => process.exit(0))
  process.send?.({ url })
}

function cpuMicros(): number {
  const { user, system } = process.cpuUsage()
  return user + system
}

function nextMessage<T>(child: ChildProcess): Promise<T> {
  return new Promise((resolve, reject) => {
    const exited = () => reject(new Error('the answering process has ended'))
    child.once('exit', exited)
    child.once('message', (message) => {
      child.off('exit', exited)
      resolve(message as T)
    })
  })
}

async function cpuOfBoth(child: ChildProcess): Promise<number> {
  const told = nextMessage<{ cpu: number }>(child)
  child.send('cpu')
  const { cpu } = await told
  return cpu + cpuMicros()
}

/** Keeps `inFlight` questions under way until the time is over. */
class Load implements AnswerSink {
  questions = 0
  readonly done: Promise<void>
  readonly #peers: NetworkPeers
  readonly #body: Buffer
  readonly #until: number
  #underWay = 0
  #over = false
  #resolve: () => void = () => {}

  constructor(peers: NetworkPeers, body: Buffer, inFlight: number, time: number) {
    this.#peers = peers
    this.#body = body
    this.#until = performance.now() + time
    this.done = new Promise((resolve) => {
      this.#resolve = resolve
    })
    for (let index = 0; index < inFlight; index++) this.#ask(index)
  }

  answered(tag: number): void {
    this.questions++
    this.#underWay--
    if ((this.questions & 63) === 0) this.#over = performance.now() >= this.#until
    if (!this.#over) this.#ask(tag)
    else if (this.#underWay === 0) this.#resolve()
  }

  failed(_tag: number, code: string): void {
    throw new Error(`a question failed: ${code}`)
  }

  #ask(tag: number): void {
    this.#underWay++
    this.#peers.ask({ to: ANSWERER, kind: 1, body: this.#body, timeout: seconds(10), tag }, this)
  }
}

async function run(peers: NetworkPeers, body: Buffer, inFlight: number, time: number) {
  const begun = performance.now()
  const load = new Load(peers, body, inFlight, time)
  await load.done
  return { questions: load.questions, elapsed: performance.now() - begun }
}

export async function benchChannel(options: ChannelBenchOptions = {}): Promise<ChannelBenchRow[]> {
  const { inFlight = [1, 64, 256], questionBytes = 1_024, answerBytes = 16 } = options
  const { millisPerRow = 2_000 } = options
  const child = fork(THIS_FILE, ['--answer', String(answerBytes)], { execArgv: process.execArgv })
  const { url } = await nextMessage<{ url: string }>(child)
  const { peers, server } = await startNode(ASKER, url)
  const up = new Promise<void>((resolve) => peers.onChange((_peer, isUp) => isUp && resolve()))
  peers.onQuestion(() => {})
  await peers.start()
  await up
  const body = randomBytes(questionBytes)
  const rows: ChannelBenchRow[] = []
  for (const count of inFlight) {
    await run(peers, body, count, millisPerRow / 4)
    const before = await cpuOfBoth(child)
    const { questions, elapsed } = await run(peers, body, count, millisPerRow)
    const cpu = (await cpuOfBoth(child)) - before
    rows.push({
      inFlight: count,
      questions,
      cpuMicros: cpu / questions,
      perSecond: (questions * 1_000) / elapsed,
      latencyMicros: (elapsed * 1_000 * count) / questions,
    })
  }
  await peers.stop(millis(performance.now() + 1_000))
  server.close()
  child.disconnect()
  return rows
}

if (process.argv[1] === THIS_FILE) {
  if (process.argv[2] === '--answer') await answer(Number(process.argv[3]))
  else print(await benchChannel())
}

function print(rows: readonly ChannelBenchRow[]): void {
  console.log(`node ${process.version}`)
  for (const row of rows) {
    console.log(
      `${String(row.inFlight).padStart(4)} in flight: ${row.cpuMicros.toFixed(2)} us CPU, ` +
        `${Math.round(row.perSecond)}/s, latency ${row.latencyMicros.toFixed(0)} us`,
    )
  }
}
