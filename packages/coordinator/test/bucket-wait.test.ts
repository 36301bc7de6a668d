import { createTestEnv, millis, type ShoalError } from '@shoal/kernel'
import t from 'tap'
import { SYSTEM_BUCKET, waitForBuckets } from '../src/bucket-wait.ts'
import { BucketRegistry } from '../src/buckets.ts'
import { Deadlines } from '../src/deadlines.ts'
import type { BucketProperties } from '../src/requests.ts'
import { defaultBucket, TestCluster } from './support/cluster.ts'

const request = { bucket: 'things', timeout: millis(1_000) }

function waiting() {
  const env = createTestEnv()
  const deadlines = new Deadlines(env, millis(16))
  const works = new Set<() => void>()
  const buckets = {
    of: () => defaultBucket,
    isKnown: false,
    whenKnown: (work: () => void) => {
      works.add(work)
      return () => void works.delete(work)
    },
  }
  const went: number[] = []
  const refused: ShoalError[] = []
  waitForBuckets({ env, deadlines, buckets }, request, {
    go: ({ timeout }) => void went.push(timeout),
    refuse: (error) => void refused.push(error),
  })
  return { env, works, went, refused }
}

t.test('a request waits for the buckets and goes on with the time that is left (O2)', async (t) => {
  const { env, works, went, refused } = waiting()
  env.advance(millis(300))
  t.same(went, [])
  for (const work of works) work()
  t.same(went, [700])
  env.advance(millis(5_000))
  t.same(refused, [], 'and its waiting has ended')
})

t.test(
  'a request that waited in vain is refused by its deadline, and not kept (O1, O2)',
  async (t) => {
    const { env, works, went, refused } = waiting()
    env.advance(millis(1_100))
    t.same(
      refused.map(({ code, outcome }) => [code, outcome]),
      [['SHOAL_QUORUM_UNREACHABLE', 'not-applied']],
    )
    t.equal(works.size, 0)
    t.same(went, [])
  },
)

t.test(
  'a new disk learns the buckets once a quorum can be asked, and remembers them',
  async (t) => {
    const cluster = await TestCluster.start(3)
    const remembered: ReadonlyMap<string, BucketProperties>[] = []
    const registryOf = (node: string): BucketRegistry => {
      const registry = new BucketRegistry({
        env: cluster.env,
        defaults: defaultBucket,
        remembered: undefined,
        remember: (known) => void remembered.push(known),
      })
      registry.follow(cluster.node(node).coordinator)
      return registry
    }
    const first = registryOf('n1')
    await cluster.until(() => first.isKnown)
    t.same(
      remembered.map((known) => known.size),
      [0],
      'that there are none is known too',
    )
    let isSet = false
    first.put('logs', { ...defaultBucket, n: 1 }).then(() => {
      isSet = true
    })
    await cluster.until(() => isSet)

    await cluster.isolate('n3')
    const last = registryOf('n3')
    await cluster.run(3_000)
    t.notOk(last.isKnown, 'not from itself alone')
    await cluster.rejoin('n3')
    await cluster.until(() => last.isKnown)
    t.equal(last.of('logs').n, 1)
    first.close()
    last.close()
  },
)

async function startRegistry(
  cluster: TestCluster,
  node: string,
  remembered?: ReadonlyMap<string, BucketProperties>,
): Promise<BucketRegistry> {
  const registry = new BucketRegistry({
    env: cluster.env,
    defaults: defaultBucket,
    remembered,
    remember: () => undefined,
  })
  registry.follow(cluster.node(node).coordinator)
  await cluster.until(() => registry.isKnown)
  return registry
}

t.test('a new disk does not take a bucket for unknown that only one copy shows', async (t) => {
  const cluster = await TestCluster.start(3)
  const names = Array.from({ length: 12 }, (_none, index) => `logs-${index}`)
  await cluster.isolate('n1')
  for (const name of names) {
    const put = { bucket: SYSTEM_BUCKET, level: 'one' } as const
    t.notOk((await cluster.put('n1', name, '{"n":1}', put)) instanceof Error)
  }
  await cluster.rejoin('n1')
  for (const node of ['n2', 'n3']) {
    const registry = await startRegistry(cluster, node)
    registry.close()
    t.same(
      names.filter((name) => registry.of(name).n !== 1),
      [],
      node,
    )
  }
})

t.test('a known bucket that no copy lists is forgotten when all copies were asked', async (t) => {
  const cluster = await TestCluster.start(3)
  const remembered = new Map([['logs', { ...defaultBucket, n: 1 }]])
  await cluster.isolate('n3')
  const registry = await startRegistry(cluster, 'n1', remembered)
  await cluster.run(10_000)
  t.equal(registry.of('logs').n, 1, 'n3 may hold it')
  await cluster.rejoin('n3')
  await cluster.until(() => registry.of('logs').n === 3)
  registry.close()
})
