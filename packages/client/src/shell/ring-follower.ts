/**
 * Keeps the client's picture of the ring. Learned from any node, renewed when an answer shows a
 * newer epoch, when a node cannot be reached, and otherwise slowly. Without one the client works
 * through the URLs it was given: any node answers any request.
 */
import type { Env, Millis } from '@shoal/kernel'
import { limits, millis, minutes, seconds } from '@shoal/kernel'
import { makeRowKey, partitionOfRowKey } from '@shoal/ring'
import { jsonOf } from '../core/answer.ts'
import type { Candidate } from '../core/call.ts'
import { doubtsRing, type Failure } from '../core/failure.ts'
import type { Operation, PlainOperation } from '../core/operation.ts'
import { epochOf } from '../core/receipt.ts'
import { mayReplace, type RingView, readRing } from '../core/ring-view.ts'
import { ShoalClientError } from '../errors.ts'
import type { Reply, Routing } from './calls.ts'
import type { Nodes } from './nodes.ts'

const REFRESH_SLOW = minutes(1)
const REFRESH_PAUSE = seconds(1)

const fetchRing: PlainOperation = {
  op: 'plain',
  method: 'GET',
  path: '/v1/ring',
  write: false,
  consistency: '',
  contentType: '',
  body: '',
}

export interface RingFollowerParts {
  readonly env: Env
  readonly nodes: Nodes
  /** Makes the call; given late, because calls need this routing first. */
  readonly fetch: (operation: PlainOperation) => Promise<Reply>
}

export class RingFollower implements Routing {
  readonly #parts: RingFollowerParts
  readonly #seeds: readonly string[]
  readonly #enabled: boolean
  #view: RingView | undefined
  #problem: string | undefined
  #fetching: Promise<void> | undefined
  /** No fetch before this, except the first. */
  #notBefore = 0
  #renewAt = 0

  constructor(
    parts: RingFollowerParts,
    { seeds, enabled }: { seeds: readonly string[]; enabled: boolean },
  ) {
    this.#parts = parts
    this.#seeds = seeds
    this.#enabled = enabled
  }

  get view(): RingView | undefined {
    return this.#view
  }

  /** Why there is no newer picture, for people; undefined when the last fetch went well. */
  get problem(): string | undefined {
    return this.#problem
  }

  candidates(operation: Operation, turn: number): readonly Candidate[] {
    const { nodes } = this.#parts
    if (operation !== fetchRing && this.#now() >= this.#renewAt) this.refresh()
    const view = this.#view
    if (view === undefined) return nodes.order([], rotated(this.#seeds, turn))
    if (operation.op === 'plain') return nodes.order([], this.#anybody(view, turn))
    const rowKey = makeRowKey(operation.bucket, operation.key)
    const partition = partitionOfRowKey(rowKey, view.partitions)
    return nodes.order(view.table[partition] ?? [], this.#anybody(view, partition))
  }

  /** Members first; a URL the user gave may be the only one that can be reached from here. */
  *#anybody(view: RingView, from: number): Iterable<string> {
    yield* rotated(view.members, from)
    yield* this.#seeds
  }

  answered(receipt: string): void {
    if (this.#view !== undefined && epochOf(receipt) > this.#view.epoch) this.refresh()
  }

  failed(failure: Failure): void {
    if (doubtsRing(failure)) this.refresh()
  }

  /** Fetches the ring unless that is under way or was just done. Never rejects. */
  refresh(): void {
    if (!this.#enabled || this.#fetching !== undefined || this.#now() < this.#notBefore) return
    this.#fetching = this.#fetch().finally(() => {
      this.#fetching = undefined
    })
  }

  /** The end of the first fetch. */
  async settled(): Promise<void> {
    await this.#fetching
  }

  async #fetch(): Promise<void> {
    this.#notBefore = this.#now() + REFRESH_PAUSE
    this.#renewAt = this.#now() + REFRESH_PAUSE
    try {
      const { answer } = await this.#parts.fetch(fetchRing)
      this.#take(jsonOf(answer))
    } catch (error) {
      if (!(error instanceof ShoalClientError)) throw error
      this.#problem = error.message
    }
  }

  #take(record: unknown): void {
    const view = readRing(record)
    this.#problem = typeof view === 'string' ? view : undefined
    if (typeof view === 'string') return
    const jitter = this.#parts.env.random('client/ring').below(1_000) / 4_000
    this.#renewAt = this.#now() + REFRESH_SLOW * (1 + jitter)
    if (!mayReplace(this.#view, view)) return
    this.#view = view
    this.#parts.nodes.retain(new Set([...view.members, ...this.#seeds]))
  }

  #now(): Millis {
    return millis(this.#parts.env.clock.elapsed())
  }
}

function* rotated(urls: readonly string[], from: number): Iterable<string> {
  const count = Math.min(urls.length, limits.clientCandidatesMax)
  for (let index = 0; index < count; index++) {
    const url = urls[(from + index) % urls.length]
    if (url !== undefined) yield url
  }
}
