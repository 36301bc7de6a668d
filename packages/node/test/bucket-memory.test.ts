import { createTestEnv, millis } from '@shoal/kernel'
import { createMemoryDisk, createMemoryStore } from '@shoal/storage'
import t from 'tap'
import { readRememberedBuckets, rememberBuckets } from '../src/bucket-memory.ts'

const defaults = {
  n: 3,
  consistency: { level: 'quorum', strict: false },
  conflicts: 'siblings',
  blindWrites: 'overwrite',
  ttl: 0,
  maxSiblings: 50,
  mode: 'leaderless',
} as const

t.test('what a node knew of the buckets is there after the power was cut', async (t) => {
  const env = createTestEnv()
  const disk = createMemoryDisk()
  const store = createMemoryStore(env, { disk, syncLatency: millis(5) })
  t.equal(await readRememberedBuckets(store, defaults), undefined, 'a new disk knows nothing')
  const single = { ...defaults, n: 1 }
  const kept = rememberBuckets(store, new Map([['logs', single]]))
  env.advance(millis(10))
  await kept
  disk.crash()
  const later = createMemoryStore(env, { disk })
  t.same([...((await readRememberedBuckets(later, defaults)) ?? [])], [['logs', single]])
})
