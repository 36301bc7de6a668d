/** Properties of buckets as documents. */
import { limits } from '@shoal/kernel'
import Type, { type Static } from 'typebox'

/** What a PUT may hold; what it leaves out returns to the default. */
export const BucketDocument = Type.Object(
  {
    n: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: limits.replicasMax,
        description: 'Copies of every key, at most those of the ring. Changes only while empty.',
      }),
    ),
    consistency: Type.Optional(
      Type.String({ description: 'For requests without the header, in its words: `quorum;r=1`.' }),
    ),
    conflicts: Type.Optional(
      Type.Enum(['siblings', 'lww'], {
        description: 'Show all concurrent values, or the last written by the clock.',
      }),
    ),
    blindWrites: Type.Optional(
      Type.Enum(['overwrite', 'sibling', 'reject'], {
        description: 'What a write without Causal-Context does to the values that are there.',
      }),
    ),
    ttl: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: limits.ttlSecondsMax,
        description: 'Seconds that a value lives if its write does not say; 0 for ever.',
      }),
    ),
    maxSiblings: Type.Optional(Type.Integer({ minimum: 1, maximum: limits.siblingsMax })),
    durability: Type.Optional(
      Type.Enum(['fsync', 'memory'], {
        description: 'Whether an acknowledgement means on disk. Absent: the setting of each node.',
      }),
    ),
    mode: Type.Optional(Type.Enum(['leaderless'])),
  },
  { additionalProperties: false, title: 'BucketProperties' },
)
export type BucketDocument = Static<typeof BucketDocument>

export const NamedBucket = Type.Object(
  { name: Type.String(), ...BucketDocument.properties },
  { title: 'NamedBucket' },
)

export const BucketList = Type.Object({ buckets: Type.Array(NamedBucket) }, { title: 'Buckets' })
