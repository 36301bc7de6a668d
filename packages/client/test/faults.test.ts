/** Real sockets, real failures. */

import type { AddressInfo } from 'node:net'
import { createServer, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { type ConnectOptions, connect } from '../src/index.ts'
import { type FakeCluster, startFakeCluster } from './support/fake-cluster.ts'
import { FakeNode, refuse, replyToNobody } from './support/fake-node.ts'
import { ofKind } from './support/kind.ts'
import { rejection } from './support/virtual.ts'

async function start(t: Test, nodes = 3, options: ConnectOptions = {}) {
  const cluster = await startFakeCluster(nodes)
  const client = connect(cluster.urls, { hedge: false, ...options })
  t.teardown(async () => {
    await client.destroy()
    await cluster.close()
  })
  await client.ready()
  return { cluster, client }
}

const total = (cluster: FakeCluster): number =>
  cluster.nodes.reduce((sum, { asked }) => sum + asked.length, 0)

t.test('an answer lost on its way: the write is repeated, and is one write (CL3)', async (t) => {
  const { cluster, client } = await start(t)
  for (const node of cluster.nodes) {
    node.once((seen, reply) => {
      // Applied, and the answer lost: the worst case.
      node.answer(seen, replyToNobody())
      reply.socket?.resetAndDestroy()
      return true
    })
  }
  const { context } = await client.put('b', 'k', 'v')
  t.match(context, /^c1\./)
  t.equal(cluster.store.writes, 1, 'the idempotency key made two requests one write')
  t.equal(total(cluster), 2)
  t.ok(
    cluster.nodes.some(({ asked }) => asked.length === 2),
    'both at the same coordinator',
  )
})

t.test('a connection reset in the middle of a body is no value (CL15)', async (t) => {
  const { cluster, client } = await start(t, 1)
  const { nodes } = cluster
  await client.put('b', 'k', 'whole')
  nodes[0]?.once((_seen, reply) => {
    reply.writeHead(200, { 'Content-Length': 10, 'Content-Type': 'text/plain' })
    reply.write('half', () => reply.socket?.resetAndDestroy())
    return true
  })
  const read = ofKind('value', await client.get('b', 'k'))
  t.equal(read.value.text(), 'whole')
  t.equal(nodes[0]?.asked.filter(({ method }) => method === 'GET').length, 2)
})

t.test('a connection that the node closes when it falls idle costs nobody an error', async (t) => {
  const { cluster, client } = await start(t, 1)
  for (let count = 0; count < 5; count++) {
    cluster.nodes[0]?.once((seen, reply) => {
      // Says nothing of closing, and closes.
      reply.shouldKeepAlive = true
      reply.on('finish', () => reply.socket?.destroy())
      cluster.nodes[0]?.answer(seen, reply)
      return true
    })
    await client.put('b', 'k', `${count}`)
  }
  const read = ofKind('value', await client.get('b', 'k'))
  t.equal(read.value.text(), '4')
})

t.test('a dead node costs one refused connection, then nothing (CL9)', async (t) => {
  const { cluster, client } = await start(t)
  await cluster.nodes[0]?.kill()
  const started = performance.now()
  await Promise.all(Array.from({ length: 60 }, (_, index) => client.put('b', `${index}`, 'v')))
  t.equal(cluster.store.writes, 60)
  t.ok(performance.now() - started < 2_000)
  t.equal(client.status().nodes.find(({ url }) => url === cluster.nodes[0]?.url)?.state, 'down')
})

t.test(
  'a node killed under load loses no call, and is used again when it is back (CL8)',
  async (t) => {
    const { cluster, client } = await start(t)
    const victim = cluster.nodes[1]!
    let stop = false
    let calls = 0
    const worker = async (name: number): Promise<void> => {
      while (!stop) await client.put('b', `${name}-${calls++}`, 'v')
    }
    const workers = Array.from({ length: 16 }, (_, index) => worker(index))
    const reached = (count: number) => victim.until(() => calls >= count)
    await reached(500)
    await victim.kill()
    await reached(calls + 500)
    const back = await new FakeNode(victim.id, cluster.store).start(
      Number(new URL(victim.url).port),
    )
    t.teardown(() => back.kill())
    await back.until(() => back.asked.length > 0)
    stop = true
    await Promise.all(workers)
    t.equal(cluster.store.writes, calls, 'every call was one write')
  },
)

/** Accepts connections and never says a word, as a stopped process does. */
async function startFrozen(): Promise<{
  url: string
  sockets: Set<Socket>
  close(): Promise<void>
}> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.on('close', () => sockets.delete(socket))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    sockets,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        for (const socket of sockets) socket.destroy()
      }),
  }
}

t.test('a frozen node holds up its calls for a moment, and no later ones (CL9)', async (t) => {
  const frozen = await startFrozen()
  const cluster = await startFakeCluster(1)
  const client = connect([frozen.url, ...cluster.urls], { routing: 'seeds', hedge: false })
  t.teardown(async () => {
    await client.destroy()
    await frozen.close()
    await cluster.close()
  })
  const started = performance.now()
  await Promise.all(Array.from({ length: 40 }, (_, index) => client.put('b', `${index}`, 'v')))
  const first = performance.now() - started
  t.ok(first >= 650 && first < 1_900, `${Math.round(first)} ms: silence, then a probe`)
  t.equal(cluster.store.writes, 40)
  const later = performance.now()
  for (let count = 0; count < 20; count++) await client.get('b', `${count}`)
  t.ok(performance.now() - later < 500)
  const status = client.status().nodes.find(({ url }) => url === frozen.url)
  t.match(status, { state: 'down', inFlight: 0 })
})

t.test(
  'a connection that is not made in time is given up, and nothing was sent (CL4)',
  async (t) => {
    // An address set aside for documentation: packets to it are dropped, or the network says so.
    const client = connect('http://192.0.2.1:9', { connectTimeoutMs: 50, retries: 0 })
    t.teardown(() => client.destroy())
    const started = performance.now()
    t.match(await rejection(client.put('b', 'k', 'v')), {
      name: 'Unavailable',
      code: 'SHOAL_CLIENT_UNREACHABLE',
      outcome: 'not-applied',
    })
    t.ok(performance.now() - started < 1_000)
  },
)

t.test('a refusal is told with all the server said', async (t) => {
  const { cluster, client } = await start(t, 1)
  cluster.nodes[0]?.always((_seen, reply) => {
    refuse(reply, 'SHOAL_QUORUM_UNREACHABLE', {
      retryAfterSeconds: 9,
      wanted: 3,
      got: 2,
      replicas: [{ node: 'n3', role: 'primary', state: 'down', ms: 0 }],
    })
    return true
  })
  const error = await rejection(client.put('b', 'k', 'v', { consistency: 'all' }))
  t.match(error, {
    name: 'Unavailable',
    code: 'SHOAL_QUORUM_UNREACHABLE',
    status: 503,
    outcome: 'not-applied',
    retry: 'after',
    retryAfterMs: 9_000,
    replicas: [{ node: 'n3', state: 'down' }],
    problem: { wanted: 3, got: 2, hint: /./ },
    node: cluster.nodes[0]?.url,
  })
  t.equal(cluster.nodes[0]?.asked.length, 1, 'nine seconds are longer than the call')
})

t.test(
  'a timeout of the cluster is tried again under the same key, then told as unknown',
  async (t) => {
    const { cluster, client } = await start(t, 3, { retries: 2 })
    for (const node of cluster.nodes) {
      node.always((_seen, reply) => {
        refuse(reply, 'SHOAL_QUORUM_TIMEOUT')
        return true
      })
    }
    t.match(await rejection(client.put('b', 'k', 'v')), {
      name: 'UnknownOutcome',
      code: 'SHOAL_QUORUM_TIMEOUT',
      outcome: 'unknown',
    })
    t.match(await rejection(client.get('b', 'k')), {
      name: 'DeadlineExceeded',
      code: 'SHOAL_QUORUM_TIMEOUT',
      outcome: 'not-applied',
    })
    const puts = cluster.nodes
      .flatMap(({ asked }) => asked)
      .filter(({ method }) => method === 'PUT')
    t.equal(puts.length, 3)
    t.equal(new Set(puts.map(({ headers }) => headers['idempotency-key'])).size, 1)
  },
)

t.test('siblings as multipart, bytes and boundaries in them and all (CL11)', async (t) => {
  const { cluster, client } = await start(t, 1)
  const evil = Buffer.from('a\r\n--xyz\r\nContent-Type: text/evil\r\n\r\nb')
  cluster.nodes[0]?.always((_seen, reply) => {
    reply.writeHead(300, {
      'Content-Type': 'multipart/mixed; boundary="xyz"',
      'Causal-Context': 'c1.m',
      ETag: '"1.2.3"',
    })
    const head =
      'Content-Type: text/plain\r\nETag: "1"\r\nLast-Modified: Tue, 14 Nov 2023 22:13:20 GMT'
    reply.write(`preamble\r\n--xyz\r\n${head}\r\n\r\none\r\n`)
    const second = `Content-Type: x/y\r\nContent-Encoding: br\r\nETag: "2"`
    reply.write(`--xyz\r\n${second}\r\nContent-Length: ${evil.length}\r\n\r\n`)
    reply.write(evil)
    reply.end('\r\n--xyz\r\nETag: "3"\r\n\r\n\r\n--xyz--\r\n')
    return true
  })
  const read = ofKind('siblings', await client.get('b', 'k'))
  t.equal(read.context, 'c1.m')
  t.same(
    read.siblings.map(({ etag }) => etag),
    ['"1"', '"2"', '"3"'],
  )
  t.same(
    read.siblings.map(({ size }) => size),
    [3, evil.length, 0],
  )
  t.same(Buffer.from(read.siblings[1]!.bytes()), evil)
  t.equal(read.siblings[1]?.contentEncoding, 'br')
  t.equal(read.siblings[0]?.modified?.getTime(), 1_700_000_000_000)
})

const nonsense: Record<string, [number, Record<string, string>, string]> = {
  'siblings that are none': [300, { 'Content-Type': 'application/json' }, '{"siblings":[]}'],
  'siblings without values': [300, { 'Content-Type': 'application/json' }, '{"siblings":[{}]}'],
  'half a multipart': [
    300,
    { 'Content-Type': 'multipart/mixed; boundary=q' },
    '--q\r\nETag: "1"\r\n\r\nx',
  ],
  'a multipart without boundary': [300, { 'Content-Type': 'multipart/mixed' }, 'x'],
  'half a head': [300, { 'Content-Type': 'multipart/mixed; boundary=q' }, '--q\r\nETag'],
  'a status of nobody': [206, {}, 'x'],
}

for (const [what, [status, headers, body]] of Object.entries(nonsense)) {
  t.test(`${what} is an error, never a value (CL15)`, async (t) => {
    const { cluster, client } = await start(t, 1)
    cluster.nodes[0]?.always((_seen, reply) => {
      reply.writeHead(status, headers).end(body)
      return true
    })
    t.match(await rejection(client.get('b', 'k')), {
      name: 'Internal',
      code: 'SHOAL_CLIENT_RESPONSE_INVALID',
      outcome: 'not-applied',
    })
  })
}

t.test('something that does not speak HTTP is an error (CL15)', async (t) => {
  const server = createServer((socket) => socket.end('SSH-2.0-OpenSSH_9\r\n'))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const client = connect(`127.0.0.1:${(server.address() as AddressInfo).port}`)
  t.teardown(async () => {
    await client.destroy()
    server.close()
  })
  t.match(await rejection(client.put('b', 'k', 'v')), {
    code: 'SHOAL_CLIENT_RESPONSE_INVALID',
    outcome: 'unknown',
  })
})

t.test('a proxy in front that answers for itself promises nothing (CL4)', async (t) => {
  const { cluster, client } = await start(t, 1, { retries: 0 })
  cluster.nodes[0]?.always((_seen, reply) => {
    reply.writeHead(502, { 'Content-Type': 'text/html' }).end('<h1>Bad Gateway</h1>')
    return true
  })
  t.match(await rejection(client.put('b', 'k', 'v')), { name: 'UnknownOutcome', status: 502 })
  t.match(await rejection(client.get('b', 'k')), { name: 'Internal', outcome: 'not-applied' })
})

t.test('a page that is none, a wrong page of keys', async (t) => {
  const { cluster, client } = await start(t, 1)
  cluster.nodes[0]?.always(
    (_seen, reply) => {
      reply.end('{"keys":[1]}')
      return true
    },
    ({ path }) => path.startsWith('/v1/kv/b?'),
  )
  t.match(await rejection(client.list('b').toArray()), { code: 'SHOAL_CLIENT_RESPONSE_INVALID' })
})

t.test('a slow answer is waited for; an abort gives its connection up (CL6)', async (t) => {
  const { cluster, client } = await start(t, 1)
  const node = cluster.nodes[0]!
  let release: (() => void) | undefined
  node.once(async (seen, reply) => {
    await new Promise<void>((resolve) => {
      release = resolve
    })
    node.answer(seen, reply)
    return true
  })
  const slow = client.put('b', 'k', 'v')
  await node.sawRequests(1)
  release?.()
  await slow

  node.once(() => true)
  const controller = new AbortController()
  const aborted = rejection(client.get('b', 'k', { signal: controller.signal }))
  await node.sawRequests(2)
  const before = node.connections
  controller.abort()
  t.match(await aborted, { name: 'AbortError', code: 'SHOAL_CLIENT_ABORTED' })
  await node.until(() => node.connections < before)
  t.equal((await client.get('b', 'k')).kind, 'value')
})

t.test('after close nothing is left open', async (t) => {
  const { cluster, client } = await start(t, 3)
  await Promise.all(Array.from({ length: 30 }, (_, index) => client.put('b', `${index}`, 'v')))
  await client.close()
  for (const node of cluster.nodes) await node.until(() => node.connections === 0)
  t.pass('all connections are closed')
})
