/** Sessions on virtual time: what is sent, what is kept, what waits. */
import { limits } from '@shoal/kernel'
import t from 'tap'
import { startVirtual } from './support/virtual.ts'

t.test('a session begins with "new" and then carries what it was given (CL13)', async (t) => {
  const { client, net, advance } = startVirtual(['http://a', 'http://b'])
  const session = client.session()
  t.equal(session.token, '')
  const put = session.put('b', 'k', 'v')
  await advance(0)
  t.equal(net.last.header('shoal-session'), 'new')
  net.last.answer(204, { 'shoal-session': 's1' })
  await put
  t.equal(session.token, 's1')
  const get = session.get('b', 'k')
  await advance(0)
  t.equal(net.last.header('shoal-session'), 's1')
  net.last.answer(200, { 'shoal-session': 's2' })
  await get
  t.equal(session.token, 's2', 'the newer covers the older')
  const plain = client.get('b', 'k')
  await advance(0)
  t.equal(net.last.header('shoal-session'), undefined, 'outside the session there is none')
  net.last.answer(200)
  await plain
})

t.test('tokens of parallel answers stand side by side until one covers both (CL13)', async (t) => {
  const { client, net, advance } = startVirtual(['http://a'])
  const session = client.session('s0')
  const calls = [session.put('b', '1', 'v'), session.put('b', '2', 'v')]
  await advance(0)
  net.sent[1]?.answer(204, { 'shoal-session': 's2' })
  net.sent[0]?.answer(204, { 'shoal-session': 's1' })
  await Promise.all(calls)
  t.equal(session.token, 's2, s1')
  const both = session.get('b', '1')
  await advance(0)
  t.equal(net.last.header('shoal-session'), 's2, s1')
  net.last.answer(200, { 'shoal-session': 's3' })
  await both
  t.equal(session.token, 's3')
  t.equal(client.session(session.token).token, 's3')
})

t.test('a retry carries the tokens of its own moment, a failure changes none (CL13)', async (t) => {
  const { client, net, advance } = startVirtual(['http://a'])
  const session = client.session('s0')
  const first = session.put('b', '1', 'v')
  const second = session.put('b', '2', 'v')
  await advance(0)
  const [one, two] = net.sent
  two?.answer(204, { 'shoal-session': 's2' })
  one?.fail('lost')
  t.equal(net.last.header('shoal-session'), 's2')
  net.last.answer(204)
  await Promise.all([first, second])
  t.equal(session.token, 's2', 'an answer without a token changes nothing')
})

t.test(
  'no more than 8 requests of a session are on the way; the rest wait (CL13, CL16)',
  async (t) => {
    const { client, net, env, advance } = startVirtual(['http://a'])
    const session = client.session()
    const most = limits.clientSessionParallelMax
    const calls = Array.from({ length: most + 2 }, (_, index) => session.put('b', `${index}`, 'v'))
    const controller = new AbortController()
    const aborted = session.put('b', 'x', 'v', { signal: controller.signal })
    aborted.catch(() => undefined)
    await advance(0)
    t.equal(net.sent.length, most)
    controller.abort()
    await t.rejects(aborted, { name: 'AbortError', outcome: 'not-applied' })
    for (let index = 0; index < most + 2; index++) {
      net.sent[index]?.answer(204, { 'shoal-session': `s${index}` })
      await advance(0)
      t.ok(session.token.split(', ').length <= most)
    }
    await Promise.all(calls)
    t.equal(net.sent.length, most + 2, 'the aborted one never left')
    const late = session.put('b', 'y', 'v', { timeoutMs: 100 })
    late.catch(() => undefined)
    await advance(100)
    await t.rejects(late, { name: 'DeadlineExceeded' })
    const after = session.get('b', 'y')
    await advance(0)
    net.last.answer(200)
    await after
    await advance(1_000)
    net.probes.at(-1)?.end(true)
    await advance(1_000)
    t.equal(env.pendingTimers, 0)
  },
)

t.test('a deadline spent in the queue of a session applied nothing (CL4, CL6)', async (t) => {
  const { client, net, advance } = startVirtual(['http://a'])
  const session = client.session()
  const blocking = Array.from({ length: limits.clientSessionParallelMax }, () =>
    session.get('b', 'k'),
  )
  const waiting = session.put('b', 'k', 'v', { timeoutMs: 50 })
  waiting.catch(() => undefined)
  await advance(50)
  await t.rejects(waiting, { name: 'DeadlineExceeded', outcome: 'not-applied' })
  for (const sent of net.sent) sent.answer(200)
  await Promise.all(blocking)
  t.equal(net.sent.length, limits.clientSessionParallelMax)
})

t.test('the items of a session travel alone, each with its tokens (CL12, CL13)', async (t) => {
  const { client, net, advance } = startVirtual(['http://a'], { batching: true })
  const session = client.session('s0')
  const batch = session.batch([
    { op: 'get', bucket: 'b', key: '1' },
    { op: 'put', bucket: 'b', key: '2', value: 'v' },
  ])
  await advance(0)
  t.same(
    net.sent.map((sent) => [sent.request.path, sent.header('shoal-session')]),
    [
      ['/v1/kv/b/1', 's0'],
      ['/v1/kv/b/2', 's0'],
    ],
  )
  net.sent[0]?.answer(200, { 'shoal-session': 's1' })
  net.sent[1]?.answer(204, { 'shoal-session': 's2' })
  t.ok((await batch).every(({ ok }) => ok))
  t.equal(session.token, 's1, s2')
})
