import assert from 'node:assert/strict'
import { nodeId } from '@shoal/kernel'
import { type MemberUpdate, memberStates } from '@shoal/wire'
import fc from 'fast-check'
import t from 'tap'
import { compareSaid, digestOf, nothingSaid, type Said, updateOf } from '../src/core/updates.ts'
import { Rig, seed } from './support/rig.ts'

t.comment(`seed ${seed}`)

const said: fc.Arbitrary<Said> = fc.record({
  state: fc.constantFrom(...memberStates),
  incarnation: fc.nat(4),
  run: fc.nat(3),
})

function holds<T>(property: fc.IProperty<T>, numRuns = 500): true {
  fc.assert(property, { seed, numRuns })
  return true
}

t.test('G1: what may be said of a member is ordered', async (t) => {
  t.ok(
    holds(
      fc.property(said, said, said, (a, b, c) => {
        assert.equal(Math.sign(compareSaid(a, b)) + Math.sign(compareSaid(b, a)), 0)
        assert.equal(
          compareSaid(a, b) === 0,
          a.state === b.state && a.incarnation === b.incarnation && a.run === b.run,
        )
        if (compareSaid(a, b) >= 0 && compareSaid(b, c) >= 0) assert.ok(compareSaid(a, c) >= 0)
        assert.ok(compareSaid(a, nothingSaid) >= 0)
      }),
    ),
  )
})

t.test('G1: within one incarnation the worse is believed, and a new one ends it', async (t) => {
  const order = ['alive', 'suspect', 'dead', 'left'] as const
  for (const [index, state] of order.entries()) {
    const one = { state, incarnation: 7, run: 1 }
    for (const [other, later] of order.entries()) {
      const two = { state: later, incarnation: 7, run: 1 }
      t.equal(Math.sign(compareSaid(one, two)), Math.sign(index - other), `${state}, ${later}`)
    }
    t.ok(compareSaid({ state: 'alive', incarnation: 8, run: 0 }, one) > 0)
  }
})

t.test('G1: in which order and how often news come does not matter', async (t) => {
  const update = fc
    .record({ node: fc.constantFrom('n1', 'n2'), what: said })
    .map(({ node, what }): MemberUpdate => updateOf(nodeId(node), what, [nodeId('n7')]))
  const messages = fc.array(update, { maxLength: 12 }).chain((updates) =>
    fc.tuple(
      fc.constant(updates),
      fc.shuffledSubarray([...updates, ...updates], {
        minLength: 2 * updates.length,
        maxLength: 2 * updates.length,
      }),
    ),
  )
  const after = (updates: readonly MemberUpdate[]) => {
    const rig = new Rig({})
    for (const each of updates) rig.step({ kind: 'noted', from: nodeId('n3'), updates: [each] })
    return ['n1', 'n2'].map((id) => {
      const peer = rig.state.peers.get(nodeId(id))
      return { state: peer?.state, incarnation: peer?.incarnation, run: peer?.run }
    })
  }
  t.ok(
    holds(
      fc.property(messages, ([once, twice]) => {
        assert.deepEqual(after(once), after(twice))
      }),
      300,
    ),
  )
})

t.test('a digest tells knowledge apart, whatever its order', async (t) => {
  const known = fc.uniqueArray(fc.tuple(fc.nat(20), said), {
    selector: ([node]) => node,
    maxLength: 10,
  })
  const updates = (list: readonly (readonly [number, Said])[]): MemberUpdate[] =>
    list.map(([node, what]) => updateOf(nodeId(`n${node}`), what, [nodeId('w')]))
  t.ok(
    holds(
      fc.property(known, known, (one, other) => {
        const [first, second] = [updates(one), updates(other)]
        assert.equal(digestOf(first), digestOf([...first].reverse()))
        assert.match(digestOf(first), /^[0-9a-f]{16}$/)
        const key = (list: readonly MemberUpdate[]): string =>
          JSON.stringify(
            [...list]
              .map(({ node, state, incarnation, run }) => [node, state, incarnation, run])
              .sort(),
          )
        assert.equal(digestOf(first) === digestOf(second), key(first) === key(second))
      }),
    ),
  )
  const large = (incarnation: number) =>
    digestOf([updateOf(nodeId('a'), { state: 'alive', incarnation, run: 1 })])
  t.not(large(5), large(5 + 2 ** 32), 'all of a large incarnation counts')
})
