/** What the client makes of nodes that die, freeze, and come back. */
import t from 'tap'
import { startVirtual } from './support/virtual.ts'

const nodes = ['http://a', 'http://b']

t.test(
  'a silent node is asked whether it lives; if it does, its calls wait on (CL8)',
  async (t) => {
    const { client, net, advance } = startVirtual(['http://a'])
    const call = client.put('b', 'k', 'v')
    await advance(299)
    t.equal(net.probes.length, 0)
    await advance(1)
    t.match(net.probes, [{ url: 'http://a', timeout: 400 }])
    net.probes[0]?.end(true)
    await advance(300)
    t.equal(net.probes.length, 2, 'and is watched on')
    net.probes[1]?.end(true)
    net.last.answer(204)
    await call
    t.match(client.status().nodes, [{ state: 'up' }])
  },
)

t.test(
  'what is under way at a frozen node goes elsewhere, and nobody goes there (CL9)',
  async (t) => {
    const { client, net, advance } = startVirtual(nodes)
    const calls = [client.put('b', '1', 'v'), client.get('b', '2'), client.put('b', '3', 'v')]
    await advance(300)
    const [, second] = net.sent
    t.equal(second?.url, 'http://b', 'calls without a ring take turns')
    second?.answer(200)
    net.probes.find(({ url }) => url === 'http://a')?.end(false)
    const frozen = net.sent.filter(({ url }) => url === 'http://a')
    t.ok(frozen.length === 2 && frozen.every(({ cancelled }) => cancelled))
    const moved = net.waiting
    t.same(
      moved.map(({ url }) => url),
      ['http://b', 'http://b'],
    )
    const keysOf = (sent: typeof moved) => sent.map((one) => one.header('idempotency-key'))
    t.same(keysOf(moved), keysOf(frozen), 'under their own keys')
    for (const sent of moved) sent.answer(204)
    await Promise.all(calls)
    for (let count = 0; count < 4; count++) {
      const call = client.put('b', 'k', 'v')
      await advance(0)
      t.equal(net.last.url, 'http://b')
      net.last.answer(204)
      await call
    }
  },
)

t.test('an answer that comes while the probe is out clears the node (CL8)', async (t) => {
  const { client, net, advance } = startVirtual(['http://a'])
  const first = client.put('b', '1', 'v')
  const second = client.put('b', '2', 'v')
  await advance(300)
  net.sent[0]?.answer(204)
  net.probes[0]?.end(false)
  await advance(0)
  t.equal(net.sent[1]?.cancelled, false)
  net.sent[1]?.answer(204)
  await Promise.all([first, second])
})

t.test(
  'a node that cannot be reached is passed over until a probe finds it (CL8, CL9)',
  async (t) => {
    const { client, net, env, advance } = startVirtual(nodes)
    const call = client.put('b', 'k', 'v')
    await advance(0)
    net.last.fail('not-sent')
    t.equal(net.last.url, 'http://b')
    net.last.answer(204)
    await call
    t.match(client.status().nodes, [{ state: 'down' }, { state: 'up' }])
    await advance(250)
    t.match(net.probes, [{ url: 'http://a' }])
    net.probes[0]?.end(false)
    await advance(500)
    t.equal(net.probes.length, 2)
    net.probes[1]?.end(true)
    t.match(client.status().nodes, [{ state: 'up' }, { state: 'up' }])
    await advance(60_000)
    t.equal(net.probes.length, 2, 'a node that is up is not probed')
    t.equal(env.pendingTimers, 0)
  },
)

t.test(
  'with every node down, calls try all the same, and an answer revives (CL7, CL8)',
  async (t) => {
    const { client, net, advance } = startVirtual(nodes)
    const lost = client.put('b', 'k', 'v')
    lost.catch(() => undefined)
    await advance(0)
    for (let count = 0; count < 2; count++) net.last.fail('not-sent')
    await advance(50)
    t.match(client.status().nodes, [{ state: 'down' }, { state: 'down' }])
    net.last.answer(204)
    await lost
    t.ok(client.status().nodes.some(({ state }) => state === 'up'))
  },
)

t.test(
  'a frozen node that calls fall back on is found frozen again and probed on (CL9)',
  async (t) => {
    const { client, net, advance } = startVirtual(['http://a'])
    const call = client.put('b', 'k', 'v')
    call.catch(() => undefined)
    await advance(300)
    net.probes.at(-1)?.end(false)
    await advance(30)
    t.equal(net.waiting.length, 1, 'there is no other node')
    const probed = net.probes.length
    await advance(600)
    t.ok(net.probes.length > probed)
    net.probes.at(-1)?.end(true)
    net.waiting[0]?.answer(204)
    await call
  },
)

t.test('close stops watches and probes (CL6)', async (t) => {
  const { client, net, env, advance } = startVirtual(nodes)
  const call = client.put('b', 'k', 'v')
  await advance(0)
  net.last.fail('not-sent')
  net.last.answer(204)
  await call
  await client.close()
  await advance(60_000)
  t.equal(net.probes.length, 0)
  t.equal(net.closed, 2)
  t.equal(env.pendingTimers, 0)
})
