import t from 'tap'
import { makeCursor, readCursor } from '../../src/http/routes/list.ts'
import { type Face, openFace } from './doubles.ts'
import { call, jsonOf, problemOf } from './talk.ts'

interface Page {
  readonly keys: readonly string[]
  readonly cursor: string | null
}

async function withKeys(keys: readonly string[]): Promise<Face> {
  const face = await openFace()
  for (const key of keys) {
    await call(face, 'PUT', `/v1/kv/b/${encodeURIComponent(key)}`, { body: 'x' })
  }
  return face
}

t.test('keys come page by page in the order of their bytes', async (t) => {
  const face = await withKeys(['b', 'a', 'ä', 'a/1', 'Z', '🦈', '\uffff', 'gone'])
  t.teardown(() => face.app.close())
  await call(face, 'DELETE', '/v1/kv/b/gone')
  const found: string[] = []
  let cursor: string | null = null
  let pages = 0
  do {
    const next: string = cursor === null ? '' : `&cursor=${cursor}`
    const answer = await call(face, 'GET', `/v1/kv/b?limit=3${next}`)
    t.equal(answer.status, 200)
    t.match(answer.headers, {
      'content-type': 'application/json',
      consistency: /^one;/,
      'cache-control': 'no-store',
      'request-id': String,
    })
    const page = jsonOf<Page>(answer)
    found.push(...page.keys)
    cursor = page.cursor
    pages++
  } while (cursor !== null)
  t.same(found, ['Z', 'a', 'a/1', 'b', 'ä', '\uffff', '🦈'])
  t.equal(pages, 3)
})

t.test('a prefix, a limit and a consistency are handed on', async (t) => {
  const face = await withKeys(['a/1', 'a/2', 'b'])
  t.teardown(() => face.app.close())
  t.same(jsonOf(await call(face, 'GET', '/v1/kv/b?prefix=a%2F')), {
    keys: ['a/1', 'a/2'],
    cursor: null,
  })
  await call(face, 'GET', '/v1/kv/b?limit=1000', {
    headers: { Consistency: 'all', 'Shoal-Timeout': '9' },
  })
  t.match(face.keyValue.lists, [
    { bucket: 'b', prefix: 'a/', after: '', limit: 100, consistency: { level: 'one' } },
    { bucket: 'b', prefix: '', limit: 1_000, consistency: { level: 'all' } },
  ])
})

t.test('NDJSON has a line for each key and a last one with the cursor', async (t) => {
  const face = await withKeys(['a', 'b"\n', 'c'])
  t.teardown(() => face.app.close())
  const headers = { Accept: 'application/x-ndjson' }
  const answer = await call(face, 'GET', '/v1/kv/b?limit=2', { headers })
  t.equal(answer.headers['content-type'], 'application/x-ndjson')
  const lines = answer.body.toString().split('\n')
  t.equal(lines.pop(), '')
  const [first, second, last] = lines.map((line) => JSON.parse(line))
  t.same([first, second], [{ key: 'a' }, { key: 'b"\n' }])
  const rest = await call(face, 'GET', `/v1/kv/b?cursor=${last.cursor}`, { headers })
  t.equal(rest.body.toString(), '{"key":"c"}\n{"cursor":null}\n')
})

t.test('HEAD of a list is GET without the body', async (t) => {
  const face = await withKeys(['a'])
  t.teardown(() => face.app.close())
  const head = await call(face, 'HEAD', '/v1/kv/b')
  t.equal(head.status, 200)
  t.equal(
    head.headers['content-length'],
    String(JSON.stringify({ keys: ['a'], cursor: null }).length),
  )
})

t.test('what is malformed is told by name', async (t) => {
  const face = await withKeys(['a', 'b'])
  t.teardown(() => face.app.close())
  const { cursor } = jsonOf<Page>(await call(face, 'GET', '/v1/kv/b?limit=1'))
  const cells: [string, Record<string, string>, number, string, string | undefined][] = [
    ['/v1/kv/b?limit=0', {}, 400, 'SHOAL_QUERY_INVALID', 'limit'],
    ['/v1/kv/b?limit=1001', {}, 400, 'SHOAL_QUERY_INVALID', 'limit'],
    ['/v1/kv/b?limit=x', {}, 400, 'SHOAL_QUERY_INVALID', 'limit'],
    ['/v1/kv/b?limit=', {}, 400, 'SHOAL_QUERY_INVALID', 'limit'],
    ['/v1/kv/b?limit=1.5', {}, 400, 'SHOAL_QUERY_INVALID', 'limit'],
    ['/v1/kv/b?limit=1&limit=2', {}, 400, 'SHOAL_QUERY_INVALID', 'limit'],
    ['/v1/kv/b?lmit=1', {}, 400, 'SHOAL_QUERY_INVALID', 'lmit'],
    ['/v1/kv/b?prefix=%ff', {}, 400, 'SHOAL_QUERY_INVALID', 'prefix'],
    ['/v1/kv/b?cursor=', {}, 400, 'SHOAL_CURSOR_INVALID', 'cursor'],
    ['/v1/kv/b?cursor=abc', {}, 400, 'SHOAL_CURSOR_INVALID', 'cursor'],
    [`/v1/kv/c?cursor=${cursor}`, {}, 400, 'SHOAL_CURSOR_INVALID', 'cursor'],
    [`/v1/kv/b?prefix=a&cursor=${cursor}`, {}, 400, 'SHOAL_CURSOR_INVALID', 'cursor'],
    [`/v1/kv/b?cursor=${cursor}x`, {}, 400, 'SHOAL_CURSOR_INVALID', 'cursor'],
    ['/v1/kv/_b', {}, 403, 'SHOAL_BUCKET_RESERVED', 'bucket'],
    ['/v1/kv/..', {}, 400, 'SHOAL_BUCKET_INVALID', 'bucket'],
    ['/v1/kv/b', { Consistency: 'no' }, 400, 'SHOAL_CONSISTENCY_INVALID', 'Consistency'],
    ['/v1/kv/b', { 'Shoal-Timeout': 'x' }, 400, 'SHOAL_TIMEOUT_INVALID', 'Shoal-Timeout'],
  ]
  for (const [target, headers, status, code, field] of cells) {
    const answer = await call(face, 'GET', target, { headers })
    t.equal(answer.status, status, target)
    t.match(problemOf(answer), { code, errors: [{ field }] }, target)
  }
})

t.test('a cursor is bound to its bucket and prefix and survives any key', async (t) => {
  const place = { bucket: 'b', prefix: 'p' }
  for (const key of ['a', '\0', '🦈'.repeat(200), '%', 'a b']) {
    t.equal(readCursor(makeCursor(key, place), place), key)
    t.throws(() => readCursor(makeCursor(key, place), { ...place, prefix: 'q' }), {
      code: 'SHOAL_CURSOR_INVALID',
    })
  }
})
