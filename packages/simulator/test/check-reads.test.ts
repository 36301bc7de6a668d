import { createSeededRandom } from '@shoal/kernel'
import t from 'tap'
import type { SimNode } from '../src/cluster/sim-cluster.ts'
import { Rig } from './check-rig.ts'
import { mergeInto, type RigNode } from './check-rig-node.ts'

const asNode = (node: RigNode): SimNode => node as unknown as SimNode

t.test('Q2: a quorum read knows what a quorum had on disk', async (t) => {
  const rig = new Rig()
  rig.writeWell(0, { id: 'a' })
  const write = rig.write(0, { id: 'b' }).mint().deliver(1)
  for (const node of rig.nodes) node.sync()
  rig.read(0).answer([1, 2])
  rig.read(0, { r: 1 }).answer([2])
  t.same(rig.found, [], 'one replica alone may be behind')
  rig.read(0).answer([2])
  t.same(rig.found, ['Q2'])
  write.answer()
})

t.test('Q4: not found needs R replicas behind it', async (t) => {
  const rig = new Rig()
  rig.read(0).answer([])
  t.same(rig.found, [], 'nobody has it')
  rig.write(0, { id: 'a' }).mint()
  rig.node(0).sync()
  rig.read(1).answer([])
  t.same(rig.found, [], 'the two others have not')
  rig.writeWell(0, { id: 'b', to: [1] })
  rig.read(1).answer([])
  t.same(rig.found, ['Q4'])
})

t.test('V11: a damaged copy stands for nothing, not even for nothing found', async (t) => {
  const rig = new Rig()
  const write = rig.writeWell(0, { id: 'a', to: [1] })
  const key = write.rowKey.toString('latin1')
  rig.node(0).disk.corrupt('rows', write.rowKey, createSeededRandom('bit'))
  rig.checks.damaged(asNode(rig.node(0)), { kind: 'changed', column: 'rows', key })
  rig.read(2).answer([1, 2])
  t.same(rig.found, [])
  // The damaged copy and the empty one were counted as two.
  rig.read(2).answer([2])
  t.same(rig.found, ['Q4'])
})

t.test('Q6: a strict read does not believe a copy that was lost', async (t) => {
  const rig = new Rig()
  rig.writeWell(0, { id: 'a', to: [1] })
  rig.node(1).disk.crash()
  rig.node(1).disk.wipe()
  rig.checks.wiped(asNode(rig.node(1)))
  rig.env.advance(1 as never)
  rig.read(2).answer([])
  t.same(rig.found, [], 'one that is not strict may')
  rig.read(2, { strict: true }).answer([])
  t.same(rig.found, ['Q6'], 'the new disk and the one that missed the write were counted')
})

t.test('damage while a read is under way excuses it', async (t) => {
  const rig = new Rig()
  const write = rig.writeWell(0, { id: 'a', to: [1] })
  const key = write.rowKey.toString('latin1')
  const read = rig.read(2)
  rig.checks.damaged(asNode(rig.node(0)), { kind: 'stale', column: 'rows', key })
  read.answer([2])
  t.same(rig.found, [])
  rig.read(2).answer([])
  t.same(rig.found, [], 'and a copy that reads as an older one is no copy')
})

t.test('I7: a strict read is durable, and later ones know what it showed', async (t) => {
  const rig = new Rig()
  rig.writeWell(0, { id: 'a' })
  const write = rig.write(0, { id: 'b' }).mint()
  rig.read(0, { strict: true }).answer([0, 1])
  t.same(rig.found, ['I7'], 'the write is on no disk')
  rig.found.length = 0
  write.deliver(1)
  for (const node of rig.nodes) node.sync()
  rig.read(0, { strict: true }).answer([0, 1])
  t.same(rig.found, [])
  rig.read(0, { strict: true }).answer([2])
  t.ok(rig.found.includes('I4'), 'the disks had it')
  t.ok(rig.found.includes('I7'), 'it went back in time')
})

t.test('S1: a session never goes back', async (t) => {
  const rig = new Rig()
  rig.writeWell(0, { id: 'a', to: [], w: 1 })
  const first = rig.read(0, { r: 1, session: 'new' }).answer([0])
  rig.read(1, { r: 1 }).answer([1])
  t.same(rig.found, [], 'without its session a client may')
  rig.read(1, { r: 1, session: first.session }).refuse('SHOAL_SESSION_UNSATISFIED')
  t.same(rig.found, [])
  rig.read(1, { r: 1, session: first.session }).answer([1])
  t.same(rig.found, ['S1'])
})

t.test('S1: a session reads what it wrote', async (t) => {
  const rig = new Rig()
  const write = rig.writeWell(0, { id: 'a', to: [], w: 1, session: 'new' })
  rig.read(0, { r: 1, session: write.session }).answer([0])
  t.same(rig.found, [])
  rig.read(1, { r: 1, session: write.session }).answer([1])
  t.same(rig.found, ['S1'])
})

t.test('S1: a session forgets nothing that fits', async (t) => {
  const rig = new Rig()
  const one = rig.writeWell(0, { id: 'a', session: 'new' })
  const two = rig.writeWell(0, { id: 'b', key: 'l', session: one.session })
  t.same(rig.found, [])
  const fresh = rig.read(0, { session: 'new' }).answer([0, 1])
  rig.read(0, { session: two.session }).answer([0, 1], (honest) => ({
    ...honest,
    session: fresh.session,
  }))
  t.same(rig.found, ['S1'], 'the other key is gone')
  rig.read(0, { session: two.session }).answer([0, 1], (honest) => ({ ...honest, session: '' }))
  t.same(rig.found, ['S1', 'S1'])
})

t.test('S1: of more keys than fit the oldest leave a session, and only these', async (t) => {
  const rig = new Rig()
  let session = 'new'
  for (let index = 0; index < 120; index++) {
    session = rig.writeWell(0, { id: `a${index}`, key: `k${index}`, session }).session
  }
  t.same(rig.messages, [])
  rig.read(0, { key: 'k0', r: 1, session }).answer([0])
  t.same(rig.messages, [], 'of the first it knows nothing any more')
  const last = rig.read(0, { key: 'k119', session: 'new' }).answer([0, 1]).session
  rig.read(0, { key: 'k119', session }).answer([0, 1], (honest) => ({ ...honest, session: last }))
  t.ok(rig.found.length > 10, 'it forgets the others')
  t.same([...new Set(rig.found)], ['S1'])
})

t.test('a check that stumbles says so and nothing else', async (t) => {
  const rig = new Rig()
  const strange = { context: undefined } as unknown as { context: string }
  const write = rig.writeWell(0, { id: 'a' })
  const read = rig.read(0)
  t.doesNotThrow(() => read.answer([0, 1], (honest) => ({ ...honest, ...strange })))
  t.same(rig.found, ['checks'])
  t.match(rig.messages[0], /stumbled/)
  t.ok(write.token)
})

t.test('I5: a value is one that was written to the key', async (t) => {
  const rig = new Rig()
  rig.writeWell(0, { id: 'a' })
  rig.read(0).answer([0, 1], (honest) => ({
    ...honest,
    values: honest.values.map((value) => ({ ...value, body: Buffer.from('strange') })),
  }))
  t.same(rig.found, ['I5'])
  rig.writeWell(0, { id: 'b', key: 'l' })
  const other = rig.node(0).row('l')
  t.ok(other)
  rig.found.length = 0
  const wrong = rig.read(0)
  const elsewhere = new Rig()
  elsewhere.writeWell(1, { id: 'b' })
  let strange: Parameters<Parameters<typeof wrong.answer>[1] & object>[0]['values'] = []
  elsewhere.read(0).answer([0, 1], (honest) => {
    strange = honest.values
    return honest
  })
  wrong.answer([0, 1], (honest) => ({ ...honest, values: strange }))
  t.ok(rig.found.includes('I5'), 'another dot')
})

t.test('V8: all siblings are shown, and each once', async (t) => {
  const rig = new Rig({ properties: { blindWrites: 'sibling' } })
  rig.writeWell(0, { id: 'a' })
  rig.writeWell(1, { id: 'b' })
  rig.read(0).answer([0, 1])
  t.same(rig.found, [])
  rig.read(0).answer([0, 1], (honest) => ({ ...honest, values: honest.values.slice(1) }))
  t.same(rig.found, ['V8'])
  const twice = (list: readonly unknown[]): never => [...list, list[0]] as never
  rig.read(0).answer([0, 1], (honest) => ({ ...honest, values: twice(honest.values) }))
  t.same(rig.found, ['V8', 'I6'])
})

t.test('V9: an lww bucket shows the largest stamp', async (t) => {
  const rig = new Rig({ properties: { blindWrites: 'sibling', conflicts: 'lww' } })
  rig.writeWell(0, { id: 'a' })
  rig.writeWell(0, { id: 'b' })
  rig.read(0).answer([0, 1])
  t.same(rig.found, [])
  const older = new Rig({ properties: { blindWrites: 'sibling', conflicts: 'siblings' } })
  older.writeWell(0, { id: 'a' })
  older.writeWell(0, { id: 'b' })
  let all: readonly unknown[] = []
  older.read(0).answer([0, 1], (honest) => {
    all = honest.values
    return honest
  })
  rig.read(0).answer([0, 1], (honest) => ({ ...honest, values: [all[0]] as never }))
  t.same(rig.found, ['V9', 'V9'], 'it shows the older and not the newer')
})

t.test('V9: of equal stamps the first dot counts', async (t) => {
  const rig = new Rig({ properties: { blindWrites: 'sibling', conflicts: 'lww' } })
  rig.writeWell(0, { id: 'a' })
  rig.writeWell(1, { id: 'b' })
  rig.read(0).answer([0, 1])
  t.same(rig.found, ['V9', 'V9'], 'the rig shows the last')
  const first = new Rig({ properties: { blindWrites: 'sibling' } })
  first.writeWell(0, { id: 'a' })
  first.writeWell(1, { id: 'b' })
  first.read(0).answer([0, 1], (honest) => {
    rig.read(0).answer([0, 1], (other) => ({ ...other, values: honest.values.slice(0, 1) }))
    return honest
  })
  t.same(rig.found, ['V9', 'V9'])
})

t.test('D1, D2: neither deletes nor what has expired is shown', async (t) => {
  const rig = new Rig()
  const soon = rig.env.clock.wall() + 5_000
  rig.write(0, { id: 'a', ttl: 5 }).mint({ expiry: soon }).deliver(1)
  for (const node of rig.nodes) node.sync()
  let shown: readonly unknown[] = []
  rig.read(0).answer([0, 1], (honest) => {
    shown = honest.values
    return honest
  })
  t.equal(shown.length, 1)
  rig.env.advance(5_000 as never)
  rig.read(0).answer([0, 1])
  t.same(rig.found, [])
  rig.read(0).answer([0, 1], (honest) => ({ ...honest, values: shown as never, etag: '"x"' }))
  t.same(rig.found, ['D2', 'V5'])
  rig.found.length = 0
  rig.writeWell(0, { id: 'b', operation: 'delete' })
  rig.read(0).answer([0, 1])
  t.same(rig.found, [])
  rig.read(0).answer([0, 1], (honest) => ({ ...honest, values: shown as never, etag: '"x"' }))
  t.ok(rig.found.length > 0, 'an overwritten value')
})

t.test('I6: what was overwritten is no sibling of what overwrote it', async (t) => {
  const rig = new Rig()
  const first = rig.writeWell(0, { id: 'a' })
  let old: readonly unknown[] = []
  rig.read(0).answer([0, 1], (honest) => {
    old = honest.values
    return honest
  })
  rig.writeWell(0, { id: 'b', context: first.token })
  rig.read(0).answer([0, 1], (honest) => ({
    ...honest,
    values: [...old, ...honest.values] as never,
  }))
  t.same(rig.found, ['I6'])
})

t.test('V5: a context stands for exactly what was shown', async (t) => {
  const rig = new Rig({ properties: { blindWrites: 'sibling' } })
  rig.writeWell(0, { id: 'a' })
  const lone = rig.write(1, { id: 'b' }).mint()
  rig.read(0, { r: 1 }).answer([0])
  t.same(rig.found, [])
  const version = rig.node(1).row()?.version as Buffer
  rig.read(0, { r: 1 }).answer([0], (honest) => ({ ...honest, context: rig.context(version) }))
  t.same(rig.found, ['V8'], 'a context that covers a value it does not show')
  lone.end({ kind: 'lost' })
})

t.test('Q4, Q2: receipts of reads add up', async (t) => {
  for (const receipt of [{ n: 2 }, { need: 1 }, { ack: 1 }, { ack: 3 }, { fallbacks: 1 }]) {
    const rig = new Rig()
    rig.writeWell(0, { id: 'a' })
    rig.read(0).answer([0, 1], (honest) => ({
      ...honest,
      receipt: { ...honest.receipt, ...receipt },
    }))
    t.ok(rig.found.length > 0, JSON.stringify(receipt))
  }
})

t.test('I13: requests end once and in time', async (t) => {
  const rig = new Rig()
  const write = rig.write(0, { id: 'a', timeout: 500 })
  rig.env.advance(1_400 as never)
  write.refuse('SHOAL_QUORUM_TIMEOUT')
  t.same(rig.found, [])
  write.refuse('SHOAL_QUORUM_TIMEOUT')
  t.same(rig.found, ['I13'], 'twice')
  const late = rig.write(0, { id: 'b', timeout: 500 })
  rig.env.advance(1_600 as never)
  late.refuse('SHOAL_QUORUM_TIMEOUT')
  t.same(rig.found, ['I13', 'I13'], 'late')
  rig.write(0, { id: 'c', timeout: 500 })
  rig.env.advance(1_600 as never)
  rig.checks.final()
  t.ok(rig.found.length > 2, 'never')
})

t.test('I13: a node that stands still is late by as much', async (t) => {
  const rig = new Rig()
  const write = rig.write(0, { id: 'a', timeout: 500 })
  const pause = { kind: 'pause', id: 'p', at: 0, node: 0, lasts: 60_000 } as const
  rig.checks.faultBegan(pause)
  rig.env.advance(60_000 as never)
  rig.checks.faultEnded(pause)
  rig.env.advance(1_000 as never)
  write.refuse('SHOAL_QUORUM_TIMEOUT')
  t.same(rig.found, [])
  const gone = rig.write(0, { id: 'b', timeout: 500 })
  rig.node(0).crash()
  rig.env.advance(9_000 as never)
  rig.checks.final()
  t.same(rig.found, [], 'of a process that is gone nothing ends')
  gone.end({ kind: 'lost' })
})

t.test('I12: after healing all copies are equal, and digests are those of the rows', async (t) => {
  const rig = new Rig()
  const write = rig.writeWell(0, { id: 'a', to: [1] })
  rig.checks.final()
  t.ok(rig.messages.some((message) => /differ after healing/.test(message)))
  t.ok(
    rig.messages.some((message) => /digest/.test(message)),
    'the rig has no digests',
  )
  mergeInto(rig.node(2), write.rowKey, { version: write.version, row: write.row })
  rig.node(2).sync()
  rig.found.length = 0
  rig.messages.length = 0
  rig.checks.final()
  t.notOk(rig.messages.some((message) => /differ after healing/.test(message)))
})

t.test('I3: an acknowledged write is lost only with all its copies', async (t) => {
  const rig = new Rig()
  const write = rig.writeWell(0, { id: 'a', to: [1] })
  for (const index of [0, 1]) {
    rig.node(index).disk.crash()
    rig.node(index).disk.wipe()
    rig.checks.wiped(asNode(rig.node(index)))
  }
  rig.checks.final()
  t.same(rig.found, [], 'both that had it were wiped')
  const other = new Rig()
  other.writeWell(0, { id: 'a', to: [1] })
  other.node(0).disk.crash()
  other.node(0).disk.wipe()
  other.checks.wiped(asNode(other.node(0)))
  const { store } = other.node(1)
  const batch = store.batch()
  batch.delete('rows', write.rowKey)
  batch.delete('versions', write.rowKey.subarray(8))
  store.write(batch)
  other.checks.final()
  t.ok(other.found.includes('D3'), 'a record was removed')
  t.ok(other.messages.some((message) => /it is gone/.test(message)))
})
