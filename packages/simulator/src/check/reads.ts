import type { LiveValue, ReadAnswer, ReadRequest } from '@shoal/coordinator'
import type { SimNode } from '../cluster/sim-cluster.ts'
import { type Bits, inAtLeast, isEmpty, noBits, union, within, without } from './bits.ts'
import { actorAt, counterAt, readValue } from './decode.ts'
import { unseenAfterLoss } from './losses.ts'
import { describe, type Minted } from './minted.ts'
import { writeOf } from './minted-write.ts'
import type { Sessions } from './sessions.ts'
import type { Tokens } from './tokens.ts'
import { type Copy, type Key, keyText, platters, type World } from './world.ts'

/** What held when a read began. */
export interface ReadBegun {
  readonly key: Key
  readonly platters: readonly Bits[]
  readonly damages: number
  readonly at: number
  /** What its session had seen. */
  readonly seen: Bits
  /** What strict reads that ended before had shown, by their R. */
  readonly shown: readonly (readonly [r: number, events: Bits])[]
}

type Fail = (invariant: string, text: string) => void

/** What a read answers against what was written, what the disks hold, what was shown before. */
export class Reads {
  readonly #world: World
  readonly #tokens: Tokens
  readonly #sessions: Sessions

  constructor(world: World, tokens: Tokens, sessions: Sessions) {
    this.#world = world
    this.#tokens = tokens
    this.#sessions = sessions
  }

  begin(request: ReadRequest): ReadBegun {
    const key = this.#world.keyOf(request.bucket, request.key)
    const shown: [number, Bits][] = []
    for (const [r, { events, damages }] of key.shown) {
      if (damages === key.damages) shown.push([r, events])
    }
    const seen = this.#tokens.seenBySession(request.session, key)
    const at = this.#world.now()
    return { key, platters: platters(key), damages: key.damages, at, seen, shown }
  }

  /** @param wall  the wall clock of the node that answers, now */
  answered(node: SimNode, request: ReadRequest, begun: ReadBegun, answer: ReadAnswer): void {
    const { findings } = this.#world
    const { key } = begun
    const wall = node.coordinator?.desk.env.clock.wall() ?? 0
    findings.checked('reads answered')
    const fail: Fail = (invariant, text) => {
      const where = `read of ${keyText(key)} through node ${node.index}`
      this.#world.fail(key, invariant, `${where}: ${text}`)
    }
    const meaning = this.#tokens.read(key, answer.context)
    if (!meaning) return fail('V5', 'it answers no context')
    if (meaning.fault && !key.open) fail(meaning.fault.invariant, meaning.fault.text)
    this.#checkReceipt(key, answer, meaning.events, fail)
    this.#checkShown(key, answer, { maximal: meaning.maximal, wall }, fail)
    this.#checkFloors(begun, answer, meaning.events, fail)
    const behind = without(begun.seen, meaning.events)
    if (!isEmpty(behind)) fail('S1', `its session had seen ${key.history.names(behind)}`)
    if (answer.consistency.strict) this.#checkConfirmed(key, answer, meaning.events, fail)
    const history = key.open ? key.history.closure(meaning.events) : meaning.events
    const named = meaning.events
    this.#tokens.issue(answer.context, { key, history, named })
    this.#sessions.answered(key, request.session, answer.session, { history: named, fail })
  }

  #checkReceipt(
    { primaries }: Key,
    { receipt, consistency }: ReadAnswer,
    events: Bits,
    fail: Fail,
  ): void {
    const { n, ack, need, fallbacks, node } = receipt
    const says = (): string => `receipt n=${n} need=${need} ack=${ack} fallbacks=${fallbacks}`
    if (n !== primaries.length || n !== consistency.n)
      fail('Q1', `${says()} of ${primaries.length}`)
    if (need !== consistency.r) fail('Q2', `${says()} where r=${consistency.r}`)
    if (ack < need || receipt.primaries > n || receipt.primaries + fallbacks !== ack) {
      fail('Q4', says())
    }
    if (consistency.strict && fallbacks !== 0) fail('Q3', `${says()} of a strict read`)
    // What a fallback does not have says nothing.
    if (isEmpty(events) && receipt.primaries < need) fail('Q4', `not found, ${says()}`)
    if (this.#world.indexOf(node) < 0) fail('Q7', `receipt of ${node}`)
  }

  /** I5, I6, V8, V9, D2: exactly the live values of the state that its context stands for. */
  #checkShown(
    key: Key,
    answer: ReadAnswer,
    { maximal, wall }: { maximal: readonly Minted[]; wall: number },
    fail: Fail,
  ): void {
    const visible = maximal.filter((event) => isVisible(event, wall))
    const lww = this.#world.properties(key.bucket)?.conflicts === 'lww'
    const expected = lww ? visible.filter((event) => event === newest(visible)) : visible
    const shown = new Set<Minted>()
    for (const value of answer.values) {
      const event = eventOf(key, value)
      if (!event) {
        fail('I5', `it shows ${value.etag}, which is no write of this key`)
        continue
      }
      if (shown.has(event)) fail('I6', `it shows ${describe(event)} twice`)
      shown.add(event)
      // A write upon a context that names less than its client had seen leaves the rest standing.
      if (!expected.includes(event) && !key.open) {
        fail(...whyNot(event, maximal, { wall, lww }))
      }
      const differs = differenceTo(event, value)
      if (differs) fail('I5', `it shows ${describe(event)} with another ${differs}`)
    }
    for (const event of expected) {
      if (!shown.has(event)) fail(lww ? 'V9' : 'V8', `it does not show ${describe(event)}`)
    }
    const isFound = expected.length > 0 || (key.open && shown.size > 0)
    if ((answer.etag !== '') !== isFound) fail('V5', `its etag is ${answer.etag}`)
  }

  /**
   * Any R primaries together hold what N − R + 1 of them have on their platters. So no read may
   * answer with less, found or not found (I4, I7, Q4, V11). Where fallbacks were counted, fewer
   * primaries stand behind it and less can be said.
   */
  #checkFloors(begun: ReadBegun, answer: ReadAnswer, events: Bits, fail: Fail): void {
    const { key } = begun
    if (begun.damages !== key.damages) return
    const { n, r, strict } = answer.consistency
    this.#world.findings.checked('answers against the disks')
    const asked = Math.min(r, answer.receipt.primaries)
    const holders = n - asked + 1
    if (holders > n) return
    // Mostly the answer knows all that any of them has.
    const knowsAll = begun.platters.every((platter) => within(platter, events))
    const behind = knowsAll ? noBits : without(inAtLeast(holders, begun.platters), events)
    if (!isEmpty(behind)) {
      const invariant = answer.values.length === 0 ? 'Q4' : strict ? 'I4' : 'Q2'
      const where = `${holders} of ${n} primaries had on disk when it began (r=${asked})`
      fail(invariant, `it does not know ${this.#first(key, behind)}, which ${where}`)
    }
    if (!strict) return
    const unseen = unseenAfterLoss({ ...begun, r: asked, events })
    if (unseen.length > 0) {
      const names = unseen.slice(0, 3).map(describe).join(', ')
      fail('Q6', `it does not know ${names}, which only a lost copy need not know (r=${asked})`)
    }
    for (const [before, shown] of begun.shown) {
      const missing = without(shown, events)
      if (before > r || isEmpty(missing)) continue
      fail('I7', `an earlier strict read had shown ${this.#first(key, missing)}`)
    }
  }

  /** Q5: what a strict read shows is on enough platters that every later one meets it. */
  #checkConfirmed(key: Key, answer: ReadAnswer, events: Bits, fail: Fail): void {
    const { n, r } = answer.consistency
    this.#world.findings.checked('strict reads against the disks')
    let holders = 0
    for (const node of key.primaries) {
      const copy = key.copies[node] as Copy
      if (within(events, copy.durable.events) || copy.damagedAt >= 0) holders++
    }
    if (holders < n - r + 1)
      fail('I7', `strict, and ${holders} of ${n} primaries have it on disk (r=${r})`)
    const before = key.shown.get(r)
    const known = before?.damages === key.damages ? before.events : undefined
    key.shown.set(r, { events: known ? union(known, events) : events, damages: key.damages })
  }

  #first(key: Key, events: Bits): string {
    return key.history.maximal(events).slice(0, 3).map(describe).join(', ')
  }
}

/** D2: neither a tombstone nor expired. */
export const isVisible = ({ header }: Minted, wall: number): boolean =>
  !header.tombstone && (header.expiry === 0 || header.expiry > wall)

function newest(visible: readonly Minted[]): Minted | undefined {
  return visible.reduce<Minted | undefined>((best, event) => {
    if (!best || event.header.stamp > best.header.stamp) return event
    return event.header.stamp === best.header.stamp && event.header.dot < best.header.dot
      ? event
      : best
  }, undefined)
}

function whyNot(
  event: Minted,
  maximal: readonly Minted[],
  { wall, lww }: { wall: number; lww: boolean },
): [string, string] {
  if (event.header.tombstone) return ['D1', `it shows the delete ${describe(event)}`]
  if (!isVisible(event, wall))
    return ['D2', `it shows ${describe(event)}, expired at ${event.header.expiry}, now ${wall}`]
  if (!maximal.includes(event))
    return ['I6', `it shows ${describe(event)}, which what it knows had seen`]
  return [lww ? 'V9' : 'I6', `it shows ${describe(event)}`]
}

/** The write that a value's tag names: the tag is its dot. */
function eventOf({ history }: Key, { etag }: LiveValue): Minted | undefined {
  const dot = Buffer.from(etag.slice(1, -1), 'base64url')
  return dot.length === 16 ? history.find(actorAt(dot, 0), counterAt(dot, 8)) : undefined
}

function differenceTo(event: Minted, value: LiveValue): string | undefined {
  const request = event.operation && writeOf(event.operation)
  const wanted = request ?? (event.block && readValue(event.block))
  if (!wanted) return undefined
  if (!wanted.body.equals(value.body)) return 'body'
  if (wanted.contentType !== value.contentType) return 'type'
  if (wanted.contentEncoding !== value.contentEncoding) return 'encoding'
  return Number(event.header.stamp >> 16n) === value.modified ? undefined : 'time'
}
