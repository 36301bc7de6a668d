import { inAntiEntropy } from './list/antientropy.ts'
import { inCausality } from './list/causality.ts'
import { inCoordinator } from './list/coordinator.ts'
import { inDigests } from './list/digests.ts'
import { inEngine } from './list/engine.ts'
import { inMembership } from './list/membership.ts'
import { inReads } from './list/reads.ts'
import { inReplica, inReplicaDrivers } from './list/replica.ts'
import { inStandIns } from './list/stand-ins.ts'
import { inStorage } from './list/storage.ts'
import { inTokens } from './list/tokens.ts'
import { inTransport } from './list/transport.ts'
import type { Mutation } from './mutation.ts'

/** Every planted bug there is, in the order in which a write meets them. */
export const allMutations: readonly Mutation[] = [
  ...inCausality,
  ...inTokens,
  ...inReplica,
  ...inReplicaDrivers,
  ...inDigests,
  ...inStorage,
  ...inCoordinator,
  ...inReads,
  ...inStandIns,
  ...inTransport,
  ...inMembership,
  ...inEngine,
  ...inAntiEntropy,
]
