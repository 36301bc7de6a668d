import { nodeId } from '@shoal/kernel'
import fc from 'fast-check'
import t from 'tap'
import { SyncPoints } from '../src/core/sync-points.ts'

const ada = nodeId('ada')

t.test('HO10 a point is reached by the last of its hints, and by no other', async () => {
  const hints = fc.integer({ min: 0, max: 30 })
  fc.assert(
    fc.property(hints, hints, fc.infiniteStream(fc.nat()), (before, later, order) => {
      const points = new SyncPoints()
      const { id } = points.begin(before, [{ node: ada, count: before }])
      const sequences = Array.from({ length: before + later }, (_none, index) => index + 1)
      const awaited = new Set(sequences.slice(0, before))
      while (sequences.length > 0) {
        const index = (order.next().value as number) % sequences.length
        const [sequence = 0] = sequences.splice(index, 1)
        const wasLast = awaited.delete(sequence) && awaited.size === 0
        const reached = points.removed(ada, sequence, sequence !== 3)
        if (reached.length !== (wasLast ? 1 : 0)) return false
        if (wasLast && (reached[0]?.id !== id || reached[0].lost !== (before >= 3 ? 1 : 0)))
          return false
      }
      return points.size === 0
    }),
    { seed: 20_071_014 },
  )
})

t.test('a target whose log turned out empty is waited for no longer', async (t) => {
  const points = new SyncPoints()
  const bob = nodeId('bob')
  const { id } = points.begin(9, [
    { node: ada, count: 2 },
    { node: bob, count: 1 },
  ])
  t.same(points.removed(bob, 10, true), [], 'owed later')
  t.same(points.forget(ada), [])
  t.match(points.find(id), { left: 1, lost: 2 })
  t.same(points.removed(ada, 1, true), [], 'it was shown again')
  t.match(points.removed(bob, 3, true), [{ id, left: 0, lost: 2, total: 3 }])
  t.equal(points.find(id), undefined)
  const alone = points.begin(1, [{ node: ada, count: 1 }])
  t.match(points.forget(ada), [{ id: alone.id, lost: 1 }])
})
