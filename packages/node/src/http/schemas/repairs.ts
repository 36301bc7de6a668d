import Type, { type Static } from 'typebox'
import { JobState } from './jobs.ts'

const debtMembers = {
  ageMs: Type.Number({
    description: 'Every write older than this is on all replicas of its key, as known here.',
  }),
  oldestUnverifiedMs: Type.Number({
    description: 'Since the longest-waiting pair of replicas was last known to be equal.',
  }),
  divergentSegments: Type.Integer({ description: 'Found different and not yet made equal.' }),
  unverified: Type.Integer({
    description: 'Pairs not compared to the end since this node started.',
  }),
  hintBytes: Type.Integer(),
  oldestHintMs: Type.Number(),
}

const DebtState = Type.Object(debtMembers, {
  description: 'How far the copies of this node and its peers may be apart.',
})

const budgetMembers = {
  bytesPerSecond: Type.Integer({ description: 'At the moment; 0 while paused.' }),
  paused: Type.Boolean(),
  quiet: Type.Boolean({ description: 'Quiet hours: as little as there is.' }),
  waitingBytes: Type.Integer(),
  etaMs: Type.Optional(
    Type.Number({ description: 'Until what waits now is let in; absent while paused.' }),
  ),
}

const BudgetState = Type.Object(
  {
    ...budgetMembers,
    quietHours: Type.Array(Type.String(), {
      description: 'As configured, in UTC: `08:00-20:00`.',
    }),
  },
  { description: 'What all background work of this node may move.' },
)

const unhealed = Type.Integer({ description: 'Damaged keys that nobody could give so far.' })
const tombstones = Type.Integer({ description: 'Deleted keys that are kept. About so many.' })

export const RepairsState = Type.Object(
  {
    debt: DebtState,
    budget: BudgetState,
    pairs: Type.Integer({ description: 'A partition and another node that holds it.' }),
    exchanging: Type.Integer(),
    exchanges: Type.Integer({ description: 'Comparisons since the start.' }),
    pulled: Type.Integer({ description: 'Rows fetched by comparisons.' }),
    pushed: Type.Integer({ description: 'Rows sent by comparisons.' }),
    healed: Type.Integer({ description: 'Damaged copies replaced by comparisons.' }),
    unhealed,
    lostPartitions: Type.Array(Type.Integer(), {
      description:
        'Their data was lost here: they do not count to strict reads until merged again.',
    }),
    tombstones,
    jobs: Type.Array(JobState, { description: 'Repairs that were asked for, newest first.' }),
  },
  { title: 'Repairs', description: 'Of the node that was asked.' },
)
export type RepairsState = Static<typeof RepairsState>

export const ClusterRepairsState = Type.Object(
  {
    debt: Type.Object(debtMembers, {
      description: 'The longest time of any node; what is counted is added up.',
    }),
    nodes: Type.Array(
      Type.Object({
        node: Type.String(),
        debt: DebtState,
        budget: Type.Object(budgetMembers),
        lostPartitions: Type.Integer({
          description: 'How many; they do not count to strict reads.',
        }),
        unhealed,
        tombstones,
      }),
      { description: 'Each that answered, in the order of the ring.' },
    ),
    silent: Type.Array(Type.String(), {
      description: 'Nodes that did not answer. How far they are behind is not in here.',
    }),
  },
  { title: 'Repairs of the cluster', description: 'With `scope=cluster`.' },
)
export type ClusterRepairsState = Static<typeof ClusterRepairsState>
