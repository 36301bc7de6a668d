import { createSeededRandom, createTestEnv, millis, seconds } from '@shoal/kernel'
import fc from 'fast-check'
import t from 'tap'
import type { MemoryCrash } from '../src/memory/memory-disk.ts'
import { createMemoryStore, type MemoryStore } from '../src/memory/memory-store.ts'
import { SortedColumn } from '../src/memory/sorted-column.ts'
import type { Store } from '../src/store.ts'

const SEED = 20_071_014
t.comment(`seed ${SEED}`)

const key = (text: string): Buffer => Buffer.from(text)

function put(store: Store, name: string, value: string): void {
  const batch = store.batch()
  batch.put('rows', key(name), key(value))
  store.write(batch)
}

async function names(store: Store): Promise<string[]> {
  const { rows } = await store.scan({ column: 'rows', limit: 1_000 })
  return rows.map((row) => `${row.key}=${row.value}`)
}

/** A store with `one` and `two` synced and three more batches not. */
async function halfSynced(): Promise<MemoryStore> {
  const store = createMemoryStore(createTestEnv())
  put(store, 'a', 'one')
  put(store, 'b', 'two')
  await store.sync()
  put(store, 'a', 'three')
  put(store, 'c', 'four')
  const batch = store.batch()
  batch.delete('rows', key('b'))
  batch.put('rows', key('d'), key('five'))
  store.write(batch)
  return store
}

async function afterCrash(crash: MemoryCrash): Promise<string[]> {
  const { disk } = await halfSynced()
  disk.crash(crash)
  return names(createMemoryStore(createTestEnv(), { disk }))
}

t.test('ST16 a crash leaves the synced layer and as much of the other as it is told', async (t) => {
  t.same(await afterCrash({}), ['a=one', 'b=two'])
  t.same(await afterCrash({ keepUnsynced: 1 }), ['a=three', 'b=two'])
  t.same(await afterCrash({ keepUnsynced: 2 }), ['a=three', 'b=two', 'c=four'])
  t.same(await afterCrash({ keepUnsynced: 'all' }), ['a=three', 'c=four', 'd=five'])
})

t.test(
  'ST16 chance leaves any number of batches from the front, or with holes any of them',
  async (t) => {
    const random = createSeededRandom(`crash ${SEED}`)
    const outcomes = async (crash: MemoryCrash): Promise<Set<string>> => {
      const found = new Set<string>()
      for (let run = 0; run < 60; run++) found.add((await afterCrash(crash)).join(' '))
      return found
    }
    t.equal((await outcomes({ keepUnsynced: 'random', random })).size, 4)
    t.equal((await outcomes({ holes: true, random })).size, 8)
  },
)

t.test('ST16 what survived a crash is on the platter: a second crash leaves it', async (t) => {
  const { disk } = await halfSynced()
  t.same(disk.crash({ keepUnsynced: 2 }), {
    kept: 2,
    lost: 1,
    survived: [true, true, false],
  })
  t.equal(disk.unsyncedBatches, 0)
  disk.crash()
  t.same(await names(createMemoryStore(createTestEnv(), { disk })), ['a=three', 'b=two', 'c=four'])
})

t.test('ST16 a dead store answers nothing it owed, and refuses what is new', async (t) => {
  const env = createTestEnv()
  const latency = millis(10)
  const store = createMemoryStore(env, { readLatency: latency, syncLatency: latency })
  put(store, 'a', 'one')
  let answered = 0
  const count = (): void => void answered++
  store.sync().then(count, count)
  store.getMany('rows', [key('a')]).then(count, count)
  store.disk.crash()
  env.advance(seconds(1))
  await store.close()
  t.equal(answered, 0)
  await t.rejects(store.sync(), { code: 'SHOAL_STORE_CLOSED' })
  const next = createMemoryStore(env, { disk: store.disk })
  await store.close()
  t.throws(() => createMemoryStore(env, { disk: store.disk }), { code: 'SHOAL_STORE_LOCKED' })
  t.same(await names(next), [])
})

t.test('ST6 a sync that takes time covers what was written before it, and no more', async (t) => {
  const env = createTestEnv({ seed: SEED })
  const store = createMemoryStore(env, { syncLatency: millis(10) })
  const done: string[] = []
  put(store, 'a', 'one')
  const first = store.sync().then(() => done.push('first'))
  put(store, 'b', 'two')
  const second = store.sync().then(() => done.push('second'))
  env.advance(millis(15))
  await first
  t.same(done, ['first'])
  t.equal(store.disk.unsyncedBatches, 1)
  env.advance(millis(15))
  await second
  t.same(done, ['first', 'second'])
})

t.test('ST8 a write or sync that is made to fail ends the store', async (t) => {
  const failed = { code: 'SHOAL_STORE_FAILED' }
  const writing = createMemoryStore(createTestEnv())
  writing.disk.failNextWrite()
  t.throws(() => put(writing, 'a', 'one'), failed)
  t.match(writing.failed, failed)
  await t.rejects(writing.getMany('rows', [key('a')]), failed)
  await t.rejects(writing.close(), failed)

  const syncing = createMemoryStore(createTestEnv())
  put(syncing, 'a', 'one')
  syncing.disk.failNextSync()
  await t.rejects(syncing.sync(), failed)
  t.throws(() => put(syncing, 'b', 'two'), failed)
  await t.rejects(syncing.close(), failed)
  const again = createMemoryStore(createTestEnv(), { disk: syncing.disk })
  t.same(await names(again), ['a=one'], 'it may or may not have reached the disk')
  t.equal(syncing.disk.unsyncedBatches, 1)
})

t.test('ST10 reads that are made to fail fail for that key, until it is written', async (t) => {
  const store = createMemoryStore(createTestEnv())
  put(store, 'a', 'one')
  put(store, 'b', 'two')
  store.disk.failRead('rows', key('a'))
  await t.rejects(store.getMany('rows', [key('b'), key('a')]), { code: 'SHOAL_ROW_DAMAGED' })
  await t.rejects(names(store), { code: 'SHOAL_ROW_DAMAGED' })
  t.equal(String((await store.getMany('rows', [key('b')]))[0]), 'two')
  put(store, 'a', 'three')
  t.same(await names(store), ['a=three', 'b=two'])
})

t.test(
  'ST11 a full disk takes nothing but housekeeping, and goes on when there is room',
  async (t) => {
    const store = createMemoryStore(createTestEnv())
    store.disk.setFull(true)
    t.equal(store.pressure().freeBytes, 0)
    t.throws(() => put(store, 'a', 'one'), { code: 'SHOAL_STORAGE_FULL' })
    const batch = store.batch()
    batch.put('meta', key('marker'), key('small'))
    store.write(batch)
    store.disk.setFull(false)
    put(store, 'b', 'two')
    t.same(await names(store), ['b=two'])
    t.equal(store.failed, undefined)
  },
)

t.test('ST12 pressure says what the disk was told to say', async (t) => {
  const store = createMemoryStore(createTestEnv())
  store.disk.setPressure({ stopped: true, levelZeroFiles: 20 })
  t.match(store.pressure(), { stopped: true, delayed: false, levelZeroFiles: 20, unsyncedBytes: 0 })
})

t.test('a value is corrupted in one bit, and only where there is one', async (t) => {
  const store = createMemoryStore(createTestEnv())
  const random = createSeededRandom(`rot ${SEED}`)
  put(store, 'a', 'value')
  put(store, 'empty', '')
  t.equal(store.disk.corrupt('rows', key('a'), random), true)
  t.equal(store.disk.corrupt('rows', key('empty'), random), false)
  t.equal(store.disk.corrupt('rows', key('nobody'), random), false)
  const [value] = await store.getMany('rows', [key('a')])
  const bits = [...(value as Buffer)].map((byte, index) => byte ^ (key('value')[index] as number))
  t.equal(bits.filter((byte) => byte !== 0).length, 1)
})

t.test('a column is a sorted map, however large', async (t) => {
  const operation = fc.tuple(fc.boolean(), fc.integer({ min: 0, max: 1_500 }))
  const property = fc.property(
    fc.array(operation, { maxLength: 3_000, size: 'max' }),
    fc.integer({ min: 0, max: 1_500 }),
    (operations, start) => {
      const column = new SortedColumn()
      const model = new Map<string, Buffer>()
      for (const [isPut, number] of operations) {
        const name = String(number)
        if (isPut) {
          const value = Buffer.from([number & 0xff])
          column.set(name, value)
          model.set(name, value)
        } else {
          column.delete(name)
          model.delete(name)
        }
      }
      const from = String(start)
      const expected = [...model.keys()].filter((name) => name >= from).sort()
      const found = [...column.entriesFrom(from)].map(([name]) => name)
      return column.size === model.size && found.join() === expected.join()
    },
  )
  fc.assert(property, { seed: SEED, numRuns: 60 })
  const column = new SortedColumn()
  for (let number = 0; number < 100_000; number++) {
    column.set(String((number * 7_919) % 100_003), Buffer.alloc(0))
  }
  let last = ''
  let count = 0
  for (const [name] of column.entriesFrom('')) {
    if (name < last) t.fail('out of order')
    last = name
    count++
  }
  t.equal(count, 100_000)
})

t.test('ST16 the platter is what a power cut would leave, key by key', async (t) => {
  const { disk } = await halfSynced()
  const platter = ['a', 'b', 'c', 'd'].map((name) => `${disk.durable('rows', key(name))}`)
  t.same(platter, ['one', 'two', 'undefined', 'undefined'])
  t.same(
    ['a', 'b'].map((name) => `${disk.current('rows', key(name))}`),
    ['three', 'undefined'],
  )
  disk.crash()
  const left = ['a', 'b', 'c', 'd'].map((name) => `${disk.current('rows', key(name))}`)
  t.same(left, platter)
})

t.test(
  'ST16 whoever watches a disk hears of batches, with what they replaced, and syncs',
  async (t) => {
    const env = createTestEnv()
    const store = createMemoryStore(env, { syncLatency: millis(1) })
    const heard: string[] = []
    store.disk.watch({
      wrote: ({ operations, replaced }) => {
        const texts = operations.map(({ key, value }, at) => `${key}: ${replaced[at]} to ${value}`)
        heard.push(texts.join(', '))
      },
      synced: (batches) => heard.push(`synced ${batches}`),
    })
    put(store, 'a', 'one')
    put(store, 'a', 'two')
    const syncing = store.sync()
    put(store, 'b', 'three')
    env.advance(millis(2))
    await syncing
    t.same(heard, ['a: undefined to one', 'a: one to two', 'b: undefined to three', 'synced 2'])
    store.disk.crash({ keepUnsynced: 'all' })
    t.equal(heard.length, 4, 'a crash is no write')
  },
)

t.test('ST16 a disk can be put back to an earlier moment, and be emptied', async (t) => {
  const { disk } = createMemoryStore(createTestEnv())
  disk.remember(10)
  for (const value of ['one', 'two', 'three']) {
    disk.crash()
    const store = createMemoryStore(createTestEnv(), { disk })
    put(store, 'a', value)
    await store.sync()
    put(store, 'b', value)
  }
  disk.crash({ keepUnsynced: 'all' })
  t.equal(disk.history.length, 4)
  disk.rollBack(2)
  const older = createMemoryStore(createTestEnv(), { disk })
  t.same(await names(older), ['a=two'], 'b of the first two lives was never on the platter')
  disk.crash()
  disk.rollBack(100)
  t.equal(disk.keyCount('rows'), 0, 'no further than is remembered')
  disk.wipe()
  t.equal(disk.history.length, 0)
  t.same(await names(createMemoryStore(createTestEnv(), { disk })), [])
})

t.test('ST16 a stale read gives the value before, until the next write', async (t) => {
  const { disk } = await halfSynced()
  disk.crash({ keepUnsynced: 'all' })
  const store = createMemoryStore(createTestEnv(), { disk })
  t.equal(disk.staleRead('rows', key('a')), false, 'nothing is remembered of it')
  put(store, 'a', 'four')
  t.ok(disk.staleRead('rows', key('a')))
  t.match(await names(store), ['a=three', 'c=four', 'd=five'])
  t.match(`${disk.current('rows', key('a'))}`, 'four')
  put(store, 'c', 'six')
  put(store, 'c', 'seven')
  t.ok(disk.staleRead('rows', key('c')))
  put(store, 'a', 'five')
  t.match(await names(store), ['a=five', 'c=six', 'd=five'])
  disk.freshReads()
  t.match(await names(store), ['a=five', 'c=seven', 'd=five'])
})

t.test('ST16 a misdirected write spoils another key and leaves its own as it was', async (t) => {
  const { disk } = await halfSynced()
  disk.crash()
  const store = createMemoryStore(createTestEnv(), { disk })
  const heard: string[] = []
  disk.watch({
    wrote: ({ replaced }) => heard.push(`wrote over ${replaced}`),
    misdirected: (_column, name, victim) => heard.push(`${name} to ${victim}`),
  })
  disk.misdirectNextWrite('rows', { below: (bound) => bound - 1, bytes: () => Buffer.alloc(0) })
  put(store, 'a', 'new')
  t.same(await names(store), ['a=one', 'b=new'])
  t.same(heard, ['wrote over one', 'a to b'], 'it is believed written')
  put(store, 'a', 'newer')
  t.same(await names(store), ['a=newer', 'b=new'], 'only one goes astray')
  disk.crash()
  t.same(await names(createMemoryStore(createTestEnv(), { disk })), ['a=one', 'b=two'])
})
