import { nodeId } from '@shoal/kernel'
import t from 'tap'
import { applyChain } from '../src/table/apply-chain.ts'
import { canonicalShape, type TableMember } from '../src/table/canonical.ts'
import { Draft } from '../src/table/draft.ts'
import type { Chain } from '../src/table/graph.ts'

/**
 * Two nodes in each of three zones: a0 a1 b2 b3 c4 c5, by index. A set takes at most one of a zone.
 */
const members = ['a0', 'a1', 'b2', 'b3', 'c4', 'c5'].map(
  (name): TableMember => ({ id: nodeId(name), zone: name.slice(0, 1), host: '', weight: 1 }),
)
const [a0, , b2, b3, c4, c5] = [0, 1, 2, 3, 4, 5] as const

function draftOf(
  sets: readonly (readonly number[])[],
  before?: readonly (readonly number[])[],
): Draft {
  const ids = members.map((member) => member.id)
  const shape = canonicalShape({ partitions: sets.length, replicas: 2, members })
  const draft = new Draft(shape, before && { ids, table: before })
  sets.forEach((set, partition) => {
    for (const node of set) draft.add(partition, node)
  })
  return draft
}

const setsOf = (draft: Draft): number[][] =>
  Array.from({ length: draft.shape.partitions }, (_, partition) =>
    draft.members(partition).sort((a, b) => a - b),
  )

t.test('R10: steps that do not meet are applied whole', async (t) => {
  const draft = draftOf([
    [a0, b2],
    [b3, c4],
  ])
  const steps = [
    { partition: 0, from: a0, to: c5 },
    { partition: 1, from: c4, to: a0 },
  ]
  t.equal(applyChain(draft, { kind: 'path', steps }), true)
  t.same(setsOf(draft), [
    [b2, c5],
    [a0, b3],
  ])
})

t.test('R10: of a path whose steps exclude each other the shortcut is applied', async (t) => {
  const draft = draftOf([
    [a0, b2],
    [a0, c4],
  ])
  const path: Chain = {
    kind: 'path',
    steps: [
      { partition: 0, from: a0, to: c4 },
      { partition: 1, from: c4, to: b2 },
      { partition: 0, from: b2, to: c5 },
    ],
  }
  t.equal(applyChain(draft, path), true)
  t.same(
    setsOf(draft),
    [
      [b2, c5],
      [a0, c4],
    ],
    'a0 gave to c5 at once',
  )
})

t.test(
  'R10: of a saving cycle whose steps exclude each other the saving part is applied',
  async (t) => {
    const before = [
      [b2, c5],
      [a0, c4],
    ]
    const cycle: Chain = {
      kind: 'cycle',
      steps: [
        { partition: 0, from: a0, to: c4 },
        { partition: 1, from: c4, to: b2 },
        { partition: 0, from: b2, to: c5 },
      ],
    }
    const draft = draftOf(
      [
        [a0, b2],
        [a0, c4],
      ],
      before,
    )
    const moved = draft.moved()
    t.equal(applyChain(draft, cycle), true)
    t.ok(draft.moved() < moved)
    const inner = draftOf(
      [
        [a0, b2],
        [a0, c4],
      ],
      [
        [a0, c4],
        [a0, b2],
      ],
    )
    t.equal(applyChain(inner, cycle), true)
    t.same(
      setsOf(inner),
      [
        [a0, c4],
        [a0, b2],
      ],
      'the inner cycle, which undoes two moves',
    )
  },
)

t.test('R10: when no part can be applied, nothing changes', async (t) => {
  const draft = draftOf([
    [a0, b2],
    [b3, c4],
  ])
  const steps = [
    { partition: 1, from: c4, to: a0 },
    { partition: 0, from: a0, to: b3 },
  ]
  t.equal(applyChain(draft, { kind: 'path', steps }), false)
  t.same(setsOf(draft), [
    [a0, b2],
    [b3, c4],
  ])
})
