import { hash64 } from '@shoal/ring'

/**
 * Rows, versions, clocks and tokens read a second time, from their documented form and without the
 * code that wrote them: a bug on both sides of one function would cancel out. Only the hash is
 * shared. Never throws, whatever the bytes.
 */
export const HEADER_BYTES = 41
const DOT_BYTES = 16
const ACTOR_BYTES = 8
const CLOCK_HEAD_BYTES = 4
const CHECKSUM_BYTES = 8
const ROW_HEAD_BYTES = 6
const ROW_FIRST_BYTES = 0x5352_0100

/**
 * The actor of a dot as a key of maps: a number of its last six bytes. They are random, so no two
 * actors of one run share them.
 */
export const actorAt = (bytes: Buffer, at: number): number => bytes.readUIntBE(at + 2, 6)

export const counterAt = (bytes: Buffer, at: number): number =>
  bytes.readUInt32BE(at) * 0x1_0000_0000 + bytes.readUInt32BE(at + 4)

/** The last twelve of the actor's hex digits. */
export const hexOf = (actor: number): string => actor.toString(16).padStart(12, '0')

/** Calls back for each entry of a clock: its actor, its counter, whether it is a base. */
export function eachEntry(
  clock: Buffer,
  visit: (actor: number, counter: number, isBase: boolean) => void,
): void {
  const bases = clock.readUInt16BE(0)
  const end = clockBytes(clock, 0)
  let index = 0
  for (let at = CLOCK_HEAD_BYTES; at < end; at += DOT_BYTES, index++) {
    visit(actorAt(clock, at), counterAt(clock, at + ACTOR_BYTES), index < bases)
  }
}

function clockBytes(bytes: Buffer, at: number): number {
  return CLOCK_HEAD_BYTES + DOT_BYTES * (bytes.readUInt16BE(at) + bytes.readUInt16BE(at + 2))
}

/** A clock that fills `bytes` from `at` to `end`, or undefined. */
function clockWithin(bytes: Buffer, at: number, end: number): Buffer | undefined {
  if (end - at < CLOCK_HEAD_BYTES) return undefined
  return clockBytes(bytes, at) === end - at ? bytes.subarray(at, end) : undefined
}

/** A version: its clock and its live headers, ascending by dot. Views. */
export interface ReadVersion {
  readonly clock: Buffer
  readonly headers: readonly Buffer[]
}

export function readVersion(bytes: Buffer): ReadVersion | undefined {
  if (bytes.length < CLOCK_HEAD_BYTES) return undefined
  const clockEnd = clockBytes(bytes, 0)
  if (clockEnd + 2 > bytes.length) return undefined
  const live = bytes.readUInt16BE(clockEnd)
  if (clockEnd + 2 + live * HEADER_BYTES !== bytes.length || live === 0) return undefined
  const headers: Buffer[] = []
  for (let at = clockEnd + 2; at < bytes.length; at += HEADER_BYTES) {
    headers.push(bytes.subarray(at, at + HEADER_BYTES))
  }
  return { clock: bytes.subarray(0, clockEnd), headers }
}

/** The version in a record of the versions column, undefined when its checksum is wrong. */
export function storedVersion(record: Buffer, token: bigint): Buffer | undefined {
  const end = record.length - CHECKSUM_BYTES
  return end > 0 && isSealed(record, 0, end, token) ? record.subarray(0, end) : undefined
}

/** A row: its clock and its value blocks, ascending by dot. Views. */
export interface ReadRow {
  readonly clock: Buffer
  /** Each begins with its live header and ends with its checksum. */
  readonly blocks: readonly Buffer[]
}

/** The clock of a row that someone else has verified. */
export function rowClock(row: Buffer): Buffer | undefined {
  if (row.length < ROW_HEAD_BYTES + CLOCK_HEAD_BYTES) return undefined
  const end = ROW_HEAD_BYTES + clockBytes(row, ROW_HEAD_BYTES)
  return end <= row.length ? row.subarray(ROW_HEAD_BYTES, end) : undefined
}

/** Undefined when anything about the row is wrong, every checksum included. */
export function readRow(row: Buffer, token: bigint): ReadRow | undefined {
  if (row.length < ROW_HEAD_BYTES + CLOCK_HEAD_BYTES + CHECKSUM_BYTES) return undefined
  if (row.readUInt32BE(0) !== ROW_FIRST_BYTES) return undefined
  const values = row.readUInt16BE(4)
  const clockEnd = ROW_HEAD_BYTES + clockBytes(row, ROW_HEAD_BYTES)
  if (clockEnd + CHECKSUM_BYTES > row.length || !isSealed(row, 0, clockEnd, token)) return undefined
  const blocks: Buffer[] = []
  let at = clockEnd + CHECKSUM_BYTES
  for (let index = 0; index < values; index++) {
    if (at + HEADER_BYTES + 4 + CHECKSUM_BYTES > row.length) return undefined
    const end = at + HEADER_BYTES + 4 + row.readUInt32BE(at + HEADER_BYTES)
    if (end + CHECKSUM_BYTES > row.length || !isSealed(row, at, end, token)) return undefined
    blocks.push(row.subarray(at, end + CHECKSUM_BYTES))
    at = end + CHECKSUM_BYTES
  }
  if (at !== row.length || values === 0) return undefined
  return { clock: row.subarray(ROW_HEAD_BYTES, clockEnd), blocks }
}

function isSealed(bytes: Buffer, from: number, at: number, token: bigint): boolean {
  return bytes.readBigUInt64BE(at) === hash64(bytes.subarray(from, at), token)
}

/** Whether a row and a version say the same of a key. */
export function agree(row: ReadRow, version: ReadVersion): boolean {
  return (
    row.clock.equals(version.clock) &&
    row.blocks.length === version.headers.length &&
    row.blocks.every((block, index) => {
      const header = version.headers[index] as Buffer
      return block.compare(header, 0, HEADER_BYTES, 0, HEADER_BYTES) === 0
    })
  )
}

/** A live header in parts. */
export interface Header {
  readonly actor: number
  /** The 16 bytes of the dot as latin-1 text, which sorts as dots do. */
  readonly dot: string
  readonly counter: number
  readonly tombstone: boolean
  /** 48 bits of milliseconds and 16 of a counter. */
  readonly stamp: bigint
  /** Latin-1 text of 8 bytes. */
  readonly request: string
  readonly expiry: number
}

export function readHeader(header: Buffer): Header {
  return {
    actor: actorAt(header, 0),
    dot: header.toString('latin1', 0, DOT_BYTES),
    counter: counterAt(header, 8),
    tombstone: header[16] !== 0,
    stamp: header.readBigUInt64BE(17),
    request: header.toString('latin1', 25, 33),
    expiry: counterAt(header, 33),
  }
}

/** The parts of a value block that a client sees. */
export function readValue(block: Buffer): {
  readonly contentType: string
  readonly contentEncoding: string
  readonly body: Buffer
} {
  const end = block.length - CHECKSUM_BYTES
  const payloadAt = HEADER_BYTES + 4
  if (payloadAt === end) return { contentType: '', contentEncoding: '', body: Buffer.alloc(0) }
  const typeEnd = payloadAt + 2 + block.readUInt16BE(payloadAt)
  const encodingEnd = typeEnd + 1 + (block[typeEnd] as number)
  return {
    contentType: block.toString('latin1', payloadAt + 2, typeEnd),
    contentEncoding: block.toString('latin1', typeEnd + 1, encodingEnd),
    body: block.subarray(encodingEnd, end),
  }
}

/** The clock in a context token, whether or not its check holds. */
export function contextClock(token: string): Buffer | undefined {
  if (!token.startsWith('c1.')) return undefined
  const bytes = Buffer.from(token.slice(3), 'base64url')
  return bytes[0] === 1 ? clockWithin(bytes, 1, bytes.length - CHECKSUM_BYTES) : undefined
}

/** The entries of one session token: latin-1 text of the key's 8-byte token, and its clock. */
export function sessionEntries(token: string): { token: string; clock: Buffer }[] | undefined {
  if (!token.startsWith('s1.')) return undefined
  const bytes = Buffer.from(token.slice(3), 'base64url')
  const end = bytes.length - CHECKSUM_BYTES
  if (end < 3 || bytes[0] !== 1) return undefined
  const entries: { token: string; clock: Buffer }[] = []
  let at = 3
  for (let left = bytes.readUInt16BE(1); left > 0; left--) {
    if (at + 10 > end) return undefined
    const clockEnd = at + 10 + bytes.readUInt16BE(at + 8)
    const clock = clockEnd <= end ? clockWithin(bytes, at + 10, clockEnd) : undefined
    if (!clock) return undefined
    entries.push({ token: bytes.toString('latin1', at, at + 8), clock })
    at = clockEnd
  }
  return at === end ? entries : undefined
}
