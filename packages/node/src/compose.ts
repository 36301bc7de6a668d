import { randomBytes } from 'node:crypto'
import { createContextCodec, createSessionCodec } from '@shoal/causality'
import { type BucketProperties, BucketRegistry, Coordinator } from '@shoal/coordinator'
import { createSystemEnv, type Env, limits, type Millis, ShoalError, seconds } from '@shoal/kernel'
import { answerAsReplica, Replica } from '@shoal/replica'
import {
  createRing,
  decodeRing,
  encodeRing,
  foundRing,
  type Ring,
  ringDifference,
} from '@shoal/ring'
import { openRocksStore, type Store } from '@shoal/storage'
import {
  createPeers,
  type IncomingQuestion,
  type NetworkPeers,
  type TransportEvent,
} from '@shoal/transport'
import {
  answerKinds,
  encodeRefusal,
  encodeStatus,
  questionKinds,
  type StatusMessage,
} from '@shoal/wire'
import { Registry } from 'prom-client'
import { LoadAdmission } from './admission.ts'
import { readRememberedBuckets, rememberBuckets } from './bucket-memory.ts'
import { createClusterView } from './cluster-view.ts'
import { EventLoopMeter } from './event-loop.ts'
import { createHttpApp } from './http/app.ts'
import type { HttpApp, Log } from './http/ports.ts'
import { registerNodeMetrics } from './node-metrics.ts'
import { settleRing } from './ring-memory.ts'
import { deriveSecrets } from './secrets.ts'
import type { NodeSettings } from './settings.ts'
import { version } from './version.ts'

/**
 * The parts of a running node, in the order in which they were opened. Closed in the reverse order.
 */
export interface NodeParts {
  readonly env: Env
  readonly ring: Ring
  readonly store: Store
  readonly replica: Replica
  readonly peers: NetworkPeers
  readonly buckets: BucketRegistry
  readonly coordinator: Coordinator
  readonly admission: LoadAdmission
  readonly meter: EventLoopMeter
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
  const ring = createRing(await settleRing(store, founded), settings.nodeId)
  const replica = await Replica.open({
    env,
    store,
    partitions: ring.partitions,
    versionCacheBytes: settings.versionCacheBytes,
  })
  const peers = createPeers({
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
  })
  const contexts = createContextCodec({ key: secrets.tokenKey, clusterId })
  const sessions = createSessionCodec({ key: secrets.tokenKey, clusterId }, contexts)
  const buckets = new BucketRegistry({
    env,
    defaults: bucketDefaults(settings, ring),
    remembered: await readRememberedBuckets(store, bucketDefaults(settings, ring)),
    remember: (known) => rememberBuckets(store, known),
  })
  const coordinator = new Coordinator({
    env,
    self: settings.nodeId,
    ring: () => ring,
    replica,
    peers,
    buckets,
    contexts,
    sessions,
    settings: { durability: settings.durability },
  })
  const state: NodeState = { serving: false, load: 0, diskBytes: 0 }
  const meter = new EventLoopMeter()
  const admission = new LoadAdmission(env, () => {
    const { stopped } = store.pressure()
    return {
      loopDelayMs: meter.takeDelayMs(),
      queued: replica.queued,
      writesStopped: stopped,
    }
  })
  const status = (): StatusMessage => describeSelf({ env, ring, store, state })
  peers.onQuestion(answerer({ ring, replica, coordinator, status, onFatal }))
  const metrics = new Registry()
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
    }),
    admission,
    metrics,
    log,
    version,
    limits: { valueBytesMax: settings.valueBytesMax },
  })
  registerNodeMetrics(metrics, { coordinator, replica, peers, store, admission, meter, state })
  return { env, ring, store, replica, peers, buckets, coordinator, admission, meter, http, state }
}

/** Nodes of a cluster start one after the other: who is not there yet is no news. */
const QUIET_START = seconds(5)

function logPeerEvent(log: Log, elapsed: Millis, event: TransportEvent): void {
  if (event.kind === 'dial-failed' && elapsed < QUIET_START) return
  const level = event.kind === 'peer-up' ? 'info' : 'warn'
  log[level]({ ...event }, `peers: ${event.kind}`)
}

function bucketDefaults({ bucketDefaults: given }: NodeSettings, ring: Ring): BucketProperties {
  return { ...given, n: ring.record.replicas, mode: 'leaderless' }
}

/** Who answers what a peer asks. A peer with an older ring is told to fetch the newer one (Q8). */
function answerer(parts: {
  readonly ring: Ring
  readonly replica: Replica
  readonly coordinator: Coordinator
  readonly status: () => StatusMessage
  readonly onFatal: (error: Error) => void
}): (question: IncomingQuestion) => void {
  const { ring, replica, coordinator, status } = parts
  return (question) => {
    if (question.epoch !== ring.epoch) {
      return question.answer(answerKinds.refused, encodeRefusal('SHOAL_EPOCH_STALE'))
    }
    if (answerAsReplica(replica, question) || coordinator.answer(question)) return
    if (question.kind === questionKinds.status) {
      return question.answer(answerKinds.status, encodeStatus(status()))
    }
    question.answer(answerKinds.refused, encodeRefusal('SHOAL_FRAME_INVALID'))
  }
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
