import { nodeId } from '@shoal/kernel'
import t from 'tap'
import { pick, type Rumours, spread } from '../src/core/rumours.ts'
import { updateOf } from '../src/core/updates.ts'

const news = (index: number, incarnation = 1) =>
  updateOf(nodeId(`n${index}`), { state: 'alive', incarnation, run: 1 })

t.test('what was told least is told first, and what was told enough no more', async (t) => {
  const rumours: Rumours = new Map()
  for (const index of [1, 2, 3]) spread(rumours, news(index))
  const names = (max: number, copies = 1) =>
    pick(rumours, { max, copies, sends: 4 }).map(({ node }) => node)
  t.same(names(2, 3), ['n1', 'n2'])
  t.same(names(2), ['n3', 'n1'])
  t.same([...rumours.keys()], ['n2', 'n3'], 'n1 was told four times')
  t.same(names(0), [])
  t.same(names(9), ['n2', 'n3'])
  t.same([...rumours.keys()], ['n3'])
})

t.test('G8: one piece of news for each member, the latest, told anew', async (t) => {
  const rumours: Rumours = new Map()
  spread(rumours, news(1))
  pick(rumours, { max: 9, copies: 3, sends: 4 })
  spread(rumours, news(1, 2))
  t.equal(rumours.size, 1)
  t.same(pick(rumours, { max: 9, copies: 3, sends: 4 }), [news(1, 2)])
  t.equal(rumours.size, 1, 'its telling began again')
})
