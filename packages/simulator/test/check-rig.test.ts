import t from 'tap'
import { Rig } from './check-rig.ts'

t.test('what goes as it should says nothing', async (t) => {
  const rig = new Rig()
  const one = rig.writeWell(0, { id: 'a' })
  rig.read(1).answer([0, 1])
  rig.writeWell(1, { id: 'b', context: one.token })
  rig.read(2, { strict: true }).answer([1, 2])
  t.same(rig.messages, [])
})
