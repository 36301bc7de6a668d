/** Refusing before the parser: the same answers in the same order, in whatever pieces it comes. */
import { EventEmitter } from 'node:events'
import type { Socket } from 'node:net'
import { createSystemEnv, ShoalError } from '@shoal/kernel'
import { peerUpgradeProtocol } from '@shoal/wire'
import fc from 'fast-check'
import t from 'tap'
import { Shedder } from '../../src/http/shedding/shedder.ts'
import { readSimpleRequest } from '../../src/http/shedding/simple-request.ts'
import { type Face, openFace } from './doubles.ts'
import { type Answer, problemOf, RawConnection, wire } from './talk.ts'

const host = 'Host: node'
const overload = () =>
  new ShoalError('SHOAL_OVERLOADED', 'too much', { wanted: 64, got: 70, retryAfterMs: 3_000 })
const put = (key: string, body: string): string =>
  wire([`PUT /v1/kv/carts/${key} HTTP/1.1`, host, `Content-Length: ${body.length}`], body)
const get = (key: string): string => wire([`GET /v1/kv/carts/${key} HTTP/1.1`, host])

async function ask(connection: RawConnection, bytes: string): Promise<Answer> {
  return connection.send(bytes).answer()
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** How far a request came: only an answer made by the parser's side measures its own time. */
const isEarly = ({ headers }: Answer): boolean => headers['server-timing'] === 'total;dur=0'

/** After a refused request it is known where the parser stands. */
async function openWatched(face: Face): Promise<RawConnection> {
  face.admission.refusal = overload()
  const connection = new RawConnection(face.port)
  t.notOk(isEarly(await ask(connection, get('1'))))
  return connection
}

t.test('O1 refused before the parser, the answer is the same', async (t) => {
  const face = await openFace()
  t.teardown(() => face.app.close())
  const connection = new RawConnection(face.port)
  t.equal((await ask(connection, put('1', 'x'))).status, 204)
  face.admission.refusal = overload()
  const late = await ask(connection, put('1', 'x'))
  t.notOk(isEarly(await ask(connection, put('1', 'x'))))
  const early = await ask(connection, put('1', 'x'))
  t.ok(isEarly(early))
  t.equal(early.status, 503)
  t.same(Object.keys(early.headers).sort(), Object.keys(late.headers).sort())
  for (const name of ['request-id', 'server-timing', 'date']) {
    t.match(early.headers[name], /./)
    delete early.headers[name]
    delete late.headers[name]
  }
  t.same(early.headers, late.headers)
  const { instance, ...problem } = problemOf(early)
  t.match(instance, /^urn:shoal:request:.{8}-/)
  t.same({ ...problem, instance: '' }, { ...problemOf(late), instance: '' })
  connection.destroy()
})

t.test('O3 each refused request is counted, and when the load is gone it is served', async (t) => {
  const face = await openFace()
  t.teardown(() => face.app.close())
  const connection = await openWatched(face)
  t.ok(isEarly(await ask(connection, get('1'))))
  t.ok(isEarly(await ask(connection, put('1', 'x'))))
  t.ok(isEarly(await ask(connection, wire(['DELETE /v1/kv/carts/1 HTTP/1.1', host]))))
  t.equal(face.keyValue.reads.length + face.keyValue.written.length, 0)
  face.admission.refusal = undefined
  t.equal((await ask(connection, put('1', 'apples'))).status, 204)
  t.equal((await ask(connection, get('1'))).body.toString(), 'apples')
  const counted = await face.metrics.getSingleMetricAsString('shoal_http_requests_total')
  t.match(counted, /operation="get",status="503"\} 2\n/)
  t.match(counted, /operation="put",status="503"\} 1\n/)
  t.match(counted, /operation="delete",status="503"\} 1/)
  connection.destroy()
})

t.test('the body of a refused request is for nobody, in however many pieces', async (t) => {
  const face = await openFace()
  t.teardown(() => face.app.close())
  const connection = await openWatched(face)
  const body = `${get('2')}${'x'.repeat(100_000)}`
  const bytes = put('1', body)
  const first = await ask(connection, bytes.slice(0, 200))
  t.ok(isEarly(first), 'answered as soon as the head is there')
  connection.send(bytes.slice(200, 90_000))
  connection.send(bytes.slice(90_000))
  t.ok(isEarly(await ask(connection, get('3'))))
  t.equal(connection.received, '', 'what looked like a request in it was none')
  connection.destroy()
})

t.test('O2 nor does it have more time than other bodies', async (t) => {
  const face = await openFace({ limits: { bodyTimeoutMs: 100 } })
  t.teardown(() => face.app.close())
  const connection = await openWatched(face)
  t.ok(isEarly(await ask(connection, put('1', 'x'.repeat(1_000)).slice(0, 200))))
  t.equal(await connection.rest(), '', 'cut off, and told nothing more')
  connection.destroy()
})

t.test('what is not simple goes to the parser, and is answered there', async (t) => {
  const face = await openFace()
  t.teardown(() => face.app.close())
  const cells: [string, number, boolean?][] = [
    [wire(['HEAD /v1/kv/carts/1 HTTP/1.1', host]), 503, true],
    [wire(['GET /livez HTTP/1.1', host]), 200],
    [wire(['GET /v1/kv/carts?limit=1 HTTP/1.1', host]), 503],
    [
      wire(
        ['PUT /v1/kv/carts/1 HTTP/1.1', host, 'Transfer-Encoding: chunked'],
        '1\r\nx\r\n0\r\n\r\n',
      ),
      503,
    ],
    [wire(['PUT /v1/kv/carts/1 HTTP/1.1', host, 'Expect: 100-continue', 'Content-Length: 0']), 503],
    [wire(['GET /v1/kv/carts/1 HTTP/1.1', host, 'Connection: close']), 503],
    [wire(['GET /v1/kv/carts/1 HTTP/1.0', host]), 503],
    [wire(['GET /v1/kv/carts/1 HTTP/1.1']), 400],
    [wire(['GET /v1/kv/carts/1 HTTP/1.1', host, 'A : b']), 400],
    [
      wire(['GET /v1/kv/carts/1 HTTP/1.1', host, 'Content-Length: 1', 'Content-Length: 1'], 'x'),
      400,
    ],
    [wire(['PUT /v1/kv/carts/1 HTTP/1.1', host, 'Content-Length: +1'], 'x'), 400],
  ]
  for (const [bytes, status, head = false] of cells) {
    const connection = await openWatched(face)
    const answer = await connection.send(bytes).answer({ head })
    const line = bytes.slice(0, bytes.indexOf('\r\n', bytes.indexOf(host) + 1))
    t.equal(answer.status, status, line)
    t.notOk(isEarly(answer), line)
    connection.destroy()
  }
})

t.test(
  "a head in two pieces is the parser's, and the place is known again behind it",
  async (t) => {
    const face = await openFace()
    t.teardown(() => face.app.close())
    const sockets: Socket[] = []
    face.app.server.on('connection', (socket: Socket) => sockets.push(socket))
    const bytesRead = (): number => sockets.reduce((sum, socket) => sum + socket.bytesRead, 0)
    const connection = await openWatched(face)
    const half = 'GET /v1/kv/carts/1 HTTP/1.1\r\nX: '
    const arrived = bytesRead() + half.length
    connection.send(half)
    while (bytesRead() < arrived) await turn()
    // Were it taken for a request of its own it would be answered, and then once more.
    t.notOk(isEarly(await ask(connection, get('2'))))
    t.ok(isEarly(await ask(connection, get('2'))))
    t.equal(connection.received, '')
    connection.destroy()
  },
)

t.test('a connection that becomes a channel of a peer is let go', async (t) => {
  const face = await openFace()
  t.teardown(() => face.app.close())
  face.app.onUpgrade((_request, socket) => {
    t.equal(socket.listenerCount('data'), 0)
    socket.on('data', (chunk: Buffer) => socket.write(`heard ${chunk}`))
    socket.on('end', () => socket.end())
    socket.write('welcome')
  })
  const connection = await openWatched(face)
  const upgrade = [`Upgrade: ${peerUpgradeProtocol}`, 'Connection: Upgrade']
  connection.send(wire(['GET /v1/peer HTTP/1.1', host, ...upgrade]))
  await connection.until((received) => received === 'welcome')
  connection.send(get('1'))
  await connection.until((received) => received === `welcomeheard ${get('1')}`)
  t.ok(connection.socket.writable)
  connection.destroy()
})

t.test("what cannot be refused early is the parser's", async (t) => {
  const written: string[] = []
  let parsed = 0
  let awaited = 0
  const services = {
    env: createSystemEnv(() => {}),
    admission: { refusal: overload(), admit: overload },
    metrics: { record: () => {} },
    limits: { lingerBytesMax: 1_000, keepAliveTimeoutMs: 5_000 },
    drain: 'none',
    nextRequestId: () => 'id',
    slowBodies: { watch: () => awaited++, forget: () => awaited-- },
  }
  const socket = Object.assign(new EventEmitter(), {
    writableLength: 0,
    write: (text: string) => written.push(text),
  })
  const last = { writableFinished: true, req: { complete: true } }
  const connection = { socket, last, requests: 0, failure: undefined as unknown }
  let found = 1
  let isWhole = true
  socket.on('data', () => {
    parsed++
    last.req.complete = isWhole
    connection.requests += found
  })
  new Shedder(services as never).watch(connection as never)
  const early = (bytes = get('1')): boolean => {
    const before = written.length
    socket.emit('data', Buffer.from(bytes))
    return written.length > before
  }
  t.equal(early(), false, 'the first')
  t.equal(early(), true)
  socket.writableLength = 1
  t.equal(early(), false, 'who does not read is not sent more')
  socket.writableLength = 0
  last.writableFinished = false
  t.equal(early(), false, 'an answer is under way')
  last.writableFinished = true
  connection.failure = overload()
  t.equal(early(), false, 'the connection has failed')
  connection.failure = undefined
  services.drain = 'refusing'
  t.equal(early(), false, 'the node stops')
  services.drain = 'none'
  t.equal(early(), true)
  t.equal(early(get('1') + get('2')), false, 'two at once')
  t.equal(early(), false, 'behind them the parser may stand anywhere')
  t.equal(early(), true)
  t.equal(early(put('1', 'x'.repeat(2_000)).slice(0, 200)), false, 'too long a body to wait for')
  t.equal(early('x'.repeat(1_900)), false)
  found = 0
  t.equal(early(), false, 'its body is longer')
  t.equal(early(), false, 'the parser found no request in what looked like one')
  found = 1
  isWhole = false
  t.equal(early(), false, 'nor was there an end')
  isWhole = true
  t.equal(early(), false, 'so this may be in its body')
  t.equal(early(), false)
  t.equal(early(), true)
  const split = put('1', 'x'.repeat(300))
  t.equal(early(split.slice(0, 100)), true)
  t.equal(early(split.slice(100, 200)), false, "its body is nobody's")
  t.equal(awaited, 1)
  t.equal(early(split.slice(200)), false)
  t.equal(awaited, 0, 'and has come in time')
  t.equal(parsed, 14)
})

t.test('every request has one answer, in order, whatever comes in what pieces', async (t) => {
  const face = await openFace()
  t.teardown(() => face.app.close())
  face.keyValue.remember = false
  let coins: boolean[] = []
  face.admission.refusal = overload()
  face.admission.admit = () => (coins.pop() === true ? overload() : undefined)
  const keys = ['a', 'b', 'c']
  for (const key of keys) {
    const connection = new RawConnection(face.port)
    await ask(connection, put(key, `value of ${key}`))
    connection.destroy()
  }
  const reads = fc.constantFrom(...keys).map((key) => ({ key, bytes: get(key) }))
  const request = fc.oneof(
    { arbitrary: reads, weight: 12 },
    fc.record({ at: fc.constantFrom(...keys), size: fc.nat(3_000) }).map(({ at, size }) => ({
      key: undefined,
      bytes: put('other', get(at) + 'x'.repeat(size)),
    })),
    fc.constantFrom(...keys).map((key) => ({
      key,
      bytes: wire(
        [`GET /v1/kv/carts/${key} HTTP/1.1`, host, 'Content-Length: 60'],
        get('a').padEnd(60),
      ),
    })),
    fc.constant({
      key: undefined,
      bytes: wire(
        ['PUT /v1/kv/carts/other HTTP/1.1', host, 'Transfer-Encoding: chunked'],
        `2d\r\n${get('a').padEnd(45)}\r\n0\r\n\r\n`,
      ),
    }),
  )
  const run = fc.record({
    // Sent together, and their answers awaited.
    groups: fc.array(fc.array(request, { minLength: 1, maxLength: 3 }), {
      minLength: 4,
      maxLength: 10,
    }),
    cuts: fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 3 }),
    coins: fc.array(fc.boolean(), { minLength: 40, maxLength: 40 }),
  })
  let early = 0
  await fc.assert(
    fc.asyncProperty(run, async ({ groups, cuts, coins: drawn }) => {
      coins = drawn
      const connection = new RawConnection(face.port)
      // An answer to a body that cannot be skipped is the last one of its connection.
      const check = async (key: string | undefined): Promise<boolean> => {
        const answer = await connection.answer()
        if (isEarly(answer)) early++
        if (answer.status === 503) t.equal(problemOf(answer).code, 'SHOAL_OVERLOADED')
        else if (key === undefined) t.equal(answer.status, 204)
        else t.equal(answer.body.toString(), `value of ${key}`)
        return answer.headers.connection !== 'close'
      }
      try {
        for (const [index, group] of groups.entries()) {
          const bytes = group.map((each) => each.bytes).join('')
          await sendInPieces(connection, bytes, index % 2 === 0 ? [] : cuts)
          for (const { key } of group) if (!(await check(key))) return
        }
        t.equal(connection.received, '')
      } finally {
        connection.destroy()
      }
    }),
    { numRuns: 300 },
  )
  t.ok(early > 50, `${early} were refused before the parser`)
})

async function sendInPieces(
  connection: RawConnection,
  bytes: string,
  cuts: number[],
): Promise<void> {
  const places = cuts.map((cut) => Math.floor(cut * bytes.length)).sort((one, other) => one - other)
  let from = 0
  for (const to of [...places, bytes.length]) {
    if (to <= from) continue
    connection.send(bytes.slice(from, to))
    from = to
    await turn()
    await turn()
  }
}

t.test('what is called simple has its end where it says', (t) => {
  const read = (text: string) => readSimpleRequest(Buffer.from(text, 'latin1'))
  t.same(read(put('1', 'abc')), {
    operation: 'put',
    headBytes: put('1', '').length,
    bodyBytes: 3,
  })
  t.match(read(`${get('1')}more`), { operation: 'get', headBytes: get('1').length, bodyBytes: 0 })
  const one = 'GET /v1/kv/b/k HTTP/1.1\r\nHost: n\r\n'
  t.ok(read(`${one}Connection: Keep-Alive\r\n\r\n`))
  const unusual = [
    'GET /v1/kv/b HTTP/1.1\r\nHost: n\r\n\r\n',
    'GET /v1/kv/b?x=/y HTTP/1.1\r\nHost: n\r\n\r\n',
    'GET http://n/v1/kv/b/k HTTP/1.1\r\nHost: n\r\n\r\n',
    'GET /v1/kv/b/ HTTP/1.1\r\nHost: n\r\n\r\n',
    'get /v1/kv/b/k HTTP/1.1\r\nHost: n\r\n\r\n',
    'POST /v1/kv/b/k HTTP/1.1\r\nHost: n\r\n\r\n',
    'GET  /v1/kv/b/k HTTP/1.1\r\nHost: n\r\n\r\n',
    'GET /v1/kv/b/k\u00e9 HTTP/1.1\r\nHost: n\r\n\r\n',
    `${one}\n\r\n`,
    `${one} folded: x\r\n\r\n`,
    `${one}A: x\n\r\n\r\n`,
    `${one}A: x\0\r\n\r\n`,
    `${one}A\r\n\r\n`,
    `${one}Upgrade: x\r\n\r\n`,
    `${one}CONNECTION: Upgrade\r\n\r\n`,
    `${one}Connection: keep-alive\r\nConnection: close\r\n\r\n`,
    `${one}content-length: -1\r\n\r\n`,
    `${one}content-length: 1, 1\r\n\r\n`,
    `${one}content-length:\r\n\r\n`,
    `${one}content-length: 12345678901\r\n\r\n`,
    `${one}X: ${'y'.repeat(5_000)}\r\n\r\n`,
    one,
    '',
  ]
  for (const text of unusual) t.equal(read(text), undefined, JSON.stringify(text.slice(0, 80)))
  t.end()
})
