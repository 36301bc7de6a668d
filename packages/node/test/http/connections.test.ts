/** How many connections, for how long, and how they end. */
import { request as httpRequest } from 'node:http'
import type { Duplex } from 'node:stream'
import t from 'tap'
import { type Face, openFace } from './doubles.ts'
import { call, problemOf, RawConnection, wire } from './talk.ts'

const host = 'Host: node'
const livez = wire(['GET /livez HTTP/1.1', host])
const path = '/v1/kv/carts/42'

async function openConnections(face: Face, count: number): Promise<RawConnection[]> {
  const connections: RawConnection[] = []
  for (let index = 0; index < count; index++) {
    const connection = new RawConnection(face.port)
    await new Promise((resolve) => connection.socket.once('connect', resolve))
    connections.push(connection)
  }
  return connections
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

t.test(
  'idle sockets beyond the bound are refused politely, and those within it are served',
  async (t) => {
    const face = await openFace({
      limits: { connectionsMax: 20, connectionsRefusingMax: 5, connectionRefusingMs: 50 },
    })
    t.teardown(() => face.app.close())
    const kept = await openConnections(face, 20)
    for (const connection of kept) {
      connection.send(livez)
      await connection.answer()
    }
    const surplus = await openConnections(face, 40)
    for (const connection of surplus) {
      const answer = await connection.answer()
      t.equal(answer.status, 503)
      t.equal(answer.headers['retry-after'], '1')
      t.match(problemOf(answer), { code: 'SHOAL_CONNECTIONS_FULL', wanted: 20, retry: 'after' })
      t.equal(await connection.rest(), '')
      connection.destroy()
    }
    for (const connection of kept) {
      connection.send(livez)
      t.equal((await connection.answer()).status, 200)
    }
    kept[0]?.destroy()
    while ((await gauge(kept[1]!, 'shoal_http_connections')) > 19) await turn()
    t.equal((await call(face, 'GET', '/livez')).status, 200, 'there is room again')
    for (const connection of kept) connection.destroy()
  },
)

/** Asks over a connection that is open already. */
async function gauge(connection: RawConnection, name: string): Promise<number> {
  connection.send(wire(['GET /metrics HTTP/1.1', host]))
  const text = (await connection.answer()).body.toString()
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1])
}

t.test('sockets that never say anything keep nobody out for long', async (t) => {
  const face = await openFace({ limits: { connectionsMax: 10, connectionRefusingMs: 50 } })
  t.teardown(() => face.app.close())
  const [busy] = await openConnections(face, 1)
  t.equal(await gauge(busy!, 'shoal_http_connections'), 1)
  const idle = await openConnections(face, 9)
  // Until the idle ones have had their time, a newcomer is the one too many.
  let status = 503
  while (status === 503) status = (await call(face, 'GET', '/livez')).status
  t.equal(status, 200, 'then it takes the place of the oldest of them')
  const told = await idle[0]!.answer()
  t.equal(told.status, 503)
  t.equal(problemOf(told).code, 'SHOAL_CONNECTIONS_FULL')
  t.equal(await idle[0]!.rest(), '')
  busy!.send(livez)
  t.equal((await busy!.answer()).status, 200, 'whoever has spoken stays')
  for (const connection of [busy!, ...idle]) connection.destroy()
})

t.test('a request on a surplus connection is answered with the reason', async (t) => {
  const face = await openFace({ limits: { connectionsMax: 1 } })
  t.teardown(() => face.app.close())
  const [kept] = await openConnections(face, 1)
  t.equal(await gauge(kept!, 'shoal_http_connections_refused_total'), 0, 'it has spoken')
  for (const method of ['GET', 'PUT']) {
    const refused = await call(face, method, path, method === 'PUT' ? { body: 'x' } : {})
    t.equal(refused.status, 503)
    t.equal(refused.headers.connection, 'close')
    t.match(problemOf(refused), { code: 'SHOAL_CONNECTIONS_FULL', outcome: 'not-applied' })
  }
  t.same(face.keyValue.written, [])
  t.equal(await gauge(kept!, 'shoal_http_connections_refused_total'), 2)
  kept!.destroy()
})

t.test('an idle connection is closed after its time', async (t) => {
  const face = await openFace({ limits: { keepAliveTimeoutMs: 100 } })
  t.teardown(() => face.app.close())
  const connection = new RawConnection(face.port)
  connection.send(livez)
  t.equal((await connection.answer()).status, 200)
  t.equal(await connection.rest(), '')
})

t.test(
  'a draining node fails readyz first, then refuses, and says goodbye on every answer',
  async (t) => {
    const face = await openFace()
    t.teardown(() => face.app.close())
    const before = await call(face, 'GET', '/readyz')
    t.equal(before.status, 200)
    face.app.setDraining('announced')
    const unready = await call(face, 'GET', '/readyz')
    t.equal(unready.status, 503)
    t.equal(problemOf(unready).code, 'SHOAL_DRAINING')
    const served = await call(face, 'PUT', path, { body: 'x' })
    t.equal(served.status, 204, 'still served')
    t.equal(served.headers.connection, 'close')
    face.app.setDraining()
    const refused = await call(face, 'GET', path)
    t.equal(refused.status, 503)
    t.equal(refused.headers['retry-after'], '1')
    t.match(problemOf(refused), { code: 'SHOAL_DRAINING', outcome: 'not-applied' })
    t.equal((await call(face, 'GET', '/livez')).status, 200, 'alive it is')
    face.app.setDraining('announced')
    t.equal((await call(face, 'GET', path)).status, 503, 'there is no way back')
  },
)

t.test('closing waits for what is under way, and drops what is idle', async (t) => {
  const face = await openFace()
  const [silent] = await openConnections(face, 1)
  const idle = new RawConnection(face.port)
  idle.send(livez)
  await idle.answer()
  const held = face.keyValue.hold()
  const busy = new RawConnection(face.port)
  busy.send(wire([`PUT ${path} HTTP/1.1`, host, 'Content-Length: 1'], 'x'))
  while (held.waiting() === 0) await turn()
  let closed = false
  const closing = face.app.close().then(() => {
    closed = true
  })
  t.equal(await idle.rest(), '')
  t.equal(await silent!.rest(), '')
  t.notOk(closed)
  held.release()
  const answer = await busy.answer()
  t.equal(answer.status, 204)
  t.equal(answer.headers.connection, 'close')
  await closing
  await t.rejects(call(face, 'GET', '/livez'), { code: 'ECONNREFUSED' })
})

t.test('closing does not wait for ever', async (t) => {
  const face = await openFace({ limits: { drainMs: 50 } })
  face.keyValue.hold()
  const stuck = new RawConnection(face.port)
  stuck.send(wire([`GET ${path} HTTP/1.1`, host]))
  while (face.keyValue.reads.length === 0) await turn()
  await face.app.close()
  t.equal(await stuck.rest(), '')
})

t.test('closing lets peers be', async (t) => {
  const face = await openFace()
  const peers: Duplex[] = []
  face.app.onUpgrade((_request, socket) => peers.push(socket))
  const peer = new RawConnection(face.port)
  peer.send(wire(['GET / HTTP/1.1', host, 'Connection: Upgrade', 'Upgrade: shoal-peer/1']))
  while (peers.length === 0) await turn()
  await face.app.close()
  t.notOk(peers[0]!.destroyed)
  peers[0]!.destroy()
  await peer.rest()
})

t.test('an address that is taken is told', async (t) => {
  const face = await openFace()
  t.teardown(() => face.app.close())
  await t.rejects(openFace({ port: face.port }), { code: 'SHOAL_ADDRESS_IN_USE' })
})

t.test('peers come in by upgrade, even when the clients fill all connections', async (t) => {
  const face = await openFace({ limits: { connectionsMax: 3, connectionRefusingMs: 50 } })
  t.teardown(() => face.app.close())
  face.app.onUpgrade((request, socket, head) => {
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: ${request.headers.upgrade}\r\n\r\n`)
    socket.write(head)
    socket.pipe(socket)
  })
  const clients = await openConnections(face, 3)
  const peer = new RawConnection(face.port)
  peer.send(wire(['GET / HTTP/1.1', host, 'Connection: Upgrade', 'Upgrade: shoal-peer/1'], 'early'))
  await peer.until((received) => received.endsWith('early'))
  const [surplus] = await openConnections(face, 1)
  t.equal((await surplus!.answer()).status, 503, 'one that came later has had its time')
  peer.send(' and late')
  await peer.until((received) => received.endsWith('early and late'))
  peer.destroy()
  for (const client of clients) client.destroy()
})

t.test('an upgrade to anything else is passed over, or refused where Node cannot', async (t) => {
  const face = await openFace()
  t.teardown(() => face.app.close())
  const upgrade = {
    Connection: 'Upgrade, HTTP2-Settings',
    Upgrade: 'h2c',
    'HTTP2-Settings': 'AAMA',
  }
  t.equal((await call(face, 'GET', '/livez', { headers: upgrade })).status, 200, 'nobody listens')
  face.app.onUpgrade((_request, socket) => void socket.destroy())
  const answer = await call(face, 'GET', '/livez', { headers: upgrade })
  if (answer.status !== 200) t.match(problemOf(answer), { errors: [{ field: 'Upgrade' }] })
  const canChoose = Number(process.versions.node.split('.')[0]) >= 24
  t.equal(answer.status, canChoose ? 200 : 400)
})

t.test('a client that goes away while the store works harms nothing', async (t) => {
  const face = await openFace()
  t.teardown(() => face.app.close())
  const held = face.keyValue.hold()
  const request = httpRequest({ port: face.port, host: '127.0.0.1', path, method: 'GET' })
  request.on('error', () => {})
  request.end()
  while (held.waiting() === 0) await turn()
  request.destroy()
  const watcher = new RawConnection(face.port)
  t.equal(await gauge(watcher, 'shoal_http_requests_in_flight'), 2)
  held.release()
  while ((await gauge(watcher, 'shoal_http_requests_in_flight')) > 1) await turn()
  while ((await gauge(watcher, 'shoal_http_connections')) > 1) await turn()
  t.same(face.log.lines, [])
  watcher.destroy()
})
