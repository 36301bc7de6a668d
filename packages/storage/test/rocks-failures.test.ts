import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createTestEnv, limits } from '@shoal/kernel'
import t, { type Test } from 'tap'
import { openLogDisk } from '../src/rocksdb/log-disk.ts'
import { openRocksStore, openRocksStoreWith } from '../src/rocksdb/rocks-store.ts'
import type { Store } from '../src/store.ts'
import { runChild } from './support/child.ts'
import { storeOptions, temporaryFolder } from './support/place.ts'

async function folder(t: Test): Promise<string> {
  const { path, remove } = await temporaryFolder()
  t.teardown(remove)
  return path
}

const keyOf = (row: number): Buffer => Buffer.from(`key ${String(row).padStart(5, '0')}`)

function writeRow(store: Store, row: number, bytes: number): void {
  const batch = store.batch()
  batch.put('rows', keyOf(row), randomBytes(bytes))
  store.write(batch)
}

/** A store with 1,000 rows in one table, and 100 bytes of that table turned round. */
async function damaged(t: Test): Promise<string> {
  const directory = await folder(t)
  const store = await openRocksStore(storeOptions(directory))
  for (let row = 0; row < 1_000; row++) writeRow(store, row, 100)
  await store.close()
  await (await openRocksStore(storeOptions(directory))).close()
  const tables = readdirSync(join(directory, 'rocksdb')).filter((name) => name.endsWith('.sst'))
  const path = join(directory, 'rocksdb', tables[0] as string)
  const bytes = readFileSync(path)
  for (let at = 20_000; at < 20_100; at++) bytes[at] = (bytes[at] as number) ^ 0xff
  writeFileSync(path, bytes)
  return directory
}

t.test('ST10 a damaged block is an error to whoever reads it, and harms nobody else', async (t) => {
  const { lines, status, stderr } = runChild(
    await damaged(t),
    `
    const store = await openRocksStore(storeOptions(directory))
    const key = (row) => Buffer.from('key ' + String(row).padStart(5, '0'))
    const all = Array.from({ length: 1_000 }, (_none, row) => key(row))
    say('together', await store.getMany('rows', all).then(() => 'read', codeOf))
    const each = await Promise.allSettled(all.map((key) => store.getMany('rows', [key])))
    const codes = each.filter(({ reason }) => reason).map(({ reason }) => codeOf(reason))
    say('one by one', codes.length > 5 && codes.length < 100, [...new Set(codes)])
    say('absent', each.some(({ value }) => value && value[0] === undefined))
    const scan = { column: 'rows', limit: 1_000 }
    say('scan', await store.scan(scan).then(() => 'read', codeOf))
    say('keys', await store.scan({ ...scan, values: false }).then(() => 'read', codeOf))
    const broken = each.findIndex(({ reason }) => reason)
    const batch = store.batch()
    batch.put('rows', key(broken), Buffer.from('repaired'))
    store.write(batch)
    await store.sync()
    say('after repair', (await store.getMany('rows', [key(broken)]))[0])
    say('failed', store.failed === undefined)
    await store.close()`,
  )
  t.same(lines, [
    'together SHOAL_ROW_DAMAGED',
    'one by one true SHOAL_ROW_DAMAGED',
    'absent false',
    'scan SHOAL_ROW_DAMAGED',
    'keys SHOAL_ROW_DAMAGED',
    'after repair repaired',
    'failed true',
  ])
  t.equal(status, 0, stderr)
})

t.test('ST10 a handler of uncaught exceptions can tell a read error from a bug', async (t) => {
  const { lines, status } = runChild(
    await damaged(t),
    `
    let bugSeen
    const bug = new Promise((resolve) => { bugSeen = resolve })
    process.on('uncaughtException', (error) => {
      say('owned', ownsException(error))
      if (error.message === 'a bug') bugSeen()
    })
    const store = await openRocksStore(storeOptions(directory))
    const key = (row) => Buffer.from('key ' + String(row).padStart(5, '0'))
    const all = Array.from({ length: 1_000 }, (_none, row) => key(row))
    say(await store.getMany('rows', all).then(() => 'read', codeOf))
    setImmediate(() => { throw new Error('a bug') })
    await bug
    await store.close()`,
  )
  t.same(lines, ['owned true', 'SHOAL_ROW_DAMAGED', 'owned false'])
  t.equal(status, 0)
})

t.test('ST10 an uncaught exception of anyone else still ends the process', async (t) => {
  const { lines, status, stderr } = runChild(
    await folder(t),
    `
    const store = await openRocksStore(storeOptions(directory))
    setImmediate(() => { throw new Error('a bug') })
    await new Promise((resolve) => setTimeout(resolve, 10_000))
    say('still there')`,
  )
  t.same(lines, [])
  t.not(status, 0)
  t.match(stderr, /a bug/)
})

t.test('ST8 a write that the disk refuses makes the store unusable', async (t) => {
  const directory = await folder(t)
  const { lines, stderr } = runChild(
    directory,
    `
    const store = await openRocksStore(storeOptions(directory))
    const batch = store.batch()
    const key = (row) => Buffer.from('key ' + String(row).padStart(5, '0'))
    let written = 0
    try {
      for (;; written++) {
        batch.put('rows', key(written), Buffer.alloc(10_000))
        store.write(batch)
        batch.clear()
        if (written % 10 === 9) await store.sync()
      }
    } catch (error) { say(error.code, /File too large/.test(error.message)) }
    say(store.failed.code)
    try { store.write(batch) } catch (error) { say('write', error.code) }
    try { store.batch() } catch (error) { say('batch', error.code) }
    say('sync', await store.sync().catch(codeOf))
    say('read', await store.getMany('rows', [Buffer.from('key 00000')]).catch(codeOf))
    say('close', await store.close().catch(codeOf))
    say(Math.floor(written / 10) * 10)`,
    'ulimit -f 8000; exec "$@"',
  )
  t.same(
    lines.slice(0, 7),
    [
      'SHOAL_STORE_FAILED true',
      'SHOAL_STORE_FAILED',
      'write SHOAL_STORE_FAILED',
      'batch SHOAL_STORE_FAILED',
      'sync SHOAL_STORE_FAILED',
      'read SHOAL_STORE_FAILED',
      'close SHOAL_STORE_FAILED',
    ],
    stderr,
  )
  const acknowledged = Number(lines[7])
  t.ok(acknowledged > 0)
  const store = await openRocksStore(storeOptions(directory))
  const keys = Array.from({ length: acknowledged }, (_none, row) => keyOf(row))
  t.notOk((await store.getMany('rows', keys)).includes(undefined), 'nothing acknowledged is lost')
  await store.close()
})

t.test(
  'ST8 a failed sync makes the store unusable, and close gives the directory back',
  async (t) => {
    const directory = await folder(t)
    const store = await openRocksStoreWith(storeOptions(directory), {
      openLogs: (path) => {
        const disk = openLogDisk(path)
        return {
          ...disk,
          open: (number) => {
            const file = disk.open(number)
            return (
              file && {
                ...file,
                sync: () => Promise.reject(new Error('EIO: i/o error, fdatasync')),
              }
            )
          },
        }
      },
    })
    writeRow(store, 1, 10)
    const failed = { code: 'SHOAL_STORE_FAILED', message: /EIO/ }
    await Promise.all([t.rejects(store.sync(), failed), t.rejects(store.sync(), failed)])
    t.match(store.failed, failed)
    t.throws(() => writeRow(store, 2, 10), failed)
    await t.rejects(store.getMany('rows', [keyOf(1)]), failed)
    await t.rejects(store.close(), failed)
    const again = await openRocksStore(storeOptions(directory))
    t.equal((await again.getMany('rows', [keyOf(1)]))[0]?.length, 10)
    await again.close()
  },
)

/** A file system of its own. */
async function smallDisk(t: Test, mebibytes: number): Promise<string> {
  const path = await folder(t)
  mount(path, mebibytes)
  t.teardown(() => execFileSync('umount', ['--lazy', path]))
  return path
}

function mount(path: string, mebibytes: number): void {
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${mebibytes}m`, 'tmpfs', path], {
    stdio: 'ignore',
  })
}

/** Why tests with a small disk cannot run here, if they cannot. */
const unmountable = await (async () => {
  const { path, remove } = await temporaryFolder()
  try {
    mount(path, 1)
    execFileSync('umount', [path])
    return false
  } catch {
    return 'this process may not mount a file system'
  } finally {
    await remove()
  }
})()

/** Lets the event loop turn until the condition holds. tap's own time limit ends it otherwise. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve))
}

t.test(
  'ST11 writes are refused while there is still room, and taken again when there is more',
  { skip: unmountable },
  async (t) => {
    const disk = await smallDisk(t, 64)
    writeFileSync(join(disk, 'ballast'), Buffer.alloc(24 * 1_048_576))
    const reserve = 16 * 1_048_576
    const env = createTestEnv()
    const options = { ...storeOptions(join(disk, 'data')), env, freeBytesMin: reserve }
    const store = await openRocksStore(options)
    let written = 0
    const fill = (): void => {
      for (; ; written++) writeRow(store, written, 50_000)
    }
    t.throws(fill, { code: 'SHOAL_STORAGE_FULL', message: /MiB free; 16 MiB are kept back/ })
    t.ok(written > 10, `${written} rows went in`)
    t.equal(store.failed, undefined)
    await store.sync()
    t.equal((await store.getMany('rows', [keyOf(written - 1)]))[0]?.length, 50_000)
    t.equal(
      (await store.getMany('rows', [keyOf(written)]))[0],
      undefined,
      'nothing of it was applied',
    )

    const marker = store.batch()
    marker.put('meta', Buffer.from('marker'), Buffer.from('small'))
    store.write(marker)
    await store.sync()

    rmSync(join(disk, 'ballast'))
    env.advance(limits.storeSample)
    await until(() => store.pressure().freeBytes > reserve + 1_048_576)
    const before = written
    t.throws(fill, { code: 'SHOAL_STORAGE_FULL' })
    t.ok(written > before, 'it went on by itself')
    await store.close()
    const again = await openRocksStore(options)
    const keys = Array.from({ length: written }, (_none, row) => keyOf(row))
    t.notOk((await again.getMany('rows', keys)).includes(undefined))
    await again.close()
  },
)

t.test(
  'ST11 a disk that others fill ends the store; a restart waits for room and loses nothing',
  { skip: unmountable },
  async (t) => {
    const disk = await smallDisk(t, 48)
    writeFileSync(join(disk, 'ballast'), Buffer.alloc(28 * 1_048_576))
    // Without the reserve, as if another process had used it up.
    const options = { ...storeOptions(join(disk, 'data')), freeBytesMin: Number.NEGATIVE_INFINITY }
    const store = await openRocksStore(options)
    let acknowledged = 0
    const fill = async (): Promise<void> => {
      for (let row = 0; ; row++) {
        writeRow(store, row, 50_000)
        if (row % 10 === 9) await store.sync().then(() => (acknowledged = row + 1))
      }
    }
    await t.rejects(fill(), { code: 'SHOAL_STORE_FAILED', message: /the disk is full/ })
    await t.rejects(store.close(), { code: 'SHOAL_STORE_FAILED' })
    await t.rejects(openRocksStore(options), {
      code: 'SHOAL_STORAGE_FULL',
      message: /no room to recover/,
    })
    rmSync(join(disk, 'ballast'))
    const again = await openRocksStore(options)
    const keys = Array.from({ length: acknowledged }, (_none, row) => keyOf(row))
    t.ok(acknowledged > 100)
    t.notOk((await again.getMany('rows', keys)).includes(undefined))
    await again.close()
  },
)

t.test('ST12 pressure is sampled and says what RocksDB says', async (t) => {
  const store = await openRocksStore(storeOptions(await folder(t)))
  const { stopped, delayed, levelZeroFiles, freeBytes, unsyncedBytes } = store.pressure()
  t.same(
    { stopped, delayed, levelZeroFiles, unsyncedBytes },
    {
      stopped: false,
      delayed: false,
      levelZeroFiles: 0,
      unsyncedBytes: 0,
    },
  )
  t.ok(freeBytes > 0 && Number.isFinite(freeBytes))
  writeRow(store, 1, 1_000)
  t.ok(store.pressure().freeBytes < freeBytes, 'what was written counts before the next sample')
  t.ok(store.pressure().unsyncedBytes > 1_000)
  await store.close()
})
