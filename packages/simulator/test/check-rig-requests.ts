import {
  emptyClock,
  etagOf,
  joinIntoSession,
  overwriteContext,
  putVersion,
  type Stamp,
  versionClock,
} from '@shoal/causality'
import type {
  EffectiveConsistency,
  ListAnswer,
  ListRequest,
  ReadAnswer,
  ReadRequest,
  WriteAnswer,
  WriteRequest,
} from '@shoal/coordinator'
import { type ErrorCode, millis, type Outcome, ShoalError } from '@shoal/kernel'
import { type KnownRow, mergeKnownRows, type PutOperation } from '@shoal/replica'
import { makeRowKey, rowKeyName } from '@shoal/ring'
import type { InvokedOperation } from '../src/check/observer.ts'
import type { ClientEnd, ClientRequest } from '../src/cluster/sim-cluster.ts'
import { bodyOf } from '../src/workload/body.ts'
import { mergeInto, type RigNode, type RigWorld } from './check-rig-node.ts'
import { contextOf, hashOf, rowOf, valuesOf } from './check-rig-rows.ts'

const ANY_TIMEOUT = millis(2_000)

export interface WriteOptions {
  readonly id: string
  readonly key?: string
  readonly operation?: 'put' | 'delete'
  readonly context?: string
  readonly session?: string
  readonly ttl?: number
  readonly w?: number
  readonly durable?: number
  readonly timeout?: number
  readonly attempt?: number
}

/** How a write may be minted wrongly. */
export interface MintOptions {
  readonly context?: Buffer | undefined
  readonly version?: (honest: Buffer) => Buffer
  readonly body?: Buffer
  readonly counter?: number
  readonly local?: Buffer | undefined
  /** Nothing reaches the disk. */
  readonly unwritten?: boolean
  readonly expiry?: number
  readonly stamp?: Stamp
}

/** What a write is answered otherwise than it should be. */
export type WriteChanges = Partial<Omit<WriteAnswer, 'receipt'>> & {
  readonly receipt?: Partial<WriteAnswer['receipt']>
}

export class RigWrite {
  readonly request: WriteRequest
  readonly rowKey: Buffer
  readonly #rig: RigWorld
  readonly #node: RigNode
  readonly #options: WriteOptions
  readonly #invoked: InvokedOperation
  readonly #done: (result: never) => void
  clock: Buffer = emptyClock
  version: Buffer = emptyClock
  row: Buffer = emptyClock
  token = ''
  session = ''

  constructor(rig: RigWorld, node: RigNode, options: WriteOptions) {
    this.#rig = rig
    this.#node = node
    this.#options = options
    const { id, key = 'k', operation = 'put', context = '', session = '', ttl = 0 } = options
    const { w = 2, durable = w } = options
    this.rowKey = makeRowKey('b', key)
    this.request = {
      bucket: 'b',
      key,
      operation,
      context,
      session,
      ttl,
      idempotencyKey: id,
      consistency: { level: 'quorum', w, durable, strict: false },
      body: operation === 'put' ? bodyOf(id, 20) : Buffer.alloc(0),
      contentType: operation === 'put' ? 'text/plain' : '',
      contentEncoding: '',
      timeout: millis(options.timeout ?? ANY_TIMEOUT),
      explain: false,
    }
    this.#invoked = invoke(rig, node, options, { kind: 'write', request: this.request })
    node.coordinator.write(this.request, () => undefined)
    this.#done = node.taken.at(-1)?.done as (result: never) => void
  }

  /** The coordinator writes, as V3 says or otherwise. */
  mint(options: MintOptions = {}): this {
    const node = this.#node
    const { request } = this
    const token = this.rowKey.readBigUInt64BE(0)
    const known = node.rows.get(this.rowKey.toString('latin1'))
    const local = 'local' in options ? options.local : known?.version
    const context = 'context' in options ? options.context : this.#clientContext()
    const blind = this.#rig.properties.blindWrites === 'overwrite' ? 'overwrite' : 'sibling'
    const used = context ?? (blind === 'overwrite' ? overwriteContext(local) : undefined)
    const counter = options.counter ?? node.nextCounter(this.rowKey)
    const actor = node.actorOf(this.rowKey)
    const write = {
      actor,
      counter,
      tombstone: request.operation === 'delete',
      stamp: options.stamp ?? node.nextStamp(),
      request: hashOf(request.idempotencyKey, token),
      expiry: options.expiry ?? 0,
    }
    const put = putVersion(local, used, write)
    this.version = options.version ? options.version(put.version) : put.version
    this.clock = used ? versionClock(used) : emptyClock
    const body = options.body ?? request.body
    this.row = rowOf(this.version, known, token, { ...request, body })
    const operation: PutOperation = {
      kind: 'put',
      rowKey: this.rowKey,
      tombstone: write.tombstone,
      body,
      contentType: request.contentType,
      contentEncoding: '',
      context,
      seen: undefined,
      checked: undefined,
      blind,
      expiry: write.expiry,
      request: write.request,
      siblingsMax: this.#rig.properties.maxSiblings,
      durable: true,
      sink: { written: () => undefined, durable: () => undefined, refused: () => undefined },
    }
    node.replica.put(operation)
    if (!options.unwritten) node.keep(this.rowKey, { version: this.version, row: this.row })
    const message = this.row
    const answered = contextOf(used, actor, counter)
    node.put?.sink.written({
      version: this.version,
      message,
      context: answered,
      actor,
      counter,
      dropped: 0,
      repeated: false,
    })
    this.#context = answered
    return this
  }
  #context: Buffer = emptyClock

  #clientContext(): Buffer | undefined {
    if (this.request.context === '') return undefined
    return this.#rig.contexts.decode(this.request.context, rowKeyName(this.rowKey)).clock
  }

  /** Another node merges the row. */
  deliver(to: number): this {
    const node = this.#rig.nodes[to] as RigNode
    mergeInto(node, this.rowKey, { version: this.version, row: this.row })
    return this
  }

  answer(changes: WriteChanges = {}): this {
    const { w = 2, durable = w } = this.#options
    const n = this.#rig.properties.n
    const receipt = {
      n,
      need: w,
      ack: w,
      primaries: w,
      fallbacks: 0,
      durable,
      hinted: 0,
      repaired: 0,
      epoch: 1,
      node: this.#node.id,
    }
    this.token = this.#rig.contexts.encode(this.#context, rowKeyName(this.rowKey))
    if (this.request.session !== '') {
      const place = { rowToken: this.rowKey.subarray(0, 8), name: rowKeyName(this.rowKey) }
      const before = this.#rig.sessions.decode(this.request.session, place)
      const after = joinIntoSession(before, place.rowToken, this.#context)
      this.session = this.#rig.sessions.encode(after)
    }
    const answer: WriteAnswer = {
      context: this.token,
      session: this.session,
      consistency: consistencyOf(n, { w, durable }),
      etag: etagOf(this.version, 0),
      modified: millis(0),
      siblings: 1,
      ...changes,
      receipt: { ...receipt, ...changes.receipt },
    }
    this.token = answer.context
    this.#done(answer as never)
    this.#rig.checks.ended(this.#invoked, { kind: 'answer', answer })
    return this
  }

  refuse(code: ErrorCode, outcome?: Outcome): this {
    const error = new ShoalError(code, code, outcome ? { outcome } : {})
    this.#done(error as never)
    this.end({ kind: 'refused', error })
    return this
  }

  end(end: ClientEnd): this {
    this.#rig.checks.ended(this.#invoked, end)
    return this
  }
}

export interface ReadOptions {
  readonly key?: string
  readonly session?: string
  readonly r?: number
  readonly strict?: boolean
  readonly timeout?: number
}

export class RigRead {
  readonly #rig: RigWorld
  readonly #node: RigNode
  readonly #options: ReadOptions
  readonly #rowKey: Buffer
  readonly #request: ReadRequest
  readonly #invoked: InvokedOperation
  readonly #done: (result: never) => void
  token = ''
  session = ''

  constructor(rig: RigWorld, node: RigNode, options: ReadOptions) {
    this.#rig = rig
    this.#node = node
    this.#options = options
    const { key = 'k', session = '', r = 2, strict = false } = options
    this.#rowKey = makeRowKey('b', key)
    this.#request = {
      bucket: 'b',
      key,
      session,
      consistency: { level: 'quorum', r, strict },
      timeout: millis(options.timeout ?? ANY_TIMEOUT),
      explain: false,
    }
    this.#invoked = invoke(rig, node, { id: 'r' }, { kind: 'read', request: this.#request })
    node.coordinator.read(this.#request, () => undefined)
    this.#done = node.taken.at(-1)?.done as (result: never) => void
  }

  /** The merge of what these nodes hold, or what the test makes of it. */
  answer(from: readonly number[], change: (honest: ReadAnswer) => ReadAnswer = same): this {
    let known: KnownRow | undefined
    for (const index of from) {
      const row = (this.#rig.nodes[index] as RigNode).rows.get(this.#rowKey.toString('latin1'))
      const token = this.#rowKey.readBigUInt64BE(0)
      if (row) known = known ? mergeKnownRows(known, row, token) : row
    }
    const answer = change(this.#describe(known))
    this.token = answer.context
    this.session = answer.session
    this.#done(answer as never)
    this.#rig.checks.ended(this.#invoked, { kind: 'answer', answer })
    return this
  }

  refuse(code: ErrorCode): this {
    const error = new ShoalError(code, code)
    this.#done(error as never)
    this.#rig.checks.ended(this.#invoked, { kind: 'refused', error })
    return this
  }

  #describe(known: KnownRow | undefined): ReadAnswer {
    const { r = 2, strict = false } = this.#options
    const { n, conflicts } = this.#rig.properties
    const name = rowKeyName(this.#rowKey)
    const rowToken = this.#rowKey.subarray(0, 8)
    const clock = known ? versionClock(known.version) : emptyClock
    const before =
      this.#request.session === ''
        ? undefined
        : this.#rig.sessions.decode(this.#request.session, { rowToken, name })
    const wall = this.#rig.env.clock.wall()
    const all = known ? valuesOf(known, wall) : []
    const values = conflicts === 'lww' ? all.slice(-1) : all
    return {
      values,
      etag: known ? etagOf(known.version, wall) : '',
      modified: millis(0),
      context: this.#rig.contexts.encode(clock, name),
      session: before ? this.#rig.sessions.encode(joinIntoSession(before, rowToken, clock)) : '',
      consistency: { ...consistencyOf(n, { w: 2, durable: 2 }), r, strict },
      receipt: {
        n,
        need: r,
        ack: r,
        primaries: r,
        fallbacks: 0,
        hinted: 0,
        repaired: 0,
        epoch: 1,
        node: this.#node.id,
      },
    }
  }
}

export class RigList {
  readonly #request: ListRequest
  readonly #rig: RigWorld
  readonly #done: (result: never) => void

  constructor(rig: RigWorld, node: RigNode, options: Partial<ListRequest>) {
    this.#rig = rig
    this.#request = {
      bucket: 'b',
      prefix: '',
      after: '',
      limit: 100,
      timeout: ANY_TIMEOUT,
      ...options,
    }
    void node.coordinator.list(this.#request)
    this.#done = node.taken.at(-1)?.done as (result: never) => void
  }

  /** Resolves when the checks have seen it. */
  async answer(keys: readonly string[], { more = false } = {}): Promise<void> {
    const { n } = this.#rig.properties
    const r = this.#request.consistency?.r ?? 1
    const level = 'one' as const
    const consistency = { ...consistencyOf(n, { w: 1, durable: 1 }), r, level }
    const answer: ListAnswer = { keys, more, consistency }
    this.#done(answer as never)
    await new Promise(setImmediate)
  }
}

function invoke(
  rig: RigWorld,
  node: RigNode,
  { id, attempt = 0 }: { id: string; attempt?: number },
  request: ClientRequest,
): InvokedOperation {
  const at = rig.env.clock.elapsed()
  const invoked: InvokedOperation = { id, attempt, client: 1, node: node.index, request, at }
  rig.checks.invoked(invoked)
  return invoked
}

const same = (honest: ReadAnswer): ReadAnswer => honest

function consistencyOf(n: number, { w, durable }: { w: number; durable: number }) {
  const r = Math.floor(n / 2) + 1
  const consistency: EffectiveConsistency = { level: 'quorum', n, r, w, durable, strict: false }
  return consistency
}
