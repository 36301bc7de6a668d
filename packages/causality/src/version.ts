import type { Millis } from '@shoal/kernel'
import { byteAt, compareBytes, equalBytes, hexAt, readU16, readU32, readU64 } from './bytes.ts'
import {
  type ClockEntry,
  clockContains,
  clockEntries,
  clockLength,
  DOT_BYTES,
  dotText,
  isCounter,
  validateClock,
} from './clock.ts'
import { readStamp, STAMP_BYTES, type Stamp, stampMillisAt } from './stamp.ts'

/**
 * A version is the state of one key without its values: the clock of all that is known, and one
 * header for each value that is live. A tombstone is a live value too: it is what remembers that a
 * delete happened.
 *
 *   clock, u16 l, l × live header, ascending by dot
 *   live header: dot 16, flags 1 (bit 0: tombstone), stamp 8, request 8, expiry 8
 *
 * Versions are immutable: results may share memory with what they were made from.
 */
export const HEADER_BYTES = 41
export const REQUEST_BYTES = 8
const REQUEST_OFFSET = DOT_BYTES + 1 + STAMP_BYTES
const TOMBSTONE = 1

// Where the parts of the header at `headerAt` start; its dot starts with it.
export const flagsAt = (headerAt: number): number => headerAt + DOT_BYTES
export const stampAt = (headerAt: number): number => headerAt + DOT_BYTES + 1
/** 8-byte hash of the request id, all zero when there was none (V10). */
export const requestAt = (headerAt: number): number => headerAt + REQUEST_OFFSET
export const expiryAt = (headerAt: number): number => headerAt + REQUEST_OFFSET + REQUEST_BYTES

/** Where the first live header starts. */
export const liveAt = (version: Buffer): number => clockLength(version) + 2

export const liveCount = (version: Buffer): number => readU16(version, clockLength(version))

/**
 * Where live header `index` starts, which is also where its dot is. Not checked against the count.
 */
export const liveHeaderAt = (version: Buffer, index: number): number =>
  liveAt(version) + HEADER_BYTES * index

export const isTombstone = (bytes: Buffer, headerAt: number): boolean =>
  (byteAt(bytes, flagsAt(headerAt)) & TOMBSTONE) !== 0

export const stampOf = (bytes: Buffer, headerAt: number): Stamp =>
  readStamp(bytes, stampAt(headerAt))

/** Unix time of the write, for people. */
export const modifiedOf = (bytes: Buffer, headerAt: number): Millis =>
  stampMillisAt(bytes, stampAt(headerAt))

/** Unix milliseconds, 0 for never. */
export const expiryOf = (bytes: Buffer, headerAt: number): number =>
  readU64(bytes, expiryAt(headerAt))

/** Whether a client sees a value here: neither a tombstone nor expired (D2). */
export function isVisible(bytes: Buffer, headerAt: number, nowMs: number): boolean {
  return !isTombstone(bytes, headerAt) && !isExpired(bytes, headerAt, nowMs)
}

export function isExpired(bytes: Buffer, headerAt: number, nowMs: number): boolean {
  const expiry = expiryOf(bytes, headerAt)
  return expiry !== 0 && expiry <= nowMs
}

/** How many values a client sees. A tombstone beside a value reads as the value. */
export function visibleCount(version: Buffer, nowMs: number): number {
  const end = version.length
  let visible = 0
  for (let header = liveAt(version); header < end; header += HEADER_BYTES) {
    if (isVisible(version, header, nowMs)) visible++
  }
  return visible
}

/** Whether nothing is left to read: every live entry is a tombstone or has expired (D2). */
export const isDeleted = (version: Buffer, nowMs: number): boolean =>
  visibleCount(version, nowMs) === 0

export const hasSiblings = (version: Buffer, nowMs: number): boolean =>
  visibleCount(version, nowMs) > 1

/** The clock of a version, a view. Where only a clock is read, the version itself does as well. */
export const versionClock = (version: Buffer): Buffer => version.subarray(0, clockLength(version))

/** Index of the live header with this dot, or −1. */
export function indexOfDot(version: Buffer, dot: Buffer, dotAt: number): number {
  return indexOfPart(version, 0, dot, dotAt, DOT_BYTES)
}

/** Index of the live header that this request made, or −1: a retry need not write again (V10). */
export function indexOfRequest(version: Buffer, request: Buffer, from: number): number {
  return indexOfPart(version, REQUEST_OFFSET, request, from, REQUEST_BYTES)
}

function indexOfPart(
  version: Buffer,
  partAt: number,
  wanted: Buffer,
  wantedAt: number,
  width: number,
): number {
  const from = liveAt(version) + partAt
  const count = liveCount(version)
  for (let index = 0; index < count; index++) {
    if (equalBytes(version, from + HEADER_BYTES * index, wanted, wantedAt, width)) return index
  }
  return -1
}

/**
 * Checks a whole version: bounds, order, canonical form, every live dot known to the clock. Never
 * throws, whatever the bytes.
 *
 * @returns  in words what is wrong, or undefined
 */
export function validateVersion(bytes: Buffer): string | undefined {
  const clock = validateClock(bytes, 0, bytes.length)
  if (typeof clock === 'string') return clock
  if (bytes.length < clock + 2) return 'a version is cut off'
  const count = readU16(bytes, clock)
  if (count === 0) return 'a version without a live entry'
  if (bytes.length !== clock + 2 + HEADER_BYTES * count) return 'a version of the wrong length'
  for (let index = 0; index < count; index++) {
    const header = clock + 2 + HEADER_BYTES * index
    const reason = headerReason(bytes, header)
    if (reason !== undefined) return reason
    if (index > 0 && compareBytes(bytes, header - HEADER_BYTES, bytes, header, DOT_BYTES) >= 0) {
      return 'live entries out of order'
    }
    if (!clockContains(bytes, 0, bytes, header)) return 'a live entry that the clock does not know'
  }
  return undefined
}

/**
 * What is wrong with the 41 bytes of a live header, or undefined. The caller has checked bounds.
 */
export function headerReason(bytes: Buffer, headerAt: number): string | undefined {
  if (!isCounter(bytes, headerAt + 8)) return 'a counter outside 1 to 2^53 - 1'
  if ((byteAt(bytes, flagsAt(headerAt)) & ~TOMBSTONE) !== 0) return 'unknown flags'
  const expiry = expiryAt(headerAt)
  if (!isCounter(bytes, expiry) && (readU32(bytes, expiry) | readU32(bytes, expiry + 4)) !== 0) {
    return 'an expiry beyond 2^53 - 1'
  }
  return undefined
}

/** One live entry, for people. */
export interface LiveEntry {
  /** `actor:counter` */
  readonly dot: string
  readonly tombstone: boolean
  readonly modifiedMs: number
  /** 16 hex digits; zeros for none. */
  readonly request: string
  /** 0 for never. */
  readonly expiryMs: number
}

/** Object form of a version. For explain and tests; allocates freely. */
export function describeVersion(version: Buffer): { clock: ClockEntry[]; live: LiveEntry[] } {
  const live = Array.from({ length: liveCount(version) }, (_none, index) => {
    const header = liveHeaderAt(version, index)
    return {
      dot: dotText(version, header),
      tombstone: isTombstone(version, header),
      modifiedMs: modifiedOf(version, header),
      request: hexAt(version, requestAt(header), REQUEST_BYTES),
      expiryMs: expiryOf(version, header),
    }
  })
  return { clock: clockEntries(version), live }
}
