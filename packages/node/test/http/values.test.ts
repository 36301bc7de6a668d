import { type Problem, ShoalError } from '@shoal/kernel'
import t from 'tap'
import { contextOf, openFace } from './doubles.ts'
import { call, jsonOf, problemOf } from './talk.ts'

const path = '/v1/kv/carts/42'

t.test('a value comes back byte for byte under its own type', async (t) => {
  const face = await openFace()
  t.teardown(() => face.app.close())
  const body = Buffer.from([0, 255, 10, 13, 0, 128])
  const headers = { 'Content-Type': 'image/x-odd; name="q"', 'Content-Encoding': 'gzip' }
  const put = await call(face, 'PUT', path, { headers, body })
  t.equal(put.status, 204)
  t.equal(put.body.length, 0)
  const get = await call(face, 'GET', path)
  t.equal(get.status, 200)
  t.ok(get.body.equals(body))
  t.equal(get.headers['content-type'], 'image/x-odd; name="q"')
  t.equal(get.headers['content-encoding'], 'gzip')
  t.equal(get.headers['content-length'], '6')
})

t.test('a stored page is not run in the origin of the console', async (t) => {
  const face = await openFace()
  t.teardown(() => face.app.close())
  const page = '<script>fetch("/v1/buckets")</script>'
  const headers = { 'Content-Type': 'text/html' }
  await call(face, 'PUT', path, { headers, body: page })
  face.keyValue.addSibling('b', 's', { body: Buffer.from(page), contentType: 'text/html' })
  face.keyValue.addSibling('b', 's', { body: Buffer.from('x'), contentType: 'image/svg+xml' })
  const sandbox = {
    'x-content-type-options': 'nosniff',
    'content-security-policy': "sandbox; default-src 'none'",
    'cross-origin-resource-policy': 'same-origin',
  }
  const multipart = { headers: { accept: 'multipart/mixed' } }
  const resolved = { headers: { prefer: 'siblings=resolve' } }
  for (const answer of [
    await call(face, 'GET', path),
    await call(face, 'HEAD', path),
    await call(face, 'GET', '/v1/kv/b/s', multipart),
    await call(face, 'GET', '/v1/kv/b/s', resolved),
    await call(face, 'GET', '/v1/kv/b/s?sibling=w2'),
  ]) {
    t.match(answer.headers, sandbox)
  }
  const problem = await call(face, 'GET', '/v1/kv/b/%3Cscript%3E')
  t.match(problem.headers, { 'x-content-type-options': 'nosniff' })
})

t.test('JSON is bytes like any other, malformed JSON too', async (t) => {
  const face = await openFace()
  t.teardown(() => face.app.close())
  const headers = { 'Content-Type': 'application/json' }
  t.equal((await call(face, 'PUT', path, { headers, body: '{"a": ' })).status, 204)
  t.equal((await call(face, 'GET', path)).body.toString(), '{"a": ')
})

t.test('an empty value is a value, and no type means bytes', async (t) => {
  const face = await openFace()
  t.teardown(() => face.app.close())
  t.equal((await call(face, 'PUT', path)).status, 204)
  const get = await call(face, 'GET', path)
  t.equal(get.status, 200)
  t.equal(get.headers['content-length'], '0')
  t.equal(get.headers['content-type'], 'application/octet-stream')
})

t.test('every answer says what stood behind it', async (t) => {
  const face = await openFace()
  t.teardown(() => face.app.close())
  const put = await call(face, 'PUT', path, {
    headers: { Consistency: 'quorum;durable=1' },
    body: 'x',
  })
  t.match(put.headers, {
    'causal-context': contextOf([1]),
    etag: '"w1"',
    'last-modified': 'Tue, 14 Nov 2023 22:13:20 GMT',
    consistency: 'quorum;r=2;w=2;durable=1',
    receipt:
      'n=3, need=2, ack=3, primaries=3, fallbacks=0, durable=3, hinted=0, repaired=0, epoch=1, ' +
      'node="n1"',
    'request-id': /^[\w-]+-\w+$/,
    'server-timing': /^total;dur=\d+(\.\d+)?$/,
    'cache-control': 'no-store',
  })
  t.notOk('siblings' in put.headers)
  t.notOk('shoal-session' in put.headers)
  const get = await call(face, 'GET', path, { headers: { 'X-Consistency': 'one;strict' } })
  t.equal(get.headers.consistency, 'one;r=1;w=1;durable=1;strict')
  t.notMatch(get.headers.receipt, /durable/, 'reads omit it')
  t.not(get.headers['request-id'], put.headers['request-id'])
})

t.test('a write is handed over as it was asked', async (t) => {
  const face = await openFace()
  t.teardown(() => face.app.close())
  const headers = {
    Consistency: 'all;w=2',
    'Causal-Context': 'c1.5',
    'If-Match': '"a", W/"b"',
    'If-None-Match': 'W/"c"',
    'Idempotency-Key': 'key-1',
    'Shoal-Session': 'new',
    'Shoal-Timeout': '750',
    Explain: '?1',
    TTL: '60',
    'Content-Type': 'text/plain',
    'Content-Encoding': 'br',
  }
  const answer = await call(face, 'PUT', '/v1/kv/b/a%2Fb%00%20c', { headers, body: 'v' })
  t.equal(answer.status, 204)
  t.match(face.keyValue.written, [
    {
      operation: 'put',
      bucket: 'b',
      key: 'a/b\0 c',
      consistency: { level: 'all', w: 2, strict: false },
      session: 'new',
      timeout: 750,
      explain: true,
      context: 'c1.5',
      idempotencyKey: 'key-1',
      precondition: { ifMatch: ['"a"', 'W/"b"'], ifNoneMatch: ['"c"'] },
      contentType: 'text/plain',
      contentEncoding: 'br',
      ttl: 60,
    },
  ])
  t.match(answer.headers, {
    'shoal-session': /^s1\./,
    'trace-id': 'trace-1',
    receipt: /precondition=checked$/,
  })
})

t.test('what is not asked is left to the defaults', async (t) => {
  const face = await openFace()
  t.teardown(() => face.app.close())
  await call(face, 'PUT', path, { body: 'x' })
  await call(face, 'DELETE', path)
  await call(face, 'GET', path)
  const [put, remove] = face.keyValue.written
  const [read] = face.keyValue.reads
  const common = { bucket: 'carts', key: '42', session: '', explain: false }
  const blind = {
    ...common,
    timeout: 2_000,
    context: '',
    idempotencyKey: '',
    contentEncoding: '',
    ttl: 0,
  }
  t.same(put, {
    ...blind,
    operation: 'put',
    body: Buffer.from('x'),
    contentType: 'application/octet-stream',
  })
  t.same(remove, { ...blind, operation: 'delete', body: Buffer.alloc(0), contentType: '' })
  t.same(read, { ...common, timeout: 5_000 })
})

t.test('a missing key is 404 with its context; a deleted one too, without ETag', async (t) => {
  const face = await openFace()
  t.teardown(() => face.app.close())
  const never = await call(face, 'GET', path)
  t.equal(never.status, 404)
  t.equal(never.headers['content-type'], 'application/problem+json')
  t.match(problemOf(never), {
    type: 'urn:shoal:error:SHOAL_KEY_NOT_FOUND',
    status: 404,
    code: 'SHOAL_KEY_NOT_FOUND',
    outcome: 'not-applied',
    retry: 'never',
    instance: `urn:shoal:request:${never.headers['request-id']}`,
  })
  await call(face, 'PUT', path, { body: 'x' })
  const gone = await call(face, 'DELETE', path)
  t.equal(gone.status, 204)
  const deleted = await call(face, 'GET', path)
  t.equal(deleted.status, 404)
  t.equal(deleted.headers['causal-context'], contextOf([1, 2]))
  t.match(deleted.headers, { consistency: /^quorum/, receipt: /^n=3/ })
  for (const answer of [never, deleted, gone]) {
    t.notOk('etag' in answer.headers)
    t.notOk('last-modified' in answer.headers)
  }
  t.equal((await call(face, 'DELETE', path)).status, 204, 'deleting nothing is done as well')
})

t.test('HEAD is GET without the body', async (t) => {
  const face = await openFace()
  t.teardown(() => face.app.close())
  await call(face, 'PUT', path, { headers: { 'Content-Type': 'text/plain' }, body: 'hello' })
  const moving = ['date', 'request-id', 'server-timing']
  for (const target of [path, '/v1/kv/carts/none', '/v1/kv/carts/%ff', '/v1/kv/_x/1']) {
    const get = await call(face, 'GET', target)
    const head = await call(face, 'HEAD', target)
    t.equal(head.status, get.status, target)
    t.equal(head.body.length, 0)
    for (const name of moving) {
      t.ok(name in head.headers)
      delete (get.headers as Record<string, unknown>)[name]
      delete (head.headers as Record<string, unknown>)[name]
    }
    const ids = /[\w-]{8}-\w+/g
    t.same(
      JSON.stringify(head.headers).replace(ids, ''),
      JSON.stringify(get.headers).replace(ids, ''),
    )
  }
})

t.test('preconditions of reads', async (t) => {
  const face = await openFace()
  t.teardown(() => face.app.close())
  await call(face, 'PUT', path, { body: 'x' })
  const cells: [string, string, number][] = [
    ['If-None-Match', '"w1"', 304],
    ['If-None-Match', 'W/"w1"', 304],
    ['If-None-Match', '"zz", "w1"', 304],
    ['If-None-Match', '*', 304],
    ['If-None-Match', '"zz"', 200],
    ['If-Match', '"w1"', 200],
    ['If-Match', '*', 200],
    ['If-Match', 'W/"w1"', 412],
    ['If-Match', '"zz"', 412],
  ]
  for (const [name, value, status] of cells) {
    for (const method of ['GET', 'HEAD']) {
      const answer = await call(face, method, path, { headers: { [name]: value } })
      t.equal(answer.status, status, `${method} ${name}: ${value}`)
      t.equal(answer.headers.etag, '"w1"')
      t.equal(answer.headers['causal-context'], contextOf([1]))
    }
  }
  const unchanged = await call(face, 'GET', path, { headers: { 'If-None-Match': '*' } })
  t.equal(unchanged.body.length, 0)
  t.notOk('content-length' in unchanged.headers)
  const failed = await call(face, 'GET', path, { headers: { 'If-Match': '"zz"' } })
  t.match(problemOf(failed), {
    code: 'SHOAL_PRECONDITION_FAILED',
    etag: '"w1"',
    context: contextOf([1]),
  })
  const missing = await call(face, 'GET', '/v1/kv/carts/none', { headers: { 'If-Match': '*' } })
  t.equal(missing.status, 412, 'nothing there matches nothing')
  const absent = await call(face, 'GET', '/v1/kv/carts/none', { headers: { 'If-None-Match': '*' } })
  t.equal(absent.status, 404)
})

t.test('errors of the store keep their status, details and headers', async (t) => {
  const face = await openFace()
  t.teardown(() => face.app.close())
  face.keyValue.failure = new ShoalError(
    'SHOAL_QUORUM_UNREACHABLE',
    '1 of 2 replicas is reachable',
    {
      wanted: 2,
      got: 1,
      retryAfterMs: 1_500,
      replicas: [{ node: 'n2', role: 'primary', state: 'down', ms: 0 }],
    },
  )
  const refused = await call(face, 'PUT', path, { body: 'x' })
  t.equal(refused.status, 503)
  t.equal(refused.headers['retry-after'], '2')
  t.match(problemOf(refused), {
    code: 'SHOAL_QUORUM_UNREACHABLE',
    outcome: 'not-applied',
    wanted: 2,
    got: 1,
    replicas: [{ node: 'n2', state: 'down' }],
  })
  face.keyValue.failure = new ShoalError('SHOAL_QUORUM_TIMEOUT', 'late', {
    extra: { traceId: 't9' },
  })
  const late = await call(face, 'PUT', path, { body: 'x' })
  t.equal(late.status, 504)
  t.equal(late.headers['trace-id'], 't9')
  t.notOk('retry-after' in late.headers)
  t.match(problemOf(late), { outcome: 'unknown', retry: 'if-idempotent' })
  face.keyValue.failure = new ShoalError('SHOAL_SIBLINGS_FULL', 'full', {
    extra: { context: 'c1.9' },
  })
  const full = await call(face, 'PUT', path, { body: 'x' })
  t.equal(full.status, 409)
  t.equal(full.headers['causal-context'], 'c1.9')
  t.match(problemOf(full), { context: 'c1.9' })
})

t.test('a bug is 500 with an id that the log has, and broken rules stop the process', async (t) => {
  const face = await openFace()
  t.teardown(() => face.app.close())
  const { keyValue } = face
  keyValue.read = () => {
    throw new TypeError('oops')
  }
  const trace = '4bf92f3577b34da6a3ce929d0e0e4736'
  const headers = { traceparent: `00-${trace}-00f067aa0ba902b7-01` }
  const answer = await call(face, 'GET', path, { headers })
  t.equal(answer.status, 500)
  const { code, errorId, detail } = problemOf(answer) as Problem & { errorId: string }
  t.equal(code, 'SHOAL_INTERNAL')
  t.notMatch(detail, /oops/, 'the inside stays inside')
  t.match(face.log.lines, [
    { level: 'error', details: { requestId: errorId, traceId: trace, err: { message: 'oops' } } },
  ])
  t.same(face.halts, [])
  const { InvariantViolation } = await import('@shoal/kernel')
  keyValue.read = () => {
    throw new InvariantViolation('two and two are four')
  }
  t.equal((await call(face, 'GET', path)).status, 500)
  t.match(face.halts, [{ message: 'two and two are four' }])
})

t.test('a shed request costs nothing and says when to come back', async (t) => {
  const face = await openFace()
  t.teardown(() => face.app.close())
  face.admission.refusal = new ShoalError('SHOAL_OVERLOADED', 'too much', { retryAfterMs: 3_000 })
  for (const method of ['GET', 'HEAD', 'PUT', 'DELETE']) {
    const answer = await call(face, method, path, method === 'PUT' ? { body: 'x' } : {})
    t.equal(answer.status, 503, method)
    t.equal(answer.headers['retry-after'], '3')
  }
  t.equal(face.keyValue.reads.length + face.keyValue.written.length, 0)
})

t.test(
  'every malformed header is refused by name, on every method, and nothing is done',
  async (t) => {
    const face = await openFace()
    t.teardown(() => face.app.close())
    const all = ['GET', 'HEAD', 'PUT', 'DELETE']
    const cells: [Record<string, string | string[]>, string, number, string[]][] = [
      [{ Consistency: 'most' }, 'SHOAL_CONSISTENCY_INVALID', 400, all],
      [{ Consistency: 'quorum;r=0' }, 'SHOAL_CONSISTENCY_INVALID', 400, all],
      [{ Consistency: '' }, 'SHOAL_CONSISTENCY_INVALID', 400, all],
      [{ Consistency: ['one', 'one'] }, 'SHOAL_CONSISTENCY_INVALID', 400, all],
      [{ Consistency: 'one', 'X-Consistency': 'all' }, 'SHOAL_CONSISTENCY_INVALID', 400, all],
      [{ 'X-Consistency': 'x;' }, 'SHOAL_CONSISTENCY_INVALID', 400, all],
      [{ 'If-Match': 'abc' }, 'SHOAL_PRECONDITION_INVALID', 400, all],
      [{ 'If-None-Match': '"abc' }, 'SHOAL_PRECONDITION_INVALID', 400, all],
      [{ 'Idempotency-Key': '' }, 'SHOAL_IDEMPOTENCY_KEY_INVALID', 400, all],
      [{ 'Idempotency-Key': 'k'.repeat(129) }, 'SHOAL_IDEMPOTENCY_KEY_INVALID', 400, all],
      [{ 'Causal-Context': '' }, 'SHOAL_CONTEXT_INVALID', 400, all],
      [{ 'Causal-Context': 'c'.repeat(8_193) }, 'SHOAL_CONTEXT_INVALID', 400, all],
      [{ 'Causal-Context': ['c1.1', 'c1.2'] }, 'SHOAL_CONTEXT_INVALID', 400, all],
      [{ 'Shoal-Session': 'a b' }, 'SHOAL_SESSION_INVALID', 400, all],
      [{ 'Shoal-Timeout': '0' }, 'SHOAL_TIMEOUT_INVALID', 400, all],
      [{ 'Shoal-Timeout': '60001' }, 'SHOAL_TIMEOUT_INVALID', 400, all],
      [{ 'Shoal-Timeout': ['5', '5'] }, 'SHOAL_TIMEOUT_INVALID', 400, all],
      [{ Explain: 'yes' }, 'SHOAL_HEADER_INVALID', 400, all],
      [{ TTL: '0' }, 'SHOAL_TTL_INVALID', 400, all],
      [{ TTL: '10' }, 'SHOAL_TTL_INVALID', 400, ['GET', 'HEAD', 'DELETE']],
      [{ 'Content-Type': 'text' }, 'SHOAL_MEDIA_TYPE_INVALID', 415, ['PUT']],
      [{ 'Content-Type': '' }, 'SHOAL_MEDIA_TYPE_INVALID', 415, ['PUT']],
      [{ 'Content-Encoding': 'g zip' }, 'SHOAL_HEADER_INVALID', 400, ['PUT']],
      [{ 'Content-Range': 'bytes 0-0/1' }, 'SHOAL_HEADER_INVALID', 400, ['PUT']],
      [{ Host: 'a, b' }, 'SHOAL_HEADER_INVALID', 400, all],
    ]
    for (const [headers, code, status, methods] of cells) {
      for (const method of methods) {
        const answer = await call(face, method, path, {
          headers,
          ...(method === 'PUT' && { body: 'x' }),
        })
        const [name = ''] = Object.keys(headers).slice(-1)
        t.equal(answer.status, status, `${method} ${JSON.stringify(headers).slice(0, 60)}`)
        if (method === 'HEAD') continue
        const problem = problemOf(answer)
        t.equal(problem.code, code)
        t.match(problem.errors, [{ field: name, message: String }])
      }
    }
    t.equal(face.keyValue.reads.length + face.keyValue.written.length, 0)
  },
)

t.test('queries of the key routes', async (t) => {
  const face = await openFace()
  t.teardown(() => face.app.close())
  await call(face, 'PUT', path, { body: 'x' })
  t.equal((await call(face, 'GET', `${path}?`)).status, 200)
  t.match(problemOf(await call(face, 'GET', `${path}?siblin=1`)), {
    code: 'SHOAL_QUERY_INVALID',
    errors: [{ field: 'siblin', message: /did you mean sibling/ }],
  })
  t.equal((await call(face, 'PUT', `${path}?sibling=1`, { body: 'y' })).status, 400)
  t.equal((await call(face, 'DELETE', `${path}?x`)).status, 400)
  t.equal((await call(face, 'GET', path)).body.toString(), 'x')
})

t.test('a trailing or missing part is no key', async (t) => {
  const face = await openFace()
  t.teardown(() => face.app.close())
  const cells: [string, number, string][] = [
    ['/v1/kv/b/', 400, 'SHOAL_KEY_INVALID'],
    ['/v1/kv//k', 400, 'SHOAL_BUCKET_INVALID'],
    ['/v1/kv/./k', 400, 'SHOAL_BUCKET_INVALID'],
    ['/v1/kv/../k', 400, 'SHOAL_BUCKET_INVALID'],
    ['/v1/kv/_shoal/k', 403, 'SHOAL_BUCKET_RESERVED'],
    ['/v1/kv/b/k/more', 404, 'SHOAL_ROUTE_NOT_FOUND'],
    ['/v1/kv/b/%zz', 400, 'SHOAL_KEY_INVALID'],
    ['/v1/kv/b/%ff', 400, 'SHOAL_KEY_INVALID'],
    ['/v1/kv/%zz/k', 400, 'SHOAL_BUCKET_INVALID'],
    [`/v1/kv/b/${'k'.repeat(1_025)}`, 414, 'SHOAL_KEY_TOO_LONG'],
    [`/v1/kv/b/${'%6b'.repeat(1_025)}`, 414, 'SHOAL_KEY_TOO_LONG'],
    [`/v1/kv/b/${'k'.repeat(20_000)}`, 414, 'SHOAL_KEY_TOO_LONG'],
    ['/v1/%6bv/b/k', 404, 'SHOAL_ROUTE_NOT_FOUND'],
    ['/v2/%zz', 400, 'SHOAL_REQUEST_INVALID'],
    ['/V1/kv/b/k', 404, 'SHOAL_ROUTE_NOT_FOUND'],
  ]
  for (const [target, status, code] of cells) {
    for (const method of ['GET', 'PUT', 'DELETE']) {
      const answer = await call(face, method, target, method === 'PUT' ? { body: 'x' } : {})
      t.equal(answer.status, status, `${method} ${target.slice(0, 40)}`)
      t.equal(problemOf(answer).code, code)
    }
  }
  t.match(problemOf(await call(face, 'GET', '/v1/kv/b/k/more')).detail, /%2F/)
  const longest = `/v1/kv/b/${'%00'.repeat(1_024)}`
  t.equal((await call(face, 'PUT', longest, { body: 'x' })).status, 204)
  t.equal((await call(face, 'GET', longest)).body.toString(), 'x')
  t.equal(
    (await call(face, 'GET', `http://elsewhere${longest}`)).body.toString(),
    'x',
    'absolute form',
  )
  t.equal(
    jsonOf<{ keys: string[] }>(await call(face, 'GET', '/v1/kv/b')).keys[0],
    '\0'.repeat(1_024),
  )
})
