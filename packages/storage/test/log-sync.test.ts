import fc from 'fast-check'
import t from 'tap'
import { LogSync, type LogSyncOptions } from '../src/rocksdb/log-sync.ts'
import { FakeLogs } from './support/fake-logs.ts'

const SEED = 20_071_014

function start(options: Partial<LogSyncOptions> = {}): { disk: FakeLogs; logs: LogSync } {
  const disk = new FakeLogs()
  const logs = new LogSync(disk, { failed: (cause) => cause as Error, ...options })
  return { disk, logs }
}

/** What RocksDB and the store do for one batch; with `rotate`, as a memtable was full. */
function write(disk: FakeLogs, logs: LogSync, bytes = 10, rotate = false): void {
  if (rotate) disk.rotate()
  disk.append(bytes)
  logs.wrote()
}

/** Tells whether a promise has settled, without waiting for it. */
async function stateOf(promise: Promise<void>): Promise<'pending' | 'done' | 'failed'> {
  const pending = new Promise<'pending'>((resolve) => setImmediate(() => resolve('pending')))
  return Promise.race([
    promise.then(
      () => 'done' as const,
      () => 'failed' as const,
    ),
    pending,
  ])
}

t.test('ST6 a sync with nothing written is over at once', async (t) => {
  const { disk, logs } = start()
  await logs.sync()
  t.same(disk.asked, [])
})

t.test('ST6 callers share: one sync under way, the next for all who wrote meanwhile', async (t) => {
  const { disk, logs } = start()
  write(disk, logs)
  const first = logs.sync()
  const same = logs.sync()
  write(disk, logs)
  const second = logs.sync()
  write(disk, logs)
  const third = logs.sync()
  t.same(disk.asked, [3, 'directory'])
  await disk.endOne()
  await disk.endOne()
  t.same([await stateOf(first), await stateOf(same)], ['done', 'done'])
  t.same([await stateOf(second), await stateOf(third)], ['pending', 'pending'])
  t.same(disk.asked, [3, 'directory', 3], 'the directory needs no second sync')
  await disk.endAll()
  t.same([await stateOf(second), await stateOf(third)], ['done', 'done'])
  t.equal(disk.losable, 0)
})

t.test('ST6 what is written during a sync is not covered by it', async (t) => {
  const { disk, logs } = start()
  write(disk, logs)
  const first = logs.sync()
  write(disk, logs, 5)
  await disk.endAll()
  t.equal(await stateOf(first), 'done')
  t.equal(logs.unsyncedBytes, 5)
  const second = logs.sync()
  await disk.endAll()
  t.equal(await stateOf(second), 'done')
  t.equal(logs.unsyncedBytes, 0)
})

t.test(
  'ST7 after a rotation old log, new log and directory are synced, the old one first',
  async (t) => {
    const { disk, logs } = start()
    write(disk, logs)
    write(disk, logs, 10, true)
    const sync = logs.sync()
    t.same(disk.asked, [3])
    t.equal(await stateOf(sync), 'pending')
    await disk.endOne()
    t.same(disk.asked, [3, 6, 'directory'])
    await disk.endOne()
    t.equal(await stateOf(sync), 'pending', 'not before the directory')
    await disk.endOne()
    t.equal(await stateOf(sync), 'done')
    t.equal(disk.losable, 0)
    t.same(disk.opened, [6], 'the old log was closed')
  },
)

t.test('ST7 a rotation while a sync runs is covered by the next', async (t) => {
  const { disk, logs } = start()
  write(disk, logs)
  const first = logs.sync()
  write(disk, logs)
  write(disk, logs, 10, true)
  const second = logs.sync()
  t.same(disk.opened, [3, 6], 'the old log stays open: it is being synced')
  await disk.endOne()
  await disk.endOne()
  t.equal(await stateOf(first), 'done')
  t.same(disk.asked, [3, 'directory', 3], 'its end is still missing')
  await disk.endAll()
  t.equal(await stateOf(second), 'done')
  t.same(disk.asked, [3, 'directory', 3, 6, 'directory'])
  t.same(disk.opened, [6])
  t.equal(disk.losable, 0)
})

t.test('ST7 two rotations between two syncs, the middle log deleted meanwhile', async (t) => {
  const { disk, logs } = start()
  write(disk, logs)
  write(disk, logs, 10, true)
  const middle = disk.live
  write(disk, logs, 10, true)
  disk.remove(middle)
  const sync = logs.sync()
  await disk.endAll()
  t.equal(await stateOf(sync), 'done')
  t.same(
    disk.asked,
    [3, middle, disk.live, 'directory'],
    'a deleted file that is open can be synced',
  )
  t.same(disk.opened, [disk.live])
})

t.test(
  'ST7 logs that came and went unseen are skipped, those that stayed are synced',
  async (t) => {
    const { disk, logs } = start()
    write(disk, logs)
    disk.rotate()
    disk.append(4)
    const gone = disk.live
    disk.rotate()
    disk.append(4)
    const unseen = disk.live
    disk.remove(gone)
    write(disk, logs, 10, true)
    const sync = logs.sync()
    await disk.endAll()
    t.equal(await stateOf(sync), 'done')
    t.same(disk.asked, [3, unseen, disk.live, 'directory'])
    t.equal(disk.losable, 0)
  },
)

t.test('ST7 a batch that is in no log is a failure, not a success', async (t) => {
  const { disk, logs } = start()
  write(disk, logs)
  t.throws(() => logs.wrote(), /no log holds the last batch/)
  await t.rejects(logs.sync(), /no log holds/)
  const empty = start()
  write(empty.disk, empty.logs)
  empty.disk.rotate()
  t.throws(() => empty.logs.wrote(), /no log holds the last batch; the newest is 6.log/)
})

t.test('ST8 a failed sync fails everyone, for good, and is not repeated', async (t) => {
  for (const failing of [0, 1]) {
    const { disk, logs } = start()
    write(disk, logs)
    const first = logs.sync()
    write(disk, logs)
    const second = logs.sync()
    const outcomes = Promise.allSettled([first, second])
    for (let index = 0; index < failing; index++) await disk.endOne()
    await disk.endOne(new Error('EIO'))
    await disk.endAll()
    t.same(
      (await outcomes).map(({ status }) => status),
      ['rejected', 'rejected'],
    )
    const asked = disk.asked.length
    await t.rejects(logs.sync(), /EIO/)
    t.equal(disk.asked.length, asked, 'nothing more was asked of the disk')
    await logs.close()
    t.same(disk.opened, [])
  }
})

t.test('closing waits for the sync that uses the descriptors', async (t) => {
  const { disk, logs } = start()
  write(disk, logs)
  const sync = logs.sync()
  const closed = logs.close()
  t.equal(await stateOf(closed), 'pending')
  await disk.endAll()
  t.equal(await stateOf(sync), 'done')
  t.equal(await stateOf(closed), 'done')
  t.same(disk.opened, [])
})

t.test('ST9 without the rule a rotation loses what was acknowledged', async (t) => {
  const { disk, logs } = start({ rotationRule: false })
  write(disk, logs)
  write(disk, logs, 10, true)
  const sync = logs.sync()
  await disk.endAll()
  t.equal(await stateOf(sync), 'done')
  t.equal(disk.losable, 10)
})

type Step = 'write' | 'rotate' | 'sync' | 'end' | 'flush'

t.test(
  'ST6 ST7 in any order of events, a resolved sync covers all that was written before it',
  async (t) => {
    const step = fc.oneof(
      { weight: 4, arbitrary: fc.constant<Step>('write') },
      { weight: 2, arbitrary: fc.constant<Step>('rotate') },
      { weight: 4, arbitrary: fc.constant<Step>('sync') },
      { weight: 5, arbitrary: fc.constant<Step>('end') },
      { weight: 1, arbitrary: fc.constant<Step>('flush') },
    )
    const property = fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const { disk, logs } = start()
      const sizes = new Map<number, number>()
      const broken: string[] = []
      const check = (before: ReadonlyMap<number, number>): void => {
        for (const [number, bytes] of before) {
          const file = disk.files.get(number)
          if (file && (file.durable < bytes || !file.named)) broken.push(`${number} up to ${bytes}`)
        }
      }
      const syncs: Promise<void>[] = []
      for (const name of steps) {
        if (name === 'write' || name === 'rotate') {
          write(disk, logs, 10, name === 'rotate')
          sizes.set(disk.live, (sizes.get(disk.live) ?? 0) + 10)
        } else if (name === 'sync') {
          const before = new Map(sizes)
          syncs.push(logs.sync().then(() => check(before)))
        } else if (name === 'end') {
          await disk.endOne()
        } else {
          // Everything but the live log is in tables now.
          for (const number of disk.numbers()) if (number !== disk.live) disk.remove(number)
        }
      }
      await disk.endAll()
      await Promise.all(syncs)
      await logs.close()
      return broken.length === 0 && disk.opened.length === 0
    })
    t.comment(`seed ${SEED}`)
    await t.resolves(fc.assert(property, { seed: SEED, numRuns: 500 }))
  },
)
