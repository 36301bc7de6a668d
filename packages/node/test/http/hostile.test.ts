/** Bytes that no well-behaved client sends, on bare sockets. */
import { once } from 'node:events'
import type { Socket } from 'node:net'
import t from 'tap'
import { type Face, openFace } from './doubles.ts'
import { type Answer, call, problemOf, RawConnection, wire } from './talk.ts'

const path = '/v1/kv/carts/42'
const host = 'Host: node'

/** Sends bytes, reads one answer. */
async function say(face: Face, bytes: string, { end = false, head = false } = {}): Promise<Answer> {
  const connection = new RawConnection(face.port)
  connection.send(bytes)
  if (end) connection.endSending()
  try {
    return await connection.answer({ head })
  } finally {
    connection.destroy()
  }
}

/** The face still does its work. */
async function serves(face: Face): Promise<boolean> {
  const put = await call(face, 'PUT', '/v1/kv/check/1', { body: 'fine' })
  const get = await call(face, 'GET', '/v1/kv/check/1')
  return put.status === 204 && get.body.toString() === 'fine'
}

t.test('what is not HTTP gets a problem document and a closed connection', async (t) => {
  const face = await openFace()
  t.teardown(() => face.app.close())
  const get = `GET ${path} HTTP/1.1`
  const cells: [string, number, string][] = [
    ['\0\0\0\0\0\0\r\n\r\n', 405, 'SHOAL_METHOD_NOT_ALLOWED'],
    ['hello\r\n\r\n', 405, 'SHOAL_METHOD_NOT_ALLOWED'],
    [wire([`BREW ${path} HTTP/1.1`, host]), 405, 'SHOAL_METHOD_NOT_ALLOWED'],
    [wire([`get ${path} HTTP/1.1`, host]), 405, 'SHOAL_METHOD_NOT_ALLOWED'],
    [wire([`GET ${path} HTTP/9.9`, host]), 400, 'SHOAL_REQUEST_INVALID'],
    [wire([`GET ${path}`, host]), 400, 'SHOAL_REQUEST_INVALID'],
    [wire(['GET  HTTP/1.1', host]), 400, 'SHOAL_REQUEST_INVALID'],
    [wire(['GET /a\x01b HTTP/1.1', host]), 400, 'SHOAL_REQUEST_INVALID'],
    [wire([get, host, 'Bad Header: 1']), 400, 'SHOAL_REQUEST_INVALID'],
    [wire([get, host, ': none']), 400, 'SHOAL_REQUEST_INVALID'],
    [wire([get, host, 'X: a\0b']), 400, 'SHOAL_REQUEST_INVALID'],
    [wire([get, host, ' folded: 1']), 400, 'SHOAL_REQUEST_INVALID'],
    [wire([get, host, 'Content-Length: abc']), 400, 'SHOAL_REQUEST_INVALID'],
    [wire([get, host, 'Content-Length: -1']), 400, 'SHOAL_REQUEST_INVALID'],
    [wire([get, host, 'Content-Length: 1', 'Content-Length: 2']), 400, 'SHOAL_REQUEST_INVALID'],
    [
      wire([get, host, 'Content-Length: 1', 'Transfer-Encoding: chunked']),
      400,
      'SHOAL_REQUEST_INVALID',
    ],
    [wire([`PUT ${path} HTTP/1.1`, host, 'Transfer-Encoding: gzip']), 400, 'SHOAL_HEADER_INVALID'],
    [wire([get, `X: ${'x'.repeat(40_000)}`]), 431, 'SHOAL_HEADERS_TOO_LARGE'],
    [wire([`GET /${'x'.repeat(40_000)} HTTP/1.1`, host]), 431, 'SHOAL_HEADERS_TOO_LARGE'],
    [wire([get]), 400, 'SHOAL_HEADER_INVALID'],
    [wire([get, host, 'Host: other']), 400, 'SHOAL_HEADER_INVALID'],
    [wire([get, 'Host: a b']), 400, 'SHOAL_HEADER_INVALID'],
    [wire([get, host, 'Expect: a-miracle']), 400, 'SHOAL_HEADER_INVALID'],
    [wire(['CONNECT elsewhere:80 HTTP/1.1', host]), 405, 'SHOAL_METHOD_NOT_ALLOWED'],
  ]
  for (const [bytes, status, code] of cells) {
    const answer = await say(face, bytes)
    const name = JSON.stringify(bytes.slice(0, 60))
    t.equal(answer.status, status, name)
    t.equal(answer.headers['content-type'], 'application/problem+json', name)
    t.equal(problemOf(answer).code, code, name)
    t.equal(answer.headers['cache-control'], 'no-store')
    if (status === 405) t.match(answer.headers.allow, /GET, HEAD, POST, PUT/, name)
  }
  t.ok(await serves(face))
})

t.test('any bytes at all get an answer or a closed connection, and hurt nobody', async (t) => {
  const face = await openFace()
  t.teardown(() => face.app.close())
  const seed = 41
  t.comment(`seed ${seed}`)
  let state = seed
  const random = (below: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state % below
  }
  const parts = [
    'GET ',
    'PUT ',
    path,
    ' HTTP/1.1',
    '\r\n',
    host,
    ': ',
    'Content-Length: 5',
    '\0',
    '%',
    '\xff',
    'Transfer-Encoding: chunked',
    '5\r\nabc',
    'A'.repeat(70),
    '"',
    ';',
  ]
  for (let run = 0; run < 150; run++) {
    const bytes = Array.from({ length: 1 + random(14) }, () => parts[random(parts.length)]).join('')
    const connection = new RawConnection(face.port)
    connection.send(bytes).endSending()
    const rest = await connection.rest()
    if (rest !== '') t.match(rest, /^HTTP\/1\.1 \d{3} /, JSON.stringify(bytes).slice(0, 100))
    connection.destroy()
  }
  t.ok(await serves(face))
  t.same(face.log.lines, [], 'nothing of it is a bug')
})

t.test('HTTP/1.0 needs no Host', async (t) => {
  const face = await openFace()
  t.teardown(() => face.app.close())
  t.equal((await say(face, wire(['GET /livez HTTP/1.0']))).status, 200)
})

t.test('a body cut off is told, and nothing is written', async (t) => {
  const face = await openFace()
  t.teardown(() => face.app.close())
  const put = `PUT ${path} HTTP/1.1`
  const cells: [string, RegExp][] = [
    [wire([put, host, 'Content-Length: 10'], '12345'), /after 5 of 10 bytes/],
    [wire([put, host, 'Content-Length: 10']), /after 0 of 10 bytes/],
    [wire([put, host, 'Transfer-Encoding: chunked'], '5\r\nhello\r\n'), /before its last chunk/],
    [wire([put, host, 'Transfer-Encoding: chunked'], '5\r\nhel'), /before its last chunk/],
  ]
  for (const [bytes, detail] of cells) {
    const answer = await say(face, bytes, { end: true })
    t.equal(answer.status, 400)
    t.match(problemOf(answer), { code: 'SHOAL_BODY_INCOMPLETE', outcome: 'not-applied', detail })
    t.equal(answer.headers.connection, 'close')
  }
  const broken = await say(face, wire([put, host, 'Transfer-Encoding: chunked'], 'zz\r\nhello'))
  t.equal(problemOf(broken).code, 'SHOAL_REQUEST_INVALID')
  t.same(face.keyValue.written, [])
})

t.test('a connection lost within a body writes nothing and leaves nothing behind', async (t) => {
  const face = await openFace()
  t.teardown(() => face.app.close())
  const connection = new RawConnection(face.port)
  connection.send(wire([`PUT ${path} HTTP/1.1`, host, 'Content-Length: 10'], '12345'))
  await metric(face, 'shoal_http_body_bytes_in_flight', (value) => value === 5)
  connection.socket.resetAndDestroy()
  await metric(face, 'shoal_http_body_bytes_in_flight', (value) => value === 0)
  await metric(face, 'shoal_http_requests_in_flight', (value) => value === 1)
  t.same(face.keyValue.written, [])
})

/** Waits until a metric has the value wanted; asking for it is a request in flight itself. */
async function metric(face: Face, name: string, fits: (value: number) => boolean): Promise<void> {
  for (;;) {
    const text = (await call(face, 'GET', '/metrics')).body.toString()
    const [, value] = new RegExp(`^${name} (\\S+)$`, 'm').exec(text) ?? []
    if (fits(Number(value))) return
  }
}

t.test('a slow body gets 408; a slow head too', async (t) => {
  const face = await openFace({ limits: { bodyTimeoutMs: 300, headersTimeoutMs: 300 } })
  t.teardown(() => face.app.close())
  const body = await say(face, wire([`PUT ${path} HTTP/1.1`, host, 'Content-Length: 10'], '1'))
  t.equal(body.status, 408)
  t.match(problemOf(body), { code: 'SHOAL_BODY_TIMEOUT', outcome: 'not-applied', wanted: 300 })
  t.equal(body.headers.connection, 'close')
  const head = await say(face, `PUT ${path} HTTP/1.1\r\nHost: `)
  t.equal(head.status, 408)
  t.match(problemOf(head), { code: 'SHOAL_HEADERS_TIMEOUT' })
  const silent = await say(face, '')
  t.equal(silent.status, 408, 'a connection that says nothing is told why it ends')
  t.same(face.keyValue.written, [])
})

t.test('a body in many pieces is one value', async (t) => {
  const face = await openFace()
  t.teardown(() => face.app.close())
  for (const size of [3, 70_000, 1_048_576]) {
    const connection = new RawConnection(face.port)
    const value = Buffer.alloc(size, 'abcdefg')
    connection.send(wire([`PUT ${path} HTTP/1.1`, host, `Content-Length: ${size}`]))
    for (let at = 0; at < size; at += 30_011) {
      connection.send(value.subarray(at, at + 30_011))
      await new Promise<void>((resolve) => setImmediate(resolve))
    }
    t.equal((await connection.answer()).status, 204)
    connection.send(wire([`GET ${path} HTTP/1.1`, host]))
    t.ok((await connection.answer()).body.equals(value), `${size} bytes`)
    connection.destroy()
  }
})

t.test('chunks, with extensions and trailers, are one value', async (t) => {
  const face = await openFace()
  t.teardown(() => face.app.close())
  const head = wire([`PUT ${path} HTTP/1.1`, host, 'Transfer-Encoding: chunked'])
  const answer = await say(face, `${head}3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nTrailer: 1\r\n\r\n`)
  t.equal(answer.status, 204)
  t.equal((await call(face, 'GET', path)).body.toString(), 'abcde')
})

t.test('a value over the limit is 413, told early, and the connection may go on', async (t) => {
  const face = await openFace({ limits: { valueBytesMax: 1_000 } })
  t.teardown(() => face.app.close())
  const over = 'x'.repeat(1_001)
  const connection = new RawConnection(face.port)
  connection.send(wire([`PUT ${path} HTTP/1.1`, host, 'Content-Length: 1000'], 'x'.repeat(1_000)))
  t.equal((await connection.answer()).status, 204, 'at the limit')
  connection.send(wire([`PUT ${path} HTTP/1.1`, host, 'Content-Length: 1001']))
  const early = await connection.answer()
  t.equal(early.status, 413, 'before a byte of the body is sent')
  t.match(problemOf(early), { code: 'SHOAL_VALUE_TOO_LARGE', wanted: 1_000, got: 1_001 })
  t.equal(early.headers.connection, 'keep-alive')
  connection.send(over).send(wire([`GET ${path} HTTP/1.1`, host]))
  t.equal((await connection.answer()).body.length, 1_000, 'the value before it stands')
  connection.destroy()

  const head = wire([`PUT ${path} HTTP/1.1`, host, 'Transfer-Encoding: chunked'])
  const chunked = await say(face, `${head}3e9\r\n${over}\r\n0\r\n\r\n`)
  t.equal(chunked.status, 413, 'without Content-Length')
  t.match(problemOf(chunked), { code: 'SHOAL_VALUE_TOO_LARGE', wanted: 1_000 })
  t.equal(face.keyValue.written.length, 1)
})

t.test('a client that sends far too much reads its 413 before the connection closes', async (t) => {
  const limits = { valueBytesMax: 1_000, lingerBytesMax: 100_000, lingerMs: 120_000 }
  const face = await openFace({ limits })
  t.teardown(() => face.app.close())
  const size = 20_000_000
  for (const line of [`Content-Length: ${size}`, 'Transfer-Encoding: chunked']) {
    const connection = new RawConnection(face.port)
    connection.send(wire([`PUT ${path} HTTP/1.1`, host, line]))
    connection.send(line.startsWith('T') ? `${size.toString(16)}\r\n` : '')
    connection.send(Buffer.alloc(200_000))
    const answer = await connection.answer()
    t.equal(answer.status, 413, line)
    t.equal(answer.headers.connection, 'close')
    await connection.rest()
    t.ok(connection.closed)
    connection.destroy()
  }
  t.ok(await serves(face))
})

t.test('a client that reads only when it has sent everything still reads its 413', async (t) => {
  const size = 20_000_000
  const limits = { valueBytesMax: 1_000, lingerBytesMax: 2 * size, lingerMs: 10_000 }
  const face = await openFace({ limits })
  t.teardown(() => face.app.close())
  const connection = new RawConnection(face.port)
  connection.socket.pause()
  connection.send(wire([`PUT ${path} HTTP/1.1`, host, 'Transfer-Encoding: chunked']))
  connection.send(`${size.toString(16)}\r\n`)
  await new Promise((sent) => connection.socket.write(Buffer.alloc(size), sent))
  connection.socket.resume()
  t.equal((await connection.answer()).status, 413)
  connection.destroy()
})

t.test('Expect: 100-continue is answered when the body is wanted, and not before', async (t) => {
  const face = await openFace({ limits: { valueBytesMax: 1_000 } })
  t.teardown(() => face.app.close())
  const expect = 'Expect: 100-continue'
  const welcome = new RawConnection(face.port)
  welcome.send(wire([`PUT ${path} HTTP/1.1`, host, 'Content-Length: 5', expect]))
  await welcome.until((received) => received.startsWith('HTTP/1.1 100 Continue\r\n\r\n'))
  t.equal((await welcome.answer()).status, 100)
  welcome.send('hello')
  t.equal((await welcome.answer()).status, 204)
  welcome.destroy()
  const refused = await say(
    face,
    wire([`PUT ${path} HTTP/1.1`, host, 'Content-Length: 5000', expect]),
  )
  t.equal(refused.status, 413)
  t.equal(refused.headers.connection, 'close', 'so that no body is taken for a request')
  const malformed = await say(
    face,
    wire([`PUT ${path} HTTP/1.1`, host, 'Content-Length: 5', expect, 'TTL: 0']),
  )
  t.equal(malformed.status, 400)
})

t.test('a client that closes its half after a request still gets its answer', async (t) => {
  const face = await openFace()
  t.teardown(() => face.app.close())
  const accepted = once(face.app.server, 'connection') as Promise<[Socket]>
  const held = face.keyValue.hold()
  const bytes = wire([`PUT ${path} HTTP/1.1`, host, 'Content-Length: 1'], 'x')
  const answer = say(face, bytes, { end: true })
  const [socket] = await accepted
  while (held.waiting() === 0 || !socket.readableEnded) {
    await new Promise<void>((resolve) => setImmediate(resolve))
  }
  held.release()
  t.equal((await answer).status, 204)
})

t.test('requests in one packet are answered in order, whatever finishes first', async (t) => {
  const face = await openFace()
  t.teardown(() => face.app.close())
  const connection = new RawConnection(face.port)
  const put = (key: string) =>
    wire([`PUT /v1/kv/b/${key} HTTP/1.1`, host, 'Content-Length: 1'], key)
  const get = (key: string) => wire([`GET /v1/kv/b/${key} HTTP/1.1`, host])
  connection.send(put('1') + put('2') + wire(['GET /livez HTTP/1.1', host]) + get('2') + get('1'))
  t.equal((await connection.answer()).status, 204)
  t.equal((await connection.answer()).status, 204)
  t.equal((await connection.answer()).status, 200)
  t.equal((await connection.answer()).body.toString(), '2')
  t.equal((await connection.answer()).body.toString(), '1')
  connection.destroy()
})

t.test('rubbish after a request does not take the place of its answer', async (t) => {
  const face = await openFace()
  t.teardown(() => face.app.close())
  const held = face.keyValue.hold()
  const connection = new RawConnection(face.port)
  connection.send(wire([`PUT ${path} HTTP/1.1`, host, 'Content-Length: 1'], 'x'))
  while (held.waiting() === 0) await new Promise<void>((resolve) => setImmediate(resolve))
  connection.send('\0rubbish\r\n\r\n')
  await metric(face, 'shoal_http_malformed_total', (value) => value === 1)
  held.release()
  t.equal((await connection.answer()).status, 204)
  t.equal(await connection.rest(), '', 'then it closes')
  connection.destroy()
})

t.test('unknown routes and wrong methods', async (t) => {
  const face = await openFace()
  t.teardown(() => face.app.close())
  const cells: [string, string, number, string | undefined][] = [
    ['GET', '/', 404, undefined],
    ['GET', '/v1', 404, undefined],
    ['GET', '/v1/kv', 404, undefined],
    ['GET', '/v1/kv/b/', 400, undefined],
    ['PUT', '/v1/kv/b', 405, 'GET, HEAD'],
    ['POST', path, 405, 'DELETE, GET, HEAD, PUT'],
    ['PATCH', path, 405, 'DELETE, GET, HEAD, PUT'],
    ['OPTIONS', path, 405, 'DELETE, GET, HEAD, PUT'],
    ['PROPFIND', path, 405, 'DELETE, GET, HEAD, PUT'],
    ['TRACE', path, 405, 'DELETE, GET, HEAD, PUT'],
    ['GET', '/v1/batch', 405, 'POST'],
    ['POST', '/v1/ring', 405, 'GET, HEAD'],
    ['DELETE', '/v1/buckets', 405, 'GET, HEAD'],
    ['POST', '/v1/buckets/b', 405, 'DELETE, GET, HEAD, PUT'],
    ['PUT', '/nowhere', 404, undefined],
    ['OPTIONS', '*', 404, undefined],
  ]
  for (const [method, target, status, allow] of cells) {
    const answer = await call(face, method, target, { headers: { 'Content-Type': 'x/y' } })
    t.equal(answer.status, status, `${method} ${target}`)
    t.equal(answer.headers.allow, allow)
    if (method === 'HEAD') continue
    t.match(problemOf(answer), { status, instance: /^urn:shoal:request:/, retry: 'never' })
    t.match(answer.headers, {
      'request-id': String,
      'server-timing': String,
      'cache-control': 'no-store',
    })
  }
})

t.test('bodies in memory are bounded over all requests', async (t) => {
  const face = await openFace({ limits: { bodyBytesInFlightMax: 10_000 } })
  t.teardown(() => face.app.close())
  const first = new RawConnection(face.port)
  first.send(wire([`PUT ${path} HTTP/1.1`, host, 'Content-Length: 9000'], 'x'.repeat(8_000)))
  await metric(face, 'shoal_http_body_bytes_in_flight', (value) => value === 8_000)
  const second = await call(face, 'PUT', path, { body: 'y'.repeat(3_000) })
  t.equal(second.status, 503)
  t.match(problemOf(second), { code: 'SHOAL_OVERLOADED', outcome: 'not-applied', retry: 'after' })
  t.equal((await call(face, 'PUT', path, { body: 'y'.repeat(1_500) })).status, 204)
  first.send('x'.repeat(1_000))
  t.equal((await first.answer()).status, 204)
  first.destroy()
  await metric(face, 'shoal_http_body_bytes_in_flight', (value) => value === 0)
})
