/** Clients that read, write and delete, remember what they were shown, and tell a history. */
import type { Agent } from 'node:http'
import { performance } from 'node:perf_hooks'
import { deleteId, History } from './history.ts'
import { type Answer, ask, keepAlive, kv } from './http.ts'
import { parseReceipt, type Receipt, valuesOf } from './kv-answers.ts'
import type { NodeProcess } from './node-process.ts'
import type { ProblemBody } from './problems.ts'
import { until } from './until.ts'

export interface LoadOptions {
  readonly nodes: readonly NodeProcess[]
  readonly bucket: string
  readonly workers?: number
  readonly keys?: number
  readonly seed: number
  readonly requestTimeoutMs?: number
}

/** An acknowledgement as its client got it. */
export interface Acknowledgement {
  readonly start: number
  readonly end: number
  readonly receipt: Receipt
  readonly through: string
}

interface Knowledge {
  readonly context: string
  readonly covers: ReadonlySet<string>
}

const NEVER_SENT = Symbol('the node did not take the connection')

/** Shares of 100 operations: the rest are writes. */
const READS = 45
const DELETES = 5

export class Load {
  readonly history = new History()
  readonly acknowledgements: Acknowledgement[] = []
  /** Answers by status; 0: none came though the request was sent, or may have been. */
  readonly statuses = new Map<number, number>()
  /** Answers that no fault excuses, in words. */
  readonly unexpected: string[] = []
  readonly #options: LoadOptions
  readonly #agent: Agent = keepAlive()
  readonly #workers: Promise<void>[]
  #stopping = false
  #values = 0

  constructor(options: LoadOptions) {
    this.#options = options
    const { workers = 8 } = options
    this.#workers = Array.from({ length: workers }, (_, worker) => this.#work(worker))
  }

  get bucket(): string {
    return this.#options.bucket
  }

  get keys(): readonly string[] {
    return Array.from({ length: this.#options.keys ?? 50 }, (_, index) => `key ${index}`)
  }

  /** Until the last answer, or the last timeout. */
  async stop(): Promise<void> {
    this.#stopping = true
    await Promise.all(this.#workers)
    this.#agent.destroy()
  }

  async #work(worker: number): Promise<void> {
    const random = randomFrom(this.#options.seed + worker)
    const known = new Map<string, Knowledge>()
    const { nodes } = this.#options
    while (!this.#stopping) {
      const key = pick(this.keys, random)
      const serving = nodes.filter(({ isServing }) => isServing)
      if (serving.length === 0) {
        await until(
          'a node that serves',
          () => this.#stopping || nodes.some((each) => each.isServing),
        )
        continue
      }
      const node = pick(serving, random)
      const chance = random() * 100
      const knowledge = known.get(key)
      if (knowledge === undefined || chance < READS) await this.#read(node, key, known)
      else await this.#write(node, key, { known, knowledge, isDelete: chance < READS + DELETES })
    }
  }

  async #read(node: NodeProcess, key: string, known: Map<string, Knowledge>): Promise<void> {
    const start = performance.now()
    const answer = await this.#ask(node, key, {})
    if (answer === undefined || answer === NEVER_SENT) return
    const end = performance.now()
    if (![200, 300, 404].includes(answer.status)) {
      this.#refused(answer, 'GET')
      return
    }
    const values = valuesOf(answer)
    for (const { etag, text } of values) this.#name(text, etag)
    const live = values.map(({ text }) => text)
    this.history.read({ key, live, start, end })
    known.set(key, { context: answer.header('Causal-Context'), covers: new Set(live) })
  }

  async #write(
    node: NodeProcess,
    key: string,
    parts: { known: Map<string, Knowledge>; knowledge: Knowledge; isDelete: boolean },
  ): Promise<void> {
    const { known, knowledge, isDelete } = parts
    const value = `${this.#options.bucket}-${this.#options.seed}-${this.#values++}`
    const id = isDelete ? deleteId(value) : value
    const { covers } = knowledge
    const start = performance.now()
    const answer = await this.#ask(node, key, {
      method: isDelete ? 'DELETE' : 'PUT',
      headers: { 'Causal-Context': knowledge.context },
      ...(isDelete ? {} : { body: value }),
    })
    const end = performance.now()
    if (answer === NEVER_SENT) return
    const about = { key, id, covers, start, end }
    if (answer === undefined) return this.history.wrote({ ...about, outcome: 'unknown' })
    if (answer.status !== 204) {
      const outcome = this.#refused(answer, isDelete ? 'DELETE' : 'PUT')
      return this.history.wrote({ ...about, outcome })
    }
    this.history.wrote({ ...about, outcome: 'acknowledged' })
    const receipt = parseReceipt(answer.header('Receipt'))
    this.acknowledgements.push({ start, end, receipt, through: node.id })
    if (!isDelete) this.#name(id, answer.header('ETag'))
    known.set(key, {
      context: answer.header('Causal-Context'),
      covers: new Set([...covers, id]),
    })
  }

  #name(value: string, etag: string): void {
    if (isOfOne(etag)) this.history.named(value, etag)
  }

  async #ask(
    node: NodeProcess,
    key: string,
    question: Parameters<typeof ask>[2],
  ): Promise<Answer | typeof NEVER_SENT | undefined> {
    const { bucket, requestTimeoutMs = 15_000 } = this.#options
    try {
      const answer = await ask(node.url, kv(bucket, key), {
        ...question,
        agent: this.#agent,
        timeoutMs: requestTimeoutMs,
      })
      this.#count(answer.status)
      return answer
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ECONNREFUSED') return NEVER_SENT
      this.#count(0)
      return undefined
    }
  }

  #count(status: number): void {
    this.statuses.set(status, (this.statuses.get(status) ?? 0) + 1)
  }

  /** What a store under faults may say: not now, or not known. Anything else is told. */
  #refused(answer: Answer, method: string): 'refused' | 'unknown' {
    const { code, outcome, retry } = readProblem(answer)
    const isWrite = method !== 'GET'
    const refused =
      answer.status === 503 && outcome === 'not-applied' && answer.header('Retry-After') !== ''
    const unknown =
      answer.status === 504 &&
      retry === 'if-idempotent' &&
      outcome === (isWrite ? 'unknown' : 'not-applied')
    if (!refused && !unknown) {
      this.unexpected.push(`${method}: ${answer.status} ${code} ${outcome}: ${answer.text}`)
    }
    return outcome === 'not-applied' ? 'refused' : 'unknown'
  }
}

function readProblem(answer: Answer): Partial<ProblemBody> {
  try {
    return answer.json() as ProblemBody
  } catch {
    return {}
  }
}

/** What each key of a load shows when all replicas have been asked. */
export async function readAll(
  node: NodeProcess,
  { bucket, keys, history }: Load,
): Promise<Map<string, readonly string[]>> {
  const final = new Map<string, readonly string[]>()
  const agent = keepAlive()
  for (const key of keys) {
    const answer = await node.ask(kv(bucket, key), { headers: { Consistency: 'all' }, agent })
    if (![200, 300, 404].includes(answer.status)) {
      throw new Error(`${key}: ${answer.status} ${answer.text}`)
    }
    const values = valuesOf(answer)
    for (const { etag, text } of values) if (isOfOne(etag)) history.named(text, etag)
    final.set(
      key,
      values.map(({ text }) => text),
    )
  }
  agent.destroy()
  return final
}

/** With other values or a tombstone beside it an ETag is that of them all, and holds a dot. */
const isOfOne = (etag: string): boolean => !etag.includes('.')

function pick<T>(items: readonly T[], random: () => number): T {
  const item = items[Math.floor(random() * items.length)]
  if (item === undefined) throw new Error('nothing to pick from')
  return item
}

/** mulberry32: small, and the same everywhere for one seed. */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
