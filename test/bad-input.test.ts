/** What clients get wrong, by mistake or on purpose, over real sockets. */
import { connect } from 'node:net'
import t, { type Test } from 'tap'
import { type Answer, kv } from './support/http.ts'
import type { NodeProcess } from './support/node-process.ts'
import { checkProblem, type ExpectedProblem } from './support/problems.ts'
import { exchange, RawConnection } from './support/raw.ts'
import { RealCluster } from './support/real-cluster.ts'

t.setTimeout(240_000)

const cluster = await RealCluster.start(t, { nodes: 1 })
const [node] = cluster.nodes as [NodeProcess]
const MEBIBYTE = 2 ** 20

const put = (path: string, headers: Record<string, string> = {}, body = 'x'): Promise<Answer> =>
  node.ask(path, { method: 'PUT', body, headers })

/** One valid request after all the invalid ones. */
async function stillServes(t: Test): Promise<void> {
  const path = kv('check', 'alive')
  t.equal((await put(path)).status, 204, 'the node still serves')
  t.equal((await node.ask(path)).text, 'x')
}

const level = 'SHOAL_CONSISTENCY_INVALID'
const context = 'SHOAL_CONTEXT_INVALID'
const header = 'SHOAL_HEADER_INVALID'
const idempotency = 'SHOAL_IDEMPOTENCY_KEY_INVALID'
const precondition = 'SHOAL_PRECONDITION_INVALID'
const session = 'SHOAL_SESSION_INVALID'
const timeout = 'SHOAL_TIMEOUT_INVALID'
const ttl = 'SHOAL_TTL_INVALID'

/** Header, value, code, and where it goes wrong. */
const malformed: readonly [string, string, string, number?][] = [
  ['Consistency', '', level, 0],
  ['Consistency', 'most', level, 0],
  ['Consistency', 'Quorum', level, 0],
  ['Consistency', 'QUORUM', level, 0],
  ['Consistency', '"quorum"', level, 0],
  ['Consistency', '?1', level, 0],
  ['Consistency', '2', level, 0],
  ['Consistency', 'quorum,one', level, 6],
  ['Consistency', 'quorum one', level, 7],
  ['Consistency', 'quorum;', level, 7],
  ['Consistency', 'quorum;w', level],
  ['Consistency', 'quorum;w=', level, 9],
  ['Consistency', 'quorum;w=two', level, 9],
  ['Consistency', 'quorum;w="2"', level, 9],
  ['Consistency', 'quorum;w=2.0', level, 9],
  ['Consistency', 'quorum;w=0', level, 9],
  ['Consistency', 'quorum;w=-1', level, 9],
  ['Consistency', 'quorum;r=0', level, 9],
  ['Consistency', 'quorum;w=8', level, 9],
  ['Consistency', 'quorum;w=99999999999999999999', level, 9],
  ['Consistency', 'quorum;W=1', level, 7],
  ['Consistency', 'quorum;n=3', level, 7],
  ['Consistency', 'quorum;strict=1', level],
  ['Consistency', 'quorum;strict=yes', level],
  ['Consistency', 'quorum;durable=-1', level],
  ['Consistency', 'quorum;w=1;durable=2', level],
  ['Consistency', 'quorum;w=1;w', level],
  ['Consistency', 'quorum\u00e9', level, 6],
  ['X-Consistency', 'most', level, 0],
  ['Causal-Context', '', context, 0],
  ['Causal-Context', 'nonsense', context],
  ['Causal-Context', 'c1.', context],
  ['Causal-Context', 'c1.AAAA', context],
  ['Causal-Context', 'c1.!!!!', context],
  ['Causal-Context', 'c2.AAAAAAAAAAAAAAAA', context],
  ['Causal-Context', `c1.${'A'.repeat(8_190)}`, context],
  ['Causal-Context', 'c1.A B', context, 4],
  ['If-Match', '', precondition, 0],
  ['If-Match', 'abc', precondition, 0],
  ['If-Match', '"abc', precondition, 0],
  ['If-Match', '"a" "b"', precondition],
  ['If-Match', '*, "a"', precondition],
  ['If-None-Match', '**', precondition],
  ['If-None-Match', "'a'", precondition, 0],
  ['Idempotency-Key', '', idempotency, 0],
  ['Idempotency-Key', 'a b', idempotency, 1],
  ['Idempotency-Key', 'a\u00e9', idempotency, 1],
  ['Idempotency-Key', 'k'.repeat(129), idempotency, 128],
  ['Shoal-Session', '', session],
  ['Shoal-Session', 'nonsense', session],
  ['Shoal-Session', 'New', session],
  ['Shoal-Session', 's1.AAAA', session],
  ['Shoal-Session', 'a b', session],
  ['Shoal-Timeout', '', timeout],
  ['Shoal-Timeout', '0', timeout],
  ['Shoal-Timeout', '-1', timeout, 0],
  ['Shoal-Timeout', '1.5', timeout, 1],
  ['Shoal-Timeout', '60001', timeout],
  ['Shoal-Timeout', '1e3', timeout, 1],
  ['Shoal-Timeout', '01', timeout],
  ['Shoal-Timeout', '1000 ms', timeout, 4],
  ['Explain', '1', header, 0],
  ['Explain', 'true', header, 0],
  ['Explain', '?2', header],
  ['Explain', '?1;x', header],
  ['TTL', '', ttl],
  ['TTL', '0', ttl],
  ['TTL', '-5', ttl, 0],
  ['TTL', '1h', ttl, 1],
  ['TTL', '1.5', ttl, 1],
  ['TTL', '99999999999', ttl],
  ['Content-Encoding', 'gzip;q=1', header],
  ['Content-Encoding', `${'x'.repeat(256)}`, header],
  ['Content-Range', 'bytes 0-1/2', header, 0],
]

t.test('every header in every wrong way', async (t) => {
  const path = kv('bad', 'header')
  await put(path, {}, 'before')
  for (const [field, value, code, offset] of malformed) {
    const shown = value.length > 40 ? `${value.slice(0, 40)}… (${value.length})` : value
    const expected: ExpectedProblem = {
      status: 400,
      code,
      retry: 'never',
      field,
      ...(offset === undefined ? {} : { offset }),
    }
    // A context or session of the right form that does not open has no character to point at.
    if (code === context || code === session) Reflect.deleteProperty(expected, 'field')
    checkProblem(t, await put(path, { [field]: value }), expected, `${field}: ${shown}`)
  }
  t.equal((await node.ask(path)).text, 'before', 'nothing of all that was written')
})

t.test('headers that contradict each other or have no use here', async (t) => {
  const path = kv('bad', 'header')
  const both = { Consistency: 'one', 'X-Consistency': 'all' }
  checkProblem(
    t,
    await put(path, both),
    { status: 400, code: level, field: 'X-Consistency' },
    'both',
  )
  const deleted = await node.ask(path, { method: 'DELETE', headers: { TTL: '5' } })
  checkProblem(t, deleted, { status: 400, code: ttl, field: 'TTL' }, 'TTL on DELETE')
  const above = await put(path, { Consistency: 'quorum;w=2' })
  checkProblem(t, above, { status: 400, code: level, field: 'Consistency' }, 'w above the one copy')
  const reads: [string, string, string][] = [
    ['Consistency', 'quorum;r=2', level],
    ['Causal-Context', '', context],
    ['Idempotency-Key', 'a b', idempotency],
    ['TTL', '1', ttl],
    ['If-None-Match', 'x', precondition],
  ]
  for (const [field, value, code] of reads) {
    const answer = await node.ask(path, { headers: { [field]: value } })
    checkProblem(t, answer, { status: 400, code, field }, `GET with ${field}: ${value}`)
  }
  const harmless = { traceparent: 'nonsense', Authorization: 'nonsense', Accept: 'x', Prefer: '=' }
  t.equal((await node.ask(path, { headers: harmless })).status, 200, 'wishes are not commands')
})

t.test('a repeated header is one header with a list', async (t) => {
  const lines = (...more: string[]): string =>
    ['GET /v1/kv/bad/header HTTP/1.1', 'Host: n', ...more, '', ''].join('\r\n')
  const level = await exchange(node.url, lines('Consistency: one', 'Consistency: all'))
  checkProblem(t, level, { status: 400, code: 'SHOAL_CONSISTENCY_INVALID', offset: 3 }, 'twice')
  const tags = await exchange(node.url, lines('If-None-Match: "a"', 'If-None-Match: *'))
  checkProblem(t, tags, { status: 400, code: precondition }, '* in a list')
})

/** Every byte as %XX. */
const encoded = (bytes: Buffer): string => bytes.toString('hex').replace(/../g, '%$&')

t.test('keys of every kind', async (t) => {
  const keys: [string, string][] = [
    ['a slash', 'a/b/c'],
    ['spaces', ' a  b '],
    ['NUL', '\0'],
    ['NUL between', 'a\0b'],
    ['a line end', 'a\r\nb'],
    ['dots', '..'],
    ['a dot', '.'],
    ['a percent sign', '100%'],
    ['what looks encoded', '%2F'],
    ['a question', 'a?b=c#d'],
    ['a plus', 'a+b'],
    ['two bytes', 'é'],
    ['three bytes', '€'],
    ['four bytes', '😀'],
    ['1,024 bytes', 'k'.repeat(1_024)],
    ['1,024 bytes of four each', '😀'.repeat(256)],
  ]
  for (const [about, key] of keys) {
    const path = `/v1/kv/keys/${encoded(Buffer.from(key))}`
    t.equal((await put(path, {}, about)).status, 204, about)
    t.equal((await node.ask(path)).text, about, 'and is read again')
  }
  const { keys: listed } = (await node.ask('/v1/kv/keys')).json() as { keys: string[] }
  t.same([...listed].sort(), keys.map(([, key]) => key).sort(), 'each is a key of its own')
  t.equal((await node.ask('/v1/kv/keys/a+b')).text, 'a plus', 'a plus needs no encoding')
  t.equal((await node.ask('/v1/kv/keys/%41')).status, 404)
  await put('/v1/kv/keys/A')
  t.equal((await node.ask('/v1/kv/keys/%41')).status, 200, 'nor do letters')
})

t.test('keys that are none', async (t) => {
  const invalid = 'SHOAL_KEY_INVALID'
  const tooLong = 'SHOAL_KEY_TOO_LONG'
  const cells: [string, string, number, string, number?][] = [
    ['none', '', 400, invalid, 0],
    ['1,025 bytes', 'k'.repeat(1_025), 414, tooLong],
    ['1,025 bytes, encoded', '%41'.repeat(1_025), 414, tooLong],
    ['1,026 bytes in 342 characters', '%e2%82%ac'.repeat(342), 414, tooLong],
    ['30,000 bytes', 'k'.repeat(30_000), 414, tooLong],
    ['a byte that is not UTF-8', '%ff', 400, invalid, 0],
    ['half a character', 'ab%e2%82', 400, invalid, 2],
    ['a surrogate', '%ed%a0%80', 400, invalid, 0],
    ['an overlong form', '%c0%af', 400, invalid, 0],
    ['a broken escape', 'a%2', 400, invalid, 1],
    ['no hexadecimal', 'a%zz', 400, invalid, 1],
  ]
  for (const method of ['GET', 'PUT', 'DELETE']) {
    for (const [about, key, status, code, offset] of cells) {
      const body = method === 'PUT' ? { body: 'x' } : {}
      const answer = await node.ask(`/v1/kv/bad/${key}`, { method, ...body })
      const expected = { status, code, field: 'key', ...(offset === undefined ? {} : { offset }) }
      checkProblem(t, answer, expected, `${method}: ${about}`)
    }
  }
  const spaced = await exchange(node.url, 'GET /v1/kv/bad/a b HTTP/1.1\r\nHost: n\r\n\r\n')
  checkProblem(t, spaced, { status: 400, code: 'SHOAL_REQUEST_INVALID' }, 'a bare space')
  const raw = await exchange(node.url, 'GET /v1/kv/bad/a\u00e9 HTTP/1.1\r\nHost: n\r\n\r\n')
  t.equal(raw.status, 400, 'a bare byte above 127')
})

t.test('buckets that are none', async (t) => {
  for (const bucket of [
    'b'.repeat(129),
    'a%20b',
    'a%2Fb',
    'ä'.normalize(),
    '%00',
    '..',
    '.',
    '%ff',
  ]) {
    const answer = await node.ask(`/v1/kv/${encodeURI(bucket).replaceAll('%25', '%')}/k`)
    const expected = { status: 400, code: 'SHOAL_BUCKET_INVALID', field: 'bucket' }
    checkProblem(t, answer, expected, bucket.slice(0, 20))
  }
  for (const bucket of ['_', '_shoal.buckets', '_x']) {
    const answer = await put(`/v1/kv/${bucket}/k`)
    checkProblem(t, answer, { status: 403, code: 'SHOAL_BUCKET_RESERVED' }, bucket)
  }
  t.equal((await put(`/v1/kv/${'b'.repeat(128)}/k`)).status, 204, '128 characters')
  t.equal((await put('/v1/kv/A-z.0_9/k')).status, 204)
})

t.test('contexts that belong elsewhere', async (t) => {
  const other = await RealCluster.start(t, { nodes: 1, secret: 'the secret of another cluster' })
  const key = kv('contexts', 'k')
  const own = (await put(key)).header('Causal-Context')
  const foreign: [string, string][] = [
    ['of another key', (await put(kv('contexts', 'l'))).header('Causal-Context')],
    ['of another bucket', (await put(kv('context', 'k'))).header('Causal-Context')],
    [
      'of another cluster',
      (await (other.nodes[0] as NodeProcess).ask(key, { method: 'PUT', body: 'x' })).header(
        'Causal-Context',
      ),
    ],
  ]
  for (const [about, token] of foreign) {
    for (const method of ['PUT', 'DELETE']) {
      const answer = await node.ask(key, {
        method,
        headers: { 'Causal-Context': token },
        ...(method === 'PUT' ? { body: 'y' } : {}),
      })
      checkProblem(t, answer, { status: 400, code: 'SHOAL_CONTEXT_FOREIGN' }, `${method} ${about}`)
    }
  }
  for (let at = 3; at < own.length; at += 5) {
    const flipped = own[at] === 'A' ? 'B' : 'A'
    const corrupt = own.slice(0, at) + flipped + own.slice(at + 1)
    const answer = await put(key, { 'Causal-Context': corrupt }, 'y')
    t.equal(answer.status, 400, `one character changed at ${at}`)
    t.match(answer.json(), { code: /^SHOAL_CONTEXT_(INVALID|FOREIGN)$/, outcome: 'not-applied' })
  }
  const cut = await put(key, { 'Causal-Context': own.slice(0, -1) }, 'y')
  t.equal(cut.status, 400, 'cut short')
  t.equal((await node.ask(key)).text, 'x', 'nothing was written')
  t.equal((await put(key, { 'Causal-Context': own }, 'y')).status, 204, 'the right one')
})

t.test('values at the limit and over it', async (t) => {
  const path = kv('bad', 'large')
  const full = Buffer.alloc(MEBIBYTE, 'v')
  const chunked = { 'Transfer-Encoding': 'chunked' }
  const ask = (body: Buffer, headers: Record<string, string> = {}): Promise<Answer> =>
    headers['Transfer-Encoding'] === undefined
      ? node.ask(path, { method: 'PUT', body, headers })
      : sendChunks(path, body)
  const tooLarge = { status: 413, code: 'SHOAL_VALUE_TOO_LARGE', retry: 'never' } as const
  for (const headers of [{}, chunked] as Record<string, string>[]) {
    const about = headers === chunked ? 'in chunks' : 'with Content-Length'
    t.equal((await ask(full, headers)).status, 204, `1 MiB ${about}`)
    t.equal((await node.ask(path)).body.length, MEBIBYTE)
    const over = await ask(Buffer.alloc(MEBIBYTE + 1), headers)
    const body = checkProblem(t, over, tooLarge, `one byte more ${about}`)
    t.equal(body.wanted, MEBIBYTE, 'with the limit')
    const far = await ask(Buffer.alloc(12 * MEBIBYTE), headers)
    checkProblem(t, far, tooLarge, `12 MiB ${about}`)
  }
  const waiting = await RawConnection.open(node.url)
  waiting.send(`PUT ${path} HTTP/1.1\r\nHost: n\r\nContent-Length: 99999999\r\n`)
  waiting.send('Expect: 100-continue\r\n\r\n')
  checkProblem(t, await waiting.answer(), tooLarge, 'before a byte of it is sent')
  waiting.destroy()
  t.equal((await node.ask(path)).body.length, MEBIBYTE, 'the value is what it was')
  t.equal((await put(path, {}, '')).status, 204, 'an empty one')
  t.equal((await node.ask(path)).body.length, 0)
  const none = await exchange(node.url, `PUT ${path} HTTP/1.1\r\nHost: n\r\n\r\n`)
  t.equal(none.status, 204, 'none at all is empty too')
})

/** Without a length beforehand; what is sent after the answer is nobody's business. */
async function sendChunks(path: string, body: Buffer): Promise<Answer> {
  const connection = await RawConnection.open(node.url)
  connection.send(`PUT ${path} HTTP/1.1\r\nHost: n\r\nTransfer-Encoding: chunked\r\n\r\n`)
  for (let at = 0; at < body.length; at += 65_536) {
    const piece = body.subarray(at, at + 65_536)
    connection
      .send(`${piece.length.toString(16)}\r\n`)
      .send(piece)
      .send('\r\n')
  }
  connection.send('0\r\n\r\n')
  try {
    return await connection.answer()
  } finally {
    connection.destroy()
  }
}

t.test('bodies cut off write nothing', async (t) => {
  const path = kv('bad', 'cut')
  await put(path, {}, 'before')
  const head = `PUT ${path} HTTP/1.1\r\nHost: n\r\n`
  const cells: [string, string][] = [
    ['a length', `${head}Content-Length: 10\r\n\r\nabc`],
    ['chunks', `${head}Transfer-Encoding: chunked\r\n\r\n5\r\nabc`],
    ['no last chunk', `${head}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n`],
  ]
  for (const [about, bytes] of cells) {
    const half = await RawConnection.open(node.url)
    half.send(bytes).half()
    const expected = { status: 400, code: 'SHOAL_BODY_INCOMPLETE', retry: 'after' } as const
    checkProblem(t, await half.answer(), expected, `${about}, then the end`)
    half.destroy()
    const gone = await RawConnection.open(node.url)
    gone.send(bytes)
    gone.destroy()
  }
  const bad = await exchange(node.url, `${head}Transfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n`)
  checkProblem(t, bad, { status: 400, code: 'SHOAL_REQUEST_INVALID' }, 'a chunk without a size')
  await stillServes(t)
  t.equal((await node.ask(path)).text, 'before', 'the value is what it was')
})

t.test('what is not HTTP, or not ours', async (t) => {
  const bad = 'SHOAL_REQUEST_INVALID'
  const host = 'Host: n\r\n'
  const cells: [string, string, number, string][] = [
    ['no such method', `BREW / HTTP/1.1\r\n${host}\r\n`, 405, 'SHOAL_METHOD_NOT_ALLOWED'],
    ['another method', `PROPFIND / HTTP/1.1\r\n${host}\r\n`, 404, 'SHOAL_ROUTE_NOT_FOUND'],
    ['a proxy request', `CONNECT a:1 HTTP/1.1\r\n${host}\r\n`, 405, 'SHOAL_METHOD_NOT_ALLOWED'],
    ['no host', 'GET / HTTP/1.1\r\n\r\n', 400, 'SHOAL_HEADER_INVALID'],
    ['two hosts', `GET / HTTP/1.1\r\n${host}${host}\r\n`, 400, 'SHOAL_HEADER_INVALID'],
    ['rubbish', '\x16\x03\x01\x02\x00\x01\x00\r\n\r\n', 405, 'SHOAL_METHOD_NOT_ALLOWED'],
    ['a bad header name', `GET / HTTP/1.1\r\n${host}a b: c\r\n\r\n`, 400, bad],
    ['NUL in a header', `GET / HTTP/1.1\r\n${host}a: b\0c\r\n\r\n`, 400, bad],
    [
      'two lengths',
      `GET / HTTP/1.1\r\n${host}Content-Length: 1\r\nContent-Length: 2\r\n\r\n`,
      400,
      bad,
    ],
    ['a negative length', `PUT / HTTP/1.1\r\n${host}Content-Length: -1\r\n\r\n`, 400, bad],
    [
      'length and chunks',
      `PUT / HTTP/1.1\r\n${host}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n`,
      400,
      bad,
    ],
    [
      '33 KiB of headers',
      `GET / HTTP/1.1\r\n${host}a: ${'b'.repeat(33_000)}\r\n\r\n`,
      431,
      'SHOAL_HEADERS_TOO_LARGE',
    ],
    [
      'a target of 33 KiB',
      `GET /${'b'.repeat(33_000)} HTTP/1.1\r\n${host}\r\n`,
      431,
      'SHOAL_HEADERS_TOO_LARGE',
    ],
    [
      'an expectation',
      `PUT / HTTP/1.1\r\n${host}Expect: wonders\r\n\r\n`,
      400,
      'SHOAL_HEADER_INVALID',
    ],
  ]
  for (const [about, bytes, status, code] of cells) {
    const answer = await exchange(node.url, bytes)
    checkProblem(t, answer, { status, code }, about)
    if (status === 405) t.match(answer.header('Allow'), /GET, HEAD/, 'with the methods there are')
  }
  const upgrade = `GET /livez HTTP/1.1\r\n${host}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n`
  const answer = await exchange(node.url, upgrade)
  t.ok(answer.status === 200 || answer.status === 400, `an unknown upgrade: ${answer.status}`)
  await stillServes(t)
})

t.test('random bytes get an answer or a closed connection, and hurt nobody', async (t) => {
  let seed = 20_261
  const random = (): number => {
    seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31
    return seed
  }
  const starts = ['', 'GET ', 'PUT /v1/kv/a/b HTTP/1.1\r\n', 'GET / HTTP/1.1\r\nHost: n\r\n']
  await Promise.all(
    Array.from({ length: 200 }, (_, index) => {
      const bytes = Buffer.from(Array.from({ length: random() % 400 }, () => random() >> 8))
      return new Promise<void>((resolve) => {
        const socket = connect(Number(new URL(node.url).port), '127.0.0.1')
        socket.on('error', () => {})
        socket.on('close', () => resolve())
        socket.resume()
        socket.end(Buffer.concat([Buffer.from(starts[index % 4] ?? ''), bytes]))
      })
    }),
  )
  await stillServes(t)
})
