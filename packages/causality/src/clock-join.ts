import { invariant } from '@shoal/kernel'
import {
  compareBytes,
  copyBytes,
  equalBytes,
  readU16,
  readU64,
  writeU16,
  writeU64,
} from './bytes.ts'
import {
  ACTOR_BYTES,
  CLOCK_HEADER_BYTES,
  COUNTER_MAX,
  clockLength,
  compareClocks,
  countUpTo,
  DOT_BYTES,
} from './clock.ts'

const ENTRIES_MAX = 0xffff

/**
 * The union of two clocks, canonical. Returns a view of one of them where it contains the other, so
 * the result must not be written to.
 */
export function joinClocks(a: Buffer, b: Buffer): Buffer {
  const order = compareClocks(a, 0, b, 0)
  if (order === 'equal' || order === 'after') return exact(a, clockLength(a))
  if (order === 'before') return exact(b, clockLength(b))
  const out = Buffer.allocUnsafe(joinBytesMax(a, b))
  return exact(out, writeJoin(out, a, b))
}

/**
 * The clock and one more event, as a single dot: what a client knows who wrote this event beside
 * values it was not shown (V5). A dot that touches the base of its actor becomes part of it.
 */
export function addDot(clock: Buffer, actor: Buffer, counter: number): Buffer {
  return joinClocks(clock, singleClock(actor, counter, counter === 1))
}

/**
 * The clock and every event of the actor up to the counter: what only the actor itself may claim,
 * since it alone knows that it has seen all of them (V3).
 */
export function raiseBase(clock: Buffer, actor: Buffer, counter: number): Buffer {
  return joinClocks(clock, singleClock(actor, counter, true))
}

function singleClock(actor: Buffer, counter: number, asBase: boolean): Buffer {
  invariant(actor.length === ACTOR_BYTES, 'an actor has 8 bytes')
  invariant(isWholeCounter(counter), 'a counter lies in 1 to 2^53 - 1', () => counter)
  const clock = Buffer.allocUnsafe(CLOCK_HEADER_BYTES + DOT_BYTES)
  writeU16(clock, 0, asBase ? 1 : 0)
  writeU16(clock, 2, asBase ? 0 : 1)
  copyBytes(actor, 0, clock, CLOCK_HEADER_BYTES, ACTOR_BYTES)
  writeU64(clock, CLOCK_HEADER_BYTES + ACTOR_BYTES, counter)
  return clock
}

export const isWholeCounter = (counter: number): boolean =>
  Number.isInteger(counter) && counter >= 1 && counter <= COUNTER_MAX

/** An upper bound of the bytes of a join, for the buffer given to `writeJoin`. */
export const joinBytesMax = (a: Buffer, b: Buffer): number =>
  clockLength(a) + clockLength(b) - CLOCK_HEADER_BYTES

/**
 * Writes the union of the clocks at the start of two buffers to the start of a third.
 * @returns  its length
 */
export function writeJoin(out: Buffer, a: Buffer, b: Buffer): number {
  const basesEnd = writeBases(out, a, b)
  const end = writeExtras(out, basesEnd, a, b)
  const bases = (basesEnd - CLOCK_HEADER_BYTES) / DOT_BYTES
  const extras = (end - basesEnd) / DOT_BYTES
  invariant(bases <= ENTRIES_MAX && extras <= ENTRIES_MAX, 'the entries of a clock fit their count')
  writeU16(out, 0, bases)
  writeU16(out, 2, extras)
  return end
}

/** Merges two sorted lists of bases, the larger of each actor. Returns where they end. */
function writeBases(out: Buffer, a: Buffer, b: Buffer): number {
  let left = CLOCK_HEADER_BYTES
  let right = CLOCK_HEADER_BYTES
  let to = CLOCK_HEADER_BYTES
  const leftEnd = left + DOT_BYTES * readU16(a, 0)
  const rightEnd = right + DOT_BYTES * readU16(b, 0)
  while (left < leftEnd || right < rightEnd) {
    const actors = sideOf(a, left, leftEnd, b, right, rightEnd, ACTOR_BYTES)
    const takeLeft = actors < 0 || (actors === 0 && compareBytes(a, left + 8, b, right + 8, 8) >= 0)
    if (takeLeft) copyBytes(a, left, out, to, DOT_BYTES)
    else copyBytes(b, right, out, to, DOT_BYTES)
    to += DOT_BYTES
    if (actors <= 0) left += DOT_BYTES
    if (actors >= 0) right += DOT_BYTES
  }
  return to
}

/**
 * Merges two sorted lists of extras behind the bases already written. An extra that a base covers
 * is dropped; one that touches it raises it. Both lists and the bases ascend by actor, so one
 * pointer into the bases moves along.
 */
function writeExtras(out: Buffer, basesEnd: number, a: Buffer, b: Buffer): number {
  let left = CLOCK_HEADER_BYTES + DOT_BYTES * readU16(a, 0)
  let right = CLOCK_HEADER_BYTES + DOT_BYTES * readU16(b, 0)
  const leftEnd = left + DOT_BYTES * readU16(a, 2)
  const rightEnd = right + DOT_BYTES * readU16(b, 2)
  let base = CLOCK_HEADER_BYTES
  let to = basesEnd
  while (left < leftEnd || right < rightEnd) {
    const dots = sideOf(a, left, leftEnd, b, right, rightEnd, DOT_BYTES)
    const from = dots <= 0 ? a : b
    const dot = dots <= 0 ? left : right
    if (dots <= 0) left += DOT_BYTES
    if (dots >= 0) right += DOT_BYTES
    while (base < basesEnd && compareBytes(out, base, from, dot, ACTOR_BYTES) < 0) base += DOT_BYTES
    if (base < basesEnd && absorb(out, base, from, dot)) continue
    copyBytes(from, dot, out, to, DOT_BYTES)
    to += DOT_BYTES
  }
  return to
}

/** Whether the base covers the dot, having been raised by it if the two touch. */
function absorb(out: Buffer, base: number, from: Buffer, dot: number): boolean {
  if (!equalBytes(out, base, from, dot, ACTOR_BYTES)) return false
  const covered = readU64(out, base + ACTOR_BYTES)
  const counter = readU64(from, dot + ACTOR_BYTES)
  if (counter > covered + 1) return false
  if (counter > covered) writeU64(out, base + ACTOR_BYTES, counter)
  return true
}

/** Which of two sorted lists is next: below 0 the left, above 0 the right, 0 both. */
function sideOf(
  a: Buffer,
  left: number,
  leftEnd: number,
  b: Buffer,
  right: number,
  rightEnd: number,
  width: number,
): number {
  if (left >= leftEnd) return 1
  if (right >= rightEnd) return -1
  return compareBytes(a, left, b, right, width)
}

/** Where the base of an actor stands in a clock, or would have to be put in. */
function basePlace(clock: Buffer, actor: Buffer): number {
  const bases = readU16(clock, 0)
  const upTo = countUpTo(clock, CLOCK_HEADER_BYTES, bases, ACTOR_BYTES, actor, 0)
  const last = CLOCK_HEADER_BYTES + DOT_BYTES * (upTo - 1)
  return upTo > 0 && equalBytes(clock, last, actor, 0, ACTOR_BYTES) ? last : last + DOT_BYTES
}

function hasBaseAt(clock: Buffer, place: number, actor: Buffer): boolean {
  const basesEnd = CLOCK_HEADER_BYTES + DOT_BYTES * readU16(clock, 0)
  return place < basesEnd && equalBytes(clock, place, actor, 0, ACTOR_BYTES)
}

/** What every put needs (V3), without the general join: see `writeRaised`. */
export interface Raise {
  readonly clock: Buffer
  /** Where the base stands in the result. */
  readonly place: number
  /** Whether it replaces an older base there. */
  readonly replaces: boolean
  /** Bytes of the result. */
  readonly length: number
}

/** Plans to raise the base of an actor to a counter above all that the clock knows of it. */
export function planRaise(known: Buffer, actor: Buffer, counter: number): Raise {
  // Extras are rare here. The join removes those that the new base covers, and leaves nothing to
  // raise.
  const clock = readU16(known, 2) === 0 ? known : raiseBase(known, actor, counter)
  const place = basePlace(clock, actor)
  const replaces = hasBaseAt(clock, place, actor)
  return { clock, place, replaces, length: clockLength(clock) + (replaces ? 0 : DOT_BYTES) }
}

export function writeRaised(out: Buffer, raise: Raise, actor: Buffer, counter: number): void {
  const { clock, place, replaces } = raise
  const rest = replaces ? place + DOT_BYTES : place
  invariant(readU16(clock, 0) < ENTRIES_MAX, 'the entries of a clock fit their count')
  writeU16(out, 0, readU16(clock, 0) + (replaces ? 0 : 1))
  writeU16(out, 2, readU16(clock, 2))
  copyBytes(clock, CLOCK_HEADER_BYTES, out, CLOCK_HEADER_BYTES, place - CLOCK_HEADER_BYTES)
  copyBytes(actor, 0, out, place, ACTOR_BYTES)
  writeU64(out, place + ACTOR_BYTES, counter)
  copyBytes(clock, rest, out, place + DOT_BYTES, clockLength(clock) - rest)
}

const exact = (bytes: Buffer, length: number): Buffer =>
  bytes.length === length ? bytes : bytes.subarray(0, length)
