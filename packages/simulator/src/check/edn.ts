import type { ReadAnswer } from '@shoal/coordinator'
import type { ClientEnd, ClientRequest } from '../cluster/sim-cluster.ts'
import { idOfBody } from '../workload/body.ts'
import type { InvokedOperation, Observer } from './observer.ts'
import { outcomeOf } from './operations.ts'

/** One line of a history, in the terms of Jepsen's checkers. */
interface Line {
  readonly type: ':invoke' | ':ok' | ':fail' | ':info'
  readonly f: ':read' | ':write' | ':delete'
  readonly key: string
  readonly value: string
  readonly process: number
  readonly time: number
}

/** Beyond that a history is cut: no checker reads millions of lines. */
const LINES_MAX = 1_000_000
const NANOS = 1_000_000

/**
 * Records what clients did as a history in EDN, one map on a line, as Jepsen writes it:
 *
 *   {:type :invoke, :f :write, :value ["bucket/key" "o17"], :process 3, :time 1200000, :index 0}
 *
 * A write's value is the id of its operation; a read's value is the list of the ids it was shown.
 * An operation of unknown outcome ends as `:info`, and its process goes on under another number: to
 * a checker it is still doing what it did.
 */
export class HistoryRecorder implements Observer {
  readonly #lines: Line[] = []
  readonly #free = new Map<number, number[]>()
  readonly #running = new Map<InvokedOperation, number>()
  readonly #now: () => number
  #nextProcess = 0
  #cut = false

  constructor(now: () => number) {
    this.#now = now
  }

  /** Whether the end is missing. */
  get isCut(): boolean {
    return this.#cut
  }

  invoked(operation: InvokedOperation): void {
    const process = this.#takeProcess(operation.client)
    this.#running.set(operation, process)
    this.#add(operation, ':invoke', valueAsked(operation), process)
  }

  ended(operation: InvokedOperation, end: ClientEnd): void {
    const process = this.#running.get(operation)
    if (process === undefined) return
    this.#running.delete(operation)
    const type = typeOf(operation.request, end)
    this.#add(operation, type, valueEnded(operation, end), process)
    if (type !== ':info') this.#free.get(operation.client)?.push(process)
  }

  /** The whole history. Ends with a newline. */
  edn(): string {
    return this.#lines.map((line, index) => `${format(line, index)}\n`).join('')
  }

  /** Clients do several things at a time; a process of Jepsen does not. */
  #takeProcess(client: number): number {
    let free = this.#free.get(client)
    if (!free) {
      free = []
      this.#free.set(client, free)
    }
    return free.pop() ?? this.#nextProcess++
  }

  #add(operation: InvokedOperation, type: Line['type'], value: string, process: number): void {
    const f = functionOf(operation.request)
    if (!f) return
    if (this.#lines.length >= LINES_MAX) {
      this.#cut = true
      return
    }
    const { bucket } = operation.request.request
    const key = 'key' in operation.request.request ? operation.request.request.key : ''
    const time = Math.round(this.#now() * NANOS)
    this.#lines.push({ type, f, key: `${bucket}/${key}`, value, process, time })
  }
}

/** Listings have no counterpart there. */
function functionOf(request: ClientRequest): Line['f'] | undefined {
  if (request.kind === 'list') return undefined
  if (request.kind === 'read') return ':read'
  return request.request.operation === 'put' ? ':write' : ':delete'
}

function typeOf({ kind }: ClientRequest, end: ClientEnd): Line['type'] {
  if (end.kind === 'answer') return ':ok'
  // A read that failed read nothing, whatever became of it.
  if (kind === 'read' || end.kind === 'unsent') return ':fail'
  if (end.kind === 'refused' && outcomeOf(end.error) === 'not-applied') return ':fail'
  return ':info'
}

function valueAsked({ id, request }: InvokedOperation): string {
  return request.kind === 'write' ? quoted(id) : 'nil'
}

function valueEnded(operation: InvokedOperation, end: ClientEnd): string {
  if (operation.request.kind !== 'read' || end.kind !== 'answer') return valueAsked(operation)
  const { values } = end.answer as ReadAnswer
  return `[${values.map(({ body }) => quoted(idOfBody(body))).join(' ')}]`
}

function format({ type, f, key, value, process, time }: Line, index: number): string {
  const pair = `[${quoted(key)} ${value}]`
  const where = `:process ${process}, :time ${time}, :index ${index}`
  return `{:type ${type}, :f ${f}, :value ${pair}, ${where}}`
}

const quoted = (text: string): string => JSON.stringify(text)
