import { createHash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import {
  type Env,
  invariant,
  isErrorCode,
  limits,
  type Millis,
  millis,
  type NodeId,
  ShoalError,
  type Timer,
} from '@shoal/kernel'
import { nonceBytes, runIdBytes, supportedFeatures, supportedVersions } from '@shoal/wire'
import type { HandshakeContext, Refusal } from '../core/handshake.ts'
import { type Grounds, judgeRefusals } from '../core/verdict.ts'
import { Turn } from '../exchange/turn.ts'
import type { AnswerSink, IncomingQuestion, PeerStatus, Question } from '../peers.ts'
import { certifiedBy, type PeerTls } from './certified.ts'
import { type LinkHost, PeerLink } from './link.ts'
import { Opening, type OpeningEvents } from './opening.ts'
import type { NetworkPeers, PeersOptions, TransportEvent } from './options.ts'
import { answerUpgrade } from './upgrade.ts'

/** How often a stopping node looks whether its channels are idle. */
const DRAIN_SWEEP = millis(5)
/** Events about connections from outside that are told within one second. */
const STRANGER_EVENTS_MAX = 10

type Phase = 'created' | 'running' | 'draining' | 'stopped'

/**
 * Peers over the network: one channel for each other member, made by dialling and by being dialled.
 */
export function createPeers(options: PeersOptions): NetworkPeers {
  return new PeersOverNetwork(options)
}

class PeersOverNetwork implements NetworkPeers, LinkHost {
  readonly env: Env
  readonly turn: Turn
  readonly #options: PeersOptions
  readonly #secret: Uint8Array
  readonly #links = new Map<NodeId, PeerLink>()
  /** Accepted connections that have not yet become a channel, oldest first. */
  readonly #arrivals = new Set<Opening>()
  readonly #listeners: ((peer: NodeId, up: boolean) => void)[] = []
  #handler: ((question: IncomingQuestion) => void) | undefined
  #phase: Phase = 'created'
  #connections = 0
  #startedAt = 0
  #sweptAt = 0
  #sweepTimer: Timer | undefined
  #everAgreed = false
  #fatal = false
  #strangerEvents = 0
  #strangersSince = 0

  constructor(options: PeersOptions) {
    const { env, self, members, secret, runId } = options
    invariant(runId.length === runIdBytes, 'a run id has 16 bytes')
    this.env = env
    this.turn = new Turn(env)
    this.#options = options
    this.#secret = typeof secret === 'string' ? Buffer.from(secret) : secret
    invariant(this.#secret.length > 0, 'a cluster has a secret')
    for (const { id: peer, url, peerUrl } of members) {
      if (peer === self) continue
      const link = new PeerLink({ host: this, peer, url: peerUrl ?? url, leads: self < peer })
      this.#links.set(peer, link)
    }
  }

  get tls(): PeerTls | undefined {
    return this.#options.tls?.()
  }

  ask(question: Question, sink: AnswerSink): void {
    const channel = this.#links.get(question.to)?.usable
    const failure =
      channel === undefined || this.#phase !== 'running'
        ? 'SHOAL_PEER_UNREACHABLE'
        : channel.ask(question, this.#options.ring.epoch(), sink)
    if (failure !== undefined) this.turn.failLater(sink, question.tag, failure)
  }

  onQuestion(handler: (question: IncomingQuestion) => void): void {
    invariant(this.#phase === 'created', 'who answers is known before the first question')
    this.#handler = handler
  }

  isUp(peer: NodeId): boolean {
    return this.#links.get(peer)?.usable !== undefined && this.#phase === 'running'
  }

  onChange(listener: (peer: NodeId, up: boolean) => void): void {
    this.#listeners.push(listener)
  }

  status(): readonly PeerStatus[] {
    return [...this.#links.values()].map((link) => link.status)
  }

  async start(): Promise<void> {
    invariant(this.#phase === 'created', 'peers start once')
    invariant(this.#handler !== undefined, 'who answers is known before the first question')
    this.#phase = 'running'
    this.#startedAt = this.#sweptAt = this.env.clock.elapsed()
    this.#sweepLater(limits.peerSweep)
    for (const link of this.#links.values()) link.start()
  }

  async stop(deadline: Millis): Promise<void> {
    if (this.#phase === 'stopped' || this.#phase === 'draining') return
    this.#phase = 'draining'
    for (const arrival of this.#arrivals) arrival.abandon()
    this.#arrivals.clear()
    const channels = [...this.#links.values()].flatMap(({ channel }) => channel ?? [])
    for (const link of this.#links.values()) {
      if (link.channel) link.channel.sayGoodbye('the node is stopping')
      else link.stop()
    }
    await this.#drained(deadline)
    for (const link of this.#links.values()) link.stop()
    this.#phase = 'stopped'
    this.#sweepTimer?.cancel()
    await Promise.all(channels.map((channel) => channel.closed()))
  }

  readonly acceptUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    const certified = certifiedBy(socket, this.tls)
    const isCertified = certified.kind !== 'missing'
    if (!isCertified) this.#tellOfUncertified(certified.reason)
    const isReady = this.#phase === 'running'
    if (!answerUpgrade(request, socket, { isReady, isCertified }) || !isCertified) return
    const named = certified.kind === 'certified' ? certified.nodes : []
    const [oldest] = this.#arrivals
    if (oldest && this.#arrivals.size >= limits.peerHandshakesMax) {
      oldest.evict('too many connections are being opened')
    }
    const opening = new Opening({
      id: this.nextConnection(),
      socket,
      clock: this.env.clock,
      context: { ...this.contextFor('acceptor', undefined), certified: named },
      events: this.#arrivalEvents,
    })
    this.#arrivals.add(opening)
    opening.begin(head)
  }

  nextConnection(): number {
    return ++this.#connections
  }

  contextFor(role: 'dialler' | 'acceptor', expected: NodeId | undefined): HandshakeContext {
    const { self, runId, clusterId, ring, env, features = supportedFeatures } = this.#options
    const versions = this.#options.versions ?? supportedVersions
    const { summary } = ring
    invariant(summary.length < limits.peerHelloBytesMax / 2, 'a ring summary fits a hello')
    const digest = createHash('sha256').update(summary).digest()
    return {
      role,
      self,
      expected,
      secret: this.#secret,
      versions,
      open: {
        versions,
        node: self,
        nonce: env.random('transport.nonce').bytes(nonceBytes),
        uptime: env.clock.elapsed() - this.#startedAt,
      },
      hello: {
        cluster: clusterId,
        run: runId,
        ring: { epoch: ring.epoch(), digest, summary },
        features,
      },
      isMember: (node) => this.#links.has(node as NodeId),
      compareRing: (theirs) => ring.compare(theirs),
    }
  }

  isDraining(): boolean {
    return this.#phase !== 'running'
  }

  handle(question: IncomingQuestion): void {
    this.#handler?.(question)
  }

  changed(peer: NodeId, up: boolean): void {
    if (up) this.#everAgreed = true
    for (const listener of this.#listeners) listener(peer, up)
  }

  tell(event: TransportEvent): void {
    this.#options.onEvent?.(event)
  }

  judge(): void {
    if (this.#fatal || this.#phase !== 'running') return
    const others = new Map([...this.#links].map(([peer, { standing }]) => [peer, standing]))
    const settled = this.env.clock.elapsed() - this.#startedAt >= limits.peerHandshake
    const grounds = judgeRefusals(others, { everAgreed: this.#everAgreed, settled })
    const [first] = grounds
    if (first === undefined) return
    this.#fatal = true
    this.#options.onFatal(fatalError(this.#options.self, first, grounds))
  }

  readonly #arrivalEvents: OpeningEvents = {
    proposed: (opening, peer, lastChannel) => {
      const link = this.#links.get(peer.node as NodeId)
      invariant(link !== undefined, 'only members pass the handshake')
      link.offered(opening, peer, lastChannel)
    },
    agreed: (opening) => void this.#arrivals.delete(opening),
    refused: (opening, refusal) => {
      this.#arrivals.delete(opening)
      this.#linkOf(opening)?.withdrawn(opening, refusal.words)
      this.#tellOfStranger(opening.node, refusal)
    },
    lost: (opening, reason) => {
      this.#arrivals.delete(opening)
      this.#linkOf(opening)?.withdrawn(opening, reason)
    },
  }

  #linkOf({ node }: Opening): PeerLink | undefined {
    return node === undefined ? undefined : this.#links.get(node as NodeId)
  }

  #tellOfUncertified(reason: string): void {
    this.#tellOfStranger(undefined, { code: 'uncertified', words: reason, by: 'us' })
  }

  #tellOfStranger(
    peer: string | undefined,
    { code, words, by }: Pick<Refusal, 'words' | 'by'> & { readonly code: string },
  ): void {
    if (code === 'later' || code === 'duplicate') return
    const now = this.env.clock.elapsed()
    if (now - this.#strangersSince >= 1_000) {
      this.#strangersSince = now
      this.#strangerEvents = 0
    }
    if (this.#strangerEvents++ >= STRANGER_EVENTS_MAX) return
    this.tell({ kind: 'refused', peer, code, reason: words, by, dialled: false })
  }

  #sweepLater(delay: Millis): void {
    this.#sweepTimer = this.env.clock.after(delay, () => {
      this.#sweepLater(delay)
      this.#sweep()
    })
  }

  #sweep(): void {
    const now = this.env.clock.elapsed()
    const gap = (now - this.#sweptAt) as Millis
    this.#sweptAt = now
    for (const link of this.#links.values()) link.sweep(now, gap)
  }

  /** Resolves when no channel owes an answer any more, or at the deadline. */
  #drained(deadline: Millis): Promise<void> {
    const { clock } = this.env
    return new Promise((resolve) => {
      const look = (): void => {
        for (const link of this.#links.values()) if (link.channel?.isIdle) link.stop()
        const busy = [...this.#links.values()].some(({ channel }) => channel !== undefined)
        if (!busy || clock.elapsed() >= deadline) resolve()
        else clock.after(DRAIN_SWEEP, look)
      }
      this.env.nextTurn(look)
    })
  }
}

function fatalError(
  self: NodeId,
  { refusal }: Grounds<NodeId>,
  grounds: readonly Grounds<NodeId>[],
): ShoalError {
  const peers = grounds.map(({ peer }) => peer).join(', ')
  const { code } = refusal
  invariant(isErrorCode(code), 'only an error of the configuration is fatal', () => code)
  return new ShoalError(code, `${self} is refused by ${peers}: ${refusal.words}`)
}
