import Type, { type Static } from 'typebox'
import { JobState } from './jobs.ts'

export const RepairsState = Type.Object(
  {
    debt: Type.Object(
      {
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
      },
      { description: 'How far the copies of this node and its peers may be apart.' },
    ),
    budget: Type.Object(
      {
        bytesPerSecond: Type.Integer({ description: 'At the moment; 0 while paused.' }),
        paused: Type.Boolean(),
        quiet: Type.Boolean({ description: 'Quiet hours: as little as there is.' }),
        waitingBytes: Type.Integer(),
        etaMs: Type.Optional(
          Type.Number({ description: 'Until what waits now is let in; absent while paused.' }),
        ),
      },
      { description: 'What all background work of this node may move.' },
    ),
    pairs: Type.Integer({ description: 'A partition and another node that holds it.' }),
    exchanging: Type.Integer(),
    exchanges: Type.Integer({ description: 'Comparisons since the start.' }),
    pulled: Type.Integer({ description: 'Rows fetched by comparisons.' }),
    pushed: Type.Integer({ description: 'Rows sent by comparisons.' }),
    healed: Type.Integer({ description: 'Damaged copies replaced by comparisons.' }),
    unhealed: Type.Integer({ description: 'Damaged keys that nobody could give so far.' }),
    lostPartitions: Type.Array(Type.Integer(), {
      description: 'Their data was lost here: they do not count to reads until merged again.',
    }),
    tombstones: Type.Integer({ description: 'Deleted keys that are kept. About so many.' }),
    jobs: Type.Array(JobState, { description: 'Repairs that were asked for, newest first.' }),
  },
  { title: 'Repairs', description: 'Of the node that was asked.' },
)
export type RepairsState = Static<typeof RepairsState>
