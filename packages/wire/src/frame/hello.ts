import { limits } from '@shoal/kernel'
import { ByteReader, ByteWriter, malformed } from '../bytes.ts'

/**
 * How a channel opens. D dialled, A accepted; one frame each:
 *
 * ```
 * D  open                 versions, node id, nonce, uptime
 * A  open
 * D  proof                knows the secret, over both opens
 * A  proof, hello         knows it too; run, cluster, ring, features, now that D has proven
 * D  hello, ready         D agrees; a D that does not sends `refused` in place of `ready`
 * A  ready                the channel is up
 * ```
 *
 * Either side may send `refused` with a code and words at any step, and closes. The dialler proves
 * first, so that a stranger who connects gets nothing to guess the secret against. The secret never
 * travels; roles in the proofs keep one from being mirrored back.
 */

/** Protocol versions this build speaks, best last. */
export const supportedVersions: readonly number[] = [1]

/** What a build can do beyond its protocol version. A peer that does not say so is not asked to. */
export const features = {
  /** Takes questions that carry a trace. */
  traces: 'traces',
} as const
export const supportedFeatures: readonly string[] = Object.values(features)

export const nonceBytes = 32
export const runIdBytes = 16
export const digestBytes = 32
export const channelIdBytes = 8

const MAGIC = 'shoal-peer'
const NODE_ID = /^[A-Za-z0-9._-]+$/
const VERSIONS_MAX = 16
const FEATURES_MAX = 64
const FEATURE_CHARS_MAX = 64
const CLUSTER_ID_CHARS_MAX = 128

/** The first message of each side. Everything in it is claimed, nothing proven. */
export interface Open {
  readonly versions: readonly number[]
  readonly node: string
  /** Fresh for each connection. */
  readonly nonce: Uint8Array
  /** Milliseconds since this node started: tells the newcomer from the running. */
  readonly uptime: number
}

/** Sent after the other side has proven that it knows the secret. */
export interface Hello {
  readonly cluster: string
  /** Random per process start: two live processes with one node id are told apart by it. */
  readonly run: Uint8Array
  readonly ring: RingSummary
  readonly features: readonly string[]
}

export interface RingSummary {
  readonly epoch: number
  /** SHA-256 of `summary`. */
  readonly digest: Uint8Array
  /** What the composer needs to name a difference. Opaque here. */
  readonly summary: Uint8Array
}

/** Agreement to the channel. */
export interface Ready {
  /**
   * The channel this side last had with the peer, or no bytes: tells a lost channel from a race.
   */
  readonly lastChannel: Uint8Array
}

export interface Refused {
  readonly code: string
  /** For people. Control characters are replaced on arrival. */
  readonly words: string
}

export function encodeOpen(open: Open): Buffer {
  const writer = new ByteWriter().text(MAGIC)
  return writer
    .list(open.versions, (version) => writer.u16(version))
    .text(open.node)
    .bytes(open.nonce)
    .f64(open.uptime)
    .finish()
}

/** @throws SHOAL_FRAME_INVALID, as all decoders here */
export function decodeOpen(body: Buffer): Open {
  const reader = new ByteReader(body)
  if (reader.text() !== MAGIC) throw malformed('an opening that is not of Shoal')
  const versions = reader.list(() => reader.u16())
  if (versions.length > VERSIONS_MAX) throw malformed(`${versions.length} versions`)
  const node = reader.text()
  if (node.length > limits.nodeIdCharsMax || !NODE_ID.test(node)) throw malformed('a node id')
  const nonce = exactly(reader.bytes(), nonceBytes, 'nonce')
  const uptime = reader.f64()
  if (!(uptime >= 0)) throw malformed('an uptime below zero')
  reader.end()
  return { versions, node, nonce, uptime }
}

export function encodeHello({ cluster, run, ring, features }: Hello): Buffer {
  const writer = new ByteWriter(1_024 + ring.summary.length)
  return writer
    .text(cluster)
    .bytes(run)
    .u32(ring.epoch)
    .bytes(ring.digest)
    .bytes(ring.summary)
    .list(features, (feature) => writer.text(feature))
    .finish()
}

export function decodeHello(body: Buffer): Hello {
  const reader = new ByteReader(body)
  const cluster = short(reader.text(), CLUSTER_ID_CHARS_MAX, 'cluster id')
  const run = exactly(reader.bytes(), runIdBytes, 'run id')
  const epoch = reader.u32()
  const digest = exactly(reader.bytes(), digestBytes, 'ring digest')
  const summary = reader.bytes()
  const features = reader.list(() => short(reader.text(), FEATURE_CHARS_MAX, 'feature'))
  if (features.length > FEATURES_MAX) throw malformed(`${features.length} features`)
  reader.end()
  return { cluster, run, ring: { epoch, digest, summary }, features }
}

export function encodeReady(ready: Ready): Buffer {
  return new ByteWriter().bytes(ready.lastChannel).finish()
}

export function decodeReady(body: Buffer): Ready {
  const reader = new ByteReader(body)
  const lastChannel = reader.bytes()
  if (lastChannel.length > 0) exactly(lastChannel, channelIdBytes, 'channel id')
  reader.end()
  return { lastChannel }
}

/** @param bytesMax  of the whole body; words beyond it are cut */
export function encodeRefused({ code, words }: Refused, bytesMax: number): Buffer {
  const room = Math.max(0, bytesMax - 8 - Buffer.byteLength(code))
  return new ByteWriter().text(code).text(cut(words, room)).finish()
}

export function decodeRefused(body: Buffer): Refused {
  const reader = new ByteReader(body)
  const code = reader.text()
  const words = printable(reader.text())
  reader.end()
  return { code, words }
}

/** The highest version both sides speak, or undefined. */
export function commonVersion(
  ours: readonly number[],
  theirs: readonly number[],
): number | undefined {
  const common = ours.filter((version) => theirs.includes(version))
  return common.length === 0 ? undefined : Math.max(...common)
}

function exactly(bytes: Buffer, length: number, what: string): Buffer {
  if (bytes.length !== length) throw malformed(`a ${what} of ${bytes.length} bytes, not ${length}`)
  return bytes
}

function short(text: string, charsMax: number, what: string): string {
  if (text.length > charsMax) throw malformed(`a ${what} of ${text.length} characters`)
  return printable(text)
}

/**
 * What a peer says goes into logs and onto terminals: it must not move a cursor or forge a line.
 */
function printable(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, ' ')
}

function cut(text: string, bytesMax: number): string {
  const bytes = Buffer.from(text)
  if (bytes.length <= bytesMax) return text
  // A character cut in two would decode to a replacement of three bytes: drop it.
  return bytes.toString('utf8', 0, bytesMax).replace(/\uFFFD+$/u, '')
}
