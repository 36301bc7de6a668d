/** What the HTTP face needs to be handed, and what it is. */
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Buckets, KeyValue } from '@shoal/coordinator'
import type { Env, ShoalError } from '@shoal/kernel'
import type { Registry } from 'prom-client'
import type { BackupView } from '../backup-view.ts'
import type { EventHub } from '../events/event-hub.ts'
import type { HintsView } from '../hints-view.ts'
import type { Jobs } from '../jobs.ts'
import type { RepairsView } from '../repairs-view.ts'
import type { Audit } from '../security/audit.ts'
import type { TlsIdentity } from '../security/certificate.ts'
import type { Gate, RouteAccess } from '../security/scopes.ts'
import type { SlowLog } from '../slow-log.ts'
import type { Tracing } from '../tracing/tracing.ts'
import type { AnyServer } from './listener.ts'
import type { ClusterState, HealthState, NodeState, RingState } from './schemas/state.ts'

/** What a node knows of its cluster, for the routes that show state. */
export interface ClusterView {
  /** From this node's memory. */
  cluster(): ClusterState
  /** From this node's memory. */
  ring(): RingState
  /**
   * Every member in the order of the ring, those that do not answer with the state they are taken
   * for.
   */
  nodes(): Promise<readonly NodeState[]>
  /** The verdict on the whole cluster, from this node's memory. */
  health(): HealthState
  /** Why this node cannot serve, undefined when it can. Draining is known here without asking. */
  notReady(): ShoalError | undefined
}

/** Sheds load before a request costs anything (O1, O3). */
export interface Admission {
  /**
   * Called for each key–value operation until one call refuses it; must be cheap. Undefined lets it
   * through.
   */
  admit(operation: 'read' | 'write'): ShoalError | undefined
  /** Why some were refused lately; undefined when nobody was. */
  readonly refusal: ShoalError | undefined
}

/** Structured log lines. pino satisfies it. */
export interface Log {
  info(details: object, message: string): void
  warn(details: object, message: string): void
  error(details: object, message: string): void
}

/** Bounds that a configuration or a test may lower or raise; `limits` holds the defaults. */
export interface HttpLimits {
  readonly valueBytesMax: number
  readonly connectionsMax: number
  readonly connectionsRefusingMax: number
  readonly connectionRefusingMs: number
  readonly headersTimeoutMs: number
  readonly bodyTimeoutMs: number
  readonly keepAliveTimeoutMs: number
  readonly lingerMs: number
  readonly lingerBytesMax: number
  readonly drainMs: number
  readonly bodyBytesInFlightMax: number
  readonly batchParallelMax: number
  readonly batchBytesInFlightMax: number
  readonly batchesMax: number
}

export interface HttpAppOptions {
  readonly env: Env
  readonly keyValue: KeyValue
  readonly buckets: Buckets
  readonly cluster: ClusterView
  readonly hints: HintsView
  readonly backup: BackupView
  readonly repairs: RepairsView
  readonly jobs: Jobs
  readonly events: EventHub
  readonly admission: Admission
  /** The face adds its own metrics and those of the process. */
  readonly metrics: Registry
  readonly log: Log
  /** Absent: nothing is slow. */
  readonly slow?: SlowLog
  /** Absent: no request is traced. */
  readonly tracing?: Tracing
  readonly version: string
  /** Absent: whoever reaches the node may do everything. */
  readonly gate?: Gate
  /** Absent: the log. */
  readonly audit?: Audit
  /** Absent: plain HTTP. */
  readonly tls?: TlsIdentity
  /** Where faults can be made, for the console: the origin of a local cluster's control. */
  readonly chaos?: string | undefined
  readonly limits?: Partial<HttpLimits>
}

export interface Listening {
  readonly host: string
  readonly port: number
  readonly url: string
}

/**
 * `announced`: readyz fails, everything is still served. `refusing`: key–value requests get 503
 * too.
 */
export type DrainStage = 'announced' | 'refusing'

/** Takes over a connection that a peer has asked to upgrade. */
export type UpgradeListener = (request: IncomingMessage, socket: Duplex, head: Buffer) => void

export interface HttpApp {
  /** Every route with what it asks for, in the order in which they were added. */
  readonly access: readonly RouteAccess[]
  /** For what is not HTTP: closing it, counting it. Upgrades are taken with `onUpgrade`. */
  readonly server: AnyServer
  /** @throws SHOAL_ADDRESS_IN_USE */
  listen(host: string, port: number): Promise<Listening>
  /** Upgrades to the peer protocol go here; any other upgrade is ignored, as HTTP allows. */
  onUpgrade(listener: UpgradeListener): void
  /** For connections from now on. */
  renewCertificate(identity: TlsIdentity): void
  /** Can only go forward. Every answer from now on closes its connection. */
  setDraining(stage?: DrainStage): void
  /** Stops accepting, waits for requests under way, at most `drainMs`, then closes what is left. */
  close(): Promise<void>
}
