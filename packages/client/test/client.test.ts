/** The operations of a client against a real HTTP server that keeps the contract. */
import t, { type Test } from 'tap'
import { type Client, type ConnectOptions, connect, json, type StoredValue } from '../src/index.ts'
import { startFakeCluster } from './support/fake-cluster.ts'
import { ofKind } from './support/kind.ts'

async function start(t: Test, options: ConnectOptions = {}, nodes = 3) {
  const cluster = await startFakeCluster(nodes)
  const client = connect(cluster.urls, { hedge: false, ...options })
  t.teardown(async () => {
    await client.destroy()
    await cluster.close()
  })
  return { cluster, client }
}

t.test('a value comes back as it was written, with its type', async (t) => {
  const { client } = await start(t)
  const written = await client.put('carts', '42', 'milk ☕')
  t.match(written.context, /^c1\./)
  t.match(written.etag, /^".+"$/)
  t.match(written.receipt, { n: 3, need: 2, ack: 3, epoch: 1, node: /^n\d$/ })

  const read = ofKind('value', await client.get('carts', '42'))
  t.equal(read.value.text(), 'milk ☕')
  t.equal(Buffer.from(read.value.bytes()).toString(), 'milk ☕')
  t.equal(read.value.contentType, 'text/plain; charset=utf-8')
  t.equal(read.value.size, 8)
  t.ok(read.value.modified instanceof Date)
  t.equal(read.etag, written.etag)
  t.equal(read.siblings, 1)
  t.equal(read.consistency, 'quorum;r=2;w=2;durable=2')
})

t.test('bytes, JSON, nothing at all, and any key', async (t) => {
  const { client } = await start(t)
  const bytes = Uint8Array.from({ length: 256 }, (_, index) => index)
  await client.put('b', 'bytes', bytes.subarray(10, 200))
  const read = ofKind('value', await client.get('b', 'bytes'))
  t.same([...read.value.bytes()], [...bytes.subarray(10, 200)])
  t.equal(read.value.contentType, 'application/octet-stream')

  await client.put('b', 'json', json({ items: [1, 2] }))
  const parsed = ofKind('value', await client.get('b', 'json'))
  t.same(parsed.value.json<{ items: number[] }>().items, [1, 2])
  t.equal(parsed.value.contentType, 'application/json')

  const keys = [
    'a/b',
    'a b',
    '..',
    '.',
    'ü\u{1f600}',
    'nul\0nul',
    '%2F',
    '?x=1#y',
    'x'.repeat(1_024),
  ]
  for (const key of keys) {
    await client.put('b', key, '', { contentType: 'text/csv', contentEncoding: 'gzip' })
    const empty = ofKind('value', await client.get('b', key))
    t.equal(empty.value.size, 0)
    t.equal(empty.value.contentType, 'text/csv')
    t.equal(empty.value.contentEncoding, 'gzip')
  }
  t.same((await client.list('b').toArray()).length, keys.length + 2)
})

t.test('a missing key is an answer, and a deleted one too', async (t) => {
  const { client } = await start(t)
  const never = await client.get('b', 'k')
  t.equal(never.kind, 'absent')
  t.match(never.context, /^c1\./, 'a missing key has a context')
  const { context } = await client.put('b', 'k', 'x')
  await client.delete('b', 'k', { context })
  t.equal((await client.get('b', 'k')).kind, 'absent')
  t.equal((await client.head('b', 'k')).kind, 'absent')
  await client.delete('b', 'k')
})

async function twoSiblings(client: Client): Promise<number | undefined> {
  const { context } = await client.get('b', 'k')
  await client.put('b', 'k', 'ann', { context })
  const { siblings } = await client.put('b', 'k', 'bob', { context })
  return siblings
}

t.test(
  'two writes with one context are two siblings, a write with theirs is one value',
  async (t) => {
    const { client } = await start(t)
    t.equal(await twoSiblings(client), 2, 'the writer is told')
    const read = ofKind('siblings', await client.get('b', 'k'))
    t.same(
      read.siblings.map((value) => value.text()),
      ['ann', 'bob'],
    )
    t.ok(read.siblings.every(({ modified, etag }) => modified !== undefined && etag !== ''))

    const head = await client.head('b', 'k')
    t.equal(head.kind, 'siblings')
    const second = await client.getSibling('b', 'k', read.siblings[1]!.etag)
    t.equal(second.value.text(), 'bob')
    await t.rejects(client.getSibling('b', 'k', '"999"'), {
      name: 'NotFound',
      code: 'SHOAL_SIBLING_NOT_FOUND',
    })

    const picked = ofKind('value', await client.get('b', 'k', { siblings: 'resolve' }))
    t.equal(picked.siblings, 2)

    await client.put('b', 'k', 'ann and bob', { context: read.context })
    const one = await client.get('b', 'k')
    t.equal(one.kind === 'value' && one.value.text(), 'ann and bob')
  },
)

t.test('the type of a read makes siblings impossible to ignore', async (t) => {
  const { client } = await start(t)
  await twoSiblings(client)
  const read = await client.get('b', 'k')
  // @ts-expect-error: a read may be siblings, so it has no value before one has looked
  t.equal(read.value, undefined)
  const picked = await client.get('b', 'k', { siblings: 'resolve' })
  if (picked.kind !== 'absent') t.equal(picked.value.text(), 'bob')
  const unchanged = await client.get('b', 'k', {
    ifNoneMatch: picked.kind === 'value' ? picked.etag : '',
  })
  t.equal(unchanged.kind, 'unchanged')
  // @ts-expect-error: what to do with siblings must be said
  const missing: Parameters<typeof client.update>[3] = {}
  t.ok(missing)
})

t.test('a head tells size, type and time', async (t) => {
  const { client } = await start(t)
  await client.put('b', 'k', 'four')
  const head = ofKind('value', await client.head('b', 'k'))
  t.equal(head.size, 4)
  t.equal(head.contentType, 'text/plain; charset=utf-8')
  t.ok(head.modified instanceof Date)
  t.equal((await client.head('b', 'k', { ifNoneMatch: head.etag })).kind, 'unchanged')
})

t.test('what the caller chooses reaches the node', async (t) => {
  const { client, cluster } = await start(t, { token: () => 'sesame', consistency: 'all' }, 1)
  await client.put('b', 'k', 'x', {
    consistency: { level: 'quorum', r: 1, w: 3, durable: 1, strict: true },
    idempotencyKey: 'mine',
    ttlSeconds: 60,
    explain: true,
    traceparent: '00-1-2-01',
    ifNoneMatch: '*',
    context: (await client.get('b', 'k')).context,
    timeoutMs: 1_500,
  })
  const put = cluster.nodes[0]!.asked.find(({ method }) => method === 'PUT')
  t.match(put?.headers, {
    authorization: 'Bearer sesame',
    consistency: 'quorum;r=1;w=3;durable=1;strict',
    'idempotency-key': 'mine',
    ttl: '60',
    explain: '?1',
    traceparent: '00-1-2-01',
    'if-none-match': '*',
    'causal-context': /^c1\./,
  })
  const told = Number(put?.headers['shoal-timeout'])
  t.ok(told > 1_300 && told <= 1_500, `a node is told to end before the call does: ${told}`)
  t.equal(cluster.nodes[0]!.asked[0]?.headers.consistency, 'all', "the client's default holds")
})

t.test('a listing pages to its end, and goes on from a cursor', async (t) => {
  const { client } = await start(t)
  const keys = Array.from({ length: 25 }, (_, index) => `k${String(index).padStart(2, '0')}`)
  for (const key of keys) await client.put('b', key, key)
  await client.put('b', 'other', '')

  const listed: string[] = []
  for await (const key of client.list('b', { prefix: 'k', pageSize: 10 })) listed.push(key)
  t.same(listed, keys)

  const pages: number[] = []
  let cursor: string | undefined
  for await (const page of client.list('b', { prefix: 'k', pageSize: 10 }).pages()) {
    pages.push(page.keys.length)
    cursor ??= page.cursor
  }
  t.same(pages, [10, 10, 5])
  const rest = client.list('b', {
    prefix: 'k',
    pageSize: 10,
    ...(cursor === undefined ? {} : { cursor }),
  })
  t.same(await rest.toArray(), keys.slice(10))
})

t.test('a batch gives a result for each item, in order, and items fail alone', async (t) => {
  const { client, cluster } = await start(t)
  await client.put('b', 'there', 'yes')
  await client.ready()
  const [put, got, missing, bad, gone] = await client.batch([
    { op: 'put', bucket: 'b', key: 'new', value: json([1]) },
    { op: 'get', bucket: 'b', key: 'there' },
    { op: 'get', bucket: 'b', key: 'missing' },
    { op: 'put', bucket: 'b', key: '', value: 'x' },
    { op: 'delete', bucket: 'b', key: 'there' },
  ])
  t.equal(put.ok && put.result.receipt?.n, 3)
  t.equal(got.ok && got.result.kind === 'value' && got.result.value.text(), 'yes')
  t.equal(missing.ok && missing.result.kind, 'absent')
  t.match(bad, { ok: false, error: { name: 'BadRequest', code: 'SHOAL_KEY_INVALID' } })
  t.ok(gone.ok)
  const paths = cluster.nodes.flatMap(({ asked }) => asked.map(({ path }) => path))
  t.ok(paths.includes('/v1/batch'), 'items for one node travel together')
})

t.test('update creates, changes, deletes and leaves alone', async (t) => {
  const { client } = await start(t)
  const count = (current: StoredValue | undefined) => json((current?.json<number>() ?? 0) + 1)
  for (let round = 0; round < 3; round++) {
    const updated = await client.update('b', 'n', count, { resolve: 'fail' })
    t.equal(updated.kind === 'written' && updated.value.json(), round + 1)
  }
  const left = await client.update('b', 'n', () => undefined, { resolve: 'fail' })
  t.equal(left.kind, 'unchanged')
  t.equal((await client.update('b', 'n', () => null, { resolve: 'fail' })).kind, 'deleted')
  t.equal((await client.get('b', 'n')).kind, 'absent')
})

t.test('update makes one of siblings as it is told', async (t) => {
  const { client } = await start(t)
  const keep = (current: StoredValue | undefined) => `${current?.text()}!`
  await twoSiblings(client)
  await t.rejects(client.update('b', 'k', keep, { resolve: 'fail' }), {
    name: 'Conflict',
    code: 'SHOAL_CLIENT_CONFLICT',
  })
  const joined = await client.update('b', 'k', keep, {
    resolve: (siblings) => siblings.map((value) => value.text()).join('+'),
  })
  t.equal(joined.kind === 'written' && joined.value.text(), 'ann+bob!')
  t.equal((await client.get('b', 'k')).kind, 'value', 'its context covered both')

  await client.delete('b', 'k')
  await twoSiblings(client)
  const newest = await client.update('b', 'k', keep, { resolve: 'newest' })
  t.equal(newest.kind === 'written' && newest.value.text(), 'bob!')
})

t.test('concurrent updates all count: a changed key begins another round', async (t) => {
  const { client } = await start(t)
  const count = (current: StoredValue | undefined) => json((current?.json<number>() ?? 0) + 1)
  const updates = Array.from({ length: 8 }, () =>
    client.update('b', 'n', count, { resolve: 'fail', rounds: 64 }),
  )
  await Promise.all(updates)
  const read = await client.get('b', 'n')
  t.equal(read.kind === 'value' && read.value.json(), 8)
})

t.test('other routes are a call away', async (t) => {
  const { client } = await start(t)
  const { status, body } = await client.api<{ epoch: number }>('GET', '/v1/ring')
  t.equal(status, 200)
  t.equal(body.epoch, 1)
  await t.rejects(client.api('GET', '/v1/nothing'), { name: 'NotFound' })
})

t.test('wrong arguments are refused before anything is sent', async (t) => {
  const { client, cluster } = await start(t)
  await client.ready()
  const refused: [Promise<unknown>, string][] = [
    [client.get('a/b', 'k'), 'SHOAL_BUCKET_INVALID'],
    [client.get('..', 'k'), 'SHOAL_BUCKET_INVALID'],
    [client.get('b', ''), 'SHOAL_KEY_INVALID'],
    [client.get('b', '\ud800'), 'SHOAL_KEY_INVALID'],
    [client.get('b', 'ü'.repeat(513)), 'SHOAL_KEY_TOO_LONG'],
    [client.put('b', 'k', 'v', { idempotencyKey: 'no spaces' }), 'SHOAL_IDEMPOTENCY_KEY_INVALID'],
    [client.put('b', 'k', 'v', { ttlSeconds: 0 }), 'SHOAL_CLIENT_OPTION_INVALID'],
    [client.put('b', 'k', 5 as unknown as string), 'SHOAL_CLIENT_OPTION_INVALID'],
    [client.get('b', 'k', { timeoutMs: 0 }), 'SHOAL_CLIENT_OPTION_INVALID'],
    [client.list('b', { pageSize: 1_001 }).toArray(), 'SHOAL_CLIENT_OPTION_INVALID'],
    [client.put('b', 'k', 'v', { contentType: 'te\nxt' }), 'SHOAL_HEADER_INVALID'],
  ]
  for (const [call, code] of refused) await t.rejects(call, { name: 'BadRequest', code })
  t.equal(cluster.nodes.flatMap(({ asked }) => asked).length, 0)

  t.throws(() => connect([]), { code: 'SHOAL_CLIENT_OPTION_INVALID' })
  t.throws(() => connect('ftp://x'), { code: 'SHOAL_CLIENT_OPTION_INVALID' })
  t.throws(() => connect('x', { retries: 99 }), { code: 'SHOAL_CLIENT_OPTION_INVALID' })
  t.throws(() => json(undefined), { code: 'SHOAL_CLIENT_OPTION_INVALID' })
})

t.test('a client that closes lets its calls end and takes no more', async (t) => {
  const { client, cluster } = await start(t)
  await client.ready()
  const open = client.put('b', 'k', 'v')
  const closed = client.close()
  await t.rejects(client.get('b', 'k'), { name: 'Closed', code: 'SHOAL_CLIENT_CLOSED' })
  t.ok(await open)
  await closed
  await client.close()
  t.equal(cluster.store.writes, 1)
})
