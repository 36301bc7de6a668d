import {
  createTestEnv,
  type ErrorCode,
  type Millis,
  millis,
  type NodeId,
  nodeId,
  type TestEnv,
} from '@shoal/kernel'
import { makeRowKey, partitionOfRowKey } from '@shoal/ring'
import { createMemoryDisk, createMemoryStore, type MemoryDisk, type Store } from '@shoal/storage'
import {
  answerKinds,
  decodeMerge,
  encodeRefusal,
  mergeFlags,
  mergeHeaderBytes,
  writeMergeHeader,
} from '@shoal/wire'
import { decodeHint, readPlace } from '../../src/core/records.ts'
import type { LogSettings } from '../../src/hint-log.ts'
import {
  type Budget,
  Handoff,
  type HandoffEvent,
  type Placement,
  type RowSource,
  type TargetQuestion,
  type TargetSink,
} from '../../src/index.ts'

export const PARTITIONS = 8
export const self = nodeId('self')
export const ada = nodeId('ada')
export const bob = nodeId('bob')

/** What a target does with a question. */
export type Conduct =
  | 'acknowledges'
  /** It is done, and the answer never comes. */
  | 'is silent'
  /** It is done, and the channel is lost. */
  | 'loses the answer'
  | ErrorCode

/**
 * A row is a number that only grows, so that merging is taking the larger one: enough to see
 * whether what a target holds contains what it is owed.
 */
export const rowOf = (state: number, bytes = 8): Buffer => {
  const row = Buffer.alloc(bytes)
  row.writeDoubleBE(state)
  return row
}

export const keyOf = (name: string | number): Buffer => makeRowKey('b', String(name))

export function mergeMessage(rowKey: Buffer, row: Buffer): Buffer {
  const message = Buffer.alloc(mergeHeaderBytes(rowKey.length) + row.length)
  writeMergeHeader(message, 0, rowKey)
  row.copy(message, mergeHeaderBytes(rowKey.length))
  return message
}

export class FakeTarget {
  up = true
  conduct: (rowKey: Buffer, flags: number) => Conduct = () => 'acknowledges'
  latency = 1
  /** What is on its disk. */
  readonly rows = new Map<string, number>()
  /** Row keys in the order in which they came. */
  readonly order: string[] = []
  /** Questions not yet answered, and the most there were at a time. */
  inFlight = 0
  inFlightMax = 0
  bytesInFlight = 0
  bytesInFlightMax = 0
  asked = 0

  holds(rowKey: Buffer): number {
    return this.rows.get(rowKey.toString('latin1')) ?? 0
  }

  ask(env: TestEnv, question: TargetQuestion, sink: TargetSink): void {
    const { tag, body, timeout } = question
    // What is handed over may change as soon as the turn ends.
    const { flags, rowKey, row } = decodeMerge(Buffer.from(body))
    this.asked++
    this.#flies(1, body.length)
    const end = (after: number, answer: () => void): void => {
      env.clock.after(millis(after), () => {
        this.#flies(-1, -body.length)
        answer()
      })
    }
    if (!this.up) return end(0, () => sink.failed(tag, 'SHOAL_PEER_UNREACHABLE'))
    const conduct = this.conduct(rowKey, flags)
    const isDone = ['acknowledges', 'is silent', 'loses the answer'].includes(conduct)
    if (isDone) this.#merge(rowKey, row)
    switch (conduct) {
      case 'acknowledges':
        return end(this.latency, () =>
          sink.answered(tag, answerKinds.mergedDurable, Buffer.alloc(0), false),
        )
      case 'is silent':
        return end(timeout, () => sink.failed(tag, 'SHOAL_PEER_TIMEOUT'))
      case 'loses the answer':
        return end(this.latency, () => sink.failed(tag, 'SHOAL_PEER_LOST'))
      default:
        return end(this.latency, () =>
          sink.answered(tag, answerKinds.refused, encodeRefusal(conduct), false),
        )
    }
  }

  #merge(rowKey: Buffer, row: Buffer): void {
    const text = rowKey.toString('latin1')
    this.rows.set(text, Math.max(this.rows.get(text) ?? 0, row.readDoubleBE(0)))
    this.order.push(rowKey.toString('utf8', 10))
  }

  #flies(count: number, bytes: number): void {
    this.inFlight += count
    this.bytesInFlight += bytes
    this.inFlightMax = Math.max(this.inFlightMax, this.inFlight)
    this.bytesInFlightMax = Math.max(this.bytesInFlightMax, this.bytesInFlight)
  }
}

export interface RigOptions {
  readonly disk?: MemoryDisk
  readonly settings?: Partial<LogSettings>
  readonly budget?: Budget
  readonly seed?: number
  readonly wall?: number
  readonly inject?: (label: string) => boolean
  readonly nodes?: readonly NodeId[]
  readonly syncLatency?: number
  readonly readLatency?: number
  readonly targets?: Map<NodeId, FakeTarget>
  /** Who holds which partition; everybody holds all of them unless told. */
  readonly holds?: (partition: number, node: NodeId) => boolean
  readonly rowFails?: (rowKey: Buffer) => ErrorCode | undefined
}

/** One node that owes, its disk, and the targets it owes to. */
export class Rig {
  readonly env: TestEnv
  readonly disk: MemoryDisk
  readonly store: Store
  readonly handoff: Handoff
  readonly targets: Map<NodeId, FakeTarget>
  readonly events: HandoffEvent[]
  readonly placement: Placement
  readonly #listeners: ((node: NodeId, up: boolean) => void)[]

  private constructor(parts: Parts) {
    this.env = parts.env
    this.disk = parts.disk
    this.store = parts.store
    this.handoff = parts.handoff
    this.targets = parts.targets
    this.events = parts.events
    this.placement = parts.placement
    this.#listeners = parts.listeners
  }

  static async open(options: RigOptions = {}): Promise<Rig> {
    const { disk = createMemoryDisk(), seed = 1, nodes = [ada, bob], inject } = options
    const env = createTestEnv({
      seed,
      ...(inject ? { inject } : {}),
      ...(options.wall === undefined ? {} : { wall: millis(options.wall) }),
    })
    const store = createMemoryStore(env, {
      disk,
      syncLatency: millis(options.syncLatency ?? 0),
      readLatency: millis(options.readLatency ?? 0),
    })
    const targets = options.targets ?? new Map(nodes.map((node) => [node, new FakeTarget()]))
    const listeners: ((node: NodeId, up: boolean) => void)[] = []
    const events: HandoffEvent[] = []
    const placement = placementOf([self, ...nodes], options.holds ?? (() => true))
    const opening = Handoff.open({
      env,
      store,
      self,
      placement: () => placement,
      rows: rowsOf(store, options.rowFails),
      targets: { ask: (question, sink) => targets.get(question.to)?.ask(env, question, sink) },
      liveness: {
        isUp: (node) => targets.get(node)?.up ?? false,
        onChange: (listener) => void listeners.push(listener),
      },
      ...(options.budget ? { budget: options.budget } : {}),
      ...(options.settings ? { settings: options.settings } : {}),
      onEvent: (event) => void events.push(event),
    })
    let handoff: Handoff | undefined
    const opened = opening.then((made) => {
      handoff = made
    })
    while (!handoff) {
      env.advance(millis(1))
      await hop()
    }
    await opened
    return new Rig({ env, disk, store, handoff, targets, listeners, events, placement })
  }

  target(node: NodeId): FakeTarget {
    const target = this.targets.get(node)
    if (!target) throw new RangeError(`no target ${node}`)
    return target
  }

  /** Writes a row to this node, not synced. */
  write(rowKey: Buffer, row: Buffer): void {
    const batch = this.store.batch()
    batch.put('rows', rowKey, row)
    this.store.write(batch)
  }

  /** Writes a row and owes it to a target after the reply. */
  owe(to: NodeId, name: string | number, state: number, bytes = 8): Buffer {
    const rowKey = keyOf(name)
    this.write(rowKey, rowOf(state, bytes))
    this.handoff.owe(to, mergeMessage(rowKey, rowOf(state, bytes)))
    return rowKey
  }

  /** Writes a row and what it owes in one batch, as a fallback does. */
  writeOwing(to: readonly NodeId[], name: string | number, state: number, bytes = 8): Buffer {
    const rowKey = keyOf(name)
    const batch = this.store.batch()
    batch.put('rows', rowKey, rowOf(state, bytes))
    for (const node of to) this.handoff.group.add(batch, { to: node, rowKey, bytes })
    try {
      this.store.write(batch)
    } catch (error) {
      this.handoff.group.discarded()
      throw error
    }
    this.handoff.group.written()
    return rowKey
  }

  setUp(node: NodeId, up: boolean): void {
    this.target(node).up = up
    for (const listener of this.#listeners) listener(node, up)
  }

  /** Lets time pass, and what waits for the disk come to its end between two steps. */
  async advance(by: number, step = 10): Promise<void> {
    for (let passed = 0; passed < by; passed += step) {
      this.env.advance(millis(Math.min(step, by - passed)))
      await hop()
    }
    if (this.env.halted) throw this.env.halted
  }

  /** Until a condition holds. Throws when it never does. */
  async until(holds: () => boolean, most = 600_000, step = 10): Promise<Millis> {
    for (let passed = 0; !holds(); passed += step) {
      if (passed > most) throw new RangeError(`it never came to that in ${most} ms`)
      await this.advance(step, step)
    }
    return this.env.clock.elapsed()
  }

  /** Hints on the disk of a target, by the bytes there. */
  hintsOnDisk(): number {
    let hints = 0
    for (let index = 0; index < this.disk.keyCount('hints'); index++) {
      if (this.disk.keyAt('hints', index)?.[0] === 0x68) hints++
    }
    return hints
  }

  hasHint(node: NodeId, rowKey: Buffer): boolean {
    for (let index = 0; index < this.disk.keyCount('hints'); index++) {
      const key = this.disk.keyAt('hints', index) as Buffer
      const hint = decodeHint(key, this.disk.current('hints', key) as Buffer)
      const place = readPlace(key)
      if (hint?.rowKey.equals(rowKey) && place?.node === node) return true
    }
    return false
  }

  isDirty(node: NodeId, rowKey: Buffer): boolean {
    const partition = partitionOfRowKey(rowKey, PARTITIONS)
    return this.handoff.dirty().some((mark) => mark.node === node && mark.partition === partition)
  }
}

interface Parts {
  readonly env: TestEnv
  readonly disk: MemoryDisk
  readonly store: Store
  readonly handoff: Handoff
  readonly targets: Map<NodeId, FakeTarget>
  readonly listeners: ((node: NodeId, up: boolean) => void)[]
  readonly events: HandoffEvent[]
  readonly placement: Placement
}

/** Promises that can end now end. */
export const hop = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

function placementOf(
  nodes: readonly NodeId[],
  holds: (partition: number, node: NodeId) => boolean,
): Placement {
  const all = Array.from({ length: PARTITIONS }, (_none, index) => index as never)
  return {
    partitions: PARTITIONS,
    preferenceList: (partition) => nodes.filter((node) => holds(partition, node)),
    isReplica: (partition, node) => nodes.includes(node) && holds(partition, node),
    partitionsOf: (node) =>
      all.filter((partition) => nodes.includes(node) && holds(partition, node)),
    member: (node) => (nodes.includes(node) ? ({ id: node } as never) : undefined),
  }
}

function rowsOf(store: Store, fails?: (rowKey: Buffer) => ErrorCode | undefined): RowSource {
  return {
    read: (rowKey, sink) => {
      const code = fails?.(rowKey)
      store.getMany('rows', [rowKey]).then(
        ([row]) => (code ? sink.failed(code) : sink.row(row)),
        () => sink.failed('SHOAL_ROW_DAMAGED'),
      )
    },
  }
}

export const isHealing = (flags: number): boolean => flags === mergeFlags.heal
