/** Shapes of the routes that show state. */
import Type, { type Static } from 'typebox'

const Id = Type.String({ minLength: 1, maxLength: 64, description: 'Id of a node.' })

export const Member = Type.Object(
  {
    id: Id,
    url: Type.String({ description: 'Where clients and peers reach the node.' }),
    zone: Type.Optional(
      Type.String({ description: 'Nodes of one zone are taken to fail together.' }),
    ),
    host: Type.Optional(Type.String({ description: 'The machine under the node.' })),
    weight: Type.Number({ description: 'Share of the data relative to the other members.' }),
  },
  { title: 'Member' },
)

export const RingState = Type.Object(
  {
    epoch: Type.Integer({ minimum: 1, description: 'Version of the ring record.' }),
    partitions: Type.Integer({ description: 'Q, the number of equal slices of the ring.' }),
    replicas: Type.Integer({ description: 'N, the copies of every key.' }),
    members: Type.Array(Member),
    table: Type.Array(Type.Array(Id), {
      description: 'For each partition the ids of the nodes that hold it, the preference list.',
    }),
  },
  { title: 'Ring' },
)
export type RingState = Static<typeof RingState>

export const HealthState = Type.Object(
  {
    status: Type.Union([
      Type.Literal('healthy'),
      Type.Literal('degraded'),
      Type.Literal('unavailable'),
    ]),
    verdict: Type.String({
      description: 'One sentence for people, such as "healthy: can lose 1 node".',
    }),
    nodesUp: Type.Integer(),
    nodesTotal: Type.Integer(),
    warnings: Type.Array(Type.String()),
  },
  { title: 'Health' },
)
export type HealthState = Static<typeof HealthState>

export const ClusterState = Type.Object(
  {
    id: Type.String({ description: 'Id of the cluster.' }),
    node: Id,
    version: Type.String({ description: 'Version of Shoal on this node.' }),
    epoch: Type.Integer(),
    partitions: Type.Integer(),
    replicas: Type.Integer(),
    nodes: Type.Integer({ description: 'Number of members.' }),
    health: HealthState,
    chaos: Type.Optional(
      Type.String({ description: 'Where faults are made, on a local cluster started for that.' }),
    ),
  },
  { title: 'Cluster' },
)
export type ClusterState = Static<typeof ClusterState>

export const NodeState = Type.Object(
  {
    id: Id,
    url: Type.String(),
    state: Type.String({
      description:
        '`up`; `suspect`: silent for some seconds, or to this node alone; `down`; `draining`. ' +
        'As this node sees it.',
    }),
    version: Type.String({ description: 'Empty when the node did not answer.' }),
    uptimeMs: Type.Number({ description: '0 when the node did not answer.' }),
    load: Type.Number({
      description: 'Share of its capacity in use, 0 to 1; above 1 it sheds load.',
    }),
    problems: Type.Array(Type.String(), {
      description: 'What the node says is wrong with it, each with what to do after a colon.',
    }),
  },
  { title: 'Node' },
)
export type NodeState = Static<typeof NodeState>

export const NodesState = Type.Array(NodeState)

export const ExplanationState = Type.Object(
  {
    token: Type.String({ pattern: '^[0-9a-f]{16}$', description: 'Position on the ring.' }),
    partition: Type.Integer(),
    preferenceList: Type.Array(Id),
    fallbacks: Type.Array(Id),
    holders: Type.Array(
      Type.Object({
        node: Id,
        role: Type.Union([Type.Literal('primary'), Type.Literal('fallback')]),
        etag: Type.String(),
        dots: Type.Array(Type.String(), { description: 'Each as actor:counter.' }),
        state: Type.String({
          description: '`value`, `siblings`, `deleted`, `absent`, `damaged` or `unreachable`.',
        }),
      }),
    ),
    hintsOwed: Type.Integer(),
    proofs: Type.Optional(
      Type.Array(
        Type.Object({
          node: Id,
          verdict: Type.String({
            description:
              '`proven`: the version it holds is in its tree; `absent`: it holds none; `broken`: ' +
              'its rows and its tree disagree; `unanswered`.',
          }),
          digest: Type.Optional(Type.String({ description: 'Of the version, hexadecimal.' })),
          root: Type.Optional(Type.String({ description: 'Of the partition, hexadecimal.' })),
          others: Type.Optional(Type.Integer({ description: 'Keys that share its segment.' })),
          code: Type.Optional(Type.String({ description: 'Why there is no answer.' })),
        }),
        { description: 'With `proof=1`.' },
      ),
    ),
  },
  { title: 'Explanation' },
)

const ReplicaReport = Type.Object({
  node: Type.String(),
  role: Type.Union([Type.Literal('primary'), Type.Literal('fallback')]),
  state: Type.String(),
  ms: Type.Number(),
})

export const TraceState = Type.Object(
  {
    id: Type.String(),
    node: Id,
    operation: Type.String(),
    bucket: Type.String(),
    key: Type.String(),
    started: Type.Number({ description: 'Unix time in milliseconds.' }),
    events: Type.Array(
      Type.Object({
        at: Type.Number({ description: 'Milliseconds since the request came in.' }),
        node: Type.String(),
        event: Type.String(),
        detail: Type.String(),
      }),
    ),
    replicas: Type.Array(ReplicaReport),
  },
  { title: 'Trace' },
)

export const ProblemState = Type.Object(
  {
    type: Type.String({ description: '`urn:shoal:error:` and the code.' }),
    title: Type.String(),
    status: Type.Integer(),
    detail: Type.String(),
    instance: Type.Optional(
      Type.String({ description: '`urn:shoal:request:` and the Request-Id.' }),
    ),
    code: Type.String({ pattern: '^SHOAL_[A-Z_]+$', description: 'Stable; the one to act on.' }),
    outcome: Type.Union([Type.Literal('not-applied'), Type.Literal('unknown')]),
    retry: Type.Union([
      Type.Literal('never'),
      Type.Literal('after-read'),
      Type.Literal('if-idempotent'),
      Type.Literal('after'),
    ]),
    hint: Type.String(),
    wanted: Type.Optional(Type.Union([Type.String(), Type.Number()])),
    got: Type.Optional(Type.Union([Type.String(), Type.Number()])),
    replicas: Type.Optional(Type.Array(ReplicaReport)),
    errors: Type.Optional(
      Type.Array(
        Type.Object({
          field: Type.String(),
          offset: Type.Optional(Type.Integer()),
          message: Type.String(),
        }),
      ),
    ),
    context: Type.Optional(Type.String()),
    etag: Type.Optional(Type.String()),
  },
  { title: 'Problem', additionalProperties: true },
)
