import type { ListAnswer, ReadAnswer, WriteAnswer } from '@shoal/coordinator'
import type { InvokedOperation, Observer } from '../check/observer.ts'
import type { ClientEnd, ClientRequest, SimCluster } from '../cluster/sim-cluster.ts'
import { drawFor } from '../plan/draw.ts'
import type { OperationPlan } from '../plan/plan.ts'
import { ClientMemory, isListing } from './client-memory.ts'
import { contextFor, listRequest, placeOf, readRequest, writeRequest } from './requests.ts'

/** How an operation ended after all its attempts: `ok` or why not. */
export type Outcome = 'ok' | 'lost' | 'unsent' | `SHOAL_${string}`

export interface Ended {
  readonly operation: OperationPlan
  readonly outcome: Outcome
  /** Whether trying again could have helped. */
  readonly retryable: boolean
  /** What the last attempt was answered; absent unless `ok`. */
  readonly answer?: ReadAnswer | WriteAnswer | ListAnswer
}

/** A request on its way, with what follows when its last attempt has ended. */
interface Sending {
  readonly operation: OperationPlan
  readonly request: ClientRequest
  readonly done: (ended: Ended) => void
}

export interface WorkloadParts {
  readonly cluster: SimCluster
  readonly seed: number
  readonly observer: Observer
  /** Told of each operation once. */
  readonly ended: (ended: Ended) => void
}

const LIST_PAGES_MAX = 5
const RETRY_DELAY_MIN = 10
const RETRY_DELAY_MAX = 600

/**
 * The clients. They do what the plan says and what programs do: remember the contexts they were
 * given, carry a session from answer to answer, try again under the same key.
 */
export class Workload {
  readonly #parts: WorkloadParts
  readonly #clients = new Map<number, ClientMemory>()
  /** Operations that wait for the one before them of the same session. */
  readonly #queues = new Map<number, OperationPlan[]>()
  #underWay = 0
  #notBegun = 0

  constructor(parts: WorkloadParts) {
    this.#parts = parts
  }

  /** Whether everything that was asked for has ended. */
  get isIdle(): boolean {
    return this.#underWay === 0 && this.#notBegun === 0
  }

  /** Begins each operation at its time, counted from now. In order of time. */
  schedule(operations: readonly OperationPlan[]): void {
    const { cluster } = this.#parts
    const start = cluster.now()
    let next = 0
    this.#notBegun += operations.length
    const beginDue = (): void => {
      const now = cluster.now() - start
      for (let due = operations[next]; due && due.at <= now; due = operations[++next]) {
        this.#notBegun--
        this.perform(due)
      }
      const following = operations[next]
      if (following) cluster.after(following.at - now, beginDue)
    }
    beginDue()
  }

  /** Begins an operation now, or behind what its session is busy with. */
  perform(operation: OperationPlan): void {
    this.#underWay++
    if (!operation.session) return this.#begin(operation)
    const queue = this.#queues.get(operation.client)
    if (queue) return void queue.push(operation)
    this.#queues.set(operation.client, [])
    this.#begin(operation)
  }

  #begin(operation: OperationPlan): void {
    const { kind, context } = operation
    if (kind === 'list') return this.#list(operation, '', 0)
    const memory = this.#memoryOf(operation.client)
    if (kind === 'get') {
      return this.#send({ operation, request: readRequest(operation, memory), done: this.#end })
    }
    const write = (seen: string): void => {
      const request = writeRequest(operation, memory, seen)
      this.#send({ operation, request, done: this.#end })
    }
    if (context !== 'read') return write(contextFor(operation, memory))
    const look: OperationPlan = { ...operation, id: `${operation.id}:r`, kind: 'get' }
    this.#send({
      operation: look,
      request: readRequest(look, memory),
      done: (ended) => {
        if (ended.outcome === 'ok') write(memory.latest(placeOf(operation)))
        else this.#end({ ...ended, operation })
      },
    })
  }

  #list(operation: OperationPlan, after: string, page: number): void {
    const asked = page === 0 ? operation : { ...operation, id: `${operation.id}:${page}` }
    const done = (ended: Ended): void => {
      const { answer } = ended
      const last = answer && isListing(answer) && answer.more ? answer.keys.at(-1) : undefined
      if (last === undefined || page + 1 >= LIST_PAGES_MAX) this.#end({ ...ended, operation })
      else this.#list(operation, last, page + 1)
    }
    this.#send({ operation: asked, request: listRequest(operation, after), done })
  }

  /** One attempt after the other, the same request each time. */
  #send(sending: Sending, attempt = 0): void {
    const { cluster, observer } = this.#parts
    const { operation, request, done } = sending
    const { id, client, hops, loseReply, retries } = operation
    const node = (operation.node + (hops ? attempt : 0)) % cluster.nodes.length
    const invoked: InvokedOperation = { id, attempt, client, node, request, at: cluster.now() }
    observer.invoked?.(invoked)
    cluster.call(node, request, (real) => {
      const end: ClientEnd = loseReply === attempt ? { kind: 'lost' } : real
      observer.ended?.(invoked, end)
      const ended = this.#judge(operation, end)
      if (!ended.retryable || attempt >= retries) return done(ended)
      const delay = this.#delayBefore(operation, attempt + 1)
      cluster.after(delay, () => this.#send(sending, attempt + 1))
    })
  }

  #judge(operation: OperationPlan, end: ClientEnd): Ended {
    switch (end.kind) {
      case 'answer': {
        const { answer } = end
        if (!isListing(answer)) this.#memoryOf(operation.client).learn(placeOf(operation), answer)
        return { operation, outcome: 'ok', retryable: false, answer }
      }
      case 'refused': {
        const { code, retry } = end.error
        const retryable = retry === 'after' || retry === 'if-idempotent'
        return { operation, outcome: code, retryable }
      }
      default:
        return { operation, outcome: end.kind, retryable: true }
    }
  }

  /** Drawn by operation and attempt, so that leaving one operation out moves no other. */
  #delayBefore({ id }: OperationPlan, attempt: number): number {
    const draw = drawFor(this.#parts.seed, `delay ${id}`, attempt)
    return draw.spread(RETRY_DELAY_MIN, RETRY_DELAY_MAX)
  }

  readonly #end = (ended: Ended): void => {
    this.#underWay--
    const { operation } = ended
    this.#parts.ended(ended)
    if (!operation.session) return
    const next = this.#queues.get(operation.client)?.shift()
    if (next) this.#begin(next)
    else this.#queues.delete(operation.client)
  }

  #memoryOf(client: number): ClientMemory {
    let memory = this.#clients.get(client)
    if (!memory) {
      memory = new ClientMemory()
      this.#clients.set(client, memory)
    }
    return memory
  }
}
