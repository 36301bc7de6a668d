import { emptyClock, raiseBase, versionClock } from '@shoal/causality'
import { createSeededRandom } from '@shoal/kernel'
import { rowKeyName } from '@shoal/ring'
import { encodeRow, rowBlocks } from '@shoal/storage'
import t from 'tap'
import type { SimNode } from '../src/cluster/sim-cluster.ts'
import { Rig } from './check-rig.ts'

t.test('I1: one dot has one value', async (t) => {
  const rig = new Rig()
  const write = rig.write(0, { id: 'a' }).mint()
  write.deliver(1)
  for (const node of rig.nodes) node.sync()
  t.same(rig.found, [], 'carried as it is, it is the same')
  const token = write.rowKey.readBigUInt64BE(0)
  const [block] = rowBlocks(write.row)
  const header = (block as Buffer).subarray(0, 41)
  const other = { header, contentType: 'text/plain', contentEncoding: '', body: Buffer.from('x') }
  const row = encodeRow(versionClock(write.version), [other], token)
  rig.node(2).keep(write.rowKey, { version: write.version, row })
  rig.node(2).sync()
  t.same(rig.found, ['I1'])
})

t.test('I2: an acknowledged write is on as many disks as its receipt says', async (t) => {
  const rig = new Rig()
  const write = rig.write(0, { id: 'a' }).mint()
  write.deliver(1)
  rig.node(0).sync()
  rig.node(1).sync()
  write.answer()
  t.same(rig.found, [], 'two disks and durable=2')

  const early = rig.write(0, { id: 'b' }).mint()
  early.deliver(1)
  rig.node(0).sync()
  early.answer()
  t.same(rig.found, ['I2'], 'the second has not synced')
})

t.test('I2: what was asked for in memory only need not be on disk', async (t) => {
  const rig = new Rig()
  rig.write(0, { id: 'a', durable: 0 }).mint().deliver(1).answer()
  t.same(rig.found, [])
  rig.write(0, { id: 'b', durable: 0 }).mint().answer()
  t.same(rig.found, ['I2'], 'two acknowledgements, and one node has it')
})

t.test('Q7: a write that cannot reach enough nodes is not written first', async (t) => {
  const rig = new Rig()
  rig.node(0).isAlone = true
  rig.write(0, { id: 'a' })
  t.same(rig.found, [], 'it may be taken, and refused')
  rig.write(0, { id: 'b' }).mint()
  t.same(rig.found, ['Q7'])
})

t.test('receipts add up', async (t) => {
  const wrong = [
    { ack: 1, primaries: 1 },
    { primaries: 1 },
    { n: 2 },
    { need: 1 },
    { durable: 3 },
    { durable: 1 },
  ]
  for (const receipt of wrong) {
    const rig = new Rig()
    rig.write(0, { id: 'a' }).mint().deliver(1).deliver(2)
    for (const node of rig.nodes) node.sync()
    const write = rig.write(0, { id: 'b' }).mint().deliver(1).deliver(2)
    for (const node of rig.nodes) node.sync()
    write.answer({ receipt })
    t.ok(rig.found.length > 0, JSON.stringify(receipt))
  }
})

t.test('I3: a replica does not forget what it knew', async (t) => {
  const rig = new Rig()
  const first = rig.writeWell(0, { id: 'a' })
  const second = rig.write(1, { id: 'b', context: first.token }).mint()
  t.same(rig.found, [])
  rig.node(1).keep(first.rowKey, { version: first.version, row: first.row })
  rig.node(1).sync()
  t.same(rig.found, ['I3'])
  t.match(rig.messages[0], /no longer knows/)
  second.answer({ receipt: { ack: 1 } })
})

t.test('I3: a value that nothing overwrote stays', async (t) => {
  const rig = new Rig({ properties: { blindWrites: 'sibling' } })
  rig.writeWell(0, { id: 'a' })
  const sibling = rig.write(0, { id: 'b' })
  sibling.mint({
    version: (honest) => {
      // The clock knows both, only the new one is kept.
      const clock = versionClock(honest)
      return Buffer.concat([clock, Buffer.from([0, 1]), honest.subarray(honest.length - 41)])
    },
  })
  t.ok(rig.found.includes('I3'), rig.messages.join('\n'))
})

t.test('I6: a value that something kept has seen is no sibling', async (t) => {
  const rig = new Rig()
  const first = rig.writeWell(0, { id: 'a' })
  rig.write(0, { id: 'b', context: first.token }).mint({
    version: (honest) => {
      const clock = versionClock(honest)
      const old = first.version.subarray(first.version.length - 41)
      const headers = [old, honest.subarray(honest.length - 41)]
      return Buffer.concat([clock, Buffer.from([0, 2]), ...headers])
    },
  })
  t.ok(rig.found.includes('I6'), rig.messages.join('\n'))
})

t.test('V3: a base above the write claims what does not exist yet', async (t) => {
  const rig = new Rig()
  rig.write(0, { id: 'a' }).mint({
    version: (honest) => {
      const wide = raiseBase(versionClock(honest), honest.subarray(4, 12), 2)
      return Buffer.concat([wide, honest.subarray(versionClock(honest).length)])
    },
  })
  t.ok(rig.found.includes('V3'), rig.messages.join('\n'))
})

t.test('V3: a write upon nothing denies what is there', async (t) => {
  const rig = new Rig()
  rig.writeWell(1, { id: 'a' })
  rig.write(0, { id: 'b' }).mint({ local: undefined })
  t.ok(rig.found.includes('V5'), rig.messages.join('\n'))
})

t.test('V3: a write drops no more than its context contains', async (t) => {
  const rig = new Rig()
  const first = rig.writeWell(0, { id: 'a' })
  rig.writeWell(1, { id: 'b', context: first.token })
  t.same(rig.found, [])
  // A stale context, and the node takes its own state instead.
  const stale = rig.write(0, { id: 'c', context: first.token })
  stale.mint({ context: undefined })
  t.ok(rig.found.includes('V3'), rig.messages.join('\n'))
})

t.test('V5: the answer to a write is its context and itself', async (t) => {
  const rig = new Rig()
  const first = rig.writeWell(0, { id: 'a' })
  const beside = rig.write(1, { id: 'b', context: first.token }).mint()
  const other = rig.write(0, { id: 'c', context: first.token }).mint().deliver(1)
  for (const node of rig.nodes) node.sync()
  const merged = rig.node(1).row()?.version ?? emptyClock
  t.same(rig.found, [])
  beside.answer({ context: rig.context(merged), receipt: { ack: 1 } })
  t.ok(rig.found.includes('V5'), 'it claims the sibling too')
  other.deliver(2)
})

t.test('V6: contexts of another key and of nobody are refused', async (t) => {
  const rig = new Rig()
  const other = rig.writeWell(0, { id: 'a', key: 'other' })
  rig.write(0, { id: 'b', context: other.token }).refuse('SHOAL_CONTEXT_FOREIGN')
  rig.write(0, { id: 'c', context: `${other.token}x` }).refuse('SHOAL_CONTEXT_INVALID')
  t.same(rig.found, [])
  const foreign = rig.write(0, { id: 'd', context: other.token })
  foreign.mint({ context: emptyClock }).deliver(1)
  t.ok(rig.found.includes('V6'))
  const corrupt = new Rig()
  const taken = corrupt.write(0, { id: 'e', context: `${other.token.slice(0, -1)}_` })
  taken.mint({ context: emptyClock }).deliver(1)
  for (const node of corrupt.nodes) node.sync()
  taken.answer()
  t.ok(corrupt.found.includes('V6'))
})

t.test('V7, D1: blind writes are refused where a bucket says so', async (t) => {
  const rejecting = new Rig({ properties: { blindWrites: 'reject' } })
  rejecting.write(0, { id: 'a' }).refuse('SHOAL_CONTEXT_REQUIRED')
  t.same(rejecting.found, [])
  rejecting.writeWell(0, { id: 'b' })
  t.same(rejecting.found, ['V7'])
  const siblings = new Rig({ properties: { blindWrites: 'sibling' } })
  siblings.writeWell(0, { id: 'a' })
  siblings.writeWell(0, { id: 'b' })
  t.same(siblings.found, [])
  siblings.writeWell(0, { id: 'c', operation: 'delete' })
  t.same(siblings.found, ['D1'])
})

t.test('V8: no client makes more siblings than allowed', async (t) => {
  const rig = new Rig({ properties: { blindWrites: 'sibling', maxSiblings: 2 } })
  rig.writeWell(0, { id: 'a' })
  rig.writeWell(0, { id: 'b' })
  t.same(rig.found, [])
  rig.writeWell(0, { id: 'c' })
  t.same(rig.found, ['V8'])
})

t.test('V10: a retry through the same coordinator writes nothing new', async (t) => {
  const rig = new Rig()
  const first = rig.write(0, { id: 'a' }).mint()
  first.end({ kind: 'lost' })
  t.same(rig.found, [])
  rig.write(0, { id: 'a', attempt: 1 }).mint()
  t.same(rig.found, ['V10'])
})

t.test('V10: a retry writes again where both records of the first try were lost', async (t) => {
  const foundAfter = (damaged: readonly ('rows' | 'versions')[]): readonly string[] => {
    const rig = new Rig()
    const first = rig.write(0, { id: 'a' }).mint()
    first.end({ kind: 'lost' })
    const node = rig.node(0)
    node.sync()
    for (const column of damaged) {
      const at = column === 'rows' ? first.rowKey : rowKeyName(first.rowKey)
      node.disk.corrupt(column, at, createSeededRandom('bit'))
      const damage = { kind: 'changed', column, key: at.toString('latin1') } as const
      rig.checks.damaged(node as unknown as SimNode, damage)
    }
    rig.write(0, { id: 'a', attempt: 1 }).mint()
    return rig.found
  }
  t.ok(foundAfter(['rows']).includes('V10'), 'its version record still knows')
  t.ok(foundAfter(['versions']).includes('V10'), 'its row still knows')
  t.notOk(foundAfter(['rows', 'versions']).includes('V10'))
})

t.test('V10: a retry elsewhere may make a twin, but not where the first is known', async (t) => {
  const rig = new Rig({ properties: { blindWrites: 'sibling' } })
  const first = rig.write(0, { id: 'a' }).mint()
  first.end({ kind: 'lost' })
  rig.write(1, { id: 'a', attempt: 1 }).mint().end({ kind: 'lost' })
  t.same(rig.found, [], 'node 1 could not know')
  first.deliver(2)
  rig.write(2, { id: 'a', attempt: 2 }).mint()
  t.same(rig.found, ['V10'])
})

t.test('I11: an actor never issues a counter again', async (t) => {
  const rig = new Rig()
  rig.write(0, { id: 'a' }).mint()
  rig.write(0, { id: 'b', key: 'l' }).mint()
  t.same(
    rig.found.filter((rule) => rule === 'I11'),
    [],
  )
  rig.write(0, { id: 'c' }).mint({ local: undefined, counter: 1, unwritten: true })
  t.ok(rig.found.includes('I11'))
})

t.test('A2: an actor does not outlive an unclean stop', async (t) => {
  const clean = new Rig()
  clean.writeWell(0, { id: 'a' })
  clean.node(0).crash()
  clean.writeWell(0, { id: 'b' })
  t.same(clean.messages, [])
  const rig = new Rig()
  rig.writeWell(0, { id: 'a' })
  rig.node(0).crash({ keepsActor: true })
  rig.write(0, { id: 'b' }).mint()
  t.same(rig.found, ['A2'])
})

t.test('Q7: what was refused as not applied is nowhere, now and later', async (t) => {
  const rig = new Rig()
  rig.write(0, { id: 'a' }).refuse('SHOAL_QUORUM_UNREACHABLE')
  rig.write(0, { id: 'b' }).mint().refuse('SHOAL_QUORUM_TIMEOUT')
  t.same(rig.found, [], 'a deadline leaves it open')
  const now = rig.write(0, { id: 'c' }).mint()
  now.refuse('SHOAL_OVERLOADED')
  t.same(rig.found, ['Q7'])
  const later = rig.write(0, { id: 'd' })
  later.end({ kind: 'unsent' })
  later.mint()
  t.same(rig.found, ['Q7', 'Q7'])
})

t.test('I5: what is written is what was asked for', async (t) => {
  const rig = new Rig()
  rig.write(0, { id: 'a' }).mint({ body: Buffer.from('something else') })
  t.ok(rig.found.includes('I5'))
  const other = new Rig()
  other.write(0, { id: 'a', ttl: 5 }).mint()
  t.ok(other.found.includes('D2'), 'a value with a life expires')
})

t.test('V11: nothing damaged is written', async (t) => {
  const rig = new Rig()
  const write = rig.write(0, { id: 'a' }).mint()
  const row = Buffer.from(write.row)
  row[row.length - 1] = (row[row.length - 1] as number) ^ 1
  rig.node(1).keep(write.rowKey, { version: write.version, row })
  rig.node(1).sync()
  t.same(rig.found, ['V11'])
})

t.test('rows and versions go together', async (t) => {
  const rig = new Rig()
  const first = rig.writeWell(0, { id: 'a' })
  const second = rig.writeWell(0, { id: 'b' })
  rig.node(1).keep(first.rowKey, { version: second.version, row: first.row })
  rig.node(1).sync()
  t.same(rig.found, ['white box'])
  const { store } = rig.node(2)
  const batch = store.batch()
  batch.put('rows', first.rowKey, first.row)
  store.write(batch)
  batch.clear()
  batch.delete('versions', rowKeyName(first.rowKey))
  store.write(batch)
  rig.node(2).sync()
  t.same(rig.found, ['white box', 'white box', 'D3'])
})
