import { ShoalError } from '@shoal/kernel'
import t from 'tap'
import { Window } from '../../src/http/batch/window.ts'
import { type Face, openFace } from './doubles.ts'
import { call, jsonOf, problemOf, RawConnection, wire } from './talk.ts'

interface Result {
  readonly status: number
  readonly [member: string]: unknown
}

const json = { 'Content-Type': 'application/json' }
const ndjson = { 'Content-Type': 'application/x-ndjson' }
const host = 'Host: node'
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

async function batch(face: Face, operations: readonly unknown[]): Promise<Result[]> {
  const body = JSON.stringify({ operations })
  const answer = await call(face, 'POST', '/v1/batch', { headers: json, body })
  if (answer.status !== 200) throw new Error(answer.body.toString())
  return jsonOf<{ results: Result[] }>(answer).results
}

t.test(
  'each operation has its own status, context, receipt and value, in the order sent',
  async (t) => {
    const face = await openFace()
    t.teardown(() => face.app.close())
    const [put, bytes, missing] = await batch(face, [
      {
        op: 'put',
        bucket: 'b',
        key: 'text',
        value: 'grüße',
        type: 'text/plain',
        ttl: 9,
        context: 'c1.7',
      },
      {
        op: 'put',
        bucket: 'b',
        key: 'bytes',
        base64: '/wD/',
        encoding: 'gzip',
        consistency: 'all;w=1',
      },
      { op: 'get', bucket: 'b', key: 'none' },
    ])
    t.match(put, {
      status: 204,
      context: /^c1\./,
      etag: '"w1"',
      modified: '2023-11-14T22:13:20.000Z',
      consistency: 'quorum;r=2;w=2;durable=2',
      receipt: /^n=3, need=2, .*durable=3/,
    })
    t.match(bytes, { status: 204, consistency: 'all;r=3;w=1;durable=1' })
    t.match(missing, { status: 404, context: String, problem: { code: 'SHOAL_KEY_NOT_FOUND' } })
    t.match(face.keyValue.written, [
      { operation: 'put', contentType: 'text/plain', ttl: 9, context: 'c1.7', timeout: 2_000 },
      {
        contentType: 'application/octet-stream',
        contentEncoding: 'gzip',
        consistency: { level: 'all', w: 1 },
      },
    ])
    const [text, odd, gone] = await batch(face, [
      { op: 'get', bucket: 'b', key: 'text' },
      { op: 'get', bucket: 'b', key: 'bytes', consistency: 'one' },
      { op: 'delete', bucket: 'b', key: 'text', idempotencyKey: 'i1' },
    ])
    t.match(text, { status: 200, type: 'text/plain', value: 'grüße', etag: '"w1"' })
    t.match(odd, { status: 200, base64: '/wD/', encoding: 'gzip', consistency: /^one/ })
    t.notOk('value' in odd!)
    t.match(gone, { status: 204 })
    t.match(face.keyValue.written.at(-1), {
      operation: 'delete',
      idempotencyKey: 'i1',
      contentType: '',
    })
  },
)

t.test('siblings stand in the result as in a 300', async (t) => {
  const face = await openFace()
  t.teardown(() => face.app.close())
  face.keyValue.addSibling('b', 'k', { body: Buffer.from('one') })
  face.keyValue.addSibling('b', 'k', { body: Buffer.from('two') })
  const [result] = await batch(face, [{ op: 'get', bucket: 'b', key: 'k' }])
  t.match(result, {
    status: 300,
    context: 'c1.1-2',
    siblings: [{ etag: '"w1"', base64: 'b25l', size: 3 }, { etag: '"w2"' }],
  })
})

t.test('the headers of a batch are the defaults of its operations', async (t) => {
  const face = await openFace()
  t.teardown(() => face.app.close())
  const body = JSON.stringify({
    operations: [
      { op: 'get', bucket: 'b', key: '1' },
      { op: 'put', bucket: 'b', key: '2', value: '', consistency: 'one' },
    ],
  })
  const headers = { ...json, Consistency: 'all', 'Shoal-Timeout': '321' }
  t.equal((await call(face, 'POST', '/v1/batch', { headers, body })).status, 200)
  t.match(face.keyValue.reads, [{ consistency: { level: 'all' }, timeout: 321 }])
  t.match(face.keyValue.written, [{ consistency: { level: 'one' }, timeout: 321 }])
})

t.test('a wrong operation is told by name and stops no other', async (t) => {
  const face = await openFace({ limits: { valueBytesMax: 10 } })
  t.teardown(() => face.app.close())
  const place = { bucket: 'b', key: 'k' }
  const invalid = 'SHOAL_BODY_INVALID'
  const cells: [unknown, number, string, string][] = [
    ['x', 400, invalid, 'operations[0]'],
    [null, 400, invalid, 'operations[0]'],
    [{ ...place, op: 'patch' }, 400, invalid, 'operations[0].op'],
    [{ ...place }, 400, invalid, 'operations[0].op'],
    [{ op: 'get', key: 'k' }, 400, invalid, 'operations[0].bucket'],
    [{ ...place, op: 'get', kye: 1 }, 400, invalid, 'operations[0].kye'],
    [{ ...place, op: 'get', value: 'x' }, 400, invalid, 'operations[0].value'],
    [{ ...place, op: 'delete', ttl: 5 }, 400, invalid, 'operations[0].ttl'],
    [{ ...place, op: 'put' }, 400, invalid, 'operations[0].value'],
    [{ ...place, op: 'put', value: 'a', base64: 'YQ==' }, 400, invalid, 'operations[0].value'],
    [{ ...place, op: 'put', base64: 'a' }, 400, invalid, 'operations[0].base64'],
    [{ ...place, op: 'put', base64: 'YQ=a' }, 400, invalid, 'operations[0].base64'],
    [{ ...place, op: 'put', value: 5 }, 400, invalid, 'operations[0].value'],
    [{ ...place, op: 'put', value: '', ttl: 0 }, 400, invalid, 'operations[0].ttl'],
    [
      { ...place, op: 'put', value: '', type: 'x' },
      415,
      'SHOAL_MEDIA_TYPE_INVALID',
      'operations[0].type',
    ],
    [
      { ...place, op: 'put', value: '', encoding: '' },
      400,
      'SHOAL_HEADER_INVALID',
      'operations[0].encoding',
    ],
    [
      { ...place, op: 'get', consistency: 'x' },
      400,
      'SHOAL_CONSISTENCY_INVALID',
      'operations[0].consistency',
    ],
    [
      { ...place, op: 'put', value: '', context: '' },
      400,
      'SHOAL_CONTEXT_INVALID',
      'operations[0].context',
    ],
    [
      { ...place, op: 'delete', idempotencyKey: ' ' },
      400,
      'SHOAL_IDEMPOTENCY_KEY_INVALID',
      'operations[0].idempotencyKey',
    ],
    [{ op: 'get', bucket: '_b', key: 'k' }, 403, 'SHOAL_BUCKET_RESERVED', 'operations[0].bucket'],
    [{ op: 'get', bucket: 'b', key: '' }, 400, 'SHOAL_KEY_INVALID', 'operations[0].key'],
    [{ op: 'get', bucket: 'b', key: '\ud800' }, 400, 'SHOAL_KEY_INVALID', 'operations[0].key'],
    [
      { op: 'get', bucket: 'b', key: 'é'.repeat(513) },
      414,
      'SHOAL_KEY_TOO_LONG',
      'operations[0].key',
    ],
  ]
  for (const [operation, status, code, field] of cells) {
    const [wrong, right] = await batch(face, [operation, { ...place, op: 'get' }])
    t.match(
      wrong,
      { status, problem: { code, errors: [{ field }] } },
      JSON.stringify(operation).slice(0, 80),
    )
    t.equal(right?.status, 404)
  }
  const [large] = await batch(face, [{ ...place, op: 'put', value: 'é'.repeat(6) }])
  t.match(large, { status: 413, problem: { code: 'SHOAL_VALUE_TOO_LARGE', wanted: 10, got: 12 } })
  t.same(face.keyValue.written, [])
})

t.test('a failure of the store and a shed operation say when to come back', async (t) => {
  const face = await openFace()
  t.teardown(() => face.app.close())
  face.keyValue.failure = new ShoalError('SHOAL_SIBLINGS_FULL', 'full', {
    extra: { context: 'c1.3' },
  })
  const [full] = await batch(face, [{ op: 'put', bucket: 'b', key: 'k', value: '' }])
  t.match(full, { status: 409, context: 'c1.3', problem: { code: 'SHOAL_SIBLINGS_FULL' } })
  let admitted = 0
  const overload = new ShoalError('SHOAL_OVERLOADED', 'much', { retryAfterMs: 2_000 })
  face.admission.admit = () => (++admitted > 2 ? overload : undefined)
  const get = { op: 'get', bucket: 'b', key: 'k' }
  const results = await batch(face, [get, get])
  t.equal(results[0]?.status, 404)
  t.match(results[1], { status: 503, retryAfter: 2, problem: { code: 'SHOAL_OVERLOADED' } })
})

t.test('a batch that is malformed as a whole does nothing', async (t) => {
  const face = await openFace()
  t.teardown(() => face.app.close())
  const put = { op: 'put', bucket: 'b', key: 'k', value: '' }
  const good = JSON.stringify({ operations: [put] })
  const cells: [Record<string, string>, string, number, string][] = [
    [json, '', 400, 'SHOAL_BODY_INVALID'],
    [json, '{', 400, 'SHOAL_BODY_INVALID'],
    [json, '[]', 400, 'SHOAL_BODY_INVALID'],
    [json, '{}', 400, 'SHOAL_BODY_INVALID'],
    [json, '{"operations":[]}', 400, 'SHOAL_BODY_INVALID'],
    [json, '{"operations":{}}', 400, 'SHOAL_BODY_INVALID'],
    [json, '{"operations":[{}],"x":1}', 400, 'SHOAL_BODY_INVALID'],
    [json, JSON.stringify({ operations: Array(1_001).fill(put) }), 400, 'SHOAL_BODY_INVALID'],
    [{ 'Content-Type': 'text/plain' }, good, 415, 'SHOAL_MEDIA_TYPE_INVALID'],
    [{}, good, 415, 'SHOAL_MEDIA_TYPE_INVALID'],
    [{ ...json, 'Shoal-Session': 'new' }, good, 400, 'SHOAL_HEADER_INVALID'],
    [{ ...json, 'Causal-Context': 'c1.1' }, good, 400, 'SHOAL_HEADER_INVALID'],
    [{ ...json, 'If-Match': '*' }, good, 400, 'SHOAL_HEADER_INVALID'],
    [{ ...json, 'Idempotency-Key': 'k' }, good, 400, 'SHOAL_HEADER_INVALID'],
    [{ ...json, Consistency: 'x' }, good, 400, 'SHOAL_CONSISTENCY_INVALID'],
  ]
  for (const [headers, body, status, code] of cells) {
    const answer = await call(face, 'POST', '/v1/batch', { headers, body })
    t.equal(answer.status, status, body.slice(0, 40))
    t.equal(problemOf(answer).code, code, body.slice(0, 40))
  }
  t.equal((await call(face, 'POST', '/v1/batch?x=1', { headers: json, body: good })).status, 400)
  t.same(face.keyValue.written, [])
})

t.test('NDJSON: an item and a result on each line, wrong ones among them', async (t) => {
  const face = await openFace()
  t.teardown(() => face.app.close())
  const lines = [
    '{"op":"put","bucket":"b","key":"1","value":"v"}',
    '',
    'rubbish',
    '\xff',
    '{"op":"get","bucket":"b","key":"1"}\r',
    '{"op":"get","bucket":"b","key":"2"}',
  ]
  const body = Buffer.from(lines.join('\n'), 'latin1')
  const answer = await call(face, 'POST', '/v1/batch', { headers: ndjson, body })
  t.equal(answer.status, 200)
  t.equal(answer.headers['content-type'], 'application/x-ndjson')
  const text = answer.body.toString()
  t.ok(text.endsWith('\n'))
  const results = text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
  t.match(results, [
    { status: 204 },
    { status: 400, problem: { code: 'SHOAL_BODY_INVALID', errors: [{ field: 'line 2' }] } },
    { status: 400, problem: { errors: [{ field: 'line 3' }] } },
    { status: 200, value: 'v' },
    { status: 404 },
  ])
  const none = await call(face, 'POST', '/v1/batch', { headers: ndjson, body: '\n\n' })
  t.equal(none.body.length, 0)
})

t.test('the form of the answer is that of the batch, or what Accept says', async (t) => {
  const face = await openFace()
  t.teardown(() => face.app.close())
  const item = '{"op":"get","bucket":"b","key":"2"}'
  const asLines = { ...json, Accept: 'application/x-ndjson' }
  const lines = await call(face, 'POST', '/v1/batch', {
    headers: asLines,
    body: `{"operations":[${item}]}`,
  })
  t.equal(JSON.parse(lines.body.toString()).status, 404)
  const asJson = { ...ndjson, Accept: 'application/json' }
  const document = await call(face, 'POST', '/v1/batch', {
    headers: asJson,
    body: `${item}\n${item}`,
  })
  t.equal(jsonOf<{ results: unknown[] }>(document).results.length, 2)
})

const open = wire([
  'POST /v1/batch HTTP/1.1',
  host,
  'Content-Type: application/x-ndjson',
  'Transfer-Encoding: chunked',
])
const chunk = (text: string): string => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`
const getLine = (key: number | string): string => `{"op":"get","bucket":"b","key":"${key}"}\n`

t.test('both ways are streamed: a result comes before the next operation is sent', async (t) => {
  const face = await openFace()
  t.teardown(() => face.app.close())
  const connection = new RawConnection(face.port)
  connection.send(open)
  await connection.until((received) => received.includes('\r\n\r\n'))
  let seen = 0
  for (let index = 0; index < 5; index++) {
    connection.send(chunk(getLine(index)))
    const received = await connection.until(
      (text) => text.split('{"status":404,"context"').length > index + 1,
    )
    t.ok(received.length > seen, `result ${index} came while the body was open`)
    seen = received.length
  }
  connection.send('0\r\n\r\n')
  await connection.until((received) => received.endsWith('0\r\n\r\n'))
  connection.destroy()
})

t.test(
  'an operation that waits holds back later results, and at most a window of operations',
  async (t) => {
    const face = await openFace({ limits: { batchParallelMax: 4 } })
    t.teardown(() => face.app.close())
    const held = face.keyValue.hold()
    const body = Array.from({ length: 50 }, (_, index) => getLine(index)).join('')
    const answer = call(face, 'POST', '/v1/batch', { headers: ndjson, body })
    while (held.waiting() < 4) await turn()
    for (let turns = 0; turns < 50; turns++) await turn()
    t.equal(held.waiting(), 4, 'no fifth begins')
    held.release()
    const results = (await answer).body.toString().trimEnd().split('\n')
    t.equal(results.length, 50)
    t.equal(face.keyValue.reads.length, 50)
  },
)

t.test(
  'a client that does not read its results stops being read itself, and memory stays bounded',
  async (t) => {
    const limits = { batchParallelMax: 8, batchBytesInFlightMax: 400_000 }
    const face = await openFace({ limits })
    t.teardown(() => face.app.close())
    const value = Buffer.alloc(100_000, 'v')
    await call(face, 'PUT', '/v1/kv/b/large', { body: value })
    const connection = new RawConnection(face.port)
    connection.send(open)
    await connection.until((received) => received.includes('\r\n\r\n'))
    connection.socket.pause()
    const count = 900
    for (let index = 0; index < count; index++) connection.send(chunk(getLine('large')))
    connection.send('0\r\n\r\n')
    let begun = -1
    while (face.keyValue.reads.length > begun) {
      begun = face.keyValue.reads.length
      for (let turns = 0; turns < 200; turns++) await turn()
    }
    t.ok(begun < count, `${begun} of ${count} operations begun while nobody reads`)
    connection.socket.resume()
    connection.endSending()
    const received = await connection.rest()
    t.equal(received.split('"status":200').length - 1, count, 'and all are answered in the end')
    connection.destroy()
  },
)

t.test('a client that never reads again is cut off', async (t) => {
  const face = await openFace({ limits: { bodyTimeoutMs: 200 } })
  t.teardown(() => face.app.close())
  await call(face, 'PUT', '/v1/kv/b/large', { body: Buffer.alloc(1_000_000, 'v') })
  const connection = new RawConnection(face.port)
  connection.send(open)
  await connection.until((received) => received.includes('\r\n\r\n'))
  connection.socket.pause()
  for (let index = 0; index < 100; index++) connection.send(chunk(getLine('large')))
  const batches = async () =>
    (await face.metrics.getSingleMetricAsString('shoal_http_batches_in_flight')).split(' ').at(-1)
  while ((await batches()) !== '0') await turn()
  t.ok(face.keyValue.reads.length < 100)
  connection.destroy()
})

t.test('a body cut off, too slow or without end of operations ends the results', async (t) => {
  const face = await openFace({ limits: { bodyTimeoutMs: 300, lingerMs: 100 } })
  t.teardown(() => face.app.close())
  const slow = new RawConnection(face.port)
  slow.send(open).send(chunk(getLine(1)))
  t.match(await slow.rest(), /"status":404,[\s\S]*"status":408,[\s\S]*SHOAL_BODY_TIMEOUT/)
  slow.destroy()
  const cut = new RawConnection(face.port)
  cut
    .send(open)
    .send(chunk(`${getLine(1)}{"op":"put","buck`))
    .endSending()
  t.match(await cut.rest(), /"status":404,[\s\S]*"status":400,[\s\S]*SHOAL_BODY_INCOMPLETE/)
  cut.destroy()
  const broken = new RawConnection(face.port)
  broken.send(open).send(`${chunk(getLine(1))}zz\r\n`)
  t.match(await broken.rest(), /"status":404,[\s\S]*SHOAL_REQUEST_INVALID/)
  broken.destroy()
  const many = new RawConnection(face.port)
  many.send(open).send(chunk(Array.from({ length: 1_001 }, (_, index) => getLine(index)).join('')))
  const rest = await many.rest()
  t.equal(rest.split('{"status":404,"context"').length - 1, 1_000)
  t.match(rest, /at most 1000 operations/)
  many.destroy()
  t.same(face.keyValue.written, [])
})

t.test('batches and the bytes of their bodies are bounded over all clients', async (t) => {
  const face = await openFace({ limits: { batchesMax: 1, bodyBytesInFlightMax: 1_000 } })
  t.teardown(() => face.app.close())
  const first = new RawConnection(face.port)
  first.send(open).send(chunk(`{"op":"put","bucket":"b","key":"k","value":"${'v'.repeat(800)}`))
  await first.until((received) => received.includes('\r\n\r\n'))
  const second = await call(face, 'POST', '/v1/batch', { headers: ndjson, body: getLine(1) })
  t.equal(second.status, 503)
  t.equal(problemOf(second).code, 'SHOAL_OVERLOADED')
  first.send(chunk('v'.repeat(400)))
  t.match(await first.until((text) => text.includes('problem')), /"status":503.*SHOAL_OVERLOADED/)
  first.destroy()
})

t.test('a client that goes away ends its batch, and nothing is left held', async (t) => {
  const face = await openFace()
  t.teardown(() => face.app.close())
  const connection = new RawConnection(face.port)
  connection.send(open).send(chunk(`${getLine(1)}{"op":"get"`))
  await connection.until((received) => received.includes('404'))
  connection.destroy()
  const idle = async (name: string) =>
    (await face.metrics.getSingleMetricAsString(`shoal_http_${name}`)).split(' ').at(-1) === '0'
  while (!(await idle('batches_in_flight'))) await turn()
  while (!(await idle('body_bytes_in_flight'))) await turn()
  while (!(await idle('requests_in_flight'))) await turn()
  t.same(face.log.lines, [])
})

t.test('a bug in one operation is told in its place', async (t) => {
  const face = await openFace()
  t.teardown(() => face.app.close())
  face.keyValue.read = () => {
    throw new TypeError('oops')
  }
  const [bug, put] = await batch(face, [
    { op: 'get', bucket: 'b', key: 'k' },
    { op: 'put', bucket: 'b', key: 'k', value: '' },
  ])
  t.match(bug, { status: 500, problem: { code: 'SHOAL_INTERNAL', errorId: String } })
  t.equal(put?.status, 204)
  t.match(face.log.lines, [{ level: 'error' }])
})

t.test('the window keeps order and counts what it holds', async (t) => {
  const window = new Window({ slotsMax: 2, bytesMax: 100 })
  t.equal(await window.room(), true)
  const first = window.open(10)
  const second = window.open(20)
  t.equal(window.bytes, 30)
  const room = window.room()
  window.settle(second, 'second')
  t.equal(window.bytes, 16)
  window.settle(first, 'first')
  t.same(await window.take(1_000), ['first', 'second'])
  t.equal(window.bytes, 0)
  t.equal(await room, true)
  window.open(100)
  const full = window.room()
  window.end()
  t.equal(await full, false)
})
