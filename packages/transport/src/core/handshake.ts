import { createHash } from 'node:crypto'
import { limits, ShoalError, seconds, unreachable } from '@shoal/kernel'
import {
  channelIdOf,
  commonVersion,
  decodeHello,
  decodeOpen,
  decodeReady,
  decodeRefused,
  encodeHello,
  encodeOpen,
  encodeReady,
  encodeRefused,
  frameTypes,
  type Hello,
  type Open,
  type Opening,
  prove,
  type Role,
  verify,
} from '@shoal/wire'

/**
 * How two nodes come to trust one connection. The obvious order, "say who you are, then compare
 * configurations", tells a stranger who we are and lets him choose the reason we stop for. So the
 * secret is proven first, the dialler before the acceptor, and nothing but versions, ids and nonces
 * is said before.
 *
 * Pure: the nonce and the uptime come in with the context. The order of messages stands in
 * @shoal/wire, `hello.ts`.
 */
export interface HandshakeContext {
  readonly role: Role
  readonly self: string
  /** Whom the dialler means to reach. */
  readonly expected: string | undefined
  /** The nodes that the dialler's certificate names; none: it may be any. */
  readonly certified?: readonly string[]
  readonly secret: Uint8Array
  readonly versions: readonly number[]
  readonly open: Open
  readonly hello: Hello
  isMember(node: string): boolean
  /** Sentences that name the differences; none when both rings can work together. */
  compareRing(theirs: Buffer): readonly string[]
}

/**
 * Why no channel came about. The first four can stop a node, see `verdict.ts`. `duplicate` lost a
 * race against another connection of the same pair; `uncertified` claims to be a node that its
 * certificate does not name; `later` is anything that may pass.
 */
export type RefusalCode =
  | 'SHOAL_SECRET_WRONG'
  | 'SHOAL_RING_MISMATCH'
  | 'SHOAL_NODE_ID_TAKEN'
  | 'SHOAL_VERSION_UNSUPPORTED'
  | 'SHOAL_FRAME_INVALID'
  | 'duplicate'
  | 'uncertified'
  | 'later'

export interface Refusal {
  readonly code: RefusalCode
  readonly words: string
  readonly by: 'us' | 'them'
  /** The other side had proven that it knows the secret. */
  readonly proven: boolean
  /**
   * The other side says that it has been running for longer; of two that started together, has the
   * smaller id.
   */
  readonly older: boolean
}

export interface PeerIdentity {
  readonly node: string
  readonly run: string
  readonly version: number
  readonly features: readonly string[]
  readonly channel: string
}

/** Starts that differ by less are taken for one. */
const SAME_START = seconds(1)

interface Heard {
  readonly open: Open
  readonly opening: Opening
  readonly version: number
}

export type HandshakeState =
  | { readonly kind: 'opening' }
  | ({ readonly kind: 'proving' } & Heard)
  | ({ readonly kind: 'greeting'; readonly channel: string } & Heard)
  /** Waits for the `ready` of the other side. The acceptor has not yet said its own. */
  | { readonly kind: 'agreeing'; readonly open: Open; readonly peer: PeerIdentity }
  /** Waits for the word of our own link. */
  | { readonly kind: 'deciding'; readonly open: Open; readonly peer: PeerIdentity }
  | { readonly kind: 'agreed' }
  | { readonly kind: 'failed' }

export type HandshakeEvent =
  | {
      readonly kind: 'opened' | 'proved' | 'greeted' | 'readied' | 'refused'
      readonly body: Buffer
    }
  /** A frame that has no place in a handshake. */
  | { readonly kind: 'foreign' }
  | { readonly kind: 'permitted'; readonly lastChannel: string }
  | { readonly kind: 'forbidden'; readonly code: RefusalCode; readonly words: string }

export type HandshakeEffect =
  | { readonly kind: 'send'; readonly type: number; readonly body: Buffer }
  /** The secret is proven: larger frames may come. */
  | { readonly kind: 'trust'; readonly node: string }
  /**
   * Nothing is wrong with the peer: shall it become the channel? Answered by `permitted` or
   * `forbidden`.
   */
  | { readonly kind: 'propose'; readonly peer: PeerIdentity; readonly lastChannel: string }
  | { readonly kind: 'agree'; readonly peer: PeerIdentity }
  | { readonly kind: 'fail'; readonly refusal: Refusal }

export interface HandshakeStep {
  readonly state: HandshakeState
  readonly effects: readonly HandshakeEffect[]
}

export function beginHandshake(context: HandshakeContext): HandshakeStep {
  const effects = context.role === 'dialler' ? [sendOpen(context)] : []
  return { state: { kind: 'opening' }, effects }
}

export function stepHandshake(
  context: HandshakeContext,
  state: HandshakeState,
  event: HandshakeEvent,
): HandshakeStep {
  if (state.kind === 'agreed' || state.kind === 'failed') return { state, effects: [] }
  try {
    return next(context, state, event)
  } catch (error) {
    if (!(error instanceof ShoalError)) throw error
    return refuse(state, 'SHOAL_FRAME_INVALID', error.message, context)
  }
}

type Living = Exclude<HandshakeState, { kind: 'agreed' | 'failed' }>

function next(context: HandshakeContext, state: Living, event: HandshakeEvent): HandshakeStep {
  if (event.kind === 'refused') return refusedByPeer(context, state, event.body)
  if (event.kind === 'forbidden') return refuse(state, event.code, event.words, context)
  switch (state.kind) {
    case 'opening':
      return event.kind === 'opened'
        ? opened(context, event.body)
        : outOfTurn(state, event, context)
    case 'proving':
      return event.kind === 'proved'
        ? proved(context, state, event.body)
        : outOfTurn(state, event, context)
    case 'greeting':
      return event.kind === 'greeted'
        ? greeted(context, state, event.body)
        : outOfTurn(state, event, context)
    case 'agreeing':
      return event.kind === 'readied'
        ? readied(context, state, event.body)
        : outOfTurn(state, event, context)
    case 'deciding':
      return event.kind === 'permitted'
        ? permitted(context, state, event.lastChannel)
        : outOfTurn(state, event, context)
    default:
      return unreachable(state)
  }
}

function opened(context: HandshakeContext, body: Buffer): HandshakeStep {
  const state = { kind: 'opening' } as const
  const { role, expected } = context
  const open = decodeOpen(body)
  const answer = role === 'acceptor' ? [sendOpen(context)] : []
  const wrong = expected === undefined || expected === open.node ? undefined : open.node
  if (wrong !== undefined) {
    const who = wrong === context.self ? 'this node itself' : wrong
    return refuse(state, 'later', `the address of ${expected} is answered by ${who}`, context)
  }
  const { certified = [] } = context
  if (certified.length > 0 && !certified.includes(open.node)) {
    const words = `the certificate is that of ${certified.join(', ')}, not of ${open.node}`
    return refuse(state, 'uncertified', words, context)
  }
  const version = commonVersion(context.versions, open.versions)
  if (version === undefined) {
    const [ours, theirs] = [context.versions, open.versions].map(
      (list) => list.join(', ') || 'none',
    )
    const words = `${context.self} speaks peer protocol ${ours}, ${open.node} speaks ${theirs}`
    return refuse(state, 'SHOAL_VERSION_UNSUPPORTED', words, context, { open, before: answer })
  }
  const ours = encodeOpen(context.open)
  const opening =
    role === 'dialler' ? { dialler: ours, acceptor: body } : { dialler: body, acceptor: ours }
  const proof = prove(context.secret, 'dialler', opening)
  return {
    state: { kind: 'proving', open, opening, version },
    effects: role === 'dialler' ? [send(frameTypes.proof, proof)] : answer,
  }
}

function proved(
  context: HandshakeContext,
  state: HandshakeState & { kind: 'proving' },
  body: Buffer,
): HandshakeStep {
  const { open, opening, version } = state
  const theirs = context.role === 'dialler' ? 'acceptor' : 'dialler'
  if (!verify(context.secret, theirs, opening, body)) {
    const words = `the cluster secret of ${open.node} is not that of ${context.self}`
    return refuse(state, 'SHOAL_SECRET_WRONG', words, context)
  }
  const acceptorProof = prove(context.secret, 'acceptor', opening)
  const channel = Buffer.from(channelIdOf(acceptorProof)).toString('hex')
  const trust = { kind: 'trust', node: open.node } as const
  return {
    state: { kind: 'greeting', open, opening, version, channel },
    effects:
      context.role === 'dialler'
        ? [trust]
        : [trust, send(frameTypes.proof, acceptorProof), sendHello(context)],
  }
}

function greeted(
  context: HandshakeContext,
  state: HandshakeState & { kind: 'greeting' },
  body: Buffer,
): HandshakeStep {
  const { open, version, channel } = state
  const hello = decodeHello(body)
  // The dialler greets before it refuses, so that the acceptor can name the differences too.
  const before = context.role === 'dialler' ? [sendHello(context)] : []
  const taken = open.node === context.self
  if (taken) {
    const words = `${context.self} is the id of a node that is running`
    return refuse(state, 'SHOAL_NODE_ID_TAKEN', words, context, { before })
  }
  const differences = differencesOf(context, open.node, hello)
  if (differences.length > 0) {
    return refuse(state, 'SHOAL_RING_MISMATCH', differences.join('; '), context, { before })
  }
  const run = Buffer.from(hello.run).toString('hex')
  const peer = { node: open.node, run, version, features: hello.features, channel }
  if (context.role === 'acceptor') return { state: { kind: 'agreeing', open, peer }, effects: [] }
  return {
    state: { kind: 'deciding', open, peer },
    effects: [{ kind: 'propose', peer, lastChannel: '' }],
  }
}

function differencesOf(context: HandshakeContext, node: string, hello: Hello): readonly string[] {
  const { digest, summary } = hello.ring
  const seen = createHash('sha256').update(summary).digest()
  if (!seen.equals(digest)) {
    throw new ShoalError('SHOAL_FRAME_INVALID', `the ring summary of ${node} is damaged`)
  }
  const ours = context.hello
  // Compared first: these sentences name what a person can change.
  const differences = seen.equals(ours.ring.digest) ? [] : context.compareRing(Buffer.from(summary))
  if (differences.length > 0) return differences
  if (!context.isMember(node)) return [`${node} is not a member in the ring of ${context.self}`]
  if (hello.cluster === ours.cluster) return []
  return [`the cluster of ${node} is ${hello.cluster}, that of ${context.self} ${ours.cluster}`]
}

function readied(
  context: HandshakeContext,
  state: HandshakeState & { kind: 'agreeing' },
  body: Buffer,
): HandshakeStep {
  const { open, peer } = state
  const lastChannel = Buffer.from(decodeReady(body).lastChannel).toString('hex')
  if (context.role === 'dialler') {
    return { state: { kind: 'agreed' }, effects: [{ kind: 'agree', peer }] }
  }
  return {
    state: { kind: 'deciding', open, peer },
    effects: [{ kind: 'propose', peer, lastChannel }],
  }
}

function permitted(
  context: HandshakeContext,
  state: HandshakeState & { kind: 'deciding' },
  lastChannel: string,
): HandshakeStep {
  const { open, peer } = state
  const ready = send(
    frameTypes.ready,
    encodeReady({ lastChannel: Buffer.from(lastChannel, 'hex') }),
  )
  if (context.role === 'dialler') {
    return { state: { kind: 'agreeing', open, peer }, effects: [sendHello(context), ready] }
  }
  return { state: { kind: 'agreed' }, effects: [ready, { kind: 'agree', peer }] }
}

function refusedByPeer(context: HandshakeContext, state: Living, body: Buffer): HandshakeStep {
  const { code, words } = decodeRefused(body)
  const refusal = { code: knownCode(code), words, by: 'them', ...standing(context, state) } as const
  return { state: { kind: 'failed' }, effects: [{ kind: 'fail', refusal }] }
}

function knownCode(code: string): RefusalCode {
  switch (code) {
    case 'SHOAL_SECRET_WRONG':
    case 'SHOAL_RING_MISMATCH':
    case 'SHOAL_NODE_ID_TAKEN':
    case 'SHOAL_VERSION_UNSUPPORTED':
    case 'SHOAL_FRAME_INVALID':
    case 'duplicate':
      return code
    default:
      return 'later'
  }
}

function outOfTurn(state: Living, event: HandshakeEvent, context: HandshakeContext): HandshakeStep {
  return refuse(state, 'SHOAL_FRAME_INVALID', `${event.kind} while ${state.kind}`, context)
}

function refuse(
  state: Living,
  code: RefusalCode,
  words: string,
  context: HandshakeContext,
  more: { open?: Open; before?: readonly HandshakeEffect[] } = {},
): HandshakeStep {
  const { proven, older } = standing(context, state, more.open)
  const bytesMax = proven ? limits.peerHelloBytesMax / 2 : limits.peerOpeningBytesMax / 2
  const refusal = { code, words, by: 'us', proven, older } as const
  return {
    state: { kind: 'failed' },
    effects: [
      ...(more.before ?? []),
      send(frameTypes.refused, encodeRefused({ code, words }, bytesMax)),
      { kind: 'fail', refusal },
    ],
  }
}

function standing(context: HandshakeContext, state: Living, heard?: Open) {
  const open = state.kind === 'opening' ? heard : state.open
  return {
    proven: state.kind !== 'opening' && state.kind !== 'proving',
    older: open !== undefined && isOlder(open, context),
  }
}

/**
 * Both ends measure at slightly different moments. Nodes that started together could each take the
 * other for the younger one, and neither would give way: between those the id decides.
 */
function isOlder(theirs: Open, { open: ours, self }: HandshakeContext): boolean {
  const lead = theirs.uptime - ours.uptime
  return Math.abs(lead) > SAME_START ? lead > 0 : theirs.node < self
}

const send = (type: number, body: Buffer): HandshakeEffect => ({ kind: 'send', type, body })
const sendOpen = (context: HandshakeContext) => send(frameTypes.open, encodeOpen(context.open))
const sendHello = (context: HandshakeContext) => send(frameTypes.hello, encodeHello(context.hello))
