import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { type CrashWorkload, type StorePlace, storeContract } from '../src/contract.ts'
import { openRocksStore } from '../src/rocksdb/rocks-store.ts'
import { storeOptions, temporaryFolder } from './support/place.ts'

const child = fileURLToPath(new URL('./support/crash-child.js', import.meta.url))

/** A process of its own is killed in the middle of the workload. */
async function killWriter(directory: string, workload: CrashWorkload): Promise<number> {
  const { batches, syncEvery } = workload
  const writer = spawn(process.execPath, [child, directory, String(batches), String(syncEvery)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let acknowledged = 0
  for await (const line of createInterface(writer.stdout)) {
    acknowledged = Number(line)
    if (acknowledged >= batches / 2) writer.kill('SIGKILL')
  }
  if (writer.exitCode === null && writer.signalCode === null) await once(writer, 'exit')
  return acknowledged
}

async function createPlace(): Promise<StorePlace> {
  const folder = await temporaryFolder()
  return {
    open: () => openRocksStore(storeOptions(folder.path)),
    crash: (workload) => killWriter(folder.path, workload),
    remove: folder.remove,
  }
}

// ST18: the same suite as for memory.
storeContract(t, createPlace)

t.test('compression can be switched between two runs', async (t) => {
  const folder = await temporaryFolder()
  t.teardown(folder.remove)
  for (const compression of [false, true, true, false]) {
    const store = await openRocksStore({ ...storeOptions(folder.path), compression })
    const batch = store.batch()
    batch.put('rows', Buffer.from(`row ${compression}`), Buffer.alloc(100_000, 'shoal'))
    store.write(batch)
    const [plain] = await store.getMany('rows', [Buffer.from('row false')])
    t.equal(plain?.length, 100_000)
    await store.close()
  }
})
