import type { ContextCodec, SessionCodec } from '@shoal/causality'
import {
  type Env,
  type ErrorCode,
  type Millis,
  millis,
  type NodeId,
  type Partition,
} from '@shoal/kernel'
import type { Replica } from '@shoal/replica'
import type { Ring } from '@shoal/ring'
import type { Deadlines } from './deadlines.ts'
import type { Hints, Liveness, LostData, Replicas } from './ports.ts'
import type { Speeds } from './speeds.ts'

/** What every operation of one coordinator works with. */
export interface Desk {
  readonly env: Env
  readonly self: NodeId
  readonly ring: () => Ring
  readonly replica: Replica
  readonly peers: Replicas
  /** Absent: every node whose channel is up is as good as any other. */
  readonly liveness: Liveness | undefined
  readonly hints: Hints | undefined
  readonly readRepair: boolean
  /** Absent: nothing was ever lost here. */
  readonly lost: LostData | undefined
  /** A peer is known to lack something of a partition, and nothing will bring it there. */
  readonly dirty: ((partition: Partition, node: NodeId) => void) | undefined
  readonly contexts: ContextCodec
  readonly sessions: SessionCodec
  readonly deadlines: Deadlines
  readonly hedges: Deadlines
  readonly speeds: Speeds
  readonly figures: Figures
}

/** Counters for metrics. They only grow, but for the two of what is under way. */
export interface Figures {
  operationsInFlight: number
  repairsInFlight: number
  writes: number
  writesMet: number
  writesUnmet: number
  reads: number
  readsMet: number
  readsUnmet: number
  refusedUnreachable: number
  forwarded: number
  repairs: number
  repairsDropped: number
  siblingsWarned: number
  siblingsRefused: number
  lostWrites: number
  preconditionsFailed: number
}

export function createFigures(): Figures {
  return {
    operationsInFlight: 0,
    repairsInFlight: 0,
    writes: 0,
    writesMet: 0,
    writesUnmet: 0,
    reads: 0,
    readsMet: 0,
    readsUnmet: 0,
    refusedUnreachable: 0,
    forwarded: 0,
    repairs: 0,
    repairsDropped: 0,
    siblingsWarned: 0,
    siblingsRefused: 0,
    lostWrites: 0,
    preconditionsFailed: 0,
  }
}

/**
 * A peer is waited for a little longer than the request, so that the request's own deadline ends
 * it.
 */
const GRACE_MS = 50

export function timeLeft(desk: Desk, deadline: Millis): Millis {
  return millis(Math.max(0, deadline - desk.env.clock.elapsed()) + GRACE_MS)
}

/** A silence says something of a peer only where it had as long as a probe would give it. */
const TELLING_MS = 500

/** @param began  of the request for which the peer was asked */
export function noteFailure(desk: Desk, node: NodeId, code: ErrorCode, began: Millis): void {
  const { liveness, env } = desk
  if (liveness === undefined) return
  if (code === 'SHOAL_PEER_TIMEOUT' && env.clock.elapsed() - began < TELLING_MS) return
  liveness.noteFailure(node, code)
}
