import {
  AntiEntropy,
  type AntiEntropySettings,
  BackgroundBudget,
  type BudgetSettings,
} from '@shoal/antientropy'
import { createContextCodec, createSessionCodec } from '@shoal/causality'
import {
  type BucketProperties,
  BucketRegistry,
  type Coordinated,
  Coordinator,
} from '@shoal/coordinator'
import { Handoff, type HandoffOptions } from '@shoal/handoff'
import { type Env, limits, type Millis, millis } from '@shoal/kernel'
import { Membership, type MembershipEvent } from '@shoal/membership'
import { Replica } from '@shoal/replica'
import { createRing, type Ring, type RingRecord } from '@shoal/ring'
import type { Store } from '@shoal/storage'
import type { IncomingQuestion, Peers } from '@shoal/transport'
import type { StatusMessage } from '@shoal/wire'
import { answerer, type FollowedQuestion } from './answerer.ts'
import { readRememberedBuckets, rememberBuckets } from './bucket-memory.ts'
import type { EngineEvent } from './engine-events.ts'

export type { EngineEvent } from './engine-events.ts'

import { fixedRings } from './fixed-rings.ts'
import { owedRows } from './owed-rows.ts'
import { settleRing } from './ring-memory.ts'
import type { NodeSettings } from './settings.ts'

/**
 * A node without its faces: no HTTP, no sockets, no files. What stands on these parts, and in which
 * order they open and close, is written once, for the real node and for the simulated one.
 */
export interface Engine<P extends Peers = Peers> {
  readonly env: Env
  readonly store: Store
  readonly ring: Ring
  readonly replica: Replica
  readonly peers: P
  /** Undefined where it is switched off. */
  readonly membership: Membership | undefined
  readonly budget: BackgroundBudget
  /** Undefined where it is switched off: then a missed write waits for repair (H3). */
  readonly handoff: Handoff | undefined
  readonly antiEntropy: AntiEntropy
  /** Whether this node begins comparisons and scrubs; it answers those of others anyway. */
  readonly isComparing: boolean
  readonly buckets: BucketRegistry
  readonly coordinator: Coordinator
}

export type EngineSettings = Pick<
  NodeSettings,
  'nodeId' | 'durability' | 'versionCacheBytes' | 'bucketDefaults'
> & {
  /** Default `limits.requestMemoryEntries`. */
  readonly requestMemoryEntries?: number
  /** Default `limits.cleanStopAgeMax`. */
  readonly cleanStopAgeMax?: Millis
  /** Whether the others are watched. Default true. */
  readonly membership?: boolean
  /** Default true. */
  readonly handoff?: boolean
  /** Default true. */
  readonly readRepair?: boolean
  /** Off: answers its peers, and begins nothing. Default true. */
  readonly antiEntropy?: boolean
  readonly exchange?: AntiEntropySettings
  readonly budget?: Partial<BudgetSettings>
}

export interface EngineParts<P extends Peers> {
  readonly env: Env
  readonly store: Store
  /** The ring as configured. The one on the disk holds where there is one. */
  readonly founded: RingRecord
  /** Seals contexts and sessions. */
  readonly tokenKey: Buffer
  /** Makes the peers; they are started by `startEngine`. */
  readonly connect: (ring: Ring) => P
  /** How this node is, for a peer that asks. */
  readonly status: (ring: Ring) => StatusMessage
  readonly settings: EngineSettings
  readonly onEvent?: (event: EngineEvent) => void
  /** Told of each write that was coordinated here for another node. */
  readonly onCoordinated?: (write: Coordinated) => void
  /** Follows a question that belongs to a trace; gives what is to be answered in its place. */
  readonly follow?: (question: IncomingQuestion) => FollowedQuestion
}

/**
 * Opens everything on a store that is open.
 *
 * @throws SHOAL_RING_MISMATCH, and what reading the store throws
 */
export async function openEngine<P extends Peers>(parts: EngineParts<P>): Promise<Engine<P>> {
  const { env, store, founded, tokenKey, settings } = parts
  const ring = createRing(await settleRing(store, founded), settings.nodeId)
  const defaults = bucketDefaults(settings, ring)
  // Before anti-entropy takes over the notes of what was lost.
  const remembered = await readRememberedBuckets(store, defaults)
  // Parts that those opened before them tell of what they see.
  let healing: AntiEntropy | undefined
  let foreground: Coordinator | undefined
  let hints: Handoff | undefined
  const { requestMemoryEntries, cleanStopAgeMax } = settings
  const replica = await Replica.open({
    env,
    store,
    partitions: ring.partitions,
    versionCacheBytes: settings.versionCacheBytes,
    ...(requestMemoryEntries === undefined ? {} : { requestMemoryEntries }),
    ...(cleanStopAgeMax === undefined ? {} : { cleanStopAgeMax }),
    onDamage: (rowKey) => healing?.reportDamage(rowKey),
    onLoss: ({ kind, partition }) => {
      if (kind === 'forgotten') healing?.reportLoss([partition], 'copies were damaged')
      else healing?.reportOlderDisk()
    },
    ...(settings.handoff === false ? {} : { owed: owedRows(ring, () => hints) }),
  })
  const peers = parts.connect(ring)
  const membership = settings.membership === false ? undefined : watchMembers(parts, ring, peers)
  const budget = new BackgroundBudget({
    env,
    p99: () => foreground?.takeP99(),
    ...(settings.budget ? { settings: settings.budget } : {}),
  })
  const background = { ring, replica, peers, budget, marked: () => healing?.marked() }
  const handoff = await openHandoff(parts, background, membership)
  hints = handoff
  const antiEntropy = await openAntiEntropy(parts, { ...background, handoff })
  healing = antiEntropy
  const secrets = { key: tokenKey, clusterId: founded.clusterId }
  const contexts = createContextCodec(secrets)
  const buckets = new BucketRegistry({
    env,
    defaults,
    remembered,
    remember: (known) => {
      rememberBuckets(store, known).catch((reason: Error) => {
        // A store that is closed by now has no say; one that failed ends this process (A3).
        if (store.failed) env.halt(reason)
      })
    },
  })
  // Nothing that was lost comes back where copies are not compared.
  const lost = settings.antiEntropy === false ? undefined : antiEntropy
  const coordinator = new Coordinator({
    env,
    self: settings.nodeId,
    ring: () => ring,
    replica,
    peers,
    ...(membership ? { liveness: membership } : {}),
    buckets,
    contexts,
    sessions: createSessionCodec(secrets, contexts),
    settings: { durability: settings.durability },
    ...(handoff ? { hints: handoff } : {}),
    readRepair: settings.readRepair ?? true,
    dirty: (partition, node) => antiEntropy.markDirty(partition, node),
    ...(parts.onCoordinated ? { coordinated: parts.onCoordinated } : {}),
    ...(lost ? { lost } : {}),
  })
  foreground = coordinator
  const status = (): StatusMessage => parts.status(ring)
  peers.onQuestion(
    answerer({
      ...{ ...background, membership, handoff, coordinator, antiEntropy, lost, status },
      follow: parts.follow,
    }),
  )
  return {
    ...{ env, store, ring, replica, peers, membership, budget, handoff, antiEntropy, buckets },
    coordinator,
    isComparing: settings.antiEntropy !== false,
  }
}

/** What works in the background works on these. */
type Background = Pick<Engine, 'ring' | 'replica' | 'peers' | 'budget'> & {
  /** A partition was left to anti-entropy (H2). */
  readonly marked: () => void
}

/** Finds the hints of an earlier life again. */
async function openHandoff(
  { env, store, settings, onEvent }: EngineParts<Peers>,
  { ring, replica, peers, budget, marked }: Background,
  membership: Membership | undefined,
): Promise<Handoff | undefined> {
  if (settings.handoff === false) return undefined
  return await Handoff.open({
    env,
    store,
    self: settings.nodeId,
    placement: () => ring,
    rows: replica,
    targets: peers,
    liveness: membership ? livenessFor(membership) : peers,
    budget,
    onEvent: (event) => {
      if (event.kind === 'hints-overflowed') marked()
      onEvent?.({ source: 'handoff', event })
    },
  })
}

/** Knows again what was lost, and what was scrubbed when. */
async function openAntiEntropy(
  { env, store, settings, onEvent }: EngineParts<Peers>,
  { ring, replica, peers, budget, handoff }: Background & Pick<Engine, 'handoff'>,
): Promise<AntiEntropy> {
  const antiEntropy = await AntiEntropy.open({
    ...{ env, store, replica, peers, budget },
    placement: () => ring,
    tell: (event) => onEvent?.({ source: 'antientropy', event }),
    ...(handoff ? { marks: handoff } : {}),
    ...(settings.exchange ? { settings: settings.exchange } : {}),
  })
  peers.onChange((peer, up) => {
    if (up) antiEntropy.peerUp(peer)
  })
  return antiEntropy
}

/** Peers are told, hints delivered, and the buckets followed. Does not wait for any peer. */
export async function startEngine(engine: Engine): Promise<void> {
  const { peers, membership, handoff, antiEntropy, isComparing, buckets, coordinator } = engine
  await peers.start()
  membership?.start()
  handoff?.start()
  if (isComparing) antiEntropy.start()
  buckets.follow(coordinator)
}

/** Leaves the disk as after a clean stop. Requests of clients must have ended. */
export async function stopEngine(engine: Engine): Promise<void> {
  const { env, store, replica, peers, membership, budget, handoff, antiEntropy } = engine
  engine.buckets.close()
  antiEntropy.stop()
  budget.close()
  // Whatever falls from now on falls because this node stops: nobody is to be told.
  membership?.leave()
  membership?.close()
  await peers.stop(millis(env.clock.elapsed() + limits.drainMax))
  await antiEntropy.idle()
  engine.coordinator.close()
  // Not before the peers: what they did not answer by now is owed.
  handoff?.stop()
  await replica.close()
  await store.close()
}

function bucketDefaults({ bucketDefaults: given }: EngineSettings, ring: Ring): BucketProperties {
  return { ...given, n: ring.record.replicas, mode: 'leaderless' }
}

/** Hints go to who would take them: a node that is silent on an open channel is spared. */
function livenessFor(membership: Membership): HandoffOptions['liveness'] {
  return {
    isUp: (node) => membership.isUsable(node),
    onChange: (listener) =>
      membership.onChange(({ node, state }) => listener(node, state === 'alive')),
  }
}

function watchMembers<P extends Peers>(
  { env, settings, onEvent }: EngineParts<P>,
  ring: Ring,
  peers: P,
): Membership {
  const tell = (event: MembershipEvent): void => onEvent?.({ source: 'membership', event })
  return new Membership({
    env,
    self: settings.nodeId,
    runId: env.random('run').bytes(4),
    peers,
    rings: fixedRings(ring, tell),
    onEvent: tell,
  })
}
