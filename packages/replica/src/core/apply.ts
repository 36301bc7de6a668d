import {
  addDot,
  answerContext,
  clockContains,
  counterOf,
  emptyClock,
  HEADER_BYTES,
  indexOfDot,
  indexOfRequest,
  joinClocks,
  liveAt,
  liveCount,
  liveHeaderAt,
  overwriteContext,
  type Put,
  putVersion,
  relate,
  type Stamp,
  versionClock,
} from '@shoal/causality'
import { type ErrorCode, invariant, type Partition } from '@shoal/kernel'
import { hash64, partitionOfRowKey } from '@shoal/ring'
import {
  type BlockPart,
  decodeValue,
  encodeTombstoneBlock,
  rowBlocks,
  rowByteLength,
  rowVersion,
  verifyRow,
  writeRow,
} from '@shoal/storage'
import { mergeHeaderBytes, writeMergeHeader } from '@shoal/wire'
import type { MergeOperation, Operation, PutOperation, Written } from '../operations.ts'
import type { Actors } from './actors.ts'
import { mergeRows } from './merge-rows.ts'
import type { Remembered } from './request-memory.ts'

/**
 * What one operation does to one key, as a function of the key's state.
 *
 * A put decides on clocks alone and needs the old row only where old values stay beside the new
 * one; a merge needs it only where both sides hold something the other lacks. So most operations
 * never read a value, and the group asks the disk for rows only after `needsRow` said so.
 */

/** One key within a group: what it was before, and what the operations so far made of it. */
export interface Slot {
  readonly rowKey: Buffer
  readonly token: bigint
  readonly partition: Partition
  /** As on disk before the group. */
  before: Buffer | undefined
  version: Buffer | undefined
  /** Undefined until loaded or made; a row that was loaded and is absent stays undefined. */
  row: Buffer | undefined
  changed: boolean
  /** The version record fails its checksum: nothing is known of this key until its row tells. */
  damaged: boolean
}

export function createSlot(rowKey: Buffer, partitions: number, version: Buffer | undefined): Slot {
  return {
    rowKey,
    token: rowKey.readBigUInt64BE(0),
    partition: partitionOfRowKey(rowKey, partitions),
    before: version,
    version,
    row: undefined,
    changed: false,
    damaged: false,
  }
}

/** What `applyPut` needs besides the key. */
export interface PutSurroundings {
  readonly actors: Actors
  /** The next hybrid clock stamp (V12). */
  readonly stamp: () => Stamp
  readonly recall: (request: Buffer) => Remembered | undefined
}

export interface Refusal {
  readonly refused: ErrorCode
  readonly context?: Buffer
}

const NO_REQUEST = Buffer.alloc(8)
const NO_BLOCKS: readonly Buffer[] = []
const ACTOR_BYTES = 8
const DOT_BYTES = 16

/** Whether an operation on a key in this version has to see the values of its row. */
export function needsRow(
  operation: Operation,
  version: Buffer | undefined,
  recall: (request: Buffer) => Remembered | undefined,
): boolean {
  if (version === undefined) return false
  if (operation.kind === 'merge') {
    return operation.heal || relate(version, rowVersion(operation.row)) === 'mix'
  }
  if (operation.request && knownRequest(operation.request, version, recall)) return true
  if (operation.context === undefined) return operation.blind === 'sibling'
  return countKept(version, operation.context) > 0
}

/**
 * Coordinates a write: drops what its context contains, mints the next dot, raises the own base
 * (V3).
 *
 * @returns what to tell the peers and the client, or why nothing was done
 */
export function applyPut(
  slot: Slot,
  operation: PutOperation,
  surroundings: PutSurroundings,
): Written | Refusal {
  const { actors } = surroundings
  const known =
    operation.request && slot.version
      ? knownRequest(operation.request, slot.version, surroundings.recall)
      : undefined
  if (known) return repeat(slot, operation, known)

  rotateIfBehind(actors, slot.partition, slot.version)
  rotateIfBehind(actors, slot.partition, operation.context)
  rotateIfBehind(actors, slot.partition, operation.seen)
  const context = operation.context ?? blindContext(slot.version, operation)

  if (operation.checked && countKept(slot.version, operation.checked) > 0) {
    return { refused: 'SHOAL_PRECONDITION_FAILED' }
  }
  const kept = countKept(slot.version, context)
  if (kept > 0 && kept >= operation.siblingsMax) {
    return { refused: 'SHOAL_SIBLINGS_FULL', context: versionClock(slot.version ?? emptyClock) }
  }
  const old = kept === 0 ? NO_BLOCKS : intactBlocks(slot)
  if (old === undefined) return { refused: 'SHOAL_ROW_DAMAGED' }

  const { id, counter } = actors.next(slot.partition)
  const write = {
    actor: id,
    counter,
    tombstone: operation.tombstone,
    stamp: surroundings.stamp(),
    request: operation.request ?? NO_REQUEST,
    expiry: operation.expiry,
  }
  const put = putVersion(slot.version, context, write)
  const part = newPart(operation, put.header, slot.token)
  const parts = kept === 0 ? [part] : placeParts(put, old, part)
  const dropped = slot.version === undefined ? 0 : liveCount(slot.version) - kept
  const message = buildMessage(slot, put.version, parts)
  take(slot, put.version, message.subarray(mergeHeaderBytes(slot.rowKey.length)))
  return {
    version: put.version,
    message,
    context: answerContext(context, put, write),
    actor: id,
    counter,
    dropped,
    repeated: false,
  }
}

/**
 * What a blind write replaces: what this replica knows, and what the client's session has seen (V7,
 * S1).
 */
function blindContext(version: Buffer | undefined, operation: PutOperation): Buffer | undefined {
  if (operation.blind === 'sibling') return undefined
  const known = overwriteContext(version)
  if (operation.seen === undefined) return known
  return known === undefined ? operation.seen : joinClocks(versionClock(known), operation.seen)
}

/** Merges another replica's row into ours (V2). Returns undefined when done, or why nothing was. */
export function applyMerge(
  slot: Slot,
  operation: MergeOperation,
  actors: Actors,
): Refusal | undefined {
  const incoming = rowVersion(operation.row)
  rotateIfBehind(actors, slot.partition, incoming)
  if (slot.version === undefined) {
    take(slot, incoming, operation.row)
    return undefined
  }
  const relation = relate(slot.version, incoming)
  if (operation.heal && !isIntact(slot)) {
    if (relation === 'keep' || relation === 'mix') return { refused: 'SHOAL_ROW_DAMAGED' }
    take(slot, incoming, operation.row)
    return undefined
  }
  if (relation === 'take') take(slot, incoming, operation.row)
  return relation === 'mix' ? mix(slot, operation.row, incoming) : undefined
}

function mix(slot: Slot, row: Buffer, incoming: Buffer): Refusal | undefined {
  const { version: local, token } = slot
  invariant(local !== undefined, 'a mix has two sides')
  if (!isIntact(slot) || !slot.row) return { refused: 'SHOAL_ROW_DAMAGED' }
  const { version, row: merged } = mergeRows(
    { version: local, row: slot.row },
    { version: incoming, row },
    token,
  )
  take(slot, version, merged)
  return undefined
}

/** The change of a key's segment digest that a group made. */
export function digestChange(slot: Slot): bigint {
  const before = slot.before ? versionDigest(slot.before, slot.token) : 0n
  const after = slot.version ? versionDigest(slot.version, slot.token) : 0n
  return before ^ after
}

/** Equal for equal versions of one key; the token keeps equal versions of two keys apart. */
export function versionDigest(version: Buffer, token: bigint): bigint {
  return hash64(version, token)
}

interface Content {
  readonly tombstone: boolean
  readonly contentType: string
  readonly contentEncoding: string
  readonly body: Buffer
}

/** Tells a retry from another request under the same id: what was asked, without when and where. */
export function contentHash(content: Content): bigint {
  const { tombstone, contentType, contentEncoding, body } = content
  const kind = `${tombstone ? 'd' : 'p'}\0${contentType}\0${contentEncoding}`
  return hash64(body, hash64(Buffer.from(kind, 'latin1')))
}

/**
 * The first try of this request did its work: the same dot again, and the current row to spread
 * (V10).
 */
function repeat(slot: Slot, operation: PutOperation, known: Remembered): Written | Refusal {
  invariant(slot.version !== undefined, 'a repeated request has left a version')
  const blocks = intactBlocks(slot)
  if (blocks === undefined) return { refused: 'SHOAL_ROW_DAMAGED' }
  const first = known.content ?? contentOf(blocks, known)
  if (first !== undefined && first !== contentHash(operation)) {
    return { refused: 'SHOAL_IDEMPOTENCY_KEY_REUSED' }
  }
  return {
    version: slot.version,
    message: buildMessage(slot, slot.version, blocks),
    context: repeatedContext(slot.version, operation, known),
    actor: known.actor,
    counter: known.counter,
    dropped: 0,
    repeated: true,
  }
}

/**
 * What a repeated write answers. A blind overwrite had seen more than its client named, and its
 * answer said so the first time. Where its value is the only one left, the clock of the state is
 * exactly what it had seen; a clock with the dot alone would let the client's next write stand
 * beside values that this one has replaced. Where other values stand too, or its own is gone, what
 * it had seen is no longer known: the answer says less, never more (V5). Nor does it name the state
 * that a precondition was checked against: that is what there is by now, and may hold values that
 * came after the first try.
 */
function repeatedContext(version: Buffer, operation: PutOperation, known: Remembered): Buffer {
  const header = liveAt(version)
  const isAlone =
    liveCount(version) === 1 &&
    known.actor.compare(version, header, header + ACTOR_BYTES) === 0 &&
    Number(version.readBigUInt64BE(header + ACTOR_BYTES)) === known.counter
  if (isAlone) return versionClock(version)
  const own = operation.context === operation.checked ? undefined : operation.context
  return addDot(own ?? emptyClock, known.actor, known.counter)
}

/**
 * The dot a request id has in memory or, when another replica coordinated it, in a live value. What
 * memory says is true only of a state that knows the dot: damage may have taken the first try away
 * since, and a retry answered by memory alone would acknowledge what is nowhere.
 */
function knownRequest(
  request: Buffer,
  version: Buffer,
  recall: (request: Buffer) => Remembered | undefined,
): Remembered | undefined {
  const remembered = recall(request)
  if (remembered && knowsDot(version, remembered)) return remembered
  const index = indexOfRequest(version, request, 0)
  if (index < 0) return undefined
  const header = liveHeaderAt(version, index)
  return {
    actor: Buffer.from(version.subarray(header, header + ACTOR_BYTES)),
    counter: Number(version.readBigUInt64BE(header + ACTOR_BYTES)),
    content: undefined,
  }
}

function knowsDot(version: Buffer, { actor, counter }: Remembered): boolean {
  const dot = Buffer.allocUnsafe(DOT_BYTES)
  actor.copy(dot)
  dot.writeBigUInt64BE(BigInt(counter), ACTOR_BYTES)
  return clockContains(version, 0, dot, 0)
}

function contentOf(blocks: readonly Buffer[], dot: Remembered): bigint | undefined {
  for (const block of blocks) {
    if (block.compare(dot.actor, 0, ACTOR_BYTES, 0, ACTOR_BYTES) !== 0) continue
    if (Number(block.readBigUInt64BE(ACTOR_BYTES)) !== dot.counter) continue
    return contentHash(decodeValue(block))
  }
  return undefined
}

function rotateIfBehind(actors: Actors, partition: Partition, clock: Buffer | undefined): void {
  const actor = clock && actors.peek(partition)
  if (actor && counterOf(clock, actor.id) > actor.counter) actors.foundBehind(partition)
}

/** How many live values of a version a context leaves standing. Tombstones stand too. */
function countKept(version: Buffer | undefined, context: Buffer | undefined): number {
  if (version === undefined || version === context) return 0
  let kept = 0
  for (let header = liveAt(version); header < version.length; header += HEADER_BYTES) {
    if (!context || !clockContains(context, 0, version, header)) kept++
  }
  return kept
}

/**
 * The blocks of the local row, or undefined when it fails its checksums or belongs to no version.
 */
function intactBlocks(slot: Slot): readonly Buffer[] | undefined {
  return isIntact(slot) && slot.row ? rowBlocks(slot.row) : undefined
}

/** A missing row behind a version is damage too: both were written in one batch. */
function isIntact(slot: Slot): boolean {
  if (slot.version === undefined) return slot.row === undefined
  if (slot.row === undefined || verifyRow(slot.row, slot.token) !== 'ok') return false
  return slot.changed || rowVersion(slot.row).equals(slot.version)
}

function take(slot: Slot, version: Buffer, row: Buffer): void {
  slot.version = version
  slot.row = row
  slot.changed = true
}

/** A value is encoded where its row is built, so that its body is copied once. */
function newPart(operation: PutOperation, header: Buffer, token: bigint): BlockPart {
  if (operation.tombstone) return encodeTombstoneBlock(header, token)
  const { contentType, contentEncoding, body } = operation
  return { header, contentType, contentEncoding, body }
}

/** The new value among those that stay, in the order of the version's dots. */
function placeParts(put: Put, old: readonly Buffer[], part: BlockPart): BlockPart[] {
  const parts = put.kept.map((index): BlockPart => {
    const survivor = old[index]
    invariant(survivor !== undefined, 'a version and its row have the same values')
    return survivor
  })
  const place = indexOfDot(put.version, put.header, 0)
  invariant(place >= 0, 'a write leaves its own value live')
  parts.splice(place, 0, part)
  return parts
}

function buildMessage(slot: Slot, version: Buffer, parts: readonly BlockPart[]): Buffer {
  const clock = versionClock(version)
  const rowAt = mergeHeaderBytes(slot.rowKey.length)
  const message = Buffer.allocUnsafe(rowAt + rowByteLength(clock, parts))
  writeMergeHeader(message, 0, slot.rowKey)
  writeRow(message, rowAt, clock, parts, slot.token)
  return message
}
