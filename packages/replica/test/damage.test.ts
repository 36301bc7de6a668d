import { makeRowKey, partitionOfRowKey } from '@shoal/ring'
import { readLossNotes } from '@shoal/storage'
import t from 'tap'
import { suspectKey } from '../src/digest-journal.ts'
import {
  digestsHold,
  merge,
  open,
  PARTITIONS,
  put,
  read,
  reopen,
  rowOf,
  settle,
  values,
} from './support/opened.ts'

t.test(
  'a damaged row is not served, and a heal puts a sound copy in its place (P10)',
  async (t) => {
    const node = await open()
    const { written } = await put(node, 'k', 'v')
    const row = Buffer.from(rowOf(written, 'k'))
    node.disk.corrupt('rows', makeRowKey('b', 'k'), node.env.random('rot'))
    t.equal(await read(node, 'k'), 'SHOAL_ROW_DAMAGED')
    t.same(node.told, ['damaged b\0k'], 'and it is told of')
    t.equal(await merge(node, 'k', row), 'durable', 'an equal version alone does not notice')
    t.equal(await read(node, 'k'), 'SHOAL_ROW_DAMAGED')
    t.equal(await merge(node, 'k', row, { heal: true }), 'durable')
    t.same(await values(node, 'k'), ['v'])
  },
)

t.test(
  'a key whose version record is damaged too is refused, then healed under a new actor (P10)',
  async (t) => {
    const node = await open()
    const { written } = await put(node, 'k', 'v')
    const row = Buffer.from(rowOf(written, 'k'))
    const after = await reopen(node)
    after.disk.corrupt('rows', makeRowKey('b', 'k'), after.env.random('rot'))
    after.disk.corrupt('versions', makeRowKey('b', 'k').subarray(8), after.env.random('rot'))
    t.equal((await put(after, 'k', 'w')).refused, 'SHOAL_ROW_DAMAGED')
    t.equal(await merge(after, 'k', row, { heal: true }), 'durable')
    t.same(await values(after, 'k'), ['v'])
    const next = await put(after, 'k', 'w')
    t.notSame(next.written?.actor, written?.actor)
    t.ok(await digestsHold(after))
    const partition = partitionOfRowKey(makeRowKey('b', 'k'), PARTITIONS)
    t.same(after.told, ['damaged b\0k', `forgotten ${partition}`])
    const notes = await settle(after.env, readLossNotes(after.store))
    t.same(notes, { all: false, partitions: [partition] }, 'a crash leaves what was lost (Q6)')
  },
)

t.test('a damaged copy never forgets: less is refused, all it knew mends it (P10)', async (t) => {
  const node = await open()
  const older = Buffer.from(rowOf((await put(node, 'k', 'v')).written, 'k'))
  await put(node, 'k', 'only here')
  node.disk.corrupt('rows', makeRowKey('b', 'k'), node.env.random('rot'))
  t.equal(await merge(node, 'k', older, { heal: true }), 'SHOAL_ROW_DAMAGED')
  t.same(await put(node, 'k', 'beside', { blind: 'sibling' }), {
    refused: 'SHOAL_ROW_DAMAGED',
    durable: false,
  })
  t.ok((await put(node, 'k', 'instead')).durable, 'a write that replaces everything needs no row')
  t.same(await values(node, 'k'), ['instead'])
})

t.test('a rebuild counts a damaged row with its version, as its repair does (E1)', async (t) => {
  const node = await open()
  const { written } = await put(node, 'k', 'v')
  const row = Buffer.from(rowOf(written, 'k'))
  const rowKey = makeRowKey('b', 'k')
  const doubt = node.store.batch()
  doubt.put('digests', suspectKey(partitionOfRowKey(rowKey, PARTITIONS)), Buffer.alloc(0))
  node.store.write(doubt)
  node.disk.corrupt('rows', rowKey, node.env.random('rot'))
  const after = await reopen(node)
  t.equal(await merge(after, 'k', row, { heal: true }), 'durable')
  t.ok(await digestsHold(after))
})

t.test('one damaged block refuses its own key, not the group it is in (P10)', async (t) => {
  const node = await open()
  for (const key of ['a', 'b', 'c']) await put(node, key, 'v')
  const after = await reopen(node)
  after.disk.failRead('versions', makeRowKey('b', 'b').subarray(8), 'SHOAL_ROW_DAMAGED')
  after.disk.failRead('rows', makeRowKey('b', 'b'), 'SHOAL_ROW_DAMAGED')
  const results = await Promise.all(['a', 'b', 'c'].map((key) => put(after, key, 'w')))
  t.same(
    results.map(({ refused }) => refused),
    [undefined, 'SHOAL_ROW_DAMAGED', undefined],
  )
  t.equal(await read(after, 'b'), 'SHOAL_ROW_DAMAGED')
})

t.test(
  'a block that cannot be listed does not stop a node that rebuilds digests (E1)',
  async (t) => {
    const node = await open()
    const [lost, bad, sound] = keysOfOnePartition(3) as [string, string, string]
    for (const key of [lost, bad, sound]) await put(node, key, 'v')
    const row = Buffer.from(rowOf((await put(node, lost, 'w')).written, lost))
    const after = await reopen(node)
    after.disk.corrupt('rows', makeRowKey('b', lost), after.env.random('rot'))
    after.disk.corrupt('versions', makeRowKey('b', lost).subarray(8), after.env.random('rot'))
    after.disk.failRead('rows', makeRowKey('b', bad), 'SHOAL_ROW_DAMAGED')
    t.equal(await merge(after, lost, row, { heal: true }), 'durable')
    t.ok((await put(after, sound, 'w')).durable, 'the partition is still written to')
    t.ok((await put(after, 'another partition, perhaps', 'w')).durable)

    const again = await reopen(after)
    t.same(await values(again, sound), ['w'], 'and it starts from such a disk')
    t.equal(await read(again, bad), 'SHOAL_ROW_DAMAGED')
    again.disk.allowRead('rows', makeRowKey('b', bad))
    t.ok(await digestsHold(await reopen(again)), 'the doubt lasts until the disk can be read')
  },
)

t.test('a rebuild and the repairs behind it count a key once, cached or not (E1)', async (t) => {
  const node = await open()
  const [forgotten, cached] = keysOfOnePartition(2) as [string, string]
  const rows = new Map<string, Buffer>()
  for (const key of [forgotten, cached]) {
    rows.set(key, Buffer.from(rowOf((await put(node, key, 'v')).written, key)))
  }
  const after = await reopen(node)
  t.ok((await put(after, cached, 'w')).durable, 'its version is in memory')
  rows.set(cached, Buffer.from((await read(after, cached)) as Buffer))
  for (const key of [forgotten, cached]) {
    after.disk.corrupt('rows', makeRowKey('b', key), after.env.random('rot'))
    after.disk.corrupt('versions', makeRowKey('b', key).subarray(8), after.env.random('rot'))
  }
  for (const [key, row] of rows) t.equal(await merge(after, key, row, { heal: true }), 'durable')
  t.ok(await digestsHold(after))
})

t.test('a retry is no repetition of a try that damage has taken away (V10)', async (t) => {
  const node = await open(undefined, 1, { versionCacheBytes: 0 })
  const first = Buffer.from(rowOf((await put(node, 'k', 'first')).written, 'k'))
  const request = Buffer.from('request1')
  t.ok((await put(node, 'k', 'second', { request })).durable)
  t.equal((await put(node, 'k', 'second', { request })).written?.repeated, true)
  node.disk.corrupt('rows', makeRowKey('b', 'k'), node.env.random('rot'))
  node.disk.corrupt('versions', makeRowKey('b', 'k').subarray(8), node.env.random('rot'))
  t.equal(await merge(node, 'k', first, { heal: true }), 'durable')
  const retry = await put(node, 'k', 'second', { request })
  t.equal(retry.written?.repeated, false)
  t.same(await values(node, 'k'), ['second'])
})

t.test('a listing shows a key whose record is damaged while its row is whole (V11)', async (t) => {
  const node = await open()
  for (const key of ['a', 'b', 'c']) await put(node, key, 'v')
  const list = async (): Promise<string[]> => {
    const partitions = Buffer.alloc(PARTITIONS / 8, 0xff)
    const request = { bucket: 'b', prefix: '', after: '', limit: 10, partitions }
    const { entries } = await settle(node.env, node.replica.list(request))
    return entries.map(({ key }) => key)
  }
  node.disk.corrupt('versions', makeRowKey('b', 'b').subarray(8), node.env.random('rot'))
  t.same(await list(), ['a', 'b', 'c'])
  t.same(node.told, ['damaged b\0b'], 'and somebody mends it')
  node.disk.corrupt('rows', makeRowKey('b', 'b'), node.env.random('rot'))
  t.same(await list(), ['a', 'c'], 'what is beyond reading does not hide the rest')
})

function keysOfOnePartition(count: number): string[] {
  const partitionOf = (key: string): number => partitionOfRowKey(makeRowKey('b', key), PARTITIONS)
  const keys = Array.from({ length: 100 }, (_none, index) => `key ${index}`)
  return keys.filter((key) => partitionOf(key) === partitionOf('key 0')).slice(0, count)
}
