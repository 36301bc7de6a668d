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
