import { millis, type NodeId, nodeId, ShoalError } from '@shoal/kernel'
import { makeRowKey } from '@shoal/ring'
import { verifyRow } from '@shoal/storage'
import t from 'tap'
import { bodies, failed, succeeded, TestCluster } from './support/cluster.ts'

t.test('what one node acknowledges at quorum is read through the other two', async (t) => {
  const cluster = await TestCluster.start(3)
  const put = succeeded(await cluster.put('n1', 'k', 'milk'))
  t.match(put.receipt, { n: 3, need: 2, fallbacks: 0, epoch: 1, node: 'n1' })
  t.ok((put.receipt.durable ?? 0) >= 2)
  t.same(bodies(await cluster.get('n2', 'k')), ['milk'])
  t.same(bodies(await cluster.get('n3', 'k')), ['milk'])
})

t.test(
  'with one of three down quorum works and all is refused, with two down only one works (K5)',
  async (t) => {
    const cluster = await TestCluster.start(3)
    await cluster.isolate('n3')
    succeeded(await cluster.put('n1', 'k', 'milk'))
    const refused = failed(await cluster.put('n1', 'k', 'more', { level: 'all' }))
    t.match(refused, { code: 'SHOAL_QUORUM_UNREACHABLE', status: 503, outcome: 'not-applied' })
    t.match(refused.details, { wanted: 3, got: 2 })
    await cluster.isolate('n2')
    t.equal(failed(await cluster.put('n1', 'k', 'less')).code, 'SHOAL_QUORUM_UNREACHABLE')
    t.equal(failed(await cluster.get('n1', 'k')).code, 'SHOAL_QUORUM_UNREACHABLE')
    succeeded(await cluster.put('n1', 'k', 'one', { level: 'one' }))
    t.same(bodies(await cluster.get('n1', 'k', { level: 'one' })), ['one'])
  },
)

t.test(
  'two writes with one context make siblings that every node shows, and a joined one ends them',
  async (t) => {
    const cluster = await TestCluster.start(3)
    const { context } = succeeded(await cluster.put('n1', 'k', 'base'))
    const first = await cluster.put('n1', 'k', 'left', { context })
    const second = await cluster.put('n2', 'k', 'right', { context })
    t.equal(succeeded(first).siblings, 1)
    t.equal(succeeded(second).siblings, 2)
    for (const node of ['n1', 'n2', 'n3']) {
      t.same(bodies(await cluster.get(node, 'k')), ['left', 'right'], node)
    }
    const joined = succeeded(await cluster.get('n3', 'k'))
    succeeded(await cluster.put('n3', 'k', 'both', { context: joined.context }))
    for (const node of ['n1', 'n2', 'n3']) {
      t.same(bodies(await cluster.get(node, 'k')), ['both'], node)
    }
  },
)

t.test('a replica that missed a write is repaired by the next read', async (t) => {
  const cluster = await TestCluster.start(3)
  succeeded(await cluster.put('n1', 'k', 'old', { level: 'all' }))
  await cluster.isolate('n3')
  succeeded(await cluster.put('n1', 'k', 'new'))
  await cluster.rejoin('n3')
  t.same(bodies(await cluster.get('n3', 'k', { level: 'one' })), ['old'])
  const read = succeeded(await cluster.get('n3', 'k'))
  t.same(bodies(read), ['new'])
  t.equal(read.receipt.repaired, 1)
  await cluster.run(20)
  t.same(bodies(await cluster.get('n3', 'k', { level: 'one' })), ['new'])
})

t.test(
  'a delete leaves a tombstone that wins over the value and loses against a newer one (D1)',
  async (t) => {
    const cluster = await TestCluster.start(3)
    const put = succeeded(await cluster.put('n1', 'k', 'v'))
    succeeded(await cluster.delete('n2', 'k', { context: put.context }))
    const gone = succeeded(await cluster.get('n3', 'k'))
    t.same(gone.values, [])
    t.equal(gone.etag, '')
    t.not(gone.context, '')
    succeeded(await cluster.put('n1', 'k', 'again', { context: gone.context }))
    t.same(bodies(await cluster.get('n2', 'k')), ['again'])
  },
)

t.test('a delete does not touch what its holder has not seen (D1: add wins)', async (t) => {
  const cluster = await TestCluster.start(3)
  const { context } = succeeded(await cluster.put('n1', 'k', 'seen'))
  succeeded(await cluster.put('n2', 'k', 'unseen', { context }))
  succeeded(await cluster.delete('n1', 'k', { context }))
  t.same(bodies(await cluster.get('n3', 'k')), ['unseen'])
})

t.test(
  'a retry with its idempotency key keeps its dot, through the same node and another (V10)',
  async (t) => {
    const cluster = await TestCluster.start(3)
    const first = succeeded(
      await cluster.put('n1', 'k', 'v', { idempotencyKey: 'r-1', level: 'all' }),
    )
    const again = succeeded(await cluster.put('n1', 'k', 'v', { idempotencyKey: 'r-1' }))
    const elsewhere = succeeded(await cluster.put('n2', 'k', 'v', { idempotencyKey: 'r-1' }))
    t.equal(again.etag, first.etag)
    t.equal(elsewhere.etag, first.etag)
    t.same(bodies(await cluster.get('n3', 'k')), ['v'])
    const reused = failed(await cluster.put('n1', 'k', 'other', { idempotencyKey: 'r-1' }))
    t.equal(reused.code, 'SHOAL_IDEMPOTENCY_KEY_REUSED')
    const reusedElsewhere = failed(await cluster.put('n3', 'k', 'other', { idempotencyKey: 'r-1' }))
    t.equal(reusedElsewhere.code, 'SHOAL_IDEMPOTENCY_KEY_REUSED')
  },
)

t.test('a retry after its value was replaced does not bring it back', async (t) => {
  const cluster = await TestCluster.start(3)
  const first = succeeded(await cluster.put('n1', 'k', 'v1', { idempotencyKey: 'r-1' }))
  succeeded(await cluster.put('n1', 'k', 'v2', { context: first.context }))
  succeeded(await cluster.put('n1', 'k', 'v1', { idempotencyKey: 'r-1' }))
  t.same(bodies(await cluster.get('n2', 'k')), ['v2'])
})

t.test('a node that is no replica passes the write to one, once (K6, V4)', async (t) => {
  const cluster = await TestCluster.start(5)
  for (let index = 0; index < 20; index++) {
    const key = `key ${index}`
    const put = succeeded(await cluster.put('n1', key, `v${index}`))
    t.equal(put.receipt.n, 3)
    t.same(bodies(await cluster.get('n5', key)), [`v${index}`])
  }
  t.ok(cluster.node('n1').coordinator.figures.forwarded > 0, 'some keys live elsewhere')
})

t.test('what was passed on goes no further, whoever is a replica of it (V4)', async (t) => {
  const cluster = await TestCluster.start(3)
  cluster.setBucket('narrow', { n: 1 })
  const passedOn = { bucket: 'narrow', passedOn: true }
  const ends: string[] = []
  for (const id of ['n1', 'n2', 'n3']) {
    const result = await cluster.put(id, 'k', 'milk', passedOn)
    ends.push(result instanceof ShoalError ? result.code : 'taken')
  }
  t.same(ends.sort(), ['SHOAL_NOT_REPLICA', 'SHOAL_NOT_REPLICA', 'taken'])
})

t.test('a session reads its own writes at one through any node (K8, S1)', async (t) => {
  const cluster = await TestCluster.start(3)
  await cluster.isolate('n3')
  const put = succeeded(await cluster.put('n1', 'k', 'mine', { session: 'new' }))
  await cluster.rejoin('n3')
  const stale = succeeded(await cluster.get('n3', 'k', { level: 'one' }))
  t.same(stale.values, [], 'without the session n3 knows nothing')
  const cluster2 = await TestCluster.start(3)
  await cluster2.isolate('n3')
  const put2 = succeeded(await cluster2.put('n1', 'k', 'mine', { session: 'new' }))
  await cluster2.rejoin('n3')
  const own = succeeded(await cluster2.get('n3', 'k', { level: 'one', session: put2.session }))
  t.same(bodies(own), ['mine'])
  t.not(put.session, '')
})

t.test(
  'a session that nobody reachable can satisfy is refused, not lied to (K8, S1)',
  async (t) => {
    const cluster = await TestCluster.start(3)
    await cluster.isolate('n1')
    const put = succeeded(await cluster.put('n1', 'k', 'mine', { session: 'new', level: 'one' }))
    const refused = failed(await cluster.get('n2', 'k', { session: put.session }))
    t.equal(refused.code, 'SHOAL_SESSION_UNSATISFIED')
  },
)

t.test('a strict read confirms what it shows before it shows it (K9, Q5)', async (t) => {
  const cluster = await TestCluster.start(3)
  await cluster.isolate('n1')
  succeeded(await cluster.put('n1', 'k', 'minority', { level: 'one' }))
  await cluster.rejoin('n1')
  const strict = { level: 'quorum', strict: true } as const
  const read = succeeded(await cluster.get('n1', 'k', { consistency: strict }))
  t.same(bodies(read), ['minority'])
  await cluster.isolate('n1')
  const later = succeeded(await cluster.get('n2', 'k', { consistency: strict }))
  t.same(bodies(later), ['minority'], 'it does not go back in time without its first holder')
})

t.test('blind writes do what the bucket says (V7)', async (t) => {
  const cluster = await TestCluster.start(3)
  cluster.setBucket('pure', { blindWrites: 'sibling' })
  cluster.setBucket('careful', { blindWrites: 'reject' })
  succeeded(await cluster.put('n1', 'k', 'one', { bucket: 'pure' }))
  succeeded(await cluster.put('n1', 'k', 'two', { bucket: 'pure' }))
  t.same(bodies(await cluster.get('n2', 'k', { bucket: 'pure' })), ['one', 'two'])
  t.equal(
    failed(await cluster.delete('n1', 'k', { bucket: 'pure' })).code,
    'SHOAL_CONTEXT_REQUIRED',
  )
  t.equal(
    failed(await cluster.put('n1', 'k', 'v', { bucket: 'careful' })).code,
    'SHOAL_CONTEXT_REQUIRED',
  )
  const { context } = succeeded(await cluster.get('n1', 'k', { bucket: 'careful' }))
  succeeded(await cluster.put('n1', 'k', 'v', { bucket: 'careful', context }))
  succeeded(
    await cluster.put('n1', 'new', 'v', {
      bucket: 'careful',
      precondition: { ifNoneMatch: ['*'] },
    }),
  )
})

t.test('siblings are refused at their limit with the context that mends it (V8)', async (t) => {
  const cluster = await TestCluster.start(3)
  cluster.setBucket('pure', { blindWrites: 'sibling', maxSiblings: 3 })
  for (const value of ['a', 'b', 'c']) {
    succeeded(await cluster.put('n1', 'k', value, { bucket: 'pure' }))
  }
  const refused = failed(await cluster.put('n1', 'k', 'd', { bucket: 'pure' }))
  t.equal(refused.code, 'SHOAL_SIBLINGS_FULL')
  const context = refused.details.extra?.context ?? ''
  succeeded(await cluster.put('n1', 'k', 'abcd', { bucket: 'pure', context }))
  t.same(bodies(await cluster.get('n2', 'k', { bucket: 'pure' })), ['abcd'])
})

t.test('preconditions are checked, and a failed one returns what is current', async (t) => {
  const cluster = await TestCluster.start(3)
  const created = succeeded(
    await cluster.put('n1', 'k', 'v1', { precondition: { ifNoneMatch: ['*'] } }),
  )
  t.equal(created.receipt.precondition, 'checked')
  const again = failed(await cluster.put('n2', 'k', 'v2', { precondition: { ifNoneMatch: ['*'] } }))
  t.equal(again.code, 'SHOAL_PRECONDITION_FAILED')
  t.equal(again.details.extra?.etag, created.etag)
  succeeded(await cluster.put('n3', 'k', 'v3', { precondition: { ifMatch: [created.etag] } }))
  const stale = failed(
    await cluster.put('n1', 'k', 'v4', { precondition: { ifMatch: [created.etag] } }),
  )
  t.equal(stale.code, 'SHOAL_PRECONDITION_FAILED')
  t.same(bodies(await cluster.get('n1', 'k')), ['v3'])
})

t.test(
  'a context of another key, or a damaged one, is refused before anything happens (K7, V6)',
  async (t) => {
    const cluster = await TestCluster.start(3)
    const { context } = succeeded(await cluster.put('n1', 'k', 'v'))
    t.equal(
      failed(await cluster.put('n1', 'other', 'v', { context })).code,
      'SHOAL_CONTEXT_FOREIGN',
    )
    t.equal(
      failed(await cluster.put('n1', 'k', 'v', { context: 'c1.!' })).code,
      'SHOAL_CONTEXT_INVALID',
    )
    t.same(succeeded(await cluster.get('n1', 'other')).values, [])
  },
)

t.test('keys are listed in order, without the deleted ones, page by page', async (t) => {
  const cluster = await TestCluster.start(5)
  const keys = ['a/1', 'a/2', 'a/3', 'b', 'a', 'ä', '\u{1f41f}']
  for (const key of keys) succeeded(await cluster.put('n1', key, key))
  const { context } = succeeded(await cluster.get('n1', 'a/2'))
  succeeded(await cluster.delete('n2', 'a/2', { context }))
  await cluster.run(10)
  const list = async (prefix: string, after: string, limit: number) => {
    let page: Awaited<ReturnType<typeof request>> | undefined
    const request = () =>
      cluster
        .node('n4')
        .coordinator.list({ bucket: 'b', prefix, after, limit, timeout: 1_000 as never })
    void request().then((given) => {
      page = given
    })
    await cluster.until(() => page !== undefined)
    return page
  }
  t.match(await list('', '', 100), {
    keys: ['a', 'a/1', 'a/3', 'b', 'ä', '\u{1f41f}'],
    more: false,
  })
  t.match(await list('a/', '', 1), { keys: ['a/1'], more: true })
  t.match(await list('a/', 'a/1', 1), { keys: ['a/3'], more: false })
})

t.test('an expired value reads as deleted at once (D2)', async (t) => {
  const cluster = await TestCluster.start(3)
  succeeded(await cluster.put('n1', 'k', 'v', { ttl: 5 }))
  t.same(bodies(await cluster.get('n2', 'k')), ['v'])
  await cluster.run(5_100)
  t.same(bodies(await cluster.get('n2', 'k')), [])
})

t.test('an lww bucket shows the newest and counts what it loses (V9)', async (t) => {
  const cluster = await TestCluster.start(3)
  cluster.setBucket('last', { conflicts: 'lww' })
  const { context } = succeeded(await cluster.put('n1', 'k', 'base', { bucket: 'last' }))
  succeeded(await cluster.put('n1', 'k', 'first', { bucket: 'last', context }))
  await cluster.run(5)
  succeeded(await cluster.put('n2', 'k', 'second', { bucket: 'last', context }))
  const read = succeeded(await cluster.get('n3', 'k', { bucket: 'last' }))
  t.same(bodies(read), ['second'])
  succeeded(await cluster.put('n3', 'k', 'third', { bucket: 'last', context: read.context }))
  t.equal(cluster.node('n3').coordinator.figures.lostWrites, 1)
})

t.test('a write that is cut off half way ends at its deadline as unknown (O2, Q7)', async (t) => {
  const cluster = await TestCluster.start(3)
  const pending = cluster.put('n1', 'k', 'v', { timeout: 300 as never })
  for (const other of ['n2', 'n3']) {
    cluster.network.cut('n1' as never, other as never)
    cluster.network.cut(other as never, 'n1' as never)
  }
  const result = failed(await pending)
  t.match(result, { code: 'SHOAL_QUORUM_TIMEOUT', status: 504, outcome: 'unknown' })
  t.equal(result.details.replicas?.length, 3)
})

t.test('a damaged copy is never an answer, and is healed by the read (K10, V11)', async (t) => {
  const cluster = await TestCluster.start(3)
  succeeded(await cluster.put('n1', 'k', 'v', { level: 'all' }))
  cluster.node('n1').store.disk.corrupt('rows', makeRowKey('b', 'k'), cluster.env.random('rot'))
  t.same(bodies(await cluster.get('n1', 'k')), ['v'])
  await cluster.run(20)
  t.same(bodies(await cluster.get('n1', 'k', { level: 'one' })), ['v'])
})

t.test('a damaged copy that says so after the reply is healed too (K10, V11)', async (t) => {
  const cluster = await TestCluster.start(3)
  for (let read = 0; read < 60; read++) succeeded(await cluster.get('n1', 'other'))
  // What this node lacks, peers read in full: a digest is answered without a look at the row.
  await cluster.isolate('n1')
  succeeded(await cluster.put('n2', 'k', 'v'))
  await cluster.rejoin('n1')
  const { speeds } = cluster.node('n1').coordinator.desk
  const [asked, spare] = ['n2', 'n3']
    .map(nodeId)
    .sort((one, other) => speeds.of(one) - speeds.of(other)) as [NodeId, NodeId]
  const { disk } = cluster.node(spare).store
  const rowKey = makeRowKey('b', 'k')
  disk.corrupt('rows', rowKey, cluster.env.random('rot'))
  // So late that the spare is asked, and the spare later still.
  const late = (ms: number) => ({ delayMin: millis(ms), delayMax: millis(ms) })
  cluster.network.setFaults(late(200), asked, nodeId('n1'))
  cluster.network.setFaults(late(500), spare, nodeId('n1'))
  const answer = succeeded(await cluster.get('n1', 'k'))
  t.match(answer.receipt, { ack: 2, repaired: 1 }, 'the own copy')
  t.equal(speeds.hedges, 1)
  const isSound = (): boolean =>
    verifyRow(disk.current('rows', rowKey) as Buffer, rowKey.readBigUInt64BE(0)) === 'ok'
  t.notOk(isSound(), 'the answer did not wait for it')
  await cluster.run(1_000)
  t.ok(isSound())
})

t.test('a trace tells what every replica did', async (t) => {
  const cluster = await TestCluster.start(3)
  const put = succeeded(await cluster.put('n1', 'k', 'v', { explain: true }))
  let trace: Awaited<ReturnType<typeof find>> | undefined
  const find = () => cluster.node('n3').coordinator.trace(put.traceId ?? '')
  void find().then((given) => {
    trace = given
  })
  await cluster.until(() => trace !== undefined)
  t.match(trace, { node: 'n1', operation: 'put', bucket: 'b', key: 'k' })
  const told = trace?.events.map(({ node, event }) => `${node} ${event}`) ?? []
  for (const node of ['n1', 'n2', 'n3']) {
    const [asked, answered] = [told.indexOf(`${node} asked`), told.indexOf(`${node} durable`)]
    t.ok(asked >= 0 && asked < answered, `${node} was asked, then answered: ${told}`)
  }
})

t.test('of two checked writes that race through one node one is refused', async (t) => {
  const cluster = await TestCluster.start(3)
  const { etag } = succeeded(await cluster.put('n1', 'k', 'base', { level: 'all' }))
  const precondition = { ifMatch: [etag] }
  const results = await Promise.all([
    cluster.put('n1', 'k', 'left', { precondition }),
    cluster.put('n1', 'k', 'right', { precondition }),
  ])
  const codes = results.map((result) => (result instanceof Error ? result.code : 'done')).sort()
  t.same(codes, ['SHOAL_PRECONDITION_FAILED', 'done'])
  t.equal(succeeded(await cluster.get('n2', 'k')).values.length, 1)
})

t.test('a retried conditional write does not fail on its own first try (V10)', async (t) => {
  const cluster = await TestCluster.start(3)
  const create = {
    precondition: { ifNoneMatch: ['*'] },
    idempotencyKey: 'r-1',
    level: 'all',
  } as const
  const first = succeeded(await cluster.put('n1', 'k', 'v', create))
  t.equal(succeeded(await cluster.put('n1', 'k', 'v', create)).etag, first.etag)
  t.equal(succeeded(await cluster.put('n2', 'k', 'v', create)).etag, first.etag)
})

t.test(
  'a late answer is hedged to the spare replica, within 5 % of the reads (Q2, O4)',
  async (t) => {
    const cluster = await TestCluster.start(3)
    succeeded(await cluster.put('n1', 'k', 'v', { level: 'all' }))
    for (let read = 0; read < 60; read++) succeeded(await cluster.get('n1', 'k'))
    const slow = { delayMin: millis(1_500), delayMax: millis(1_500) }
    const { speeds } = cluster.node('n1').coordinator.desk
    const [fastest] = ['n2', 'n3']
      .map(nodeId)
      .sort((one, other) => speeds.of(one) - speeds.of(other))
    cluster.network.setFaults(slow, fastest, nodeId('n1'))
    const began = cluster.env.clock.elapsed()
    t.same(bodies(await cluster.get('n1', 'k')), ['v'])
    const took = cluster.env.clock.elapsed() - began
    t.ok(took < 500, `${took} ms, though the fastest replica takes 1,500`)
    t.equal(speeds.hedges, 1)
  },
)

t.test('what arrives while a strict read confirms is not shown unconfirmed (K9, Q5)', async (t) => {
  const cluster = await TestCluster.start(3)
  succeeded(await cluster.put('n1', 'other', 'v', { level: 'all' }))
  for (let read = 0; read < 60; read++) succeeded(await cluster.get('n1', 'other'))
  for (const node of ['n1', 'n3']) {
    await cluster.isolate(node)
    succeeded(await cluster.put(node, 'k', `only ${node}`, { level: 'one' }))
    await cluster.rejoin(node)
  }
  const [n1, n2, n3] = ['n1', 'n2', 'n3'].map(nodeId) as [never, never, never]
  cluster.node('n1').coordinator.desk.speeds.failed(n3)
  // n2 answers after the hedge has gone to n3, whose answer comes while n2 confirms.
  cluster.network.setFaults({ delayMin: millis(60), delayMax: millis(60) }, n2, n1)
  cluster.network.setFaults({ delayMin: millis(70), delayMax: millis(70) }, n3, n1)
  const consistency = { level: 'quorum', strict: true } as const
  t.same(bodies(await cluster.get('n1', 'k', { consistency })), ['only n1'])
  t.equal(cluster.node('n1').coordinator.desk.speeds.hedges, 1, 'the hedge was on its way')
})

t.test(
  'a strict read answered by its peers while the own copy syncs shows it (Q4, Q5)',
  async (t) => {
    const cluster = await TestCluster.start(3)
    succeeded(await cluster.put('n1', 'k', 'v', { level: 'all' }))
    for (let read = 0; read < 60; read++) succeeded(await cluster.get('n1', 'k'))
    // The row is read at once; that it is on disk is known only after the peers have answered.
    const { replica } = cluster.node('n1')
    const later: (() => void)[] = []
    replica.whenDurable = (done) => void later.push(done)
    const consistency = { level: 'quorum', strict: true } as const
    t.same(bodies(await cluster.get('n1', 'k', { consistency })), ['v'])
    t.equal(cluster.node('n1').coordinator.desk.speeds.hedges, 1, 'a hedge stood in for it')
    for (const done of later) done()
  },
)

t.test('a listing that the own disk cannot read fails with a code for clients', async (t) => {
  const cluster = await TestCluster.start(3)
  succeeded(await cluster.put('n1', 'k', 'v', { level: 'all' }))
  const { store, coordinator } = cluster.node('n1')
  store.disk.failRead('versions', Buffer.from('b\0k'))
  const all = { bucket: 'b', prefix: '', after: '', limit: 10, timeout: millis(1_000) }
  let failure: unknown
  coordinator.list(all).catch((error: unknown) => {
    failure = error
  })
  await cluster.until(() => failure !== undefined)
  t.match(failure, { code: 'SHOAL_QUORUM_TIMEOUT', status: 504, outcome: 'not-applied' })
})
