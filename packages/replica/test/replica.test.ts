import {
  clockEntries,
  compareClocks,
  emptyClock,
  liveCount,
  versionClock,
  visibleCount,
} from '@shoal/causality'
import { makeRowKey, partitionOfRowKey, segmentOfRowKey } from '@shoal/ring'
import { createMemoryDisk, rowVersion } from '@shoal/storage'
import fc from 'fast-check'
import t from 'tap'
import {
  digestsHold,
  merge,
  type Opened,
  open,
  PARTITIONS,
  put,
  read,
  reopen,
  rowOf,
  settle,
  values,
} from './support/opened.ts'

t.test('a put is written, then durable, and can be read (P3)', async (t) => {
  const node = await open()
  const result = await put(node, 'k', 'v')
  t.ok(result.durable)
  t.same(await values(node, 'k'), ['v'])
  t.equal(await read(node, 'other'), undefined)
})

t.test(
  'a second put replaces the first where nobody else wrote, and keeps what its context lacks',
  async (t) => {
    const node = await open()
    const first = await put(node, 'k', 'one')
    await put(node, 'k', 'two')
    t.same(await values(node, 'k'), ['two'])
    await put(node, 'k', 'three', { context: first.written?.context })
    t.same(await values(node, 'k'), ['three', 'two'], 'the context had seen one, not two')
  },
)

t.test('operations on one key in one group see each other', async (t) => {
  const node = await open()
  const results = await Promise.all([
    put(node, 'k', 'a', { blind: 'sibling' }),
    put(node, 'k', 'b', { blind: 'sibling' }),
    put(node, 'k', 'c', { blind: 'sibling' }),
  ])
  t.equal(node.replica.figures().groups, 1)
  t.same(await values(node, 'k'), ['a', 'b', 'c'])
  t.same(
    results.map(({ written }) => liveCount(written?.version ?? Buffer.alloc(6))),
    [1, 2, 3],
  )
})

t.test('rows merge both ways to equal bytes, values included (V2)', async (t) => {
  const [left, right] = [await open(createMemoryDisk(), 1), await open(createMemoryDisk(), 2)]
  const onLeft = await put(left, 'k', 'left')
  const onRight = await put(right, 'k', 'right')
  t.equal(await merge(left, 'k', rowOf(onRight.written, 'k')), 'durable')
  t.equal(await merge(right, 'k', rowOf(onLeft.written, 'k')), 'durable')
  t.same(await values(left, 'k'), ['left', 'right'])
  t.same(await read(left, 'k'), await read(right, 'k'))
})

t.test('after a clean stop the actor goes on; after a crash it is new (P2)', async (t) => {
  const first = await open()
  const before = await put(first, 'k', 'v1')
  await settle(first.env, first.replica.close())
  await settle(first.env, first.store.close())
  const second = await open(first.disk, 2)
  t.ok(second.replica.wasClean)
  const after = await put(second, 'k', 'v2')
  t.same(after.written?.actor, before.written?.actor)
  t.equal(after.written?.counter, 2)
  first.disk.crash({ keepUnsynced: 'all' })
  const third = await open(first.disk, 3)
  t.notOk(third.replica.wasClean, 'the marker was taken at the second start')
  const fresh = await put(third, 'k', 'v3')
  t.notSame(fresh.written?.actor, before.written?.actor)
  t.equal(fresh.written?.counter, 1)
})

t.test('a clock that shows our own actor ahead of us makes us somebody else (P2)', async (t) => {
  // Two nodes from one disk image, as after a restored backup: same seed, same actor.
  const original = await open(createMemoryDisk(), 1)
  const restored = await open(createMemoryDisk(), 1)
  const place = (key: string) => partitionOfRowKey(makeRowKey('b', key), PARTITIONS)
  const other = Array.from({ length: 99 }, (_none, index) => `k${index}`).find(
    (key) => place(key) === place('k'),
  )
  const first = await put(restored, 'k', 'v1')
  await put(original, 'k', 'v1')
  const later = await put(original, other ?? '', 'v2')
  t.same(later.written?.actor, first.written?.actor, 'they take themselves for the same writer')
  await merge(restored, other ?? '', rowOf(later.written, other ?? ''))
  const next = await put(restored, 'k', 'v3')
  t.notSame(next.written?.actor, first.written?.actor)
  t.ok(restored.told.includes(`older disk ${place('k')}`), 'and says what that is a sign of (Q6)')
})

t.test('a context or a session that does so tells as much (P2)', async (t) => {
  for (const how of ['context', 'seen'] as const) {
    const original = await open(createMemoryDisk(), 1)
    const restored = await open(createMemoryDisk(), 1)
    const first = await put(restored, 'k', 'v1')
    await put(original, 'k', 'v1')
    const later = await put(original, 'k', 'v2')
    t.same(later.written?.actor, first.written?.actor, 'they take themselves for the same writer')
    // A client that has seen the later write turns to the restored node.
    const next = await put(restored, 'k', 'v3', { [how]: later.written?.context })
    t.notSame(next.written?.actor, first.written?.actor, how)
    t.same(next.written?.counter, 1)
  }
})

t.test(
  'acknowledged writes survive any crash, and digests are those of the rows (P4, P6)',
  async () => {
    const step = fc.record({
      key: fc.integer({ min: 0, max: 12 }),
      value: fc.string({ maxLength: 20 }),
      durable: fc.boolean(),
    })
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 1, maxLength: 40 }),
        fc.integer({ min: 0, max: 20 }),
        fc.boolean(),
        async (steps, keepUnsynced, holes) => {
          const node = await open()
          const acknowledged = new Map<string, string>()
          const unsynced = new Set<string>()
          for (const { key, value, durable } of steps) {
            const name = `key ${key}`
            await put(node, name, value, { durable })
            if (durable) {
              // A sync covers everything written before it.
              unsynced.clear()
              acknowledged.set(name, value)
            } else {
              unsynced.add(name)
              acknowledged.delete(name)
            }
          }
          const random = node.env.random('crash')
          node.disk.crash(holes ? { keepUnsynced: 'random', holes, random } : { keepUnsynced })
          const after = await open(node.disk, 2)
          for (const [name, value] of acknowledged) {
            if (!(await values(after, name)).includes(value)) return false
          }
          return digestsHold(after)
        },
      ),
      { seed: 20_071_014, numRuns: 60 },
    )
  },
)

t.test('a read error refuses the write and changes nothing (P5)', async (t) => {
  const node = await open()
  await put(node, 'k', 'v')
  const fresh = await reopen(node)
  fresh.disk.failRead('versions', makeRowKey('b', 'k').subarray(8), 'SHOAL_STORE_FAILED')
  const refused = await put(fresh, 'k', 'w')
  t.equal(refused.refused, 'SHOAL_STORE_FAILED')
  t.same(await values(fresh, 'k'), ['v'])
})

t.test('a full disk refuses the group and leaves everything as it was (P9)', async (t) => {
  const node = await open()
  await put(node, 'k', 'v')
  const before = node.replica.segmentDigest(
    partitionOfRowKey(makeRowKey('b', 'k'), PARTITIONS),
    segmentOfRowKey(makeRowKey('b', 'k'), PARTITIONS),
  )
  node.disk.setFull(true)
  t.equal((await put(node, 'k', 'w')).refused, 'SHOAL_STORAGE_FULL')
  node.disk.setFull(false)
  t.same(await values(node, 'k'), ['v'])
  t.equal(
    node.replica.segmentDigest(
      partitionOfRowKey(makeRowKey('b', 'k'), PARTITIONS),
      segmentOfRowKey(makeRowKey('b', 'k'), PARTITIONS),
    ),
    before,
  )
  t.ok((await put(node, 'k', 'x')).durable, 'and it takes writes again when there is room')
})

t.test('a repeated request keeps its dot, and another body under it is refused (P8)', async (t) => {
  const node = await open()
  const request = Buffer.from('8 bytes!')
  const first = await put(node, 'k', 'v', { request })
  const again = await put(node, 'k', 'v', { request })
  t.equal(again.written?.repeated, true)
  t.equal(again.written?.counter, first.written?.counter)
  t.equal((await put(node, 'k', 'w', { request })).refused, 'SHOAL_IDEMPOTENCY_KEY_REUSED')
  const later = await reopen(node)
  const afterRestart = await put(later, 'k', 'v', { request })
  t.equal(afterRestart.written?.counter, first.written?.counter, 'the live value carries it too')
})

t.test('a request and its retry in one group keep one dot (P8)', async (t) => {
  const node = await open()
  const request = Buffer.from('8 bytes!')
  // As they stand after a pause: both tries, and between them a write that replaces the first.
  const [first, , again] = await Promise.all([
    put(node, 'k', 'v', { request }),
    put(node, 'k', 'w'),
    put(node, 'k', 'v', { request }),
  ])
  t.equal(again?.written?.repeated, true)
  t.equal(again?.written?.counter, first?.written?.counter)
  t.same(await values(node, 'k'), ['w'])
})

t.test('a request that a full disk refused is not remembered (P8, P9)', async (t) => {
  const node = await open()
  const request = Buffer.from('8 bytes!')
  await put(node, 'k', 'u')
  node.disk.setFull(true)
  t.equal((await put(node, 'k', 'v', { request })).refused, 'SHOAL_STORAGE_FULL')
  node.disk.setFull(false)
  t.equal((await put(node, 'k', 'v', { request })).written?.repeated, false)
  t.same(await values(node, 'k'), ['v'])
})

t.test('a repeated request answers what its first try had seen, or less (P8, V5)', async (t) => {
  const node = await open()
  const request = Buffer.from('8 bytes!')
  await put(node, 'k', 'u')
  const first = await put(node, 'k', 'v', { request })
  const again = await put(node, 'k', 'v', { request })
  t.same(again.written?.context, first.written?.context, 'the value it replaced included')
  await put(node, 'k', 'w', { blind: 'sibling' })
  const later = await put(node, 'k', 'v', { request })
  t.equal(clockEntries(later.written?.context ?? emptyClock).length, 1)
  t.equal(
    compareClocks(later.written?.context ?? emptyClock, 0, first.written?.context ?? emptyClock, 0),
    'before',
    'a value that stands beside it was not seen by it',
  )
})

t.test('a repeated request does not answer what its own check has read (P8, V5)', async (t) => {
  const node = await open()
  const request = Buffer.from('8 bytes!')
  const first = await put(node, 'k', 'v', { request })
  const beside = await put(node, 'k', 'w', { blind: 'sibling' })
  const state = versionClock(beside.written?.version ?? emptyClock)
  const again = await put(node, 'k', 'v', { request, context: state, checked: state })
  t.equal(again.written?.counter, first.written?.counter)
  const answered = again.written?.context ?? emptyClock
  t.equal(compareClocks(answered, 0, state, 0), 'before', 'w came after its first try')
})

t.test('a digest is put right only while it is what was compared (E4)', async (t) => {
  const node = await open()
  await put(node, 'k', 'v')
  const rowKey = makeRowKey('b', 'k')
  const partition = partitionOfRowKey(rowKey, PARTITIONS)
  const segment = segmentOfRowKey(rowKey, PARTITIONS)
  const kept = node.replica.segmentDigest(partition, segment)
  const correct = (to: Opened, from: bigint, rebuilt: bigint): Promise<number> =>
    settle(to.env, to.replica.correctDigests(partition, [{ segment, kept: from, rebuilt }]))
  t.equal(await correct(node, kept, kept ^ 5n), 1)
  t.equal(node.replica.segmentDigest(partition, segment), kept ^ 5n)
  node.disk.crash({ keepUnsynced: 0 })
  const after = await open(node.disk, 9)
  t.equal(after.replica.segmentDigest(partition, segment), kept ^ 5n, 'durable when it is told')
  t.equal(await correct(after, kept, 1n), 0, 'it has changed since then')
  t.equal(await correct(after, kept ^ 5n, kept), 1)
  t.ok(await digestsHold(after))
})

t.test('keys that are deleted and kept are counted, over a clean stop too (D3)', async (t) => {
  const node = await open()
  const counted = ({ replica }: Opened): number => replica.figures().tombstones
  for (const key of ['a', 'b', 'c']) await put(node, key, 'v')
  for (const key of ['a', 'b', 'b', 'new']) await put(node, key, '', { tombstone: true })
  t.equal(counted(node), 3, 'each key once, whether it held anything before or not')
  await put(node, 'a', 'back')
  t.equal(counted(node), 2)
  await put(node, 'b', 'beside', { blind: 'sibling' })
  t.equal(counted(node), 1, 'a key with a live value is not deleted')
  const after = await reopen(node)
  t.equal(counted(after), 1)
  const partition = partitionOfRowKey(makeRowKey('b', 'new'), PARTITIONS)
  after.replica.countedTombstones(partition, 7)
  t.equal(counted(after), 7, 'a scrub knows better')
})

t.test('siblings are refused at their limit, merges never are (V8)', async (t) => {
  const [left, right] = [await open(createMemoryDisk(), 1), await open(createMemoryDisk(), 2)]
  for (const value of ['a', 'b']) await put(left, 'k', value, { blind: 'sibling', siblingsMax: 2 })
  const refused = await put(left, 'k', 'c', { blind: 'sibling', siblingsMax: 2 })
  t.equal(refused.refused, 'SHOAL_SIBLINGS_FULL')
  const other = await put(right, 'k', 'd')
  t.equal(await merge(left, 'k', rowOf(other.written, 'k')), 'durable')
  const row = (await read(left, 'k')) as Buffer
  t.equal(visibleCount(rowVersion(row), 0), 3)
})
