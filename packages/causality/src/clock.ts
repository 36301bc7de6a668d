import { limits } from '@shoal/kernel'
import { compareBytes, equalBytes, hexAt, readU16, readU32, readU64 } from './bytes.ts'

/**
 * A clock says which writes of one key are known somewhere: a set of dots (actor, counter).
 *
 *   u16 b, u16 e,
 *   b × (actor 8, base 8)      ascending by actor:  every event of the actor on this key ≤ base
 *   e × (actor 8, counter 8)   ascending:           single events above it
 *
 * The obvious answer, one number per actor, cannot say "this write, but not the one before it", and
 * that is what a client knows whose write landed beside a sibling it was never shown: with such
 * vectors an unseen sibling is overwritten, or a seen one stays. So single dots stand above the
 * base.
 *
 * Counters of an actor run over all keys, so a base may cover counters that other keys used. They
 * never existed here, and covering them is harmless.
 *
 * The form is canonical: an extra that touches its base is part of the base, so equal sets have
 * equal bytes. Functions take a buffer and where the clock starts in it. A clock knows its own
 * length, what follows is not looked at; a version starts with its clock and may stand wherever a
 * clock is read.
 */
export type ClockOrder = 'equal' | 'before' | 'after' | 'concurrent'

export const ACTOR_BYTES = 8
export const DOT_BYTES = 16
export const CLOCK_HEADER_BYTES = 4
/**
 * Above this a counter is no longer exact as a number. 2^53 − 1 writes take an actor 285 years at
 * 10^6/s.
 */
export const COUNTER_MAX = Number.MAX_SAFE_INTEGER
const COUNTER_HIGH_MAX = 0x1f_ffff

/** The clock that knows nothing. */
export const emptyClock: Buffer = Buffer.alloc(CLOCK_HEADER_BYTES)

/** Bytes of the clock that starts at `at`. */
export function clockLength(clock: Buffer, at = 0): number {
  return CLOCK_HEADER_BYTES + DOT_BYTES * (readU16(clock, at) + readU16(clock, at + 2))
}

/** Actors that have a base: what V8 warns about. */
export const clockActors = (clock: Buffer, at = 0): number => readU16(clock, at)

/**
 * Whether the event named by the 16-byte dot at `dotAt` is known to the clock at `at`.
 * Cost: two binary searches.
 */
export function clockContains(clock: Buffer, at: number, dot: Buffer, dotAt: number): boolean {
  const bases = readU16(clock, at)
  const from = at + CLOCK_HEADER_BYTES
  const base = findActor(clock, from, bases, dot, dotAt)
  if (base >= 0 && compareBytes(clock, base + 8, dot, dotAt + 8, 8) >= 0) return true
  const extras = readU16(clock, at + 2)
  if (extras === 0) return false
  const extrasFrom = from + DOT_BYTES * bases
  const upTo = countUpTo(clock, extrasFrom, extras, DOT_BYTES, dot, dotAt)
  return upTo > 0 && equalBytes(clock, extrasFrom + DOT_BYTES * (upTo - 1), dot, dotAt, DOT_BYTES)
}

/**
 * How two clocks stand to each other as sets: `before` says that the first lies strictly within the
 * second. Cost: one pass over the bases, a search for each extra; allocates nothing.
 */
export function compareClocks(a: Buffer, aAt: number, b: Buffer, bAt: number): ClockOrder {
  const within = basesWithin(a, aAt, b, bAt)
  const inA = (within & SECOND_WITHIN) !== 0 && extrasWithin(b, bAt, a, aAt)
  const inB = (within & FIRST_WITHIN) !== 0 && extrasWithin(a, aAt, b, bAt)
  if (inA) return inB ? 'equal' : 'after'
  return inB ? 'before' : 'concurrent'
}

const FIRST_WITHIN = 1
const SECOND_WITHIN = 2

/**
 * Which of two clocks has all its bases covered by the other. A base is covered by a base alone: in
 * canonical form the number after a base is never an extra.
 */
function basesWithin(a: Buffer, aAt: number, b: Buffer, bAt: number): number {
  let left = aAt + CLOCK_HEADER_BYTES
  let right = bAt + CLOCK_HEADER_BYTES
  const leftEnd = left + DOT_BYTES * readU16(a, aAt)
  const rightEnd = right + DOT_BYTES * readU16(b, bAt)
  let within = FIRST_WITHIN | SECOND_WITHIN
  while (left < leftEnd && right < rightEnd && within !== 0) {
    const actors = compareBytes(a, left, b, right, ACTOR_BYTES)
    const order = actors === 0 ? compareBytes(a, left + 8, b, right + 8, 8) : -actors
    // An actor that only the other knows counts as a larger base of the other.
    if (order > 0) within &= ~FIRST_WITHIN
    if (order < 0) within &= ~SECOND_WITHIN
    if (actors <= 0) left += DOT_BYTES
    if (actors >= 0) right += DOT_BYTES
  }
  if (left < leftEnd) within &= ~FIRST_WITHIN
  if (right < rightEnd) within &= ~SECOND_WITHIN
  return within
}

function extrasWithin(inner: Buffer, innerAt: number, outer: Buffer, outerAt: number): boolean {
  const extras = readU16(inner, innerAt + 2)
  if (extras === 0) return true
  let extra = innerAt + CLOCK_HEADER_BYTES + DOT_BYTES * readU16(inner, innerAt)
  for (let index = 0; index < extras; index++, extra += DOT_BYTES) {
    if (!clockContains(outer, outerAt, inner, extra)) return false
  }
  return true
}

/**
 * The highest counter of an actor that the clock knows, 0 if none. A node that meets its own actor
 * ahead of itself in any incoming clock has forgotten writes and must take a new actor (A2).
 */
export function counterOf(clock: Buffer, actor: Buffer, at = 0): number {
  const bases = readU16(clock, at)
  const extras = readU16(clock, at + 2)
  const from = at + CLOCK_HEADER_BYTES
  const extra = findActor(clock, from + DOT_BYTES * bases, extras, actor, 0)
  if (extra >= 0) return readU64(clock, extra + 8)
  const base = findActor(clock, from, bases, actor, 0)
  return base >= 0 ? readU64(clock, base + 8) : 0
}

/** Where the last entry of this actor starts among `count` sorted entries, or −1. */
export function findActor(
  bytes: Buffer,
  from: number,
  count: number,
  actor: Buffer,
  actorAt: number,
): number {
  const upTo = countUpTo(bytes, from, count, ACTOR_BYTES, actor, actorAt)
  const last = from + DOT_BYTES * (upTo - 1)
  return upTo > 0 && equalBytes(bytes, last, actor, actorAt, ACTOR_BYTES) ? last : -1
}

/**
 * How many of `count` sorted 16-byte entries have first `width` bytes not above those of the key.
 */
export function countUpTo(
  bytes: Buffer,
  from: number,
  count: number,
  width: number,
  key: Buffer,
  keyAt: number,
): number {
  let low = 0
  let high = count
  while (low < high) {
    const middle = (low + high) >>> 1
    if (compareBytes(bytes, from + DOT_BYTES * middle, key, keyAt, width) <= 0) low = middle + 1
    else high = middle
  }
  return low
}

/**
 * Checks the clock that starts at `at` and must end by `end`: bounds, order, canonical form,
 * limits. Never throws, whatever the bytes.
 *
 * @returns  its length in bytes, or in words what is wrong
 */
export function validateClock(bytes: Buffer, at: number, end: number): number | string {
  const until = Math.min(end, bytes.length)
  if (until - at < CLOCK_HEADER_BYTES) return 'a clock is cut off'
  const bases = readU16(bytes, at)
  const extras = readU16(bytes, at + 2)
  if (bases > limits.clockActorsMax)
    return `a clock of ${bases} actors, above ${limits.clockActorsMax}`
  if (extras > limits.clockExtrasMax)
    return `a clock of ${extras} extras, above ${limits.clockExtrasMax}`
  const length = CLOCK_HEADER_BYTES + DOT_BYTES * (bases + extras)
  if (length > until - at) return 'a clock is cut off'
  const from = at + CLOCK_HEADER_BYTES
  const extrasFrom = from + DOT_BYTES * bases
  return (
    entriesReason(bytes, from, bases, ACTOR_BYTES) ??
    entriesReason(bytes, extrasFrom, extras, DOT_BYTES) ??
    canonicalReason(bytes, from, bases, extras) ??
    length
  )
}

function entriesReason(
  bytes: Buffer,
  from: number,
  count: number,
  width: number,
): string | undefined {
  for (let index = 0; index < count; index++) {
    const entry = from + DOT_BYTES * index
    if (!isCounter(bytes, entry + 8)) return 'a counter outside 1 to 2^53 - 1'
    if (index > 0 && compareBytes(bytes, entry - DOT_BYTES, bytes, entry, width) >= 0) {
      return 'entries of a clock out of order'
    }
  }
  return undefined
}

function canonicalReason(
  bytes: Buffer,
  from: number,
  bases: number,
  extras: number,
): string | undefined {
  for (let index = 0; index < extras; index++) {
    const extra = from + DOT_BYTES * (bases + index)
    const base = findActor(bytes, from, bases, bytes, extra)
    if (readU64(bytes, extra + 8) <= (base >= 0 ? readU64(bytes, base + 8) : 0) + 1) {
      return 'an extra that belongs to a base'
    }
  }
  return undefined
}

export function isCounter(bytes: Buffer, at: number): boolean {
  const high = readU32(bytes, at)
  return high <= COUNTER_HIGH_MAX && (high > 0 || readU32(bytes, at + 4) > 0)
}

/** What a clock knows of one actor, for people. */
export interface ClockEntry {
  /** 16 hex digits. */
  readonly actor: string
  /** 0 where only single events are known. */
  readonly base: number
  readonly extras: readonly number[]
}

/** Object form of a clock, ascending by actor. For explain and tests; allocates freely. */
export function clockEntries(clock: Buffer, at = 0): ClockEntry[] {
  const bases = readU16(clock, at)
  const byActor = new Map<string, { actor: string; base: number; extras: number[] }>()
  const end = at + clockLength(clock, at)
  let index = 0
  for (let entry = at + CLOCK_HEADER_BYTES; entry < end; entry += DOT_BYTES, index++) {
    const actor = hexAt(clock, entry, ACTOR_BYTES)
    const known = byActor.get(actor) ?? { actor, base: 0, extras: [] }
    const counter = readU64(clock, entry + 8)
    if (index < bases) known.base = counter
    else known.extras.push(counter)
    byActor.set(actor, known)
  }
  return [...byActor.values()].sort((one, other) => (one.actor < other.actor ? -1 : 1))
}

/** A dot as people read it: `actor:counter`, the actor in 16 hex digits. */
export const dotText = (bytes: Buffer, at: number): string =>
  `${hexAt(bytes, at, ACTOR_BYTES)}:${readU64(bytes, at + 8)}`
