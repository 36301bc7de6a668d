import { createTestEnv, type Partition } from '@shoal/kernel'
import { createMemoryStore, type Store } from '@shoal/storage'
import fc from 'fast-check'
import t from 'tap'
import { type DigestChange, Digests } from '../src/core/digests.ts'
import { DigestJournal, recoverDigests } from '../src/digest-journal.ts'

const PARTITIONS = 8

const changes = fc.array(
  fc.record({
    partition: fc.integer({ min: 0, max: PARTITIONS - 1 }).map((value) => value as Partition),
    segment: fc.integer({ min: 0, max: 1_023 }),
    change: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  }),
  { minLength: 1, maxLength: 6 },
)

function applyGroup(store: Store, journal: DigestJournal, group: readonly DigestChange[]): void {
  const batch = store.batch()
  journal.add(batch, group)
  store.write(batch)
  journal.written(group)
}

t.test('after any number of groups, digests are recovered as they were (P6, E1)', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(changes, { minLength: 1, maxLength: 120 }), async (groups) => {
      const store = createMemoryStore(createTestEnv())
      const digests = new Digests(PARTITIONS)
      const journal = new DigestJournal(digests, 1)
      for (const group of groups) applyGroup(store, journal, group)

      const recovered = new Digests(PARTITIONS)
      const { holes } = await recoverDigests(store, recovered)
      if (holes) return false
      if (recovered.sequence !== digests.sequence) return false
      return Array.from({ length: PARTITIONS }).every((_none, index) => {
        const partition = index as Partition
        return recovered.partition(partition).every((digest, segment) => {
          return digest === digests.segment(partition, segment)
        })
      })
    }),
    { seed: 20_071_014, numRuns: 60 },
  )
})

t.test('the journal does not grow without end', async (t) => {
  const store = createMemoryStore(createTestEnv())
  const digests = new Digests(PARTITIONS)
  const journal = new DigestJournal(digests, 1)
  for (let group = 0; group < 3_000; group++) {
    applyGroup(store, journal, [{ partition: (group % 8) as Partition, segment: 1, change: 1n }])
  }
  const page = await store.scan({
    column: 'digests',
    from: Buffer.from('j'),
    to: Buffer.from('k'),
    limit: 4_000,
  })
  t.ok(page.rows.length < 400, `${page.rows.length} records after 3,000 groups`)
})
