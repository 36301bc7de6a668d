/** Damage in the middle of a log is a loss; the end of a log is only where a write was cut off. */
import { randomBytes } from 'node:crypto'
import { appendFile, cp, readdir, readFile, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { readLossNotes } from '../src/loss-notes.ts'
import { hasDamagedLog } from '../src/rocksdb/log-check.ts'
import { openRocksStore } from '../src/rocksdb/rocks-store.ts'
import { storeOptions, temporaryFolder } from './support/place.ts'

const ROWS = 60
const keyOf = (row: number): Buffer => Buffer.from(`row ${row}`)

/** What a crash leaves after 60 writes of different sizes, several of them over blocks. */
async function crashed(t: Test): Promise<{ directory: string; log: string }> {
  const { path, remove } = await temporaryFolder()
  t.teardown(remove)
  const live = join(path, 'live')
  const directory = join(path, 'crashed')
  const store = await openRocksStore(storeOptions(live))
  for (let row = 0; row < ROWS; row++) {
    const batch = store.batch()
    batch.put('rows', keyOf(row), randomBytes(row % 10 === 4 ? 50_000 : 300))
    store.write(batch)
  }
  await store.sync()
  await cp(live, directory, { recursive: true })
  await store.close()
  const logs = (await readdir(join(directory, 'rocksdb'))).filter((name) => name.endsWith('.log'))
  return { directory, log: join(directory, 'rocksdb', logs.sort().at(-1) as string) }
}

async function flip(log: string, share: number): Promise<void> {
  const bytes = await readFile(log)
  const at = Math.floor(bytes.length * share)
  bytes[at] = (bytes[at] as number) ^ 4
  await writeFile(log, bytes)
}

const isDamaged = (directory: string): Promise<boolean> => hasDamagedLog(join(directory, 'rocksdb'))

async function reopened(directory: string): Promise<{ rows: number; all: boolean }> {
  const store = await openRocksStore(storeOptions(directory))
  const keys = Array.from({ length: ROWS }, (_none, row) => keyOf(row))
  const values = await store.getMany('rows', keys)
  const { all } = await readLossNotes(store)
  await store.close()
  return { rows: values.filter((value) => value !== undefined).length, all }
}

t.test('ST19 a log as a crash leaves it is whole, whatever its end looks like', async (t) => {
  const { directory, log } = await crashed(t)
  t.notOk(await isDamaged(directory))
  await appendFile(log, Buffer.alloc(100_000))
  t.notOk(await isDamaged(directory), 'made longer in advance')
  const { length } = await readFile(log)
  await truncate(log, length - 100_000 - 150)
  t.notOk(await isDamaged(directory), 'a last record that is half written')
  await appendFile(log, randomBytes(40_000))
  t.notOk(await isDamaged(directory), 'or followed by what stood on the disk before')
  t.same(await reopened(directory), { rows: ROWS - 1, all: false })
})

t.test('ST19 a bit turned over anywhere before the end is noted as a loss', async (t) => {
  for (const share of [0.0003, 0.1, 0.33, 0.5, 0.71, 0.95]) {
    const { directory, log } = await crashed(t)
    await flip(log, share)
    t.ok(await isDamaged(directory), `at ${share} of the log`)
    const { rows, all } = await reopened(directory)
    t.ok(rows < ROWS, `RocksDB has dropped ${ROWS - rows} rows without a word`)
    t.ok(all, 'and the store says so')
    t.notOk(await isDamaged(directory), 'once')
    t.ok((await reopened(directory)).all, 'until somebody has taken it over')
  }
})

t.test('ST19 the note outlives a crash between finding the damage and writing it', async (t) => {
  const { directory, log } = await crashed(t)
  await writeFile(join(directory, 'DAMAGED'), 'a start that got no further\n')
  t.ok((await readFile(log)).length > 0)
  t.ok((await reopened(directory)).all)
  t.notOk((await readdir(directory)).includes('DAMAGED'))
})
