import Type, { type Static } from 'typebox'

export const JobState = Type.Object(
  {
    id: Type.String(),
    kind: Type.String({ description: 'What kind of work, such as `hint-sync`.' }),
    state: Type.Union([
      Type.Literal('running'),
      Type.Literal('paused'),
      Type.Literal('done'),
      Type.Literal('failed'),
    ]),
    progress: Type.Number({ minimum: 0, maximum: 1 }),
    etaMs: Type.Optional(
      Type.Number({ description: 'Absent while there is nothing to judge by.' }),
    ),
    detail: Type.String({ description: 'For people.' }),
  },
  { title: 'Job' },
)
export type JobState = Static<typeof JobState>

export const HintsState = Type.Object(
  {
    total: Type.Integer({ description: 'Rows owed to other nodes.' }),
    bytes: Type.Integer({ description: 'Of the rows owed.' }),
    oldestMs: Type.Number({ description: 'Age of the oldest hint, 0 when there is none.' }),
    targets: Type.Array(
      Type.Object({
        node: Type.String({ description: 'Who is owed.' }),
        count: Type.Integer(),
        bytes: Type.Integer(),
        oldestMs: Type.Number(),
        dirtyPartitions: Type.Integer({
          description: 'Partitions left to anti-entropy: hints were too many or too old.',
        }),
      }),
    ),
    silent: Type.Optional(
      Type.Array(Type.String(), {
        description: 'With `scope=cluster`: nodes that did not answer. What they owe is not here.',
      }),
    ),
  },
  { title: 'Hints' },
)
export type HintsState = Static<typeof HintsState>
