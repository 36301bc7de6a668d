import { createSeededRandom, createTestEnv, type Millis, millis } from '@shoal/kernel'
import t, { type Test } from 'tap'
import { crashWorkload, type StorePlace, storeContract } from '../src/contract.ts'
import { createMemoryDisk, createMemoryStore } from '../src/memory/memory-store.ts'
import { env as systemEnv } from './support/place.ts'

const SEED = 20_071_014

function place(latency: Millis): () => Promise<StorePlace> {
  return async () => {
    const disk = createMemoryDisk()
    const random = createSeededRandom(`contract ${SEED}`)
    const env = latency === 0 ? createTestEnv({ seed: SEED }) : systemEnv
    const open = async () =>
      createMemoryStore(env, { disk, readLatency: latency, syncLatency: latency })
    return {
      open,
      crash: async (workload) => {
        let acknowledged = 0
        const unsynced = { ...workload, batches: workload.batches - 1 }
        await crashWorkload(await open(), unsynced, (batches) => {
          acknowledged = batches
        })
        disk.crash({ keepUnsynced: 'random', random })
        return acknowledged
      },
      remove: async () => {},
    }
  }
}

// ST18: the same suite as for RocksDB.
t.comment(`seed ${SEED}`)
// Timers of an Env do not keep a process alive.
const alive = setInterval(() => {}, 1_000)
t.teardown(() => clearInterval(alive))
t.test('at once', async (t: Test) => storeContract(t, place(millis(0))))
t.test('with latency', async (t: Test) => storeContract(t, place(millis(1))))
