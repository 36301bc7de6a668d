import { randomBytes } from 'node:crypto'
import { createSystemEnv, limits, type Millis, ShoalError, seconds } from '@shoal/kernel'
import { createRing, decodeRing, encodeRing, foundRing, ringDifference } from '@shoal/ring'
import { openRocksStore } from '@shoal/storage'
import { createPeers, type NetworkPeers, type TransportEvent } from '@shoal/transport'
import type { StatusMessage } from '@shoal/wire'
import { Registry } from 'prom-client'
import { LoadAdmission } from './admission.ts'
import { createClusterView } from './cluster-view.ts'
import { type Engine, openEngine } from './engine.ts'
import { EventLoopMeter } from './event-loop.ts'
import { NodeEvents } from './events/node-events.ts'
import { createHintsView } from './hints-view.ts'
import { createHttpApp } from './http/app.ts'
import type { HttpApp, Log } from './http/ports.ts'
import { Jobs } from './jobs.ts'
import { registerNodeMetrics } from './node-metrics.ts'
import { deriveSecrets } from './secrets.ts'
import type { NodeSettings } from './settings.ts'
import { version } from './version.ts'

/**
 * The parts of a running node, in the order in which they were opened. Closed in the reverse order.
 */
export interface NodeParts extends Engine<NetworkPeers> {
  readonly admission: LoadAdmission
  readonly meter: EventLoopMeter
  readonly events: NodeEvents
  readonly http: HttpApp
  readonly state: NodeState
}

/** What changes while a node lives, for those who show it. */
export interface NodeState {
  serving: boolean
  load: number
  diskBytes: number
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
  const store = await openRocksStore({
    env,
    directory: settings.data,
    cluster: clusterId,
    node: settings.nodeId,
  })
  const state: NodeState = { serving: false, load: 0, diskBytes: 0 }
  const events = new NodeEvents({ env, node: settings.nodeId, log })
  const engine = await openEngine({
    env,
    store,
    founded,
    tokenKey: secrets.tokenKey,
    settings,
    onEvent: (event) => events.happened(event),
    status: (ring) => describeSelf({ env, ring, store, state }),
    connect: (ring) =>
      createPeers({
        env,
        self: settings.nodeId,
        runId: randomBytes(16),
        secret: secrets.peerKey,
        clusterId,
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
  const { ring, replica, peers, handoff, buckets, coordinator } = engine
  const jobs = new Jobs(env)
  const meter = new EventLoopMeter()
  const admission = new LoadAdmission(
    env,
    () => {
      const { stopped } = store.pressure()
      return {
        loopDelayMs: meter.takeDelayMs(),
        queued: replica.queued,
        writesStopped: stopped,
      }
    },
    (refusal) => events.loadChanged(refusal),
  )
  const status = (): StatusMessage => describeSelf({ env, ring, store, state })
  const metrics = new Registry()
  const chaos = chaosUrl(settings)
  const http = await createHttpApp({
    env,
    keyValue: coordinator,
    buckets,
    cluster: createClusterView({
      self: settings.nodeId,
      version,
      ring: () => ring,
      peers,
      status,
      isServing: () => state.serving,
      chaos,
    }),
    hints: createHintsView({ self: settings.nodeId, ring, peers, handoff, jobs }),
    jobs,
    events: events.hub,
    admission,
    metrics,
    log,
    version,
    chaos,
    limits: { valueBytesMax: settings.valueBytesMax },
  })
  registerNodeMetrics(metrics, { coordinator, replica, peers, store, admission, meter, state })
  return { ...engine, admission, meter, events, http, state }
}

/** Nodes of a cluster start one after the other: who is not there yet is no news. */
const QUIET_START = seconds(5)

function logPeerEvent(log: Log, elapsed: Millis, event: TransportEvent): void {
  if (event.kind === 'dial-failed' && elapsed < QUIET_START) return
  const level = event.kind === 'peer-up' ? 'info' : 'warn'
  log[level]({ ...event }, `peers: ${event.kind}`)
}

function describeSelf(parts: Pick<NodeParts, 'env' | 'ring' | 'store' | 'state'>): StatusMessage {
  const { env, ring, store, state } = parts
  const { freeBytes } = store.pressure()
  const problems: string[] = []
  if (freeBytes < limits.storeFreeBytesMin) {
    problems.push(`the disk of ${ring.self} is full, it takes no writes: free some space`)
  }
  return {
    version,
    uptimeMs: env.clock.elapsed(),
    load: state.load,
    draining: !state.serving,
    epoch: ring.epoch,
    diskBytes: state.diskBytes,
    freeBytes: Number.isFinite(freeBytes) ? freeBytes : -1,
    memoryBytes: process.memoryUsage.rss(),
    problems,
  }
}

/** Of a local cluster that was started to be disturbed. */
const chaosUrl = ({ chaosControl }: NodeSettings): string | undefined =>
  chaosControl && `http://${chaosControl.host}:${chaosControl.port}`
