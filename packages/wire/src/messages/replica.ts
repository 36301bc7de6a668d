import { type ErrorCode, invariant, isErrorCode } from '@shoal/kernel'
import { ByteReader, ByteWriter, malformed } from '../bytes.ts'

/**
 * The two messages of the hot path, laid out so that nothing is copied twice: a coordinator builds
 * the merge message once and the row in it is a view that goes to its own disk too.
 *
 *   merge: u8 flags, u16 length of the row key, row key, row to the end
 *   read:  u8 flags, [8 bytes version digest when flag 1], row key to the end
 */
export const mergeFlags = {
  /** Acknowledge when written, and again when durable. */
  acknowledgeWritten: 1,
  /** With the operating system is enough: acknowledge once, when written. */
  writtenOnly: 4,
  /** Your copy may be damaged: check it, and replace what fails its checksum. */
  heal: 2,
} as const

const allFlags = (flags: Readonly<Record<string, number>>): number =>
  Object.values(flags).reduce((all, flag) => all | flag, 0)

const MERGE_FLAGS = allFlags(mergeFlags)

/** A flag we do not know may change what a message means: it is not passed over. */
function checkFlags(flags: number, known: number): void {
  if ((flags & ~known) !== 0) throw malformed(`flags ${flags}`)
}

export const mergeHeaderBytes = (rowKeyBytes: number): number => 3 + rowKeyBytes

/** Fills the part of a merge message that precedes the row; the caller writes the row behind it. */
export function writeMergeHeader(message: Buffer, flags: number, rowKey: Buffer): void {
  invariant((flags & ~MERGE_FLAGS) === 0, 'a merge has flags of the table')
  invariant(rowKey.length > 0 && rowKey.length <= 0xffff, 'a row key fits its 16-bit length')
  message[0] = flags
  message.writeUInt16BE(rowKey.length, 1)
  rowKey.copy(message, 3)
}

export interface MergeMessage {
  readonly flags: number
  readonly rowKey: Buffer
  readonly row: Buffer
}

/** Views into the body. @throws SHOAL_FRAME_INVALID */
export function decodeMerge(body: Buffer): MergeMessage {
  if (body.length < 3) throw malformed('a merge shorter than its header')
  const flags = body[0] as number
  checkFlags(flags, MERGE_FLAGS)
  const rowAt = 3 + body.readUInt16BE(1)
  if (rowAt === 3) throw malformed('a merge without a key')
  if (rowAt >= body.length) throw malformed('a merge without a row')
  return { flags, rowKey: body.subarray(3, rowAt), row: body.subarray(rowAt) }
}

export interface StandInMessage {
  /** Whom the receiver stands in for, by their places in the preference list, as a set. */
  readonly primaries: number
  readonly merge: MergeMessage
}

/**
 * `u8 primaries, merge`. No flags of the merge go along: a stand-in answers once, when row and
 * hints are on its disk (H1).
 */
export function encodeStandIn(primaries: number, merge: Buffer): Buffer {
  invariant(primaries > 0 && primaries <= 0xff, 'a stand-in stands in for somebody')
  const message = Buffer.allocUnsafe(1 + merge.length)
  message[0] = primaries
  merge.copy(message, 1)
  message[1] = 0
  return message
}

/** Views into the body. @throws SHOAL_FRAME_INVALID */
export function decodeStandIn(body: Buffer): StandInMessage {
  const [primaries = 0] = body
  if (primaries === 0) throw malformed('a stand-in for nobody')
  const merge = decodeMerge(body.subarray(1))
  if (merge.flags !== 0) throw malformed(`flags ${merge.flags} of a stand-in`)
  return { primaries, merge }
}

export const readFlags = {
  /** A version digest is given: answer `same` when yours has it. */
  digest: 1,
  /** Answer only when what you answer with is on disk (Q5). */
  durable: 2,
  /** The version is enough. */
  versionOnly: 4,
  /**
   * It is counted who answers: a replica that lost data says what it knows, with more to come, and
   * then refuses with SHOAL_REPLICA_LOST (Q6).
   */
  counted: 8,
} as const

const READ_FLAGS = allFlags(readFlags)
const DIGEST_BYTES = 8

export function encodeRead(flags: number, digest: Buffer | undefined, rowKey: Buffer): Buffer {
  const digestBytes = digest ? DIGEST_BYTES : 0
  invariant(digest === undefined || digest.length === DIGEST_BYTES, 'a version digest has 8 bytes')
  const asked = READ_FLAGS & ~readFlags.digest
  invariant((flags & ~asked) === 0, 'a read has flags of the table, and a digest by giving one')
  invariant(rowKey.length > 0, 'a read has a key')
  const message = Buffer.allocUnsafe(1 + digestBytes + rowKey.length)
  message[0] = digest ? flags | readFlags.digest : flags
  digest?.copy(message, 1)
  rowKey.copy(message, 1 + digestBytes)
  return message
}

export interface ReadMessage {
  readonly flags: number
  readonly digest: Buffer | undefined
  readonly rowKey: Buffer
}

/** Views into the body. @throws SHOAL_FRAME_INVALID */
export function decodeRead(body: Buffer): ReadMessage {
  const flags = body[0]
  if (flags === undefined) throw malformed('an empty read')
  checkFlags(flags, READ_FLAGS)
  const hasDigest = (flags & readFlags.digest) !== 0
  const keyAt = hasDigest ? 1 + DIGEST_BYTES : 1
  if (keyAt >= body.length) throw malformed('a read without a key')
  return {
    flags,
    digest: hasDigest ? body.subarray(1, keyAt) : undefined,
    rowKey: body.subarray(keyAt),
  }
}

export function encodeRefusal(code: ErrorCode): Buffer {
  return Buffer.from(code, 'latin1')
}

/** Longer than any code: what is longer is none, and not worth a string of its size. */
const CODE_BYTES_MAX = 128

/** A newer node may know reasons we do not; to us it is a refusal all the same. */
export function decodeRefusal(body: Buffer): ErrorCode {
  const code = body.toString('latin1', 0, CODE_BYTES_MAX)
  return body.length <= CODE_BYTES_MAX && isErrorCode(code) ? code : 'SHOAL_INTERNAL'
}

export interface ListMessage {
  readonly bucket: string
  readonly prefix: string
  readonly after: string
  readonly limit: number
  /** One bit for each partition of the ring, most significant first. */
  readonly partitions: Buffer
}

export function encodeList(message: ListMessage): Buffer {
  return new ByteWriter()
    .name(message.bucket)
    .text(message.prefix)
    .text(message.after)
    .u32(message.limit)
    .bytes(message.partitions)
    .finish()
}

/** @throws SHOAL_FRAME_INVALID */
export function decodeList(body: Buffer): ListMessage {
  const reader = new ByteReader(body)
  const message = {
    bucket: reader.text(),
    prefix: reader.text(),
    after: reader.text(),
    limit: reader.u32(),
    partitions: reader.bytes(),
  }
  reader.end()
  return message
}

/**
 * One page: keys with their versions, so that the coordinator can merge what several replicas hold.
 */
export interface ListedMessage {
  readonly entries: readonly { readonly key: string; readonly version: Buffer }[]
  readonly finished: boolean
}

export function encodeListed({ entries, finished }: ListedMessage): Buffer {
  const writer = new ByteWriter(64 + entries.length * 128)
  writer.flag(finished).list(entries, (entry) => writer.text(entry.key).bytes(entry.version))
  return writer.finish()
}

/** Two empty byte strings. */
const ENTRY_BYTES_MIN = 4 + 4

/** @throws SHOAL_FRAME_INVALID */
export function decodeListed(body: Buffer): ListedMessage {
  const reader = new ByteReader(body)
  const finished = reader.flag()
  const readEntry = () => ({ key: reader.text(), version: reader.bytes() })
  const entries = reader.list(readEntry, ENTRY_BYTES_MIN)
  reader.end()
  return { entries, finished }
}
