/** Many keys at a time: lists page by page, batches, and what the keys of a bucket share. */
import t, { type Test } from 'tap'
import { keyNotHeldBy, putBuckets } from './support/buckets.ts'
import { type Answer, kv } from './support/http.ts'
import { receiptOf, textsOf } from './support/kv-answers.ts'
import type { NodeProcess } from './support/node-process.ts'
import { checkProblem, type ProblemBody } from './support/problems.ts'
import { RawConnection } from './support/raw.ts'
import { RealCluster } from './support/real-cluster.ts'

t.setTimeout(180_000)

const cluster = await RealCluster.start(t, { nodes: 4 })
const { nodes } = cluster
const [n1, n2, n3, n4] = nodes as [NodeProcess, NodeProcess, NodeProcess, NodeProcess]

interface Page {
  readonly keys: readonly string[]
  readonly cursor: string | null
}

async function list(node: NodeProcess, bucket: string, query = ''): Promise<Page> {
  const answer = await node.ask(`/v1/kv/${bucket}${query}`, { headers: { Consistency: 'quorum' } })
  if (answer.status !== 200) throw new Error(answer.text)
  return answer.json() as Page
}

interface Result {
  readonly status: number
  readonly context?: string
  readonly etag?: string
  readonly receipt?: string
  readonly type?: string
  readonly value?: string
  readonly base64?: string
  readonly siblings?: readonly { base64: string }[]
  readonly problem?: ProblemBody
}

const json = { 'Content-Type': 'application/json' }
const ndjson = { 'Content-Type': 'application/x-ndjson' }

function batch(
  node: NodeProcess,
  operations: readonly unknown[],
  headers: Record<string, string> = {},
): Promise<Answer> {
  const body = JSON.stringify({ operations })
  return node.ask('/v1/batch', { method: 'POST', body, headers: { ...json, ...headers } })
}

const resultsOf = (answer: Answer): Result[] => (answer.json() as { results: Result[] }).results

const linesOf = (answer: Answer): unknown[] =>
  answer.text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown)

const inByteOrder = (keys: readonly string[]): string[] =>
  [...keys].sort((one, other) => Buffer.from(one).compare(Buffer.from(other)))

const odd = ['a/b', 'a b', 'a\u0000b', 'ä', '€', '😀', '\uffff', '%2F', 'a', 'z?x=1#y', '..', '+']
const plain = Array.from({ length: 150 }, (_, index) => `n${String(index).padStart(3, '0')}`)

t.test('a list is in the order of bytes, whoever is asked', async (t) => {
  const written = await batch(
    n1,
    [...odd, ...plain].map((key) => ({ op: 'put', bucket: 'list', key, value: key })),
    { Consistency: 'all' },
  )
  t.ok(
    resultsOf(written).every(({ status }) => status === 204),
    'all are written',
  )
  const expected = inByteOrder([...odd, ...plain])
  for (const node of nodes) {
    const { keys, cursor } = await list(node, 'list', '?limit=1000')
    t.same(keys, expected, `${node.id} lists every key once`)
    t.equal(cursor, null)
  }
  for (const key of odd) {
    t.equal(
      (await n2.ask(kv('list', key))).text,
      key,
      `${JSON.stringify(key)} is a key like others`,
    )
  }
  const standard = await list(n3, 'list')
  t.equal(standard.keys.length, 100, 'a page has 100 keys unless asked otherwise')
  t.type(standard.cursor, 'string')
  const one = await n3.ask('/v1/kv/list?prefix=n00')
  t.same((one.json() as Page).keys, plain.slice(0, 10), 'by prefix')
  t.equal(one.header('Consistency'), 'one;r=1;w=1;durable=1', 'a list states its consistency')
  for (const name of ['Request-Id', 'Server-Timing', 'Cache-Control']) t.ok(one.header(name), name)
  const quorum = await n3.ask('/v1/kv/list?prefix=n00', { headers: { Consistency: 'quorum' } })
  t.equal(quorum.header('Consistency'), 'quorum;r=2;w=2;durable=2')
  t.same((await list(n1, 'list', '?prefix=zzz')).keys, [])
  t.same((await list(n1, 'list', `?prefix=${encodeURIComponent('a/')}`)).keys, ['a/b'])
})

t.test('pages follow each other through a cursor, through any node', async (t) => {
  for (const limit of [1, 7, 50, 162]) {
    const found: string[] = []
    let query = `?limit=${limit}`
    for (let page = 0; ; page++) {
      const { keys, cursor } = await list(nodes[page % 4] as NodeProcess, 'list', query)
      t.ok(keys.length <= limit)
      found.push(...keys)
      if (cursor === null) break
      query = `?limit=${limit}&cursor=${encodeURIComponent(cursor)}`
      if (limit === 1 && page > 20) break
    }
    const expected = inByteOrder([...odd, ...plain])
    t.same(found, limit === 1 ? expected.slice(0, found.length) : expected, `${limit} at a time`)
  }
})

t.test('a list streams as lines', async (t) => {
  const answer = await n4.ask('/v1/kv/list?prefix=n0&limit=30', {
    headers: { Accept: 'application/x-ndjson' },
  })
  t.equal(answer.header('Content-Type'), 'application/x-ndjson')
  const lines = linesOf(answer)
  t.same(
    lines.slice(0, -1),
    plain.slice(0, 30).map((key) => ({ key })),
  )
  const { cursor } = lines.at(-1) as { cursor: string }
  t.type(cursor, 'string', 'the last line is the cursor')
  const rest = await list(n1, 'list', `?prefix=n0&cursor=${encodeURIComponent(cursor)}`)
  t.same(rest.keys, plain.slice(30, 100))
})

t.test('deleted keys leave the list', async (t) => {
  await n1.ask(kv('list', 'n000'), { method: 'DELETE' })
  for (const node of nodes) t.same((await list(node, 'list', '?prefix=n000')).keys, [])
  t.same((await list(n2, 'list', '?prefix=n00&limit=3')).keys, ['n001', 'n002', 'n003'])
})

t.test('what is wrong with a list is told', async (t) => {
  const { cursor } = await list(n1, 'list', '?limit=1')
  const cells: [string, string, string][] = [
    ['?limit=0', 'SHOAL_QUERY_INVALID', 'limit'],
    ['?limit=1001', 'SHOAL_QUERY_INVALID', 'limit'],
    ['?limit=ten', 'SHOAL_QUERY_INVALID', 'limit'],
    ['?limit=1&limit=2', 'SHOAL_QUERY_INVALID', 'limit'],
    ['?prefx=a', 'SHOAL_QUERY_INVALID', 'prefx'],
    ['?prefix=%ff', 'SHOAL_QUERY_INVALID', 'prefix'],
    ['?cursor=nonsense', 'SHOAL_CURSOR_INVALID', 'cursor'],
    [`?prefix=n&cursor=${cursor}`, 'SHOAL_CURSOR_INVALID', 'cursor'],
  ]
  for (const [query, code, field] of cells) {
    checkProblem(t, await n1.ask(`/v1/kv/list${query}`), { status: 400, code, field }, query)
  }
  const other = await n1.ask(`/v1/kv/other?cursor=${cursor}`)
  checkProblem(t, other, { status: 400, code: 'SHOAL_CURSOR_INVALID' }, 'of another bucket')
})

t.test('a batch answers in the order sent, each operation for itself', async (t) => {
  const key = await keyNotHeldBy(n1, 'batch')
  const answer = await batch(n1, [
    { op: 'put', bucket: 'batch', key, value: 'text', type: 'text/plain' },
    { op: 'put', bucket: 'batch', key: 'bytes', base64: '/wA=', consistency: 'all' },
    { op: 'put', bucket: 'batch', key: 'k'.repeat(1_025), value: 'x' },
    { op: 'delete', bucket: 'batch', key: 'never' },
    { op: 'get', bucket: 'batch', key: 'missing' },
    { op: 'get', bucket: '_system', key: 'k' },
    { op: 'get', bucket: 'batch', key: 'k', value: 'no' },
    { op: 'jump', bucket: 'batch', key: 'k' },
    { op: 'put', bucket: 'batch', key: 'k', value: 'x', context: 'nonsense' },
    { op: 'put', bucket: 'batch', key: 'k', value: 'x', consistency: 'most' },
    { op: 'put', bucket: 'batch', key: 'k', value: 'x', ttl: 0 },
    { op: 'put', bucket: 'batch', key: 'k', value: 'x', base64: 'eA==' },
    { op: 'put', bucket: 'batch', key: 'k', base64: '=' },
    { op: 'put', bucket: 'batch', key: 'k', value: 'x', colour: 'red' },
    'nonsense',
  ])
  t.equal(answer.status, 200)
  t.equal(answer.header('Content-Type'), 'application/json')
  const results = resultsOf(answer)
  const statuses = [204, 204, 414, 204, 404, 403, 400, 400, 400, 400, 400, 400, 400, 400, 400]
  t.same(
    results.map(({ status }) => status),
    statuses,
  )
  for (const [index, { status, problem, context, receipt }] of results.entries()) {
    if (status < 400) {
      t.match(context, /^c1\./, `${index} has a context`)
      t.match(receipt, /^n=3, need=\d/, 'and a receipt')
      continue
    }
    t.match(problem, { status, code: /^SHOAL_/, outcome: 'not-applied' }, `${index} says why`)
  }
  t.match(results[13]?.problem?.errors, [{ field: 'operations[13].colour' }], 'and where')

  const read = resultsOf(
    await batch(n4, [
      { op: 'get', bucket: 'batch', key },
      { op: 'get', bucket: 'batch', key: 'bytes' },
      { op: 'get', bucket: 'batch', key: 'k' },
    ]),
  )
  t.match(read[0], { status: 200, value: 'text', type: 'text/plain', etag: /^"/ })
  t.match(read[1], { status: 200, base64: '/wA=', type: 'application/octet-stream' })
  t.match(read[2], { status: 404, context: /^c1\./ }, 'what was refused was not written')
})

t.test('a batch carries contexts, retries and consistency', async (t) => {
  const context = (await n1.ask(kv('batch', 'both'))).header('Causal-Context')
  const put = { op: 'put', bucket: 'batch', key: 'both', context }
  const [one, two] = resultsOf(
    await batch(n2, [
      { ...put, value: '1' },
      { ...put, value: '2' },
    ]),
  )
  t.same([one?.status, two?.status], [204, 204])
  const [both] = resultsOf(await batch(n3, [{ op: 'get', bucket: 'batch', key: 'both' }]))
  t.equal(both?.status, 300)
  t.same(
    both?.siblings?.map(({ base64 }) => Buffer.from(base64, 'base64').toString()).sort(),
    ['1', '2'],
    'siblings stand in the result',
  )
  const joined = { op: 'put', bucket: 'batch', key: 'both', value: '3', context: both?.context }
  const retried = { ...joined, idempotencyKey: 'once' }
  const [first] = resultsOf(await batch(n1, [retried]))
  const [second] = resultsOf(await batch(n1, [retried]))
  t.equal(second?.etag, first?.etag, 'a repeated operation is one')
  t.same(textsOf(await n4.ask(kv('batch', 'both'))), ['3'])

  const get = { op: 'get', bucket: 'batch', key: 'both' }
  const levels = resultsOf(
    await batch(n1, [get, { ...get, consistency: 'all' }], { Consistency: 'one' }),
  ) as (Result & { consistency: string })[]
  t.same(
    levels.map(({ consistency }) => consistency),
    ['one;r=1;w=1;durable=1', 'all;r=3;w=3;durable=3'],
    'the header is the default of all',
  )
})

t.test('a batch as lines, both ways', async (t) => {
  const operations = plain.map((key) => ({ op: 'put', bucket: 'lines', key, value: key }))
  const body = `${operations.map((each) => JSON.stringify(each)).join('\n')}\n\nnonsense\n`
  const answer = await n2.ask('/v1/batch', { method: 'POST', body, headers: ndjson })
  t.equal(answer.header('Content-Type'), 'application/x-ndjson', 'answered as it was sent')
  const results = linesOf(answer) as Result[]
  t.equal(results.length, operations.length + 1)
  t.ok(results.slice(0, -1).every(({ status }) => status === 204))
  t.equal(results.at(-1)?.status, 400, 'a broken line is told in its place')
  t.same((await list(n3, 'lines', '?limit=1000')).keys, plain)
  const mixed = await batch(n1, [{ op: 'get', bucket: 'lines', key: 'n001' }], {
    Accept: 'application/x-ndjson',
  })
  t.equal(mixed.header('Content-Type'), 'application/x-ndjson', 'or as asked')
  t.match(linesOf(mixed), [{ status: 200, value: 'n001' }])
})

t.test('a batch as lines may be a conversation', async (t) => {
  const connection = await RawConnection.open(n4.url)
  t.teardown(() => connection.destroy())
  const line = (operation: object): void => {
    const text = `${JSON.stringify({ bucket: 'talk', key: 'k', ...operation })}\n`
    connection.send(`${text.length.toString(16)}\r\n${text}\r\n`)
  }
  connection.send('POST /v1/batch HTTP/1.1\r\nHost: n\r\nTransfer-Encoding: chunked\r\n')
  connection.send('Content-Type: application/x-ndjson\r\n\r\n')
  line({ op: 'put', value: 'first' })
  await connection.shows('"status":204')
  t.pass('a result comes before the next operation is sent')
  line({ op: 'get' })
  await connection.shows('"value":"first"')
  connection.send('0\r\n\r\n')
  const results = linesOf(await connection.answer()) as Result[]
  t.match(results, [{ status: 204 }, { status: 200, value: 'first' }])
})

t.test('what is wrong with a batch is told', async (t) => {
  const post = (body: string, headers: Record<string, string>): Promise<Answer> =>
    n1.ask('/v1/batch', { method: 'POST', body, headers })
  const get = '{"op":"get","bucket":"b","key":"k"}'
  const thousand = `{"operations":[${Array(1_001).fill(get).join()}]}`
  const cells: [string, Answer, number, string][] = [
    ['no type', await post('{}', {}), 415, 'SHOAL_MEDIA_TYPE_INVALID'],
    ['text', await post('{}', { 'Content-Type': 'text/plain' }), 415, 'SHOAL_MEDIA_TYPE_INVALID'],
    ['not JSON', await post('{', json), 400, 'SHOAL_BODY_INVALID'],
    ['no operations', await post('{}', json), 400, 'SHOAL_BODY_INVALID'],
    ['none at all', await post('{"operations":[]}', json), 400, 'SHOAL_BODY_INVALID'],
    ['1,001 of them', await post(thousand, json), 400, 'SHOAL_BODY_INVALID'],
    [
      'a context',
      await post('{}', { ...json, 'Causal-Context': 'c1.x' }),
      400,
      'SHOAL_HEADER_INVALID',
    ],
    [
      'a level',
      await post('{}', { ...json, Consistency: 'most' }),
      400,
      'SHOAL_CONSISTENCY_INVALID',
    ],
  ]
  for (const [about, answer, status, code] of cells)
    checkProblem(t, answer, { status, code }, about)
  const allowed = await n1.ask('/v1/batch')
  checkProblem(t, allowed, { status: 405, code: 'SHOAL_METHOD_NOT_ALLOWED' }, 'GET')
  t.equal(allowed.header('Allow'), 'POST')
})

const defaults = {
  n: 3,
  consistency: 'quorum',
  conflicts: 'siblings',
  blindWrites: 'overwrite',
  ttl: 0,
  maxSiblings: 50,
  mode: 'leaderless',
}

async function properties(node: NodeProcess, bucket: string): Promise<Record<string, unknown>> {
  return (await node.ask(`/v1/buckets/${bucket}`)).json() as Record<string, unknown>
}

t.test('properties hold on every node within five seconds', async (t) => {
  t.match(await properties(n1, 'nobody-set-any'), defaults)
  const took = await putBuckets(nodes, {
    two: { n: 2, consistency: 'all' },
    kept: { ttl: 60, maxSiblings: 7, conflicts: 'lww', durability: 'memory' },
  })
  t.ok(took < 5_000, `the slowest node followed after ${Math.round(took)} ms`)
  for (const node of nodes) {
    t.match(await properties(node, 'two'), { ...defaults, n: 2, consistency: 'all' }, node.id)
    const put = await node.ask(kv('two', 'k'), { method: 'PUT', body: 'x' })
    t.match(receiptOf(put), { n: 2, need: 2 }, `${node.id} goes by it`)
    const inMemory = await node.ask(kv('kept', 'k'), { method: 'PUT', body: 'x' })
    t.equal(inMemory.header('Consistency'), 'quorum;r=2;w=2;durable=0', 'durability too')
  }
  const { buckets } = (await n4.ask('/v1/buckets')).json() as { buckets: { name: string }[] }
  const names = buckets.map(({ name }) => name)
  t.same(names, [...names].sort(), 'by name')
  t.ok(names.includes('kept') && names.includes('two'))

  await putBuckets(nodes, { kept: { ttl: 5 } })
  t.match(await properties(n3, 'kept'), { ...defaults, ttl: 5 }, 'a PUT replaces all of them')
  const dropped = await n2.ask('/v1/buckets/kept', { method: 'DELETE' })
  t.equal(dropped.status, 204)
  t.match(await properties(n1, 'kept'), defaults, 'a DELETE drops them')
  t.equal((await n1.ask(kv('kept', 'k'))).text, 'x', 'and no data')
})

t.test('the number of copies changes only while a bucket is empty', async (t) => {
  const refused = await n1.ask('/v1/buckets/two', {
    method: 'PUT',
    body: '{"n":3}',
    headers: json,
  })
  checkProblem(t, refused, { status: 409, code: 'SHOAL_BUCKET_NOT_EMPTY' }, 'with data')
  const dropped = await n1.ask('/v1/buckets/two', { method: 'DELETE' })
  checkProblem(t, dropped, { status: 409, code: 'SHOAL_BUCKET_NOT_EMPTY' }, 'by dropping it')
  await n1.ask(kv('two', 'k'), { method: 'DELETE' })
  const allowed = await n1.ask('/v1/buckets/two', { method: 'PUT', body: '{"n":3}', headers: json })
  t.equal(allowed.status, 204, 'an empty one')
})

/** @param body  JSON, or text that is none */
async function checkRefused(
  t: Test,
  body: string,
  expected: { status: number; code: string; field?: string },
  bucket = 'wrong',
): Promise<void> {
  const answer = await n1.ask(`/v1/buckets/${bucket}`, { method: 'PUT', body, headers: json })
  checkProblem(t, answer, expected, `${bucket} ${body}`)
}

t.test('what is wrong with properties is told', async (t) => {
  const code = 'SHOAL_BODY_INVALID'
  const cells: [string, string][] = [
    ['{"n":0}', 'n'],
    ['{"n":4}', 'n'],
    ['{"n":"3"}', 'n'],
    ['{"conflicts":"newest"}', 'conflicts'],
    ['{"blindWrites":1}', 'blindWrites'],
    ['{"ttl":-1}', 'ttl'],
    ['{"maxSiblings":51}', 'maxSiblings'],
    ['{"durability":"disk"}', 'durability'],
    ['{"mode":"linearizable"}', 'mode'],
    ['{"blindwrites":"reject"}', 'blindwrites'],
    ['{"consistency":"quorum;w=5"}', 'consistency'],
  ]
  for (const [body, field] of cells) await checkRefused(t, body, { status: 400, code, field })
  for (const body of ['[]', '"x"', 'null', '{', ''])
    await checkRefused(t, body, { status: 400, code })
  const level = { status: 400, code: 'SHOAL_CONSISTENCY_INVALID', field: 'consistency' }
  await checkRefused(t, '{"consistency":"most"}', level)
  const reserved = { status: 403, code: 'SHOAL_BUCKET_RESERVED' }
  await checkRefused(t, '{}', reserved, '_shoal.buckets')
  const invalid = { status: 400, code: 'SHOAL_BUCKET_INVALID' }
  for (const bucket of ['a%20b', '..', '%2e', 'b'.repeat(129), 'b%2Fc']) {
    await checkRefused(t, '{}', invalid, bucket)
  }
  t.match(await properties(n1, 'wrong'), defaults, 'nothing of it was set')
})
