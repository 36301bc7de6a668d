import type { MergeOperation, PutOperation, Written } from '@shoal/replica'
import type { SimNode } from '../cluster/sim-cluster.ts'
import { type Bits, hasBit, noBits, sameBits, union, without } from './bits.ts'
import { actorAt, type Header, hexOf, readHeader, readRow, readVersion } from './decode.ts'
import { describe, dotName, type Minted, nameOf } from './history.ts'
import type { OperationRecord } from './operations.ts'
import type { Tokens } from './tokens.ts'
import { type Copy, type Key, keyText, type World } from './world.ts'

interface Actor {
  readonly node: number
  readonly partition: number
  life: number
  counter: number
}

/** Requests are remembered for ten minutes; a retry that late may be a new write. */
const REMEMBERED_MS = 600_000

/**
 * Every write at the moment its dot was minted: what it had seen is taken from what its client was
 * shown, or from what its replica held, never from the clock it was given.
 */
export class Minting {
  readonly #world: World
  readonly #tokens: Tokens
  readonly #memoryForgets: boolean
  readonly #actors = new Map<string, Actor>()
  /** By node: the last process that did not end cleanly. */
  readonly #unclean: number[]

  /** @param memoryForgets  an injection makes nodes forget requests early */
  constructor(world: World, tokens: Tokens, memoryForgets: boolean) {
    this.#world = world
    this.#tokens = tokens
    this.#memoryForgets = memoryForgets
    this.#unclean = world.nodes.map(() => 0)
  }

  stoppedUncleanly({ index, life }: SimNode): void {
    this.#unclean[index] = life
  }

  /** A peer's copy was merged into that of a node. */
  merged({ index }: SimNode, operation: MergeOperation): void {
    const key = this.#world.keyNamed(operation.rowKey.toString('latin1', TOKEN_BYTES))
    const row = readRow(operation.row, key.token)
    if (!row) return
    const copy = key.copies[index] as Copy
    copy.running = union(copy.running, key.history.meaning(row.clock).events)
  }

  /** A replica says that it coordinated a write. */
  written(node: SimNode, operation: PutOperation, result: Written): void {
    const { findings, operations } = this.#world
    const key = this.#world.keyNamed(operation.rowKey.toString('latin1', TOKEN_BYTES))
    const record = operation.request && operations.byRequest(operation.request.toString('latin1'))
    if (operation.request && !record) {
      findings.add('I5', `node ${node.index} writes ${keyText(key)} for a request nobody sent`)
    }
    if (result.repeated) this.#repeated(node, key, { record, result })
    else this.#minted(node, key, { record, operation, result })
  }

  #repeated(
    node: SimNode,
    key: Key,
    { record, result }: { record: OperationRecord | undefined; result: Written },
  ): void {
    const { findings } = this.#world
    findings.checked('repeated requests')
    const actor = actorAt(result.actor, 0)
    const event = key.history.find(actor, result.counter)
    if (event && event.operation === record) return
    const found = event ? describe(event) : `${dotName(actor, result.counter)}, which is no write`
    findings.add('V10', `node ${node.index} answers a retry of ${record?.id} with ${found}`)
  }

  #minted(
    node: SimNode,
    key: Key,
    write: { record: OperationRecord | undefined; operation: PutOperation; result: Written },
  ): void {
    const { findings } = this.#world
    const { record, operation, result } = write
    const actor = actorAt(result.actor, 0)
    const header = headerOf(result, actor)
    const copy = key.copies[node.index] as Copy
    findings.checked('writes minted')
    this.#checkActor(node, key, actor, result.counter)
    if (!header) {
      const dot = dotName(actor, result.counter)
      findings.add('V3', `node ${node.index} minted ${dot} of ${keyText(key)} and did not keep it`)
      return
    }
    const before = copy.running
    const event = key.history.mint({
      header,
      node: node.index,
      life: node.life,
      at: this.#world.now(),
      operation: record,
      past: this.#pastOf(node, key, { record, operation, result }),
    })
    if (!event) {
      findings.add(
        'I11',
        `node ${node.index} minted ${dotName(actor, result.counter)} of ${keyText(key)} out of turn`,
      )
      return
    }
    if (record) this.#checkRetry(node, record, event, key.history.maximal(before))
    if (record) this.#world.operations.minted(record, event)
    this.#checkWhat(key, event, record, operation)
    this.#checkState(node, key, copy, { event, result, siblingsMax: operation.siblingsMax })
  }

  /** What the author of a write had seen. */
  #pastOf(
    node: SimNode,
    key: Key,
    write: { record: OperationRecord | undefined; operation: PutOperation; result: Written },
  ): Bits {
    const { record, operation } = write
    const request = record && writeOf(record)
    if (operation.context) return this.#pastOfContext(node, key, record, operation.context)
    if (request && request.context !== '') {
      this.#world.findings.add('V3', `node ${node.index} ignores the context of ${record?.id}`)
    }
    if (operation.blind === 'sibling') return noBits
    const copy = key.copies[node.index] as Copy
    const known = copy.damaged ? this.#claimed(key, write.result) : copy.running
    const session = request?.session ?? ''
    return union(known, this.#tokens.seenBySession(session, key))
  }

  #pastOfContext(
    node: SimNode,
    key: Key,
    record: OperationRecord | undefined,
    context: Buffer,
  ): Bits {
    const meaning = key.history.meaning(context)
    const request = record && writeOf(record)
    if (!request) return key.history.closure(meaning.events)
    if (request.context === '') {
      // The state that a precondition was checked against.
      if (!request.precondition) {
        this.#world.findings.add(
          'V7',
          `node ${node.index} gives ${record.id} a context it did not send`,
        )
      }
      return key.history.closure(meaning.events)
    }
    const issued = this.#tokens.issued(request.context)
    if (issued?.key !== key) {
      this.#world.findings.add(
        'V6',
        `node ${node.index} takes a context of ${record.id} that belongs to ${issued ? keyText(issued.key) : 'nothing'}`,
      )
      return key.history.closure(meaning.events)
    }
    const named = key.history.closure(meaning.events)
    if (!sameBits(named, issued.history)) {
      this.#world.findings.add(
        'V5',
        `node ${node.index} reads the context of ${record.id} as ${key.history.names(named)}, it was given for ${key.history.names(issued.history)}`,
      )
    }
    return issued.history
  }

  /** Of a copy that was damaged nobody knows what its node knew; what it claims has to do. */
  #claimed(key: Key, { version }: Written): Bits {
    const parts = readVersion(version)
    return parts ? key.history.meaning(parts.clock).events : noBits
  }

  /** A1, A2, I11: counters of an actor rise, in one place, and do not outlive an unclean stop. */
  #checkActor({ index, life }: SimNode, key: Key, id: string, counter: number): void {
    const { findings } = this.#world
    const actor = this.#actors.get(id)
    if (!actor) {
      this.#actors.set(id, { node: index, partition: key.partition, life, counter })
      return
    }
    const fail = (invariant: string, text: string): void => {
      findings.add(
        invariant,
        `actor ${hexOf(id)} of node ${actor.node}, partition ${actor.partition}: ${text}`,
      )
    }
    if (actor.node !== index || actor.partition !== key.partition) {
      fail('A1', `node ${index} mints with it in partition ${key.partition}`)
    }
    if (counter <= actor.counter) fail('I11', `${counter} was minted after ${actor.counter}`)
    if ((this.#unclean[index] as number) >= actor.life && life !== actor.life) {
      fail(
        'A2',
        `process ${life} mints with it, though process ${this.#unclean[index]} had no clean end`,
      )
    }
    actor.counter = Math.max(actor.counter, counter)
    actor.life = life
  }

  /** V10: the same coordinator, and one that holds the value, give a retry its first dot. */
  #checkRetry(
    { index, life }: SimNode,
    record: OperationRecord,
    event: Minted,
    held: readonly Minted[],
  ): void {
    for (const earlier of record.events) {
      const remembers =
        earlier.node === index &&
        earlier.life === life &&
        event.at - earlier.at < REMEMBERED_MS &&
        !this.#memoryForgets
      if (!remembers && !held.includes(earlier)) continue
      const why = remembers ? 'coordinated its first try' : 'holds its first try'
      this.#world.findings.add(
        'V10',
        `node ${index} ${why} ${nameOf(earlier)} and mints ${describe(event)}`,
      )
    }
  }

  /** What is written is what the client asked for. */
  #checkWhat(
    key: Key,
    event: Minted,
    record: OperationRecord | undefined,
    operation: PutOperation,
  ): void {
    const request = record && writeOf(record)
    if (!request) return
    const same =
      request.bucket === key.bucket &&
      request.key === key.key &&
      (request.operation === 'delete') === event.header.tombstone &&
      request.body.equals(operation.body) &&
      request.contentType === operation.contentType
    if (!same) {
      this.#world.findings.add(
        'I5',
        `${describe(event)} of ${keyText(key)} is not what ${record.id} asked for`,
      )
    }
    const ttl = request.ttl > 0 || (this.#world.properties(key.bucket)?.ttl ?? 0) > 0
    if (event.header.expiry > 0 !== (ttl && !event.header.tombstone)) {
      this.#world.findings.add('D2', `${describe(event)} expires at ${event.header.expiry}`)
    }
  }

  /** The state that the write left, before any later write of its group. */
  #checkState(
    { index }: SimNode,
    key: Key,
    copy: Copy,
    { event, result, siblingsMax }: { event: Minted; result: Written; siblingsMax: number },
  ): void {
    const { findings } = this.#world
    const state = key.history.state(result.version)
    copy.running = union(copy.running, event.history)
    const fail = (invariant: string, text: string): void => {
      findings.add(invariant, `node ${index}, ${describe(event)} of ${keyText(key)}: ${text}`)
    }
    if (state.fault) return fail(state.fault.invariant, state.fault.text)
    if (!hasBit(state.events, event.index)) return fail('V3', 'its own clock does not know it')
    if (state.live.length > Math.max(1, siblingsMax)) fail('V8', `${state.live.length} siblings`)
    if (copy.damaged || sameBits(state.events, copy.running)) {
      copy.running = union(copy.running, state.events)
      return
    }
    const forgotten = without(copy.running, state.events)
    const invented = without(state.events, copy.running)
    fail(
      'V3',
      `the copy knew ${key.history.names(forgotten)} and the write does not; it knows ${key.history.names(invented)} beyond`,
    )
    copy.running = union(copy.running, state.events)
  }
}

const TOKEN_BYTES = 8

/** The live header of the write itself, in the version it left. */
function headerOf({ version, counter }: Written, actor: string): Header | undefined {
  for (const bytes of readVersion(version)?.headers ?? []) {
    const header = readHeader(bytes)
    if (header.actor === actor && header.counter === counter) return header
  }
  return undefined
}

export function writeOf({ first }: OperationRecord) {
  const { request } = first
  return request.kind === 'write' ? request.request : undefined
}
