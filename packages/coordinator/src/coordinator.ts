import type { ContextCodec, SessionCodec } from '@shoal/causality'
import {
  type Env,
  limits,
  type Millis,
  millis,
  type NodeId,
  type Partition,
  ShoalError,
} from '@shoal/kernel'
import type { Replica } from '@shoal/replica'
import type { Ring } from '@shoal/ring'
import {
  answerKinds,
  decodeForwardedWrite,
  decodeTrace,
  encodeForwardedAnswer,
  encodeRefusal,
  encodeTrace,
  questionKinds,
} from '@shoal/wire'
import { type KnownBuckets, SYSTEM_BUCKET, waitForBuckets } from './bucket-wait.ts'
import { Latencies } from './core/latencies.ts'
import { Traces } from './core/traces.ts'
import { Deadlines } from './deadlines.ts'
import { createFigures, type Desk, type Figures } from './desk.ts'
import { explainKey } from './explaining.ts'
import { forwardWrite } from './forwarding.ts'
import { listBucket } from './listing.ts'
import { locate, type Place } from './place.ts'
import {
  type CoordinatorQuestion,
  type Hints,
  type Liveness,
  type LostData,
  type Replicas,
  readable,
} from './ports.ts'
import { Progress } from './progress.ts'
import { readKey, type Settings } from './reading.ts'
import type {
  Done,
  Explanation,
  KeyRequest,
  KeyValue,
  ListAnswer,
  ListRequest,
  ReadAnswer,
  ReadRequest,
  RequestReport,
  Trace,
  WriteAnswer,
  WriteRequest,
} from './requests.ts'
import { type RestoredRow, restoreRow } from './restoring.ts'
import { Speeds } from './speeds.ts'
import { writeKey } from './writing.ts'

export interface CoordinatorParts {
  readonly env: Env
  readonly self: NodeId
  /** The ring as this node knows it now. */
  readonly ring: () => Ring
  readonly replica: Replica
  readonly peers: Replicas
  readonly buckets: KnownBuckets
  readonly contexts: ContextCodec
  readonly sessions: SessionCodec
  readonly settings: Settings
  /** Absent while nothing keeps hints: then a missed write waits for read repair. */
  readonly hints?: Hints
  /** Absent while nothing watches the others: then a channel that is up is all that counts. */
  readonly liveness?: Liveness
  /** What this node says of partitions that it lost does not count to R (Q6). */
  readonly lost?: LostData
  /** Whether replicas that a read finds behind are sent what they lack. Default true. */
  readonly readRepair?: boolean
  /** A peer is known to lack something of a partition, and nothing will bring it there. */
  readonly dirty?: (partition: Partition, node: NodeId) => void
  /** Told when a write that another node passed on has ended. */
  readonly coordinated?: (write: Coordinated) => void
}

/** A write of another node's client, ended. */
export interface Coordinated {
  readonly from: NodeId
  readonly request: WriteRequest
  readonly result: WriteAnswer | ShoalError
  readonly report: RequestReport | undefined
}

/** How late a deadline, and a hedge, may be noticed. */
const DEADLINE_TICK = millis(16)
const HEDGE_TICK = millis(4)

/** Quorums for clients, on any node. One object for the life of a node. */
export class Coordinator implements KeyValue {
  readonly #desk: Desk
  readonly #buckets: KnownBuckets
  readonly #settings: Settings
  readonly #coordinated: CoordinatorParts['coordinated']
  readonly #traces = new Traces()
  readonly #latencies = new Latencies()

  constructor(parts: CoordinatorParts) {
    const { env, self, ring, replica, peers, contexts, sessions, hints, liveness } = parts
    this.#buckets = parts.buckets
    this.#settings = parts.settings
    this.#coordinated = parts.coordinated
    this.#desk = {
      env,
      self,
      ring,
      replica,
      peers,
      liveness,
      hints,
      readRepair: parts.readRepair ?? true,
      lost: parts.lost,
      dirty: parts.dirty,
      contexts,
      sessions,
      deadlines: new Deadlines(env, DEADLINE_TICK),
      hedges: new Deadlines(env, HEDGE_TICK),
      speeds: new Speeds(),
      figures: createFigures(),
    }
  }

  get figures(): Readonly<Figures> {
    return this.#desk.figures
  }

  /** Of the requests met since the last call; undefined when there were none. */
  takeP99(): Millis | undefined {
    return this.#latencies.takeP99()
  }

  /** Reads and writes met since the last call. */
  takeMet(): number {
    return this.#latencies.takeMet()
  }

  /** The quickest read or write met since the last call, whichever took longer. */
  takeQuickest(): Millis | undefined {
    return this.#latencies.takeQuickest()
  }

  get desk(): Desk {
    return this.#desk
  }

  read(request: ReadRequest, done: Done<ReadAnswer>): void {
    this.#run(request, 'get', done, (place, asked, end) => {
      readKey(this.#desk, this.#settings, place, asked, end)
    })
  }

  write(request: WriteRequest, done: Done<WriteAnswer>): void {
    this.#run(request, request.operation, done, (place, asked, end) => {
      const coordinate = (again: WriteRequest): void => {
        this.#attempt(end, () => writeKey(this.#desk, this.#settings, place, again, end))
      }
      if (place.self >= 0 || asked.asStandIn) return coordinate(asked)
      if (asked.passedOn) throw new ShoalError('SHOAL_NOT_REPLICA', 'It was passed on once.')
      forwardWrite(this.#desk, place, asked, { coordinate, done: end })
    })
  }

  list(request: ListRequest): Promise<ListAnswer> {
    return new Promise((resolve, reject) => {
      this.#whenKnown(request, reject, (asked) => {
        const bucket = this.#buckets.of(asked.bucket)
        resolve(listBucket(this.#desk, this.#settings, bucket, asked))
      })
    })
  }

  /** Merges a row out of a backup into all of its replicas. Throws for what is no row. */
  restore(row: RestoredRow, done: (failure: ShoalError | undefined) => void): void {
    restoreRow(this.#desk, row, done)
  }

  explain(bucket: string, key: string, timeout: Millis): Promise<Explanation> {
    return explainKey(this.#desk, locate(this.#desk, this.#buckets, bucket, key), timeout)
  }

  async trace(id: string): Promise<Trace | undefined> {
    const own = this.#traces.find(id, this.#desk.env.clock.elapsed())
    if (own) return own
    const others = this.#desk
      .ring()
      .record.members.map((member) => member.id)
      .filter((node) => node !== this.#desk.self && this.#desk.peers.isUp(node))
    const answers = await Promise.all(others.map((node) => this.#askForTrace(node, id)))
    return answers.find((trace) => trace !== undefined)
  }

  /**
   * Answers another coordinator.
   *
   * @returns false when the question is not one for a coordinator
   */
  answer(question: CoordinatorQuestion): boolean {
    switch (question.kind) {
      case questionKinds.write:
      case questionKinds.writeAsStandIn:
        this.#answerForwarded(question)
        return true
      case questionKinds.trace: {
        const id = question.body.toString('latin1')
        const trace = this.#traces.find(id, this.#desk.env.clock.elapsed())
        if (trace) question.answer(answerKinds.trace, encodeTrace(trace))
        else question.answer(answerKinds.absent, NOTHING)
        return true
      }
      default:
        return false
    }
  }

  /** Stops the timers. Requests under way must have ended. */
  close(): void {
    this.#desk.deadlines.stop()
    this.#desk.hedges.stop()
  }

  /** What every request has in common: admission, one end, a trace for those who asked. */
  #run<Q extends KeyRequest, T extends { readonly traceId?: string }>(
    request: Q,
    operation: string,
    done: Done<T>,
    start: (place: Place, request: Q, end: Done<T>) => void,
  ): void {
    const { env, figures } = this.#desk
    const full = figures.operationsInFlight >= limits.operationsInFlightMax
    if (full || env.inject('coordinator: too many requests')) {
      env.nextTurn(() => done(overloaded()))
      return
    }
    figures.operationsInFlight++
    const began = env.clock.elapsed()
    const isRead = operation === 'get'
    const end = (result: T | ShoalError, report?: RequestReport): void => {
      figures.operationsInFlight--
      if (!(result instanceof ShoalError)) this.#latencies.add(env.clock.elapsed() - began, isRead)
      // Of a write that was passed on the trace is where it was coordinated.
      if (!request.explain || !(report instanceof Progress)) return done(result, report)
      const traceId = this.#keepTrace(request, operation, report)
      done(result instanceof ShoalError ? result : { ...result, traceId }, report)
    }
    this.#whenKnown(request, end, (asked) => {
      this.#attempt(end, () => {
        start(locate(this.#desk, this.#buckets, asked.bucket, asked.key), asked, end)
      })
    })
  }

  /** What is refused before anything is sent is answered in another turn. */
  #attempt(end: (error: ShoalError) => void, work: () => void): void {
    try {
      work()
    } catch (error) {
      if (!(error instanceof ShoalError)) throw error
      this.#desk.env.nextTurn(() => end(error))
    }
  }

  /** At once, but on a disk so new that nobody has told it of the buckets yet. */
  #whenKnown<Q extends { readonly bucket: string; readonly timeout: Millis }>(
    request: Q,
    refuse: (error: ShoalError) => void,
    go: (request: Q) => void,
  ): void {
    const isKnown = this.#buckets.isKnown !== false || request.bucket === SYSTEM_BUCKET
    if (isKnown) return go(request)
    const { env, deadlines } = this.#desk
    waitForBuckets({ env, deadlines, buckets: this.#buckets }, request, { refuse, go })
  }

  #answerForwarded(question: CoordinatorQuestion): void {
    try {
      const request = decodeForwardedWrite(question.body)
      const isStandIn = question.kind === questionKinds.writeAsStandIn
      const asStandIn = isStandIn && this.#desk.hints !== undefined
      const { follower } = question
      // Whether this is a replica is known when the bucket is: that may take a new disk a while.
      this.write({ ...request, asStandIn, passedOn: true, follower }, (result, report) => {
        // Never forwarded again (V4): a sender with another ring fetches the newer one.
        const isElsewhere = result instanceof ShoalError && result.code === 'SHOAL_NOT_REPLICA'
        if (isElsewhere) return refuse(question, result.code)
        question.answer(answerKinds.written, encodeForwardedAnswer(result))
        this.#coordinated?.({ from: question.from, request, result, report })
      })
    } catch (error) {
      if (!(error instanceof ShoalError)) throw error
      refuse(question, error.code)
    }
  }

  #keepTrace({ bucket, key }: KeyRequest, operation: string, progress: Progress): string {
    const { env, self } = this.#desk
    const id = Buffer.from(env.random('traces').bytes(8)).toString('hex')
    const trace: Trace = {
      id,
      node: self,
      operation,
      bucket,
      key,
      started: millis(env.clock.wall() - (env.clock.elapsed() - progress.began)),
      events: progress.events ?? [],
      replicas: progress.reports(),
    }
    this.#traces.keep(trace, env.clock.elapsed())
    return id
  }

  #askForTrace(to: NodeId, id: string): Promise<Trace | undefined> {
    const body = Buffer.from(id, 'latin1')
    const question = { to, kind: questionKinds.trace, body, timeout: millis(1_000), tag: 0 }
    return new Promise((resolve) => {
      this.#desk.peers.ask(question, {
        answered: (_tag, kind, answer) =>
          resolve(kind === answerKinds.trace ? readable(() => decodeTrace(answer)) : undefined),
        failed: () => resolve(undefined),
      })
    })
  }
}

const NOTHING = Buffer.alloc(0)

function refuse(question: CoordinatorQuestion, code: ShoalError['code']): void {
  question.answer(answerKinds.refused, encodeRefusal(code))
}

function overloaded(): ShoalError {
  return new ShoalError('SHOAL_OVERLOADED', 'Too many requests are under way on this node.', {
    wanted: limits.operationsInFlightMax,
    retryAfterMs: 1_000,
  })
}
