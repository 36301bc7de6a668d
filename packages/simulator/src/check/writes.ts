import type { WriteAnswer, WriteRequest } from '@shoal/coordinator'
import type { SimNode } from '../cluster/sim-cluster.ts'
import { hasBit, isEmpty, sameBits, without } from './bits.ts'
import type { Meaning } from './history.ts'
import { describe, type Minted } from './minted.ts'
import type { Sessions } from './sessions.ts'
import type { Tokens } from './tokens.ts'
import { type Key, keyText, type World } from './world.ts'

type Fail = (invariant: string, text: string) => void

/** What a write is answered, against the disks at the moment the answer leaves (I2). */
export class Writes {
  readonly #world: World
  readonly #tokens: Tokens
  readonly #sessions: Sessions

  constructor(world: World, tokens: Tokens, sessions: Sessions) {
    this.#world = world
    this.#tokens = tokens
    this.#sessions = sessions
  }

  answered(node: SimNode, request: WriteRequest, answer: WriteAnswer): void {
    const { findings } = this.#world
    const key = this.#world.keyOf(request.bucket, request.key)
    findings.checked('writes answered')
    const fail: Fail = (invariant, text) => {
      const where = `write ${request.idempotencyKey} of ${keyText(key)} through node ${node.index}`
      this.#world.fail(key, invariant, `${where}: ${text}`)
    }
    this.#checkAllowed(key, request, fail)
    const meaning = this.#tokens.read(key, answer.context)
    if (!meaning) return fail('V5', 'it answers no context')
    const event = this.#eventOf(request, key, meaning)
    if (!event)
      return fail('V5', `its context names ${key.history.names(meaning.events)}, not the write`)
    this.#checkContext(key, event, meaning, fail)
    // An answer that was passed on has been checked where it was made.
    if (answer.receipt.node === node.id) this.#checkReceipt(key, event, answer, fail)
    event.acknowledged ??= { at: this.#world.now(), holders: holdersOf(key, event) }
    const named = meaning.events
    this.#tokens.issue(answer.context, { key, history: event.history, named })
    this.#sessions.answered(key, request.session, answer.session, { history: named, fail })
  }

  /** V6, V7, D1: what had to be refused. */
  #checkAllowed(key: Key, request: WriteRequest, fail: Fail): void {
    const { context, operation, precondition } = request
    if (context !== '') {
      const issued = this.#tokens.issued(context)
      if (!issued) fail('V6', 'it was answered, with a context that no node gave')
      else if (issued.key !== key) {
        fail('V6', `it was answered, with a context of ${keyText(issued.key)}`)
      }
      return
    }
    const blind = this.#world.properties(key.bucket)?.blindWrites
    const creates = precondition?.ifNoneMatch?.includes('*') && operation === 'put'
    if (creates || precondition?.ifMatch) return
    if (blind === 'reject') fail('V7', 'it was answered, without a context')
    if (blind === 'sibling' && operation === 'delete')
      fail('D1', 'it was answered, without a context')
  }

  #eventOf(request: WriteRequest, key: Key, { events }: Meaning): Minted | undefined {
    const record = this.#world.operations.byId(request.idempotencyKey)
    // Of two tries that both wrote, the later may have seen the earlier, never the reverse.
    if (record) return record.events.findLast(({ index }) => hasBit(events, index))
    // The system's own writes name no request: theirs is the last one there.
    return key.history.maximal(events).find(({ operation }) => operation === undefined)
  }

  /**
   * V5: the client has seen its context and its own write, nothing more and nothing less. Less, but
   * never more, may be answered by who recognises a blind write and no longer knows what it had
   * seen.
   */
  #checkContext(key: Key, event: Minted, { events }: Meaning, fail: Fail): void {
    const { history } = key
    if (sameBits(events, event.history)) return
    const more = without(events, event.history)
    const less = without(event.history, events)
    const mayBeLess = event.operation?.repeated === true || key.open
    if (mayBeLess && isEmpty(more)) return this.#world.findings.checked('contexts that name less')
    const claims = `claims ${history.names(more)} beyond ${describe(event)}`
    fail('V5', `its context ${claims}, and lacks ${history.names(less)}`)
  }

  /** I2, and that a receipt says what is so. */
  #checkReceipt(key: Key, event: Minted, answer: WriteAnswer, fail: Fail): void {
    const { receipt, consistency } = answer
    const { n, need, ack, primaries, fallbacks, durable = -1 } = receipt
    this.#world.findings.checked('acknowledgements against the disks')
    if (n !== key.primaries.length || n !== consistency.n) fail('Q1', says(receipt))
    if (need !== consistency.w || ack < need)
      fail('Q2', `${says(receipt)} where w=${consistency.w}`)
    if (ack !== primaries + fallbacks || primaries > n) fail('Q3', says(receipt))
    if (durable < consistency.durable || durable > ack) {
      fail('I2', `${says(receipt)} where durable=${consistency.durable}`)
    }
    if (consistency.strict && fallbacks > 0) fail('Q3', `${says(receipt)} of a strict write`)
    let onDisk = 0
    let written = 0
    let standIns = 0
    for (const [node, copy] of key.copies.entries()) {
      // Damage since the write says nothing about what there was when it was acknowledged.
      const excused = copy.damagedAt >= event.at
      if (excused || hasBit(copy.durable.events, event.index)) onDisk++
      if (excused || hasBit(copy.running, event.index)) written++
      const isStandIn = !key.primaries.includes(node)
      if (isStandIn && (excused || hasBit(copy.durable.events, event.index))) standIns++
    }
    if (standIns < fallbacks) {
      fail('H1', `${says(receipt)}, and ${standIns} stand-ins have ${describe(event)} on disk`)
    }
    if (onDisk < durable)
      fail('I2', `${says(receipt)}, and ${onDisk} disks have ${describe(event)}`)
    const crashed = this.#crashesSince(key, event)
    if (written + crashed < ack)
      fail('I2', `${says(receipt)}, and ${written} nodes have ${describe(event)}`)
  }

  /** Nodes that may have had the write in memory and lost it with their power. */
  #crashesSince(key: Key, event: Minted): number {
    let crashed = 0
    for (const [node, copy] of key.copies.entries()) {
      if (hasBit(copy.running, event.index) || copy.damagedAt >= event.at) continue
      if (this.#world.crashedAt(node) >= event.at) crashed++
    }
    return crashed
  }
}

function says({ n, need, ack, primaries, fallbacks, durable }: WriteAnswer['receipt']): string {
  const numbers = Object.entries({ n, need, ack, primaries, fallbacks, durable })
  return `receipt ${numbers.map(([name, value]) => `${name}=${value}`).join(' ')}`
}

/** Nodes whose platters have a write. */
function holdersOf({ copies }: Key, { index }: Minted): number[] {
  const holders: number[] = []
  copies.forEach(({ durable }, node) => {
    if (hasBit(durable.events, index)) holders.push(node)
  })
  return holders
}
