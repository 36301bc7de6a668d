import t from 'tap'
import { Rig } from './check-rig.ts'

t.test('a listing names live keys in order', async (t) => {
  const rig = new Rig()
  for (const key of ['b1', 'a1', 'a2']) rig.writeWell(0, { id: key, key })
  await rig.list(0).answer(['a1', 'a2', 'b1'])
  await rig.list(0, { prefix: 'a' }).answer(['a1', 'a2'])
  await rig.list(0, { after: 'a1' }).answer(['a2', 'b1'])
  await rig.list(0, { limit: 2 }).answer(['a1', 'a2'], { more: true })
  t.same(rig.messages, [])
})

t.test('a listing leaves out nothing that is surely live', async (t) => {
  const rig = new Rig()
  for (const key of ['a1', 'a2']) rig.writeWell(0, { id: key, key })
  await rig.list(0).answer(['a2'])
  t.same(rig.found, ['Q4'])
  rig.writeWell(0, { id: 'c', key: 'a3', to: [1] })
  rig.found.length = 0
  await rig.list(0).answer(['a1', 'a2'])
  t.same(rig.found, [], 'one of its replicas does not know the third')
  const two = { level: 'one', r: 2, strict: false } as const
  await rig.list(0, { consistency: two }).answer(['a1', 'a2'])
  t.same(rig.found, ['Q4'], 'of two replicas one would')
})

t.test('a listing names nothing that is surely deleted, and nothing strange', async (t) => {
  const rig = new Rig()
  const write = rig.writeWell(0, { id: 'a', key: 'a1' })
  rig.writeWell(0, { id: 'd', key: 'a1', operation: 'delete', context: write.token })
  await rig.list(0).answer([])
  t.same(rig.found, [])
  await rig.list(0).answer(['a1'])
  t.same(rig.found, ['D1'])
  await rig.list(0).answer(['zz'])
  t.same(rig.found, ['D1', 'I5'])
})

t.test('the form of a listing', async (t) => {
  const rig = new Rig()
  for (const key of ['a1', 'a2', 'b1']) rig.writeWell(0, { id: key, key })
  await rig.list(0).answer(['a2', 'a1', 'b1'])
  await rig.list(0, { limit: 2 }).answer(['a1', 'a2', 'b1'])
  await rig.list(0, { prefix: 'a' }).answer(['a1', 'a2', 'b1'])
  await rig.list(0, { limit: 9 }).answer(['a1', 'a2', 'b1'], { more: true })
  t.same(rig.found, ['listing', 'listing', 'listing', 'listing'])
})

t.test('a clock that is set while a listing is made may have shown anything', async (t) => {
  const rig = new Rig()
  rig.writeWell(0, { id: 'lasting', key: 'a1' })
  const expiring = rig.write(0, { id: 'expiring', key: 'a2', ttl: 10 })
  expiring
    .mint({ expiry: Math.round(rig.env.clock.wall()) + 10_000 })
    .deliver(1)
    .deliver(2)
  for (const node of rig.nodes) node.sync()
  expiring.answer()
  await rig.list(0).answer(['a1'])
  t.same(rig.found, ['Q4'], 'by a steady clock it has not expired')
  rig.found.length = 0
  const during = rig.list(0)
  const jump = { kind: 'clock', change: 'jump', amount: 60_000, lasts: 1_000 } as const
  rig.checks.faultBegan({ ...jump, id: 'jump', at: 0, node: 0 })
  await during.answer(['a1'])
  t.same(rig.found, [], 'by the clock of that moment it has')
  const other = rig.list(1)
  rig.checks.faultEnded({ ...jump, id: 'jump', at: 0, node: 0 })
  await other.answer(['a1'])
  t.same(rig.found, ['Q4'], 'the clock of another node is no excuse')
})
