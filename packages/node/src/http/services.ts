import type { Buckets, KeyValue } from '@shoal/coordinator'
import { type Env, limits, ShoalError } from '@shoal/kernel'
import type { BackupView } from '../backup-view.ts'
import type { HintsView } from '../hints-view.ts'
import type { Jobs } from '../jobs.ts'
import type { RepairsView } from '../repairs-view.ts'
import { type Audit, AuditTrail, auditInLog } from '../security/audit.ts'
import type { TlsIdentity } from '../security/certificate.ts'
import type { Gate } from '../security/scopes.ts'
import type { SlowLog } from '../slow-log.ts'
import type { Tracing } from '../tracing/tracing.ts'
import { BodyBudget, SlowBodies } from './body-bounds.ts'
import { EventStreams } from './event-streams.ts'
import { HttpMetrics } from './metrics.ts'
import type {
  Admission,
  ClusterView,
  DrainStage,
  HttpAppOptions,
  HttpLimits,
  Log,
} from './ports.ts'

/** What the handlers of this face share. */
export class Services {
  readonly env: Env
  readonly keyValue: KeyValue
  readonly buckets: Buckets
  readonly cluster: ClusterView
  readonly hints: HintsView
  readonly repairs: RepairsView
  readonly backup: BackupView
  readonly jobs: Jobs
  readonly streams: EventStreams
  readonly admission: Admission
  readonly log: Log
  readonly slow: SlowLog | undefined
  readonly tracing: Tracing | undefined
  readonly version: string
  readonly gate: Gate | undefined
  readonly audit: Audit
  /** At the start; later ones go to the listener. */
  readonly tls: TlsIdentity | undefined
  readonly limits: HttpLimits
  readonly metrics: HttpMetrics
  readonly bodies: BodyBudget
  readonly slowBodies: SlowBodies
  batches = 0
  drain: 'none' | DrainStage = 'none'
  readonly #idPrefix: string
  #ids = 0

  constructor(options: HttpAppOptions) {
    this.env = options.env
    this.keyValue = options.keyValue
    this.buckets = options.buckets
    this.cluster = options.cluster
    this.hints = options.hints
    this.repairs = options.repairs
    this.backup = options.backup
    this.jobs = options.jobs
    this.streams = new EventStreams(options.events)
    this.admission = options.admission
    this.log = options.log
    this.slow = options.slow
    this.tracing = options.tracing
    this.version = options.version
    this.gate = options.gate
    this.tls = options.tls
    this.audit = options.audit ?? new AuditTrail(this.env, auditInLog(this.log))
    this.limits = { ...defaultHttpLimits, ...options.limits }
    this.bodies = new BodyBudget(this.limits.bodyBytesInFlightMax)
    this.slowBodies = new SlowBodies(this.env, this.limits.bodyTimeoutMs)
    this.#idPrefix = Buffer.from(this.env.random('request ids').bytes(6)).toString('base64url')
    this.metrics = new HttpMetrics(options.metrics, {
      bodyBytes: () => this.bodies.held,
      batches: () => this.batches,
      eventStreams: () => this.streams.open,
      eventStreamsCutOff: () => this.streams.cutOff,
    })
  }

  /** Unique on all nodes: random at the start of the process, then counted. */
  nextRequestId(): string {
    return `${this.#idPrefix}-${(this.#ids++).toString(36)}`
  }

  /** Why no key–value operation is taken now, undefined when one is. */
  refusal(operation: 'read' | 'write'): ShoalError | undefined {
    return this.drain === 'refusing' ? draining() : this.admission.admit(operation)
  }
}

export const draining = (): ShoalError =>
  new ShoalError('SHOAL_DRAINING', 'this node is shutting down and takes no more requests', {
    retryAfterMs: 1_000,
  })

const defaultHttpLimits: HttpLimits = {
  valueBytesMax: limits.valueBytesDefault,
  connectionsMax: limits.connectionsMax,
  connectionsRefusingMax: limits.connectionsRefusingMax,
  connectionRefusingMs: limits.connectionRefusing,
  headersTimeoutMs: limits.headersTimeout,
  bodyTimeoutMs: limits.bodyTimeout,
  keepAliveTimeoutMs: limits.keepAliveTimeout,
  lingerMs: limits.lingerMax,
  lingerBytesMax: limits.lingerBytesMax,
  drainMs: limits.drainMax,
  bodyBytesInFlightMax: limits.bodyBytesInFlightMax,
  batchParallelMax: limits.batchParallelMax,
  batchBytesInFlightMax: limits.batchBytesInFlightMax,
  batchesMax: limits.batchesMax,
}
