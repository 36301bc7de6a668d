import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Env, NodeId, ShoalError } from '@shoal/kernel'
import type { Peers } from '../peers.ts'
import type { PeerTls } from './certified.ts'

export interface Member {
  readonly id: NodeId
  readonly url: string
  /** Where its peer listener is, when that is not `url`. */
  readonly peerUrl?: string
}

export interface RingOfPeers {
  /** Travels with every question (Q8). */
  epoch(): number
  /**
   * Everything two nodes must agree on, as the composer writes it. Read once for each connection.
   */
  readonly summary: Uint8Array
  /**
   * Sentences that name the differences; none when both rings can work together.
   *
   * @throws SHOAL_FRAME_INVALID when `theirs` cannot be read
   */
  compare(theirs: Buffer): readonly string[]
}

export interface PeersOptions {
  readonly env: Env
  readonly self: NodeId
  /** 16 bytes, random for each start of the process. */
  readonly runId: Uint8Array
  readonly secret: Uint8Array | string
  readonly clusterId: string
  /** Asked for each connection, so that a renewed certificate is used from the next one on. */
  readonly tls?: () => PeerTls | undefined
  /** All members, this node included or not. */
  readonly members: readonly Member[]
  readonly ring: RingOfPeers
  /** What this build says to be able to do beyond the protocol version; for tests of older ones. */
  readonly features?: readonly string[]
  /** Protocol versions; for tests of the negotiation. */
  readonly versions?: readonly number[]
  /** This node must not go on: its peers refuse it. Called at most once. */
  onFatal(error: ShoalError): void
  onEvent?(event: TransportEvent): void
}

/**
 * For logs. Bounded in number: repeated failures of one peer are told once, strangers ten times a
 * second at most.
 */
export type TransportEvent =
  | { readonly kind: 'peer-up'; readonly peer: NodeId; readonly version: number }
  | { readonly kind: 'peer-down'; readonly peer: NodeId; readonly reason: string }
  | { readonly kind: 'dial-failed'; readonly peer: NodeId; readonly reason: string }
  | {
      readonly kind: 'refused'
      /** The id the other side claimed, if it came so far. */
      readonly peer: string | undefined
      readonly code: string
      readonly reason: string
      readonly by: 'us' | 'them'
      readonly dialled: boolean
    }

/** The Peers port over the network. */
export interface NetworkPeers extends Peers {
  /** To be attached to the `upgrade` event of an http.Server. May be used without its object. */
  readonly acceptUpgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void
}
