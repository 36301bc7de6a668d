import { invariant, limits, type NodeId, nodeId } from '@shoal/kernel'
import { ByteReader, ByteWriter, malformed } from '../bytes.ts'

/**
 * What nodes say of each other, and the probes that find out. Every message begins with what its
 * sender says of itself and of its ring; every probe and its answer carry news along.
 *
 * ```
 * header   u64 incarnation, u32 run, u32 ring epoch, 8 bytes ring digest
 * update   text node, u8 state, u64 incarnation, u32 run, list of text witnesses
 * ping         header, list of updates
 * pingRequest  header, text target, u32 milliseconds, list of updates
 * pong         header, flag reached, list of updates
 * ```
 */
export const memberStates = ['alive', 'suspect', 'dead', 'left'] as const
export type MemberState = (typeof memberStates)[number]

/** What is said of one member. */
export interface MemberUpdate {
  readonly node: NodeId
  readonly state: MemberState
  /** Raised by the member alone: what is said of a higher one is newer. */
  readonly incarnation: number
  /** Names the process start that has this incarnation. 0: nobody has heard from it yet. */
  readonly run: number
  /** Who found a suspect silent, each by itself. Other states have none. */
  readonly witnesses: readonly NodeId[]
}

/** Which ring the sender has (Q8). */
export interface RingStamp {
  readonly epoch: number
  /** Of the record, 16 hexadecimal digits. */
  readonly digest: string
}

export interface MembershipHeader {
  readonly incarnation: number
  readonly run: number
  readonly ring: RingStamp
}

export interface PingMessage {
  readonly header: MembershipHeader
  readonly updates: readonly MemberUpdate[]
}

/** Ask this member for me: I do not hear it. */
export interface PingRequestMessage extends PingMessage {
  readonly target: NodeId
  /** When the answer is of no more use. */
  readonly timeoutMs: number
}

export interface PongMessage extends PingMessage {
  /** False from a relay that lives, but does not hear the target either. */
  readonly reached: boolean
}

export function encodePing({ header, updates }: PingMessage): Buffer {
  const writer = new ByteWriter()
  writeHeader(writer, header)
  return writeUpdates(writer, updates).finish()
}

/** @throws SHOAL_FRAME_INVALID, as all decoders here */
export function decodePing(body: Buffer): PingMessage {
  const reader = new ByteReader(body)
  return ended(reader, { header: readHeader(reader), updates: readUpdates(reader) })
}

export function encodePingRequest(request: PingRequestMessage): Buffer {
  const writer = new ByteWriter()
  writeHeader(writer, request.header)
  writeNode(writer, request.target).u32(request.timeoutMs)
  return writeUpdates(writer, request.updates).finish()
}

export function decodePingRequest(body: Buffer): PingRequestMessage {
  const reader = new ByteReader(body)
  return ended(reader, {
    header: readHeader(reader),
    target: readNode(reader),
    timeoutMs: reader.u32(),
    updates: readUpdates(reader),
  })
}

export function encodePong({ header, reached, updates }: PongMessage): Buffer {
  const writer = new ByteWriter()
  writeHeader(writer, header)
  return writeUpdates(writer.flag(reached), updates).finish()
}

export function decodePong(body: Buffer): PongMessage {
  const reader = new ByteReader(body)
  return ended(reader, {
    header: readHeader(reader),
    reached: reader.flag(),
    updates: readUpdates(reader),
  })
}

const INCARNATION_HIGH_MAX = 2 ** 21 - 1
const HIGH = 2 ** 32
const DIGEST = /^[0-9a-f]{16}$/
const NODE_ID = new RegExp(`^[A-Za-z0-9._-]{1,${limits.nodeIdCharsMax}}$`)
/** Of a node of one letter: its text, state, incarnation, run, no witnesses. */
const UPDATE_BYTES_MIN = 4 + 1 + 1 + 8 + 4 + 4
const NODE_BYTES_MIN = 4 + 1

export function writeHeader(
  writer: ByteWriter,
  { incarnation, run, ring }: MembershipHeader,
): void {
  writeIncarnation(writer, incarnation).u32(run).u32(ring.epoch)
  invariant(DIGEST.test(ring.digest), 'a ring digest has 16 hexadecimal digits', () => ring.digest)
  writer.raw(Buffer.from(ring.digest, 'hex'))
}

export function readHeader(reader: ByteReader): MembershipHeader {
  const incarnation = readIncarnation(reader)
  const run = reader.u32()
  const epoch = reader.u32()
  return { incarnation, run, ring: { epoch, digest: reader.raw(8).toString('hex') } }
}

export function writeUpdates(writer: ByteWriter, updates: readonly MemberUpdate[]): ByteWriter {
  invariant(updates.length <= limits.gossipUpdatesMax, 'a message holds so many updates at most')
  return writer.list(updates, (update) => writeUpdate(writer, update))
}

export function readUpdates(reader: ByteReader): MemberUpdate[] {
  const updates = reader.list(() => readUpdate(reader), UPDATE_BYTES_MIN)
  if (updates.length > limits.gossipUpdatesMax) throw malformed(`${updates.length} updates`)
  return updates
}

function writeUpdate(writer: ByteWriter, update: MemberUpdate): void {
  const { node, state, incarnation, run, witnesses } = update
  invariant(witnessesFit(state, witnesses), 'a suspect has witnesses, others have none')
  writeIncarnation(writeNode(writer, node).choice(memberStates, state), incarnation).u32(run)
  writer.list(witnesses, (witness) => writeNode(writer, witness))
}

function readUpdate(reader: ByteReader): MemberUpdate {
  const update = {
    node: readNode(reader),
    state: reader.choice(memberStates),
    incarnation: readIncarnation(reader),
    run: reader.u32(),
    witnesses: reader.list(() => readNode(reader), NODE_BYTES_MIN),
  }
  if (!witnessesFit(update.state, update.witnesses)) {
    throw malformed(`${update.witnesses.length} witnesses of a member that is ${update.state}`)
  }
  return update
}

function witnessesFit(state: MemberState, witnesses: readonly NodeId[]): boolean {
  const { length } = witnesses
  if (state !== 'suspect') return length === 0
  return length > 0 && length <= limits.suspicionWitnessesMax && new Set(witnesses).size === length
}

function writeNode(writer: ByteWriter, node: NodeId): ByteWriter {
  invariant(NODE_ID.test(node), 'a node id has the form of one', () => node)
  return writer.text(node)
}

function readNode(reader: ByteReader): NodeId {
  const text = reader.text()
  if (!NODE_ID.test(text)) throw malformed('a node id')
  return nodeId(text)
}

/** A whole number below 2^53, in 8 bytes. */
function writeIncarnation(writer: ByteWriter, incarnation: number): ByteWriter {
  const whole = Number.isSafeInteger(incarnation) && incarnation >= 0
  invariant(whole, 'an incarnation is a whole number below 2^53', () => incarnation)
  return writer.u32(Math.floor(incarnation / HIGH)).u32(incarnation % HIGH)
}

function readIncarnation(reader: ByteReader): number {
  const high = reader.u32()
  if (high > INCARNATION_HIGH_MAX) throw malformed('an incarnation of 2^53 or more')
  return high * HIGH + reader.u32()
}

function ended<T>(reader: ByteReader, message: T): T {
  reader.end()
  return message
}
