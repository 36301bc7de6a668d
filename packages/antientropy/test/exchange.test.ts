import { createSeededRandom, type Partition } from '@shoal/kernel'
import { knownRow, mergeKnownRows } from '@shoal/replica'
import { makeRowKey, partitionOfRowKey, segmentOfRowKey } from '@shoal/ring'
import { questionKinds } from '@shoal/wire'
import fc from 'fast-check'
import t from 'tap'
import { TestCluster } from './support/cluster.ts'
import { holdsAsync, seed } from './support/holds.ts'

t.comment(`seed ${seed}`)

const PARTITIONS = 8
const partitionOf = (key: string): Partition => partitionOfRowKey(makeRowKey('b', key), PARTITIONS)

/** Keys of one partition. */
function keysOf(partition: Partition, count: number): string[] {
  const keys: string[] = []
  for (let index = 0; keys.length < count; index++) {
    if (partitionOf(`key ${index}`) === partition) keys.push(`key ${index}`)
  }
  return keys
}

const P = 3 as Partition

/** Both nodes hold the same rows of these keys. */
async function holdBoth(cluster: TestCluster, keys: readonly string[]): Promise<void> {
  for (const key of keys) {
    await cluster.put('n1', key, `value of ${key}`)
    await copy(cluster, 'n1', 'n2', key)
  }
}

async function copy(cluster: TestCluster, from: string, to: string, key: string): Promise<void> {
  await cluster.merge(to, makeRowKey('b', key), cluster.rowAt(from, key) as Buffer)
}

const counts = {
  segments: 0,
  keys: 0,
  ...{ pulled: 0, pushed: 0, healed: 0, unhealed: 0, failed: 0 },
  ...{ unreadOwn: 0, unreadTheirs: 0 },
}

t.test('X1: an exchange of equal copies moves less than a KiB (E2)', async (t) => {
  const cluster = await TestCluster.start({ idle: true })
  const keys = keysOf(P, 50)
  await holdBoth(cluster, keys)
  const { complete, tally, bytes, messages } = await cluster.exchange('n1', {
    partition: P,
    peer: 'n2',
  })
  t.ok(complete)
  t.same(tally, counts)
  t.equal(messages.length, 2, 'a question and an answer')
  t.ok(bytes <= 1_024, `${bytes} bytes`)
})

t.test('X2: of what differs, the segment is read and no other', async (t) => {
  const cluster = await TestCluster.start({ idle: true })
  const keys = keysOf(P, 400)
  await holdBoth(cluster, keys)
  const changed = keys.slice(0, 5)
  for (const key of changed) await cluster.put('n2', key, 'newer')
  const { complete, tally, messages } = await cluster.exchange('n1', { partition: P, peer: 'n2' })
  t.ok(complete)
  t.match(tally, { pulled: 5, pushed: 0 })
  const segments = new Set(changed.map((key) => segmentOfRowKey(makeRowKey('b', key), PARTITIONS)))
  t.equal(tally.segments, segments.size)
  t.ok(tally.keys <= 20, `${tally.keys} keys read on both sides`)
  t.same(cluster.rowsOf('n1'), cluster.rowsOf('n2'))
  const listings = messages.filter(({ kind }) => kind === questionKinds.segmentKeys)
  t.equal(listings.length, 1)
})

t.test('a row travels only towards the side that is behind', async (t) => {
  const cluster = await TestCluster.start({ idle: true })
  const [ahead, behind] = keysOf(P, 2) as [string, string]
  await holdBoth(cluster, [ahead, behind])
  const contextOf = (key: string) => knownRow(cluster.rowAt('n1', key) as Buffer).version
  await cluster.put('n1', ahead, 'newer here', contextOf(ahead))
  await cluster.put('n2', behind, 'newer there', contextOf(behind))
  const { complete, tally, messages } = await cluster.exchange('n1', { partition: P, peer: 'n2' })
  t.ok(complete)
  t.match(tally, { pulled: 1, pushed: 1 })
  t.equal(
    messages.filter(({ kind, from }) => from === 'n1' && kind === questionKinds.merge).length,
    1,
  )
  t.same(cluster.rowsOf('n1'), cluster.rowsOf('n2'))
})

t.test('an empty replica gets everything, page by page', async (t) => {
  const cluster = await TestCluster.start({ idle: true })
  const keys = keysOf(P, 300)
  for (const key of keys) await cluster.put('n2', key, key)
  const { complete, pulledAll, tally } = await cluster.exchange('n1', { partition: P, peer: 'n2' })
  t.ok(complete && pulledAll)
  t.equal(tally.pulled, 300)
  t.equal(tally.pushed, 0)
  t.same(cluster.rowsOf('n1'), cluster.rowsOf('n2'))
})

t.test('pages of one key, broken off anywhere, miss nothing', async (t) => {
  const cluster = await TestCluster.start({
    idle: true,
    inject: (label) => label === 'antientropy: a short page',
  })
  const keys = keysOf(P, 12)
  for (const [index, key] of keys.entries()) {
    if (index % 3 !== 0) await cluster.put('n1', key, 'one')
    if (index % 3 !== 1) await cluster.put('n2', key, 'two')
  }
  const { complete } = await cluster.exchange('n1', { partition: P, peer: 'n2' })
  t.ok(complete)
  t.equal(cluster.rowsOf('n1').size, 12)
  t.same(cluster.rowsOf('n1'), cluster.rowsOf('n2'))
})

t.test('only the bucket asked for is made equal', async (t) => {
  const cluster = await TestCluster.start({ idle: true })
  const [key] = keysOf(P, 1) as [string]
  await cluster.put('n1', key, 'of b')
  const plan = { partition: P, peer: 'n2' }
  t.match(await cluster.exchange('n1', { ...plan, bucket: 'other' }), { tally: { pushed: 0 } })
  t.match(await cluster.exchange('n1', { ...plan, bucket: 'bb' }), { tally: { pushed: 0 } })
  t.match(await cluster.exchange('n1', { ...plan, bucket: 'b' }), { tally: { pushed: 1 } })
})

t.test('X3: writes that arrive meanwhile make a few keys more and lose nothing', async (t) => {
  const cluster = await TestCluster.start({ idle: true })
  const keys = keysOf(P, 200)
  await holdBoth(cluster, keys.slice(0, 150))
  for (const key of keys.slice(150)) await cluster.put('n2', key, 'missed')
  let writes = 0
  const random = createSeededRandom(`writes ${seed}`)
  let stop = false
  const writing = (async () => {
    while (!stop) {
      const key = keys[random.below(keys.length)] as string
      await cluster.putSoon(random.below(2) === 0 ? 'n1' : 'n2', key, `write ${writes++}`)
    }
  })()
  const { complete } = await cluster.exchange('n1', { partition: P, peer: 'n2' })
  stop = true
  await cluster.settled(writing)
  t.ok(complete)
  t.ok(writes > 0, `${writes} writes meanwhile`)
  for (const key of keys) t.ok(cluster.rowAt('n1', key) && cluster.rowAt('n2', key), key)
  const last = await cluster.exchange('n1', { partition: P, peer: 'n2' })
  t.ok(last.complete)
  t.same(cluster.rowsOf('n1'), cluster.rowsOf('n2'))
})

interface Step {
  readonly node: number
  readonly key: number
  readonly what: 'blind' | 'replace' | 'copy'
  readonly to: number
}

const steps = fc.array(
  fc.record<Step>({
    node: fc.nat(2),
    key: fc.nat(11),
    what: fc.constantFrom('blind', 'replace', 'copy'),
    to: fc.nat(2),
  }),
  { maxLength: 40 },
)

const nodes = ['n1', 'n2', 'n3']

async function play(cluster: TestCluster, { node, key, what, to }: Step): Promise<void> {
  const id = nodes[node] as string
  const name = `key ${key}`
  const row = cluster.rowAt(id, name)
  if (what === 'copy') {
    if (row && to !== node) await copy(cluster, id, nodes[to] as string, name)
    return
  }
  const context = what === 'replace' && row ? knownRow(row).version : undefined
  await cluster.put(id, name, `by ${id}`, context)
}

/** What all copies together say of each key. */
function unionOf(cluster: TestCluster): Map<string, string> {
  const union = new Map<string, string>()
  for (const id of nodes) {
    for (const [name, text] of cluster.rowsOf(id)) {
      const row = Buffer.from(text, 'latin1')
      const known = union.get(name)
      const token = makeRowKey('b', name.slice(2)).readBigUInt64BE(0)
      const merged = known
        ? mergeKnownRows(knownRow(Buffer.from(known, 'latin1')), knownRow(row), token).row
        : row
      union.set(name, merged.toString('latin1'))
    }
  }
  return union
}

t.test(
  'X4: whatever was different, all copies are equal after every pair, and nothing is lost',
  async (t) => {
    const property = fc.asyncProperty(steps, fc.boolean(), async (given, short) => {
      const cluster = await TestCluster.start({
        nodes: 3,
        idle: true,
        inject: (label) => short && label === 'antientropy: a short page',
      })
      for (const step of given) await play(cluster, step)
      const union = unionOf(cluster)
      // What n3 gave n1 reaches n2 with the last.
      for (const [from, to] of [
        ['n1', 'n2'],
        ['n3', 'n1'],
        ['n2', 'n3'],
        ['n2', 'n1'],
      ] as const) {
        const endings = await cluster.exchangeAll(from, to)
        if (!endings.every(({ complete }) => complete)) return false
        if (endings.some(({ doubted }) => doubted.length > 0)) return false
      }
      return nodes.every((id) => sameMaps(cluster.rowsOf(id), union))
    })
    t.ok(await holdsAsync(property, 25))
  },
)

const sameMaps = (one: Map<string, string>, other: Map<string, string>): boolean =>
  one.size === other.size && [...one].every(([name, row]) => other.get(name) === row)
