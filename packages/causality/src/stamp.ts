import { invariant, limits, type Millis, millis } from '@shoal/kernel'
import { byteAt, readU32, writeU32 } from './bytes.ts'

/**
 * A hybrid logical clock (V12): 48 bits of Unix milliseconds, 16 bits of counter. Stamps of one
 * node strictly rise, even where its wall clock stands still or goes back, and follow every stamp
 * it has seen. They are for people (`Last-Modified`) and for buckets with `lww`; they never order
 * anything else, because a wall clock that is wrong by an hour would then discard an hour of
 * writes.
 *
 * Held as two unsigned 32-bit halves, since 64 bits are exact neither as a number nor cheap as a
 * BigInt. Source: Kulkarni et al., Logical Physical Clocks, 2014.
 */
export interface Stamp {
  /** Upper 32 bits of the 48-bit milliseconds. */
  readonly hi: number
  /** Lower 16 bits of the milliseconds, then the counter. */
  readonly lo: number
}

export const STAMP_BYTES = 8
export const zeroStamp: Stamp = { hi: 0, lo: 0 }

const MILLIS_MAX = 2 ** 48 - 1
const TICKS = 0x1_0000

/** The stamp of the next local write: above `last`, and not before the wall clock. */
export function nextStamp(last: Stamp, wallMs: number): Stamp {
  const wall = stampOfMillis(wallMs)
  return compareStamps(wall, last) > 0 ? wall : successor(last)
}

/** One tick more. The counter runs over into the milliseconds. */
function successor({ hi, lo }: Stamp): Stamp {
  if (lo < 0xffff_ffff) return { hi, lo: lo + 1 }
  invariant(hi < 0xffff_ffff, 'stamps do not run out before the year 10889')
  return { hi: hi + 1, lo: 0 }
}

/**
 * What a node remembers after it saw a stamp of a peer: the later of the two, but never more than
 * 60 s ahead of its own wall clock, so that one wrong clock does not push all others into the
 * future (V12). The stamp stored with the value stays as it is (V1).
 *
 * @returns  `clamped` when the peer was too far ahead; worth a metric
 */
export function observeStamp(
  last: Stamp,
  seen: Stamp,
  wallMs: number,
): { readonly stamp: Stamp; readonly clamped: boolean } {
  const clamped = isStampAhead(seen, wallMs)
  const heard = clamped ? stampOfMillis(wallMs + limits.clockAheadMax) : seen
  return { stamp: compareStamps(heard, last) > 0 ? heard : last, clamped }
}

/** Whether a stamp lies more than 60 s ahead of the wall clock: refused from clients (V12). */
export const isStampAhead = (stamp: Stamp, wallMs: number): boolean =>
  stampMillis(stamp) > wallMs + limits.clockAheadMax

/** Below 0, 0 or above 0. */
export const compareStamps = (a: Stamp, b: Stamp): number => a.hi - b.hi || a.lo - b.lo

/**
 * The first stamp of a millisecond. A fraction is cut; times before 1970 or beyond 48 bits are
 * clamped.
 */
export function stampOfMillis(wallMs: number): Stamp {
  invariant(!Number.isNaN(wallMs), 'a wall clock shows a number')
  const whole = Math.min(MILLIS_MAX, Math.max(0, Math.floor(wallMs)))
  return { hi: Math.floor(whole / TICKS), lo: (whole % TICKS) * TICKS }
}

/** Unix time of a stamp, without its counter. */
export const stampMillis = ({ hi, lo }: Stamp): Millis => millis(hi * TICKS + (lo >>> 16))

/** The stamp written at `at`, 8 bytes. */
export const readStamp = (bytes: Buffer, at: number): Stamp => ({
  hi: readU32(bytes, at),
  lo: readU32(bytes, at + 4),
})

export function writeStamp(bytes: Buffer, at: number, { hi, lo }: Stamp): void {
  writeU32(bytes, at, hi)
  writeU32(bytes, at + 4, lo)
}

/** Unix time of the stamp written at `at`, without making an object. */
export const stampMillisAt = (bytes: Buffer, at: number): Millis =>
  millis(readU32(bytes, at) * TICKS + ((byteAt(bytes, at + 4) << 8) | byteAt(bytes, at + 5)))
