/** Writes until it is killed. Arguments: directory, batches, sync every. Prints what is durable. */
import { writeSync } from 'node:fs'
import { crashWorkload } from '../../src/contract.ts'
import { openRocksStore } from '../../src/rocksdb/rocks-store.ts'
import { storeOptions } from './place.ts'

const [directory, batches, syncEvery] = process.argv.slice(2)
const store = await openRocksStore(storeOptions(directory as string))
await crashWorkload(store, { batches: Number(batches), syncEvery: Number(syncEvery) }, (count) => {
  writeSync(1, `${count}\n`)
})
// The parent kills it; until then it stays, so that nothing is closed.
setInterval(() => {}, 1_000)
