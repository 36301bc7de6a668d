import { invariant, limits } from '@shoal/kernel'
import { copyBytes, equalBytes, readU16, writeU16 } from './bytes.ts'
import { clockLength, validateClock } from './clock.ts'
import { joinClocks } from './clock-join.ts'
import type { ContextCodec } from './context.ts'
import { SIPHASH_BYTES, sipHash24, sipKey } from './siphash.ts'
import { TOKEN_FORMAT, type TokenPlace, TokenSeal, type TokenSecrets } from './token.ts'

/**
 * A session remembers what a client has seen and written (S1), so that any node can refuse to
 * answer with less. It travels with the client as `s1.` and base64url of
 *
 *   u8 format, u16 n, n × (row token 8, u16 length, clock), check
 *
 * bound to the cluster. Newest entry last. Where the token would grow beyond its limit the oldest
 * keys leave: for them the session forgets, and reads may go back in time.
 */
export interface Session {
  readonly entries: readonly SessionEntry[]
}

export interface SessionEntry {
  /** 8 bytes: the ring position of the key. */
  readonly rowToken: Buffer
  readonly clock: Buffer
}

export const emptySession: Session = { entries: [] }

const ROW_TOKEN_BYTES = 8
const ENTRY_HEADER_BYTES = ROW_TOKEN_BYTES + 2
const ENTRIES_AT = 3
const PREFIX = 's1.'
const NO_NAME = new Uint8Array(0)

/** What the session knows of a key, or undefined. */
export function sessionClockFor(session: Session, rowToken: Buffer): Buffer | undefined {
  return session.entries.find((entry) => isOf(entry, rowToken))?.clock
}

/** The session after it has seen this clock of a key, which becomes its newest. */
export function joinIntoSession(session: Session, rowToken: Buffer, clock: Buffer): Session {
  invariant(rowToken.length === ROW_TOKEN_BYTES, 'a row token has 8 bytes')
  const seen = clock.subarray(0, clockLength(clock))
  const known = sessionClockFor(session, rowToken)
  const joined = known === undefined ? seen : joinClocks(known, seen)
  const others = session.entries.filter((entry) => !isOf(entry, rowToken))
  return { entries: [...others, { rowToken, clock: joined }] }
}

const isOf = (entry: SessionEntry, rowToken: Buffer): boolean =>
  equalBytes(entry.rowToken, 0, rowToken, 0, ROW_TOKEN_BYTES)

export interface SessionCodec {
  /** At most limits.sessionTokenBytesMax characters; the oldest keys leave first. */
  encode(session: Session): string
  /**
   * Reads the value of a `Shoal-Session` header: session tokens, the word `new` and plain context
   * tokens, separated by commas, all joined. Parallel requests of one client yield several tokens.
   *
   * @param request  the key of the request, to which a plain context token is bound
   * @throws SHOAL_SESSION_INVALID  malformed, damaged, or of another cluster
   * @throws SHOAL_CONTEXT_INVALID, SHOAL_CONTEXT_FOREIGN  for a plain context token
   */
  decode(header: string, request: { rowToken: Buffer; name: Uint8Array }): Session
}

export function createSessionCodec(secrets: TokenSecrets, contexts: ContextCodec): SessionCodec {
  const seal = new TokenSeal(sessionSecrets(secrets), {
    prefix: PREFIX,
    bytesMax: limits.sessionTokenBytesMax,
    code: 'SHOAL_SESSION_INVALID',
  })
  return {
    encode: (session) => {
      const entries = newestThatFit(session.entries)
      return seal.seal(writeEntries(seal.room(limits.sessionTokenBytesMax), entries), NO_NAME)
    },
    decode: (header, { rowToken, name }) => {
      let session = emptySession
      for (const { text, place } of listItems(header, seal)) {
        if (text === 'new') continue
        if (text.startsWith('c1.')) {
          session = joinIntoSession(session, rowToken, contexts.decode(text, name, place).clock)
          continue
        }
        for (const entry of openEntries(seal, text, place)) {
          session = joinIntoSession(session, entry.rowToken, entry.clock)
        }
      }
      return session
    },
  }
}

/** A key of its own for sessions, so that no name can turn a context into a session token. */
function sessionSecrets({ key, clusterId }: TokenSecrets): TokenSecrets {
  const derived = Buffer.alloc(2 * SIPHASH_BYTES)
  for (const half of [0, 1]) {
    const label = Buffer.from(`shoal session ${half}`)
    sipHash24(sipKey(key), label, 0, label.length, derived, half * SIPHASH_BYTES)
  }
  return { key: derived, clusterId }
}

/** What base64url leaves of the limit after format, count and check. */
const ENTRIES_BYTES_MAX =
  Math.floor(((limits.sessionTokenBytesMax - PREFIX.length) * 3) / 4) - ENTRIES_AT - SIPHASH_BYTES

/** A clock too wide for any token leaves first: its key is forgotten, the others are not. */
function newestThatFit(entries: readonly SessionEntry[]): readonly SessionEntry[] {
  const sizeOf = (entry: SessionEntry): number => ENTRY_HEADER_BYTES + entry.clock.length
  const sized = entries.filter((entry) => sizeOf(entry) <= ENTRIES_BYTES_MAX)
  let room = ENTRIES_BYTES_MAX
  const first = sized.findLastIndex((entry) => {
    room -= sizeOf(entry)
    return room < 0
  })
  return sized.slice(first + 1)
}

function writeEntries(work: Buffer, entries: readonly SessionEntry[]): number {
  work[0] = TOKEN_FORMAT
  writeU16(work, 1, entries.length)
  let at = ENTRIES_AT
  for (const { rowToken, clock } of entries) {
    copyBytes(rowToken, 0, work, at, ROW_TOKEN_BYTES)
    writeU16(work, at + ROW_TOKEN_BYTES, clock.length)
    copyBytes(clock, 0, work, at + ENTRY_HEADER_BYTES, clock.length)
    at += ENTRY_HEADER_BYTES + clock.length
  }
  return at
}

function openEntries(seal: TokenSeal, text: string, place: TokenPlace): SessionEntry[] {
  const end = seal.open(text, place)
  // A copy, since the entries outlive the buffer of the seal.
  const body = Buffer.from(seal.room(end).subarray(0, end))
  const entries = readEntries(body)
  if (typeof entries === 'string') throw seal.fault(place, PREFIX.length, entries)
  if (seal.fits(end, NO_NAME)) return entries
  throw seal.fault(place, 0, 'a session of another cluster, or a damaged one: its check fails')
}

function readEntries(body: Buffer): SessionEntry[] | string {
  if (body.length < ENTRIES_AT) return 'a session that is cut off'
  const entries: SessionEntry[] = []
  let at = ENTRIES_AT
  for (let left = readU16(body, 1); left > 0; left--) {
    const clockAt = at + ENTRY_HEADER_BYTES
    if (clockAt > body.length) return 'a session that is cut off'
    const clockEnd = clockAt + readU16(body, clockAt - 2)
    const length = validateClock(body, clockAt, clockEnd)
    if (typeof length === 'string') return length
    if (clockAt + length !== clockEnd) return 'bytes after a clock'
    entries.push({
      rowToken: body.subarray(at, at + ROW_TOKEN_BYTES),
      clock: body.subarray(clockAt, clockEnd),
    })
    at = clockEnd
  }
  return at === body.length ? entries : 'bytes after the last entry'
}

/** Splits a header at its commas, blanks around the parts removed. */
function listItems(header: string, seal: TokenSeal): { text: string; place: TokenPlace }[] {
  const items: { text: string; place: TokenPlace }[] = []
  const whole = { field: 'Shoal-Session', offset: 0 }
  if (header.length > limits.headerBytesMax) {
    throw seal.fault(
      whole,
      limits.headerBytesMax,
      `longer than ${limits.headerBytesMax} characters`,
    )
  }
  let from = 0
  for (const part of header.split(',')) {
    const text = part.trim()
    const place = { field: whole.field, offset: from + part.length - part.trimStart().length }
    if (text === '') throw seal.fault(place, 0, 'an empty item')
    items.push({ text, place })
    from += part.length + 1
  }
  return items
}
