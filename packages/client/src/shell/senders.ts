/** Two ways in which one try travels: alone, or with others of its turn in one batch. */
import { type Env, limits, type Millis, ShoalError } from '@shoal/kernel'
import type { Answer } from '../core/answer.ts'
import { fitsBatch, fromBatch, itemBytes, toBatch } from '../core/batch-codec.ts'
import { type KeyOperation, type Operation, toRequest } from '../core/operation.ts'
import type { Node } from './node.ts'
import type { SessionGate } from './session-gate.ts'
import type { Exchange, Sink, TransportFailure } from './transport.ts'

/** One try, ready to travel. */
export interface Parcel {
  readonly node: Node
  readonly operation: Operation
  readonly timeout: Millis
  readonly session: SessionGate | undefined
  readonly sink: Sink
}

export interface Sender {
  send(parcel: Parcel): Exchange
}

/** A request of its own for each try. */
export class SingleSender implements Sender {
  readonly #authorization: () => string

  /** @param authorization  value of `Authorization`, empty for none */
  constructor(authorization: () => string) {
    this.#authorization = authorization
  }

  send({ node, operation, timeout, session, sink }: Parcel): Exchange {
    let authorization: string
    try {
      authorization = this.#authorization()
    } catch (cause) {
      queueMicrotask(() => sink.failed({ kind: 'unsendable', message: 'no token', cause }))
      return { started: false, cancel: () => undefined }
    }
    const go = (token: string, to: Sink): Exchange =>
      node.send(toRequest(operation, { timeout, session: token, authorization }), to)
    return session === undefined ? go('', sink) : session.submit(go, sink)
  }
}

/**
 * Gathers what one turn of the event loop sends to the same node and posts it together. While a
 * node has two batches to answer, what comes for it waits and leaves as one when the first is done:
 * sent turn by turn, 256 writers made batches of 13, and each batch costs the server a request.
 */
export class BatchSender implements Sender {
  readonly #env: Env
  readonly #single: Sender
  readonly #underWay = new Map<Node, number>()
  #gathering: Batch[] = []
  #scheduled = false

  constructor(env: Env, single: Sender) {
    this.#env = env
    this.#single = single
  }

  send(parcel: Parcel): Exchange {
    const { operation, session } = parcel
    // A token speaks of single keys, so nodes take none with a batch.
    const alone = session !== undefined || operation.op === 'plain' || !fitsBatch(operation)
    if (alone) return this.#single.send(parcel)
    const item = new Item(parcel, operation)
    const batch = this.#gathering.find((open) => open.takes(item))
    if (batch !== undefined) batch.add(item)
    else this.#gathering.push(new Batch(item, this.#ended))
    this.#schedule()
    return item
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    this.#env.nextTurn(() => {
      this.#scheduled = false
      this.#dispatchAll()
    })
  }

  #dispatchAll(): void {
    const batches = this.#gathering
    this.#gathering = []
    for (const batch of batches) {
      const before = this.#underWay.get(batch.node) ?? 0
      if (before >= limits.clientBatchesInFlightMax) this.#gathering.push(batch)
      else if (batch.dispatch(this.#single)) this.#underWay.set(batch.node, before + 1)
    }
  }

  readonly #ended = (node: Node): void => {
    const left = (this.#underWay.get(node) ?? 1) - 1
    if (left > 0) this.#underWay.set(node, left)
    else this.#underWay.delete(node)
    if (this.#gathering.length > 0) this.#schedule()
  }
}

/** One operation's place in a batch. */
class Item implements Exchange {
  readonly parcel: Parcel
  readonly operation: KeyOperation
  cancelled = false
  batch: Batch | undefined

  constructor(parcel: Parcel, operation: KeyOperation) {
    this.parcel = parcel
    this.operation = operation
  }

  get started(): boolean {
    return this.batch?.started ?? false
  }

  cancel(): void {
    this.cancelled = true
    this.batch?.itemCancelled()
  }
}

class Batch implements Sink {
  readonly #first: Parcel
  readonly #onEnd: (node: Node) => void
  #items: Item[]
  #bytes: number
  #exchange: Exchange | undefined
  #ended = false

  /** @param onEnd  called once after a dispatch, when nothing of the batch is under way any more */
  constructor(item: Item, onEnd: (node: Node) => void) {
    this.#onEnd = onEnd
    this.#first = item.parcel
    this.#items = [item]
    this.#bytes = itemBytes(item.operation)
    item.batch = this
  }

  get started(): boolean {
    return this.#exchange?.started ?? false
  }

  get node(): Node {
    return this.#first.node
  }

  /** Items share a request, so they must agree in what the request says once for all. */
  takes({ parcel, operation }: Item): boolean {
    const { node, timeout } = this.#first
    return (
      parcel.node === node &&
      parcel.timeout === timeout &&
      this.#items.length < limits.batchOperationsMax &&
      this.#bytes + itemBytes(operation) <= limits.clientBatchBodyBytesMax
    )
  }

  add(item: Item): void {
    this.#items.push(item)
    this.#bytes += itemBytes(item.operation)
    item.batch = this
  }

  /** False when everything in it was cancelled meanwhile. */
  dispatch(single: Sender): boolean {
    this.#items = this.#items.filter(({ cancelled }) => !cancelled)
    const [only] = this.#items
    if (only === undefined) return false
    // One alone is cheaper, and says more, as a request of its own.
    this.#exchange =
      this.#items.length === 1
        ? single.send({ ...only.parcel, sink: this })
        : single.send({
            ...this.#first,
            operation: toBatch(this.#items.map(({ operation }) => operation)),
            sink: this,
          })
    return true
  }

  answered(answer: Answer): void {
    this.#end()
    // A refusal of the whole batch is the answer to each of its items.
    if (this.#items.length === 1 || answer.status !== 200) {
      this.#tellAll(() => answer)
      return
    }
    const answers = this.#takeApart(answer)
    if (answers === undefined) {
      this.failed({ kind: 'garbled', message: 'the answer to a batch does not fit the batch' })
      return
    }
    this.#tellAll((index) => answers[index] ?? answer)
  }

  failed(failure: TransportFailure): void {
    this.#end()
    for (const { cancelled, parcel } of this.#items) if (!cancelled) parcel.sink.failed(failure)
  }

  /** The others still want their answers. */
  itemCancelled(): void {
    if (!this.#exchange || !this.#items.every(({ cancelled }) => cancelled)) return
    this.#exchange.cancel()
    this.#end()
  }

  #end(): void {
    if (this.#ended) return
    this.#ended = true
    this.#onEnd(this.#first.node)
  }

  #tellAll(answerAt: (index: number) => Answer): void {
    for (const [index, { cancelled, parcel }] of this.#items.entries()) {
      if (!cancelled) parcel.sink.answered(answerAt(index))
    }
  }

  #takeApart(answer: Answer): readonly Answer[] | undefined {
    try {
      return fromBatch(answer, this.#items.length)
    } catch (error) {
      if (error instanceof ShoalError) return undefined
      throw error
    }
  }
}
