import { createTestEnv } from '@shoal/kernel'
import t from 'tap'
import { leaveCleanMarker, takeCleanMarker } from '../src/clean-marker.ts'
import { createMemoryDisk, createMemoryStore } from '../src/memory/memory-store.ts'
import { openRocksStore } from '../src/rocksdb/rocks-store.ts'
import { storeOptions, temporaryFolder } from './support/place.ts'

t.test('ST17 the marker of a clean stop is found once', async (t) => {
  const folder = await temporaryFolder()
  t.teardown(folder.remove)
  const first = await openRocksStore(storeOptions(folder.path))
  t.equal(await takeCleanMarker(first), undefined, 'a new directory has none')
  await leaveCleanMarker(first, Buffer.from('counters'))
  await first.close()
  const second = await openRocksStore(storeOptions(folder.path))
  t.equal(String(await takeCleanMarker(second)), 'counters')
  t.equal(await takeCleanMarker(second), undefined)
  await second.close()
})

t.test('ST17 it is gone from the disk before anyone acts on it', async (t) => {
  const disk = createMemoryDisk()
  const open = () => createMemoryStore(createTestEnv(), { disk })
  const first = open()
  await leaveCleanMarker(first, Buffer.alloc(0))
  await first.close()
  t.same(await takeCleanMarker(open()), Buffer.alloc(0), 'an empty marker is a marker')
  disk.crash()
  t.equal(await takeCleanMarker(open()), undefined)
})

t.test('ST17 it is on the disk only with everything that was written before it', async (t) => {
  const disk = createMemoryDisk()
  const store = createMemoryStore(createTestEnv(), { disk })
  const batch = store.batch()
  batch.put('rows', Buffer.from('k'), Buffer.from('v'))
  store.write(batch)
  await leaveCleanMarker(store, Buffer.from('marker'))
  disk.crash()
  const again = createMemoryStore(createTestEnv(), { disk })
  t.equal(String((await again.getMany('rows', [Buffer.from('k')]))[0]), 'v')
  t.equal(String(await takeCleanMarker(again)), 'marker')
})
