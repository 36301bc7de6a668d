import { limits, type NodeId, nodeId } from '@shoal/kernel'
import fc from 'fast-check'
import type {
  GossipMessage,
  GossipSyncMessage,
  MembershipHeader,
  MemberUpdate,
  PingMessage,
  PingRequestMessage,
  PongMessage,
  RingFetchMessage,
} from '../src/index.ts'

const plain = { noNullPrototype: true } as const
const u32 = fc.nat(0xffff_ffff)
const node: fc.Arbitrary<NodeId> = fc.stringMatching(/^[A-Za-z0-9._-]{1,64}$/).map(nodeId)
const incarnation = fc.oneof(fc.nat(100), fc.maxSafeNat())
const digest = fc.stringMatching(/^[0-9a-f]{16}$/)

const header: fc.Arbitrary<MembershipHeader> = fc.record(
  { incarnation, run: u32, ring: fc.record({ epoch: u32, digest }, plain) },
  plain,
)

const update: fc.Arbitrary<MemberUpdate> = fc.oneof(
  fc.record(
    {
      node,
      state: fc.constantFrom('alive', 'dead', 'left'),
      incarnation,
      run: u32,
      witnesses: fc.constant([]),
    },
    plain,
  ),
  fc.record(
    {
      node,
      state: fc.constant('suspect'),
      incarnation,
      run: u32,
      witnesses: fc.uniqueArray(node, { minLength: 1, maxLength: limits.suspicionWitnessesMax }),
    },
    plain,
  ),
)

const updates = fc.oneof(
  fc.array(update, { maxLength: 3 }),
  fc.array(update, { maxLength: limits.gossipUpdatesMax }),
)

export const pings: fc.Arbitrary<PingMessage> = fc.record({ header, updates }, plain)

export const pingRequests: fc.Arbitrary<PingRequestMessage> = fc.record(
  { header, target: node, timeoutMs: u32, updates },
  plain,
)

export const pongs: fc.Arbitrary<PongMessage> = fc.record(
  { header, reached: fc.boolean(), updates },
  plain,
)

export const gossipSyncs: fc.Arbitrary<GossipSyncMessage> = fc.oneof(
  fc.record({ kind: fc.constantFrom('news', 'missing'), header, updates }, plain),
  fc.record({ kind: fc.constant('compare'), header, digest }, plain),
)

export const gossips: fc.Arbitrary<GossipMessage> = fc.record(
  { kind: fc.constantFrom('noted', 'same', 'part'), header, updates },
  plain,
)

export const ringFetches: fc.Arbitrary<RingFetchMessage> = fc.record({ header }, plain)
