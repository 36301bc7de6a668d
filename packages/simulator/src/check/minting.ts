import type { ErrorCode } from '@shoal/kernel'
import type { MergeOperation, PutOperation, Written } from '@shoal/replica'
import type { SimNode } from '../cluster/sim-cluster.ts'
import { Actors } from './actors.ts'
import { seenByAuthor } from './authors.ts'
import { type Bits, hasBit, sameBits, union, withBit, without } from './bits.ts'
import { actorAt, type Header, readHeader, readVersion, rowClock } from './decode.ts'
import { describe, dotName, type Minted, nameOf, type OperationRecord } from './minted.ts'
import { type MintedWrite, writeOf } from './minted-write.ts'
import { Times } from './times.ts'
import type { Tokens } from './tokens.ts'
import { type Copy, isAlone, isExcused, keyText, type World } from './world.ts'

/** Requests are remembered for ten minutes; a retry that late may be a new write. */
const REMEMBERED_MS = 600_000
const TOKEN_BYTES = 8

/**
 * Every write at the moment its dot was minted: what it had seen is taken from what its client was
 * shown, or from what its replica held, never from the clock it was given.
 */
export class Minting {
  readonly actors: Actors
  readonly times: Times
  readonly #world: World
  readonly #tokens: Tokens
  readonly #memoryForgets: boolean

  /** @param memoryForgets  an injection makes nodes forget requests early */
  constructor(world: World, tokens: Tokens, memoryForgets: boolean) {
    this.actors = new Actors(world)
    this.times = new Times(world)
    this.#world = world
    this.#tokens = tokens
    this.#memoryForgets = memoryForgets
  }

  /** A peer's copy was merged into that of a node. */
  merged(node: SimNode, operation: MergeOperation): void {
    const key = this.#world.keyNamed(operation.rowKey.toString('latin1', TOKEN_BYTES))
    const clock = rowClock(operation.row)
    if (!clock) return
    const meaning = key.history.meaning(clock)
    this.actors.heard(node, clock, meaning)
    this.times.merged(node)
    const copy = key.copies[node.index] as Copy
    copy.running = union(copy.running, meaning.events)
  }

  /** V8, V11: what is refused as damaged, or as contradicting, is so. */
  refused(node: SimNode, { rowKey, kind }: MergeOperation | PutOperation, code: ErrorCode): void {
    // Its stamps were looked at before a full disk refused the group.
    this.times.merged(node)
    const { index } = node
    if (code !== 'SHOAL_ROW_DAMAGED' && code !== 'SHOAL_ROWS_CONTRADICT') return
    const key = this.#world.keyNamed(rowKey.toString('latin1', TOKEN_BYTES))
    if (code === 'SHOAL_ROW_DAMAGED' && key.copies[index]?.damaged) return
    const what = kind === 'put' ? 'write' : 'copy of a peer'
    const text = `node ${index} refuses a ${what} to a sound copy of ${keyText(key)}: ${code}`
    this.#world.fail(key, code === 'SHOAL_ROW_DAMAGED' ? 'V8' : 'V1', text)
  }

  /** A replica says that it coordinated a write. */
  written(node: SimNode, operation: PutOperation, result: Written): void {
    const key = this.#world.keyNamed(operation.rowKey.toString('latin1', TOKEN_BYTES))
    const { request } = operation
    const record = request && this.#world.operations.byRequest(request.toString('latin1'))
    const fail = (invariant: string, text: string): void => {
      const dot = dotName(actorAt(result.actor, 0), result.counter)
      const what = `${record?.id ?? 'a write'} as ${dot} of ${keyText(key)} on node ${node.index}`
      this.#world.fail(key, invariant, `${what}: ${text}`)
    }
    if (request && !record) fail('I5', 'nobody sent such a request')
    const write = { node, key, record, operation, result, fail }
    if (result.repeated) this.#repeated(write)
    else this.#minted(write)
  }

  #repeated({ key, record, result, fail }: MintedWrite): void {
    this.#world.findings.checked('repeated requests')
    const event = key.history.find(actorAt(result.actor, 0), result.counter)
    if (record) record.repeated = true
    if (event && event.operation === record) return
    fail('V10', `a retry is answered with ${event ? describe(event) : 'what is no write'}`)
  }

  #minted(write: MintedWrite): void {
    const { node, key, record, result, fail } = write
    const { findings, operations } = this.#world
    findings.checked('writes minted')
    const id = actorAt(result.actor, 0)
    this.actors.issued(node, key, { id, counter: result.counter })
    this.times.minted(write)
    const header = headerOf(result, id)
    if (!header) return fail('V3', 'it did not keep what it minted')
    const copy = key.copies[node.index] as Copy
    const before = copy.running
    const seen = seenByAuthor(this.#tokens, write)
    const past = seen.history
    if (!sameBits(past, seen.named)) {
      key.open = true
      findings.checked('writes upon a context that names less')
    }
    const { index, life } = node
    const at = this.#world.now()
    const event = key.history.mint({ header, node: index, life, at, operation: record, past })
    if (!event) return fail('I11', 'its actor has written this or a later dot of the key before')
    if (record) {
      this.#checkReach(write, record)
      this.#checkRetry(write, record, { event, before })
      operations.minted(record, event)
    }
    this.#checkWhat(write, event)
    copy.running = union(copy.running, withBit(seen.named, event.index))
    this.#checkState(write, copy, event)
  }

  /** Q7: a write that cannot reach enough nodes is refused before anything is written. */
  #checkReach({ node, fail }: MintedWrite, { vain }: OperationRecord): void {
    // A node with a new disk waits for the bucket's properties, and is no longer alone then.
    if (!vain.has(node.index) || !isAlone(node, this.#world.nodes)) return
    fail('Q7', 'its node was alone all the time, and needed others')
  }

  /** V10: the same coordinator, and one that holds the value, give a retry its first dot. */
  #checkRetry(
    { node, key, fail }: MintedWrite,
    record: OperationRecord,
    { event, before }: { event: Minted; before: Bits },
  ): void {
    const held = record.events.length > 0 ? key.history.maximal(before) : []
    // A copy that lost both of its records since knows nothing of it: the memory may be of what is
    // nowhere. What a peer has put in their place is on no disk before the group is.
    const copy = key.copies[node.index]
    const isLost = copy?.rowDamaged === true && copy.versionDamaged
    for (const earlier of record.events) {
      const remembers =
        earlier.node === node.index &&
        earlier.life === node.life &&
        event.at - earlier.at < REMEMBERED_MS &&
        hasBit(before, earlier.index) &&
        !this.#memoryForgets
      if (isLost || (!remembers && !held.includes(earlier))) continue
      const why = remembers ? 'coordinated its first try' : 'holds its first try'
      fail('V10', `the node ${why} ${nameOf(earlier)}`)
    }
  }

  /** What is written is what the client asked for. */
  #checkWhat({ key, record, operation, fail }: MintedWrite, { header }: Minted): void {
    const request = record && writeOf(record)
    if (!request) return
    const same =
      request.bucket === key.bucket &&
      request.key === key.key &&
      (request.operation === 'delete') === header.tombstone &&
      request.body.equals(operation.body) &&
      request.contentType === operation.contentType
    if (!same) fail('I5', 'it is not what was asked for')
    const mortal = request.ttl > 0 || (this.#world.properties(key.bucket)?.ttl ?? 0) > 0
    const expires = mortal && !header.tombstone
    if (header.expiry > 0 !== expires) fail('D2', `it expires at ${header.expiry}`)
  }

  /** The state that the write left, before any later write of its group. */
  #checkState({ key, result, operation, fail }: MintedWrite, copy: Copy, event: Minted): void {
    const { history } = key
    const state = history.state(result.version)
    const expected = copy.running
    copy.running = union(expected, state.events)
    if (state.fault && !isExcused(key, state.fault)) {
      return fail(state.fault.invariant, state.fault.text)
    }
    const { length } = state.live
    if (!hasBit(state.events, event.index)) return fail('V3', 'its own clock does not know it')
    if (length > Math.max(1, operation.siblingsMax)) fail('V8', `${length} siblings`)
    if (copy.damaged || sameBits(state.events, expected)) return
    const less = history.names(without(expected, state.events))
    const more = history.names(without(state.events, expected))
    fail(
      'V3',
      `it forgets ${less || 'nothing'} that the copy knew, and invents ${more || 'nothing'}`,
    )
  }
}

/** The live header of the write itself, in the version it left. */
function headerOf({ version, counter }: Written, actor: number): Header | undefined {
  for (const bytes of readVersion(version)?.headers ?? []) {
    const header = readHeader(bytes)
    if (header.actor === actor && header.counter === counter) return header
  }
  return undefined
}
