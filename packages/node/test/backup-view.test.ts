import { createTestEnv, limits, nodeId, type Partition } from '@shoal/kernel'
import { createRing, foundRing, makeRowKey, partitionOfRowKey } from '@shoal/ring'
import { createMemoryStore } from '@shoal/storage'
import t from 'tap'
import { createBackupView } from '../src/backup-view.ts'

const PARTITIONS = 8
const ALL = { from: 0, to: limits.digestSegments }

/** Forty keys, each with bytes that are no row: they are counted, and that is enough here. */
async function opened() {
  const members = ['n1', 'n2', 'n3'].map((id, index) => ({
    id: nodeId(id),
    url: `http://127.0.0.1:${4_100 + index}`,
  }))
  const ring = createRing(
    foundRing({ secretDigest: 'test', members, partitions: PARTITIONS, replicas: 3 }),
    nodeId('n1'),
  )
  const store = createMemoryStore(createTestEnv())
  const keys = Array.from({ length: 40 }, (_none, index) => makeRowKey('b', `key ${index}`))
  const batch = store.batch()
  for (const key of keys) batch.put('rows', key, Buffer.from('no row'))
  store.write(batch)
  const lost = new Set<Partition>()
  const backup = createBackupView({
    ring,
    store,
    replica: { copyDigests: (_partition, _first, target) => target },
    coordinator: { restore: () => undefined },
    lost: { countsToReads: (partition) => !lost.has(partition) },
  })
  const keysOf = (partition: number): readonly Buffer[] =>
    keys
      .filter((key) => partitionOfRowKey(key, PARTITIONS) === partition)
      .sort((one, other) => one.compare(other))
  return { backup, lost, keysOf }
}

t.test('a copy that lost data is no source of a backup, the others are (Q6)', async (t) => {
  const { backup, lost } = await opened()
  lost.add(3 as Partition)
  const refused = { code: 'SHOAL_COPY_INCOMPLETE', status: 503, message: /ask \S+, \S+$/ }
  t.throws(() => backup.digests(3), refused)
  await t.rejects(backup.page(3, { ...ALL, after: undefined }), refused)
  t.equal(backup.digests(4).length, limits.digestSegments * 8)
  await t.resolves(backup.page(4, { ...ALL, after: undefined }))
  lost.clear()
  t.equal(backup.digests(3).length, limits.digestSegments * 8, 'until it is whole again')
})

t.test('a page begins behind a key, and never before its range nor behind it', async (t) => {
  const { backup, keysOf } = await opened()
  const own = keysOf(3)
  const rowsBehind = async (after: Buffer | undefined): Promise<number> =>
    (await backup.page(3, { ...ALL, after })).damaged
  t.ok(own.length > 2)
  t.equal(await rowsBehind(undefined), own.length)
  t.equal(await rowsBehind(own[0]), own.length - 1)
  t.equal(await rowsBehind(own.at(-1)), 0)
  t.equal(await rowsBehind(keysOf(1)[0]), own.length, 'those of other partitions are not asked for')
  t.equal(await rowsBehind(Buffer.alloc(0)), own.length)
  t.same(await backup.page(3, { ...ALL, after: keysOf(4)[0] }), {
    rows: [],
    damaged: 0,
    after: undefined,
  })
})
