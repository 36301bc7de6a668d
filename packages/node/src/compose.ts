import { randomBytes } from 'node:crypto'
import { createSystemEnv, type Millis, ShoalError, seconds } from '@shoal/kernel'
import { createRing, decodeRing, encodeRing, foundRing, ringDifference } from '@shoal/ring'
import { openRocksStore } from '@shoal/storage'
import { createPeers, type NetworkPeers, type PeerTls, type TransportEvent } from '@shoal/transport'
import { Registry } from 'prom-client'
import { LoadAdmission } from './admission.ts'
import { createBackupView } from './backup-view.ts'
import { askStatus, createClusterView } from './cluster-view.ts'
import { type Engine, openEngine } from './engine.ts'
import { EventLoopMeter } from './event-loop.ts'
import { NodeEvents } from './events/node-events.ts'
import { createHintsView } from './hints-view.ts'
import { createHttpApp } from './http/app.ts'
import type { ClusterView, HttpApp, Log } from './http/ports.ts'
import { Jobs } from './jobs.ts'
import { registerMembershipMetrics } from './membership-metrics.ts'
import { registerNodeMetrics } from './node-metrics.ts'
import { registerRepairMetrics } from './repair-metrics.ts'
import { createRepairsView } from './repairs-view.ts'
import { deriveSecrets } from './secrets.ts'
import { openSecurity, type Security } from './security/security.ts'
import { type NodeState, SelfStatus } from './self-status.ts'
import type { NodeSettings } from './settings.ts'
import { noteCoordinated, SlowLog } from './slow-log.ts'
import { StatusWatch } from './status-watch.ts'
import { Tracing } from './tracing/tracing.ts'
import { version } from './version.ts'

/**
 * The parts of a running node, in the order in which they were opened. Closed in the reverse order.
 */
export interface NodeParts extends Engine<NetworkPeers> {
  readonly admission: LoadAdmission
  readonly meter: EventLoopMeter
  readonly events: NodeEvents
  readonly watch: StatusWatch
  readonly cluster: ClusterView
  readonly http: HttpApp
  readonly security: Security
  readonly state: NodeState
}

export interface Surroundings {
  readonly log: Log
  /** The node cannot go on; the process must end. */
  readonly onFatal: (error: Error) => void
}

/** The one place that builds everything. */
export async function composeNode(
  settings: NodeSettings,
  surroundings: Surroundings,
): Promise<NodeParts> {
  try {
    return await compose(settings, surroundings)
  } catch (error) {
    throw damagedAtStart(error, settings.data)
  }
}

/** Of what a node reads before it serves no other node has a copy. */
function damagedAtStart(error: unknown, data: string): unknown {
  if (!(error instanceof ShoalError) || error.code !== 'SHOAL_ROW_DAMAGED') return error
  return new ShoalError('SHOAL_STORE_DAMAGED', `${data}: ${error.message}`, { cause: error })
}

async function compose(settings: NodeSettings, { log, onFatal }: Surroundings): Promise<NodeParts> {
  const env = createSystemEnv(onFatal)
  const secrets = deriveSecrets(settings.secret)
  const founded = foundRing({
    secretDigest: secrets.digest,
    members: settings.members,
    partitions: settings.partitions,
    replicas: settings.replicas,
  })
  // A node that is no member is told before anything is opened.
  createRing(founded, settings.nodeId)
  const { clusterId } = founded
  const security = await openSecurity({
    env,
    log,
    node: settings.nodeId,
    settings: settings.security ?? { rateLimit: 0 },
  })
  const store = await openRocksStore({
    env,
    directory: settings.data,
    cluster: clusterId,
    node: settings.nodeId,
  })
  const state: NodeState = { serving: false, load: 0, diskBytes: 0 }
  let admission: LoadAdmission | undefined
  const events = new NodeEvents({ env, node: settings.nodeId, log })
  const self = new SelfStatus({
    env,
    store,
    state,
    refusal: () => admission?.refusal,
    disputes: () => events.disputes,
  })
  const tracing = new Tracing({ node: settings.nodeId, version })
  const slow = new SlowLog({ env, log, thresholdMs: settings.slowRequestMs ?? 0 })
  const engine = await openEngine({
    env,
    store,
    founded,
    tokenKey: secrets.tokenKey,
    settings,
    onEvent: (event) => events.happened(event),
    follow: (question) => tracing.follow(question),
    onCoordinated: (write) => noteCoordinated(slow, write, env.clock.elapsed()),
    status: (ring) => self.describe(ring),
    connect: (ring) =>
      createPeers({
        env,
        self: settings.nodeId,
        runId: randomBytes(16),
        secret: secrets.peerKey,
        clusterId,
        tls: () => peerTlsOf(security),
        members: settings.members,
        ring: {
          epoch: () => ring.epoch,
          summary: encodeRing(ring.record),
          compare: (theirs) => ringDifference(ring.record, decodeRing(theirs)),
        },
        onFatal,
        onEvent: (event) => logPeerEvent(log, env.clock.elapsed(), event),
      }),
  })
  const { ring, replica, peers, membership, handoff, antiEntropy, budget } = engine
  const { buckets, coordinator } = engine
  self.engine = engine
  const jobs = new Jobs(env)
  const meter = new EventLoopMeter()
  admission = new LoadAdmission({
    env,
    read: () => {
      const { usualMs, worstMs } = meter.takeDelays()
      return {
        loopDelayMs: usualMs,
        loopDelayMaxMs: worstMs,
        quickestMs: coordinator.takeQuickest(),
        met: coordinator.takeMet(),
        queued: replica.queued,
        writesStopped: store.pressure().stopped,
      }
    },
    inFlight: () => coordinator.figures.operationsInFlight,
    onChange: (refusal) => events.loadChanged(refusal),
  })
  const watch = new StatusWatch({
    env,
    members: () => ring.record.members.flatMap(({ id }) => (id === ring.self ? [] : id)),
    isUsable: (node) => membership?.isUsable(node) ?? peers.isUp(node),
    ask: (node) => askStatus(peers, node),
  })
  const metrics = new Registry()
  const chaos = chaosUrl(settings)
  const cluster = createClusterView({
    self: settings.nodeId,
    version,
    ring: () => ring,
    peers,
    membership,
    watch,
    status: () => self.describe(ring),
    isServing: () => state.serving,
    chaos,
  })
  const http = await createHttpApp({
    env,
    keyValue: coordinator,
    buckets,
    cluster,
    hints: createHintsView({ self: settings.nodeId, ring, peers, handoff, jobs }),
    repairs: createRepairsView({ ring, peers, antiEntropy, budget, handoff, replica, jobs }),
    backup: createBackupView({
      ...{ ring, store, replica, coordinator },
      ...(engine.isComparing && { lost: antiEntropy }),
    }),
    jobs,
    events: events.hub,
    admission,
    metrics,
    log,
    slow,
    tracing,
    version,
    chaos,
    limits: { valueBytesMax: settings.valueBytesMax },
    audit: security.audit,
    ...(security.gate && { gate: security.gate }),
    ...(security.identity && { tls: security.identity }),
  })
  security.onIdentity((identity) => http.renewCertificate(identity))
  registerMembershipMetrics(metrics, { membership, events: events.hub })
  registerNodeMetrics(metrics, {
    ...{ coordinator, replica, peers, store, admission, meter, slow, state },
  })
  registerRepairMetrics(metrics, engine)
  return { ...engine, admission, meter, events, watch, cluster, http, security, state }
}

function peerTlsOf({ identity }: Security): PeerTls | undefined {
  return identity && { context: identity.context, demandsCertificate: identity.ca !== undefined }
}

/** Nodes of a cluster start one after the other: who is not there yet is no news. */
const QUIET_START = seconds(5)

function logPeerEvent(log: Log, elapsed: Millis, event: TransportEvent): void {
  if (event.kind === 'dial-failed' && elapsed < QUIET_START) return
  const level = event.kind === 'peer-up' ? 'info' : 'warn'
  log[level]({ ...event }, `peers: ${event.kind}`)
}

/** Of a local cluster that was started to be disturbed. */
const chaosUrl = ({ chaosControl }: NodeSettings): string | undefined =>
  chaosControl && `http://${chaosControl.host}:${chaosControl.port}`
