import t from 'tap'
import { resolveConsistency } from '../src/core/consistency.ts'
import { type BucketProperties, type Consistency, formatConsistency } from '../src/requests.ts'

const bucket: BucketProperties = {
  n: 3,
  consistency: { level: 'quorum', strict: false },
  conflicts: 'siblings',
  blindWrites: 'overwrite',
  ttl: 0,
  maxSiblings: 50,
  mode: 'leaderless',
}

const resolve = (
  asked: Partial<Consistency> | undefined,
  n = 3,
  durability: 'fsync' | 'memory' = 'fsync',
) =>
  resolveConsistency(asked && { level: 'quorum', strict: false, ...asked }, bucket, n, durability)

t.test('levels become numbers for the effective N (Q1)', async (t) => {
  const table: [Consistency['level'], number, number][] = [
    ['one', 3, 1],
    ['quorum', 1, 1],
    ['quorum', 2, 2],
    ['quorum', 3, 2],
    ['quorum', 4, 3],
    ['quorum', 5, 3],
    ['all', 3, 3],
    ['all', 2, 2],
  ]
  for (const [level, n, wanted] of table) {
    const { r, w } = resolve({ level }, n)
    t.same([r, w], [wanted, wanted], `${level} of ${n} is ${wanted}`)
  }
})

t.test('r and w override the level, durable follows w unless it is given', async (t) => {
  t.match(resolve({ r: 1, w: 3 }), { r: 1, w: 3, durable: 3 })
  t.match(resolve({ w: 3, durable: 1 }), { w: 3, durable: 1 })
  t.match(resolve({ durable: 0 }), { w: 2, durable: 0 })
})

t.test('the request wins over the bucket, the bucket over the node', async (t) => {
  t.equal(resolve(undefined, 3, 'memory').durable, 0)
  const onDisk = { ...bucket, durability: 'fsync' as const }
  t.equal(resolveConsistency(undefined, onDisk, 3, 'memory').durable, 2)
  const asked = { level: 'quorum', strict: false, durable: 1 } as const
  t.equal(resolveConsistency(asked, onDisk, 3, 'memory').durable, 1)
})

t.test('numbers outside 1 to N are refused', async (t) => {
  for (const asked of [{ r: 0 }, { r: 4 }, { w: 0 }, { w: 4 }, { w: 2, durable: 3 }]) {
    t.throws(() => resolve(asked), { code: 'SHOAL_CONSISTENCY_INVALID' }, JSON.stringify(asked))
  }
})

t.test('the echo is normalised', async (t) => {
  t.equal(formatConsistency(resolve({})), 'quorum;r=2;w=2;durable=2')
  t.equal(
    formatConsistency(resolve({ level: 'one', strict: true })),
    'one;r=1;w=1;durable=1;strict',
  )
})
